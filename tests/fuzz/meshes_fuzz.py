"""Mutated meshes through the reader of starts: each is a mesh, a cloud or an InvalidFile.

    python tests/fuzz/meshes_fuzz.py --count 3000 --seed 0

The good files are ours: a box in plain colors, with colors at its corners, and with a texture.
Prints, for each format, how many were read and refused, failures and the slowest. Exits with 1
if there is a failure, whose bytes --keep keeps.
"""

import argparse
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))

from ply_fuzz import Mutate, Tally, fuzz_files, mutate
from round_trips import KEPT_OF_MESHES, mesh_of
from splats_fuzz import glb, raw

from splatsmith.export.given import read_given
from splatsmith.export.mesh_files import placing, write_mesh
from splatsmith.scenes.given import Surface

OBJ_WORDS = [b"f", b"v", b"vt", b"0", b"-1", b"99999999", b"1/1/1", b"1//", b"nan", b"1e400"]
OBJ_WORDS += [b"mtllib", b"usemtl", b"/etc/passwd", b"../x.mtl", b"l", b"\n", b"#", b""]


@dataclass(frozen=True)
class Corners:
    """How many corners a file's triangles have; none in a cloud."""

    count: int


def read(path: Path) -> Corners:
    """The corners of what a file begins a run with."""
    given = read_given(path)
    return Corners(3 * given.faces if isinstance(given, Surface) else 0)


def seeds_of(ending: str) -> list[bytes]:
    """Good files of a format, one of each look."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is not closed")
        paths = [Path(folder) / f"{seed}{ending}" for seed in range(3)]
        for seed, path in enumerate(paths):
            mesh = mesh_of(seed)
            write_mesh(path, mesh, placing(mesh, origin="scene"))
        return [path.read_bytes() for path in paths]


def obj(rng: np.random.Generator, seeds: list[bytes]) -> bytes:
    """Other words, or changes of any bytes."""
    if rng.integers(2):
        return raw(rng, seeds)
    found = seeds[rng.integers(len(seeds))].split(b" ")
    for _ in range(rng.integers(1, 5)):
        found[rng.integers(len(found))] = OBJ_WORDS[rng.integers(len(OBJ_WORDS))]
    return b" ".join(found)


MUTATE: dict[str, Mutate] = {".glb": glb, ".obj": obj, ".ply": mutate, ".stl": raw}


def fuzz(ending: str, count: int, seed: int, folder: Path, keep: Path | None = None) -> Tally:
    """Check `count` mutated files of a format; the same seed makes the same files."""
    seeds, whole = seeds_of(ending), folder / f"whole{ending}"
    whole.write_bytes(seeds[-1])
    assert read(whole).count > 0  # and what is imported late does not count for the first file
    return fuzz_files(ending, MUTATE[ending], seeds, read, count, seed, folder, keep)


def main() -> int:
    """The command; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3000, help="files of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    failed = False
    for ending in KEPT_OF_MESHES:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            tally = fuzz(ending, args.count, args.seed, Path(folder), args.keep)
        print(
            f"{ending}: {tally.count} files in {time.perf_counter() - start:.0f} s, "
            f"{tally.scenes} read, {tally.count - tally.scenes} refused for "
            f"{len(tally.reasons)} reasons, {len(tally.failures)} failures, slowest "
            f"{tally.slowest * 1000:.0f} ms (file {tally.slowest_number})",
            flush=True,
        )
        print(*(f"  {failure}" for failure in tally.failures[:20]), sep="\n", end="")
        failed |= bool(tally.failures)
    return failed


if __name__ == "__main__":
    sys.exit(main())
