"""One JSON line per object: what was asked, what made it, how it measured, how it failed.

Lines are only ever added. A process that is killed can leave half a line at the end; it is
dropped, and its object is made again.
"""

import csv
import io
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from splatsmith.errors import InputError, InvalidFile

FORMAT = "splatsmith-record-1"
LONGEST_FAILURE = 2000  # characters; more of a message helps nobody

Kind = Literal["run", "ceiling", "floor", "samples"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What decides the numbers of a whole evaluation, as names and hashes."""

    recipe: str  # its name
    recipe_sha256: str
    prior: str
    prior_sha256: str
    evaluators: tuple[str, ...]  # "E1 <hash>", ...
    lists_sha256: str
    version: str = ""  # of the package
    commit: str = ""  # of git, with a + if files were changed; empty outside a checkout


@dataclass(frozen=True, kw_only=True)
class Record:
    """One object that was weighed, or that failed.

    `kind` tells what it was: a run, a true object (ceiling), the scene before its first step
    (floor), or pictures drawn by the prior alone (samples). `metrics` are numbers or None where
    a measure does not apply; what is true or false is 1 or 0.
    """

    kind: str
    prompt: str
    seed: int
    split: str  # held, dev, train or pair
    origin: Origin
    metrics: dict[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0  # wall time of making it, without weighing it
    peak_mib: int = 0  # most memory the process had held by then
    failure: str = ""  # why there is no object; empty if there is one

    @property
    def key(self) -> tuple[str, str, int]:
        """What must be unique in a file."""
        return self.kind, self.prompt, self.seed


def to_line(record: Record) -> str:
    """The record as one line of JSON, without its end."""
    bad = [k for k, v in record.metrics.items() if v is not None and not math.isfinite(v)]
    if bad:
        raise InputError(f"Metric {bad[0]} is {record.metrics[bad[0]]}; give a number or None.")
    table = {"format": FORMAT, **asdict(record)}
    table["failure"] = record.failure[:LONGEST_FAILURE]
    return json.dumps(table, ensure_ascii=True, allow_nan=False, sort_keys=True)


def from_line(line: str) -> Record:
    """What `to_line` wrote; ValueError that says what is wrong otherwise."""
    table = json.loads(line)
    if not isinstance(table, dict) or table.pop("format", None) != FORMAT:
        raise ValueError(f"is no record of format {FORMAT!r}")
    origin = table.get("origin")
    _check_fields(table, Record, "record")
    _check_fields(origin, Origin, "origin")
    assert isinstance(origin, dict)
    table["origin"] = Origin(**{**origin, "evaluators": tuple(origin["evaluators"])})
    record = Record(**table)
    _check_values(record)
    return record


def to_csv(records: Sequence[Record]) -> str:
    """A row for each record and a column for each metric, for tables elsewhere.

    What does not apply is empty.
    """
    told = ("kind", "prompt", "seed", "split", "seconds", "peak_mib", "failure")
    names = list(dict.fromkeys(name for record in records for name in record.metrics))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*told, *names])
    for record in records:
        plain = [getattr(record, name) for name in told]
        table.writerow([*plain, *(record.metrics.get(name) for name in names)])
    return text.getvalue()


def append(path: Path, record: Record) -> None:
    """Add a line and have it on the disk before returning."""
    data = to_line(record).encode() + b"\n"
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_records(path: Path) -> list[Record]:
    """All records of a file, in order; none if there is no file.

    Raises InvalidFile, naming the line, for one that is damaged or that comes twice, and if
    the last line has no end (see `drop_torn_line`).
    """
    if not path.exists():
        return []
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        start = data.rfind(b"\n") + 1
        raise InvalidFile(path, start, "the last line was torn; the next evaluation mends it")
    records: list[Record] = []
    seen: dict[tuple[str, str, int], int] = {}
    offset = 0
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        record = _parsed(path, number, offset, line)
        if record.key in seen:
            first = seen[record.key]
            reason = (
                f"line {number} repeats line {first}, {record.prompt!r}; remove one of them"
            )
            raise InvalidFile(path, offset, reason)
        seen[record.key] = number
        records.append(record)
        offset += len(line)
    return records


def drop_torn_line(path: Path) -> str:
    """Cut off a last line without an end; returns a sentence about it, or nothing."""
    if not path.exists():
        return ""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole == len(data):
        return ""
    os.truncate(path, whole)
    lost = len(data) - whole
    return f"{path}: dropped {lost} bytes of a torn last line; its object is made again."


def _parsed(path: Path, number: int, offset: int, line: bytes) -> Record:
    try:
        return from_line(line.decode())
    except (ValueError, RecursionError) as error:
        reason = f"line {number}: {error}; remove this line to have its object made again"
        raise InvalidFile(path, offset, reason) from error


def _check_fields(table: Any, kind: type, name: str) -> None:
    known = {item.name for item in fields(kind)}
    if not isinstance(table, dict) or set(table) != known:
        found = set(table) if isinstance(table, dict) else set()
        raise ValueError(
            f"the {name} must have {_listed(known)}; differs in {_listed(known ^ found)}"
        )


def _check_values(record: Record) -> None:
    numbers: Sequence[Any] = [v for v in record.metrics.values() if v is not None]
    texts = [record.prompt, record.split, record.failure, *asdict(record.origin).values()]
    whole = [record.seed, record.peak_mib]
    good = (
        record.kind in KINDS
        and all(isinstance(v, int | float) and math.isfinite(v) for v in numbers)
        and all(isinstance(text, str | tuple) for text in texts)
        and all(isinstance(name, str) for name in record.origin.evaluators)
        and all(isinstance(v, int) and v >= 0 for v in whole)
        and isinstance(record.seconds, int | float)
    )
    if not good:
        raise ValueError("has a value of the wrong type")


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
