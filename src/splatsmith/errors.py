"""What a user's mistake looks like: one sentence: value, rule, nearest remedy."""

from pathlib import Path


class InputError(ValueError):
    """Something the user gave is not acceptable; the message says what, why and what to do."""


class InvalidFile(InputError):
    """A file does not hold what it should.

    Attributes:
        path: the file.
        offset: byte position of the first thing that is wrong, or None if it is the whole file.
        reason: what is wrong there.
    """

    def __init__(self, path: str | Path, offset: int | None, reason: str) -> None:
        self.path = Path(path)
        self.offset = offset
        self.reason = reason
        where = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{self.path}{where}: {reason}")
