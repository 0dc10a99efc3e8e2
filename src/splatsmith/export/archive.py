"""Zip files of strangers: few members, none larger than it may be, nothing written to disk."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

from splatsmith.errors import InvalidFile

MAX_MEMBERS = 64
MOST_PACKED = 1032  # bytes that deflate can make of one
END = b"PK\x05\x06"
END_SIZE = 22
LOCATOR = b"PK\x06\x07"  # of a second last record, which would count instead
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive:
    """A zip that lies in memory; raises InvalidFile if it is none or has many members."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.size = path, len(data)
        # The number of members stands in the last record; zipfile would list them all first.
        end = data.rfind(END, max(0, len(data) - END_SIZE - 0xFFFF))
        if end < 0 or end + END_SIZE > len(data):
            raise InvalidFile(path, None, "this is not a whole zip file")
        if data[max(0, end - 20) : end].startswith(LOCATOR):
            raise InvalidFile(path, end, "zip files of the 64-bit kind are not accepted")
        count, length = struct.unpack_from("<HI", data, end + 10)
        if count > MAX_MEMBERS or length > MAX_MEMBERS * 1024:
            raise InvalidFile(
                path, end, f"a zip with {count} members; at most {MAX_MEMBERS} are accepted"
            )
        try:
            self.zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise InvalidFile(path, None, f"the zip file is broken: {error}") from None
        if len(self.zip.namelist()) > MAX_MEMBERS:
            raise InvalidFile(path, end, f"a zip with more than {MAX_MEMBERS} members")

    def read(self, name: str, most: int) -> bytes:
        """A member of at most `most` bytes, which its entry must promise before any is read."""
        try:
            entry = self.zip.getinfo(name)
        except KeyError:
            raise InvalidFile(self.path, None, f"the zip file lacks {name}") from None
        if entry.file_size > min(most, MOST_PACKED * entry.compress_size + 64):
            raise InvalidFile(
                self.path, None, f"{name} would have {entry.file_size} bytes, which is too many"
            )
        if entry.compress_type not in PLAIN:
            raise InvalidFile(self.path, None, f"{name} is neither stored nor deflated")
        try:
            with self.zip.open(entry) as file:
                data = file.read(entry.file_size)
                file.read(1)  # only now is the checksum looked at
                return data
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            RuntimeError,
            NotImplementedError,
            ValueError,
            struct.error,
        ) as error:
            raise InvalidFile(self.path, None, f"{name} cannot be unpacked: {error}") from None
