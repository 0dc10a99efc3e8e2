"""The run's diary: `events.jsonl`, one JSON object per line, a line or more per step.

It holds what happened and no times of day, so that a resumed run ends with the same bytes as
an uninterrupted one. Each checkpoint records how long the diary was and its hash; resuming cuts
off whatever was written after that.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from splatsmith.errors import InvalidFile


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the diary had come: its length and the SHA-256 of what it held."""

    size: int = 0
    sha256: str = hashlib.sha256(b"").hexdigest()


class Events:
    """The open diary of a run."""

    def __init__(self, path: Path, mark: Mark) -> None:
        kept = _checked(path, mark)
        self.path = path
        self._hash = hashlib.sha256(kept)
        self._size = mark.size
        self._file = path.open("ab")
        self._file.truncate(mark.size)

    def add(self, event: str, step: int, **details: Any) -> None:
        """Write one line; `step` counts finished steps of the whole run."""
        line = json.dumps({"event": event, "step": step, **details}, allow_nan=False)
        data = line.encode() + b"\n"
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)

    def mark(self) -> Mark:
        """Bring everything written so far to the disk and say how far the diary has come."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            error.filename = str(self.path)
            raise
        return Mark(self._size, self._hash.hexdigest())

    def close(self) -> None:
        """Write out what is left."""
        self._file.close()


def check_events(path: Path, mark: Mark) -> None:
    """Raise InvalidFile unless the diary begins as it stood at `mark`."""
    _checked(path, mark)


def _checked(path: Path, mark: Mark) -> bytes:
    size = path.stat().st_size if path.exists() else 0
    if size < mark.size:
        raise InvalidFile(path, size, f"ends here, but a checkpoint knew {mark.size} bytes")
    if mark.size == 0:
        return b""
    with path.open("rb") as file:
        kept = file.read(mark.size)
    if hashlib.sha256(kept).hexdigest() != mark.sha256:
        raise InvalidFile(path, None, "was changed since the checkpoint was written")
    return kept
