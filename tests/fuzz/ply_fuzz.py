"""Mutated .ply files through the reader: each is a scene or an InvalidFile that says why.

    python tests/fuzz/ply_fuzz.py --count 20000 --seed 0

Prints how many were read and refused, failures, the slowest and the peak of memory beyond the
start. Exits with 1 if there is a failure, and keeps the bytes of each in --keep.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))

from dialects import dialects

from splatsmith.errors import InvalidFile
from splatsmith.export import read_ply

SLOW = 1.0  # seconds that no file may take
MOST_SPLATS_PER_BYTE = 16  # what a compressed format may claim
NUMBERS = [b"0", b"1", b"-1", b"5", b"255", b"4294967295", b"9999999999999999999", b"1e400"]
WORDS = [b"property list uchar int bad", b"element vertex 3", b"element face 4000000000"]
WORDS += [b"format ascii 1.0", b"format binary_big_endian 1.0", b"end_header", b"comment"]
WORDS += [b"property float x", b"property double q", b"element e 9999999", b"\xff\xfe", b""]
WORDS += [b"property list double int l", b"property list int char l", b"element dust 10000000"]
Change = Callable[[np.random.Generator, bytes, bytes], bytes]
Mutate = Callable[[np.random.Generator, list[bytes]], bytes]


class Counted(Protocol):
    """What is asked of anything that was read."""

    @property
    def count(self) -> int:
        """How many splats, or what else there may be many of."""
        ...


Read = Callable[[Path], Counted]
VALUES = [b"nan", b"inf", b"-inf", b"1e39", b"1_0", b"0x10", b"", b"9" * 400, b"1" * 70, b"."]


@dataclass
class Tally:
    """What came of the files so far."""

    count: int = 0
    scenes: int = 0
    slowest: float = 0.0
    slowest_number: int = -1
    failures: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


def mutate(rng: np.random.Generator, seeds: list[bytes]) -> bytes:
    """A few changes of random kinds to a random seed; half of the time the header is spared."""
    data, other = seeds[rng.integers(len(seeds))], seeds[rng.integers(len(seeds))]
    head, mark, body = data.partition(b"end_header")
    if rng.integers(2):
        return head + mark + several(rng, body, other, BODY_CHANGES)
    return several(rng, data, other, CHANGES)


def several(
    rng: np.random.Generator, data: bytes, other: bytes, changes: list[Change]
) -> bytes:
    for _ in range(rng.geometric(0.5)):
        data = changes[rng.integers(len(changes))](rng, data, other)
    return data


def _flip(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(0, max(len(data), 1), rng.integers(1, 9)):
        if place < len(changed):
            changed[place] ^= 1 << rng.integers(8)
    return bytes(changed)


def _splice(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    a, b = rng.integers(0, len(data) + 1), rng.integers(0, len(other) + 1)
    return data[:a] + other[b:]


def _cut(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    return data[: rng.integers(0, len(data) + 1)]


def _drop(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    a, b = sorted(rng.integers(0, len(data) + 1, 2))
    return data[:a] + data[min(b, a + 64) :]


def _repeat(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    a, b = sorted(rng.integers(0, len(data) + 1, 2))
    return data[:b] + data[a:b] * int(rng.integers(1, 30)) + data[b:]


def _bytes(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    at = rng.integers(0, len(data) + 1)
    return data[:at] + rng.bytes(rng.integers(1, 40)) + data[at:]


def _header_line(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Remove, repeat, exchange or insert a line of the header."""
    head, mark, body = data.partition(b"end_header")
    lines = head.split(b"\n")
    a, b = rng.integers(0, len(lines), 2)
    match rng.integers(4):
        case 0:
            del lines[a]
        case 1:
            lines[a:a] = [lines[b]] * int(rng.integers(1, 3))
        case 2:
            lines[a], lines[b] = lines[b], lines[a]
        case _:
            lines.insert(a, WORDS[rng.integers(len(WORDS))])
    return b"\n".join(lines) + mark + body


def _header_word(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Replace a word of the header, such as a count, by a number or another word."""
    head, mark, body = data.partition(b"end_header")
    words = head.split(b" ")
    pool = [*NUMBERS, b"list", b"int", b"uchar", b"double", b"vertex", b"f_rest_0"]
    words[rng.integers(len(words))] = pool[rng.integers(len(pool))]
    return b" ".join(words) + mark + body


def _count(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Lie about the number of rows."""
    before, mark, after = data.partition(b"element vertex ")
    _, _, rest = after.partition(b"\n")
    lies = [*NUMBERS, b"10000000", b"10000001", b"3", b"8"]
    return before + mark + lies[rng.integers(len(lies))] + b"\n" + rest


def _value(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Replace a word by a number that is none, or is far too large."""
    words = data.split(b" ")
    words[rng.integers(len(words))] = VALUES[rng.integers(len(VALUES))]
    return b" ".join(words)


def _huge(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Four or eight bytes that are not a number, infinite, or the largest there is."""
    at = rng.integers(0, len(data) + 1)
    bits = [b"\xff\xff\xff\x7f", b"\x7f\x80\0\0", b"\0\0\x80\x7f", b"\xff" * 8, b"\x7f\xef" * 4]
    new = bits[rng.integers(len(bits))]
    return data[:at] + new + data[at + len(new) :]


CHANGES = [_flip, _splice, _cut, _drop, _repeat, _bytes, _header_line, _header_line]
CHANGES += [_header_word, _header_word, _count, _value, _huge]
BODY_CHANGES = [
    _flip,
    _flip,
    _splice,
    _cut,
    _drop,
    _repeat,
    _bytes,
    _value,
    _value,
    _huge,
    _huge,
]


def check(path: Path, data: bytes, tally: Tally, read: Read | None = None) -> None:
    """Read one file, with `read_ply` unless told otherwise, and note what came of it."""
    path.write_bytes(data)
    start = time.process_time()  # Other programs may keep the processor busy.
    try:
        scene = (read or read_ply)(path)
        tally.scenes += 1
        if scene.count > MOST_SPLATS_PER_BYTE * len(data):
            tally.failures.append(f"{tally.count}: more splats than its bytes can hold")
    except InvalidFile as refusal:
        tally.reasons[" ".join(refusal.reason.split()[:2])] += 1
        where = refusal.offset
        if not refusal.reason or (where is not None and not 0 <= where <= len(data)):
            tally.failures.append(f"{tally.count}: offset {where} of {len(data)}: {refusal}")
    except Exception as error:
        tally.failures.append(f"{tally.count}: {type(error).__name__}: {error}")
    seconds = time.process_time() - start
    if seconds > tally.slowest:
        tally.slowest, tally.slowest_number = seconds, tally.count
    if seconds > SLOW:
        tally.failures.append(f"{tally.count}: took {seconds:.2f} s")
    tally.count += 1


def fuzz(count: int, seed: int, folder: Path, keep: Path | None = None) -> Tally:
    """Check `count` mutated files; the same seed makes the same files."""
    return fuzz_files(
        ".ply", mutate, list(dialects().values()), read_ply, count, seed, folder, keep
    )


def fuzz_files(
    suffix: str,
    change: Mutate,
    seeds: list[bytes],
    read: Read,
    count: int,
    seed: int,
    folder: Path,
    keep: Path | None = None,
) -> Tally:
    """Check `count` files that `change` makes of good ones; failures are copied to `keep`."""
    rng, tally = np.random.default_rng(seed), Tally()
    for _ in range(count):
        data, before = change(rng, seeds), len(tally.failures)
        path = folder / f"{tally.count}{suffix}"  # Overwriting one would wait for the disk.
        check(path, data, tally, read)
        path.unlink()
        if keep and len(tally.failures) > before:
            (keep / f"{seed}-{tally.count - 1}{suffix}").write_bytes(data)
    return tally


def main() -> int:
    """The command; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tally = fuzz(args.count, args.seed, Path(folder), args.keep)
    seconds = time.perf_counter() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    refused = tally.count - tally.scenes
    print(f"{tally.count} files in {seconds:.1f} s: {tally.scenes} scenes, {refused} refused")
    print(f"{len(tally.failures)} failures", *tally.failures[:20], sep="\n  ")
    if not tally.failures:
        print(f"at 95 % confidence fewer than 3/n = {3 / tally.count:.2g} of such files fail")
    print(f"slowest {tally.slowest * 1000:.1f} ms (file {tally.slowest_number})")
    print(
        f"peak memory grew by {grown / (1 << (20 if sys.platform == 'darwin' else 10)):.1f} MiB"
    )
    for reason, number in tally.reasons.most_common():
        print(f"{number:7d}  {reason}")
    return bool(tally.failures)


if __name__ == "__main__":
    sys.exit(main())
