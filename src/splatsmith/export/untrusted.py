"""How files of strangers are opened: regular files only, sizes known before memory is used.

Every reader of splats begins here. What can be wrong with a file ends as one kind of error,
InvalidFile, with the offset where there is one.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Shaped

from splatsmith.errors import InvalidFile

MAX_FILE = 4 << 30  # bytes; ten million splats of degree 3 as .ply have 2.5 GB
MAX_SPLATS = 10_000_000
MAX_SPLATS_PER_BYTE = 16  # of a compressed file; real scenes have a fifth of a splat in a byte


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file, open for reading, and its size; raises InvalidFile for anything else.

    What the system refuses while the file is open becomes InvalidFile too.
    """
    try:
        # Opening must not wait for the other end of a pipe, nor Windows turn CR LF into LF.
        flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, os.O_RDONLY | flags)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InvalidFile(path, None, "this is not a regular file")
            yield file, status.st_size
    except OSError as error:
        raise InvalidFile(path, None, error.strerror or str(error)) from error


def head_of(path: Path, count: int) -> bytes:
    """The first bytes of a file, at most `count`."""
    with opened(path) as (file, _):
        return file.read(count)


def contents(path: Path, most: int = MAX_FILE) -> bytes:
    """The whole file; raises InvalidFile if it has more than `most` bytes."""
    with opened(path) as (file, size):
        if size > most:
            raise InvalidFile(
                path, None, f"the file has {size} bytes; at most {most} are accepted"
            )
        return file.read(size)


def take(
    path: Path, data: bytes, offset: int, kind: np.dtype | str, count: int, what: str
) -> Shaped[np.ndarray, "count ..."]:
    """`count` items of a NumPy kind that lie at `offset`, not copied.

    Raises InvalidFile if the data ends before them; `what` names them in the message.
    """
    kind = np.dtype(kind)
    if offset < 0 or count < 0 or offset + count * kind.itemsize > len(data):
        raise InvalidFile(
            path,
            min(max(offset, 0), len(data)),
            f"the file ends within {what}: {count * kind.itemsize} bytes must stand here",
        )
    return np.frombuffer(data, kind, count, offset)


def check_count(path: Path, count: int, size: int | None = None) -> None:
    """Raises InvalidFile unless `count` splats are acceptable.

    `size` is that of the file if it is compressed: then its header alone says what memory it
    asks for, and a small file that claims millions of splats is refused.
    """
    if count < 1:
        raise InvalidFile(path, None, "the file holds no splats")
    if count > MAX_SPLATS:
        raise InvalidFile(
            path, None, f"the file has {count} splats; at most {MAX_SPLATS} are accepted"
        )
    if size is not None and count > MAX_SPLATS_PER_BYTE * size:
        raise InvalidFile(
            path, None, f"{size} bytes cannot hold the {count} splats that the header promises"
        )
