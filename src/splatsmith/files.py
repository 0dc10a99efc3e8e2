"""Files that are either whole or not there."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from splatsmith.errors import InvalidFile

T = TypeVar("T")


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a reader sees the old bytes or the new, never a mixture.

    The data and the folder's entry are on the disk when this returns. Raises OSError if the
    disk refuses; the old file is then untouched and no draft is left behind.
    """
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException as error:
        Path(draft).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # So that the user is told which file it was.
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's list of names survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        error.filename = str(folder)
        raise
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shipped_file(name: str) -> Path:
    """Where weights are: inside the package when installed, beside `src` in a checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "weights", package.parents[1] / "weights"):
        if (folder / name).is_file():
            return folder / name
    return package / "weights" / name


def check_shipped(path: Path, digest: str) -> None:
    """InvalidFile unless SHA-256 `digest` is the one that `SHA256SUMS` beside `path` gives."""
    sums = path.parent / "SHA256SUMS"
    lines = sums.read_text().splitlines() if sums.is_file() else []
    if [digest, path.name] not in [line.split() for line in lines]:
        raise InvalidFile(
            path, None, "its SHA-256 is not the one it shipped with; reinstall the package"
        )


def part_of(tensors: Mapping[str, T], prefix: str) -> dict[str, T]:
    """What a file holds under names that begin with `prefix`, by the rest of the name."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
