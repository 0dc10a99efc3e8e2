"""Mutated files of every format through the reader: each is a scene or an InvalidFile.

    python tests/fuzz/splats_fuzz.py --count 20000 --seed 0
    python tests/fuzz/splats_fuzz.py --count 100000 --formats .spz .sog .glb     each night

Bytes that are compressed are changed inside too and packed again, so that changes reach what
lies behind gzip, Zstandard and zip. Prints, for each format, how many were read and refused,
failures, the slowest and the peak of memory beyond the start; USD, which takes a process for
each file, only if it is named. Exits with 1 if there is a failure, whose bytes --keep keeps.
"""

import argparse
import gzip
import io
import json
import re
import resource
import struct
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))

from dialects import random_scene
from ksplat_bytes import ksplat_bytes
from ply_fuzz import BODY_CHANGES, Mutate, Tally, fuzz_files, mutate, several

from splatsmith.export import read_splats
from splatsmith.export.arrays import arrays_of
from splatsmith.export.compressed_ply import encode_compressed_ply
from splatsmith.export.frames import GLTF, PLY, SPZ
from splatsmith.export.glb import encode_glb
from splatsmith.export.sog import encode_sog
from splatsmith.export.splat import encode_splat
from splatsmith.export.spz import encode_spz
from splatsmith.scenes.gaussians import Gaussians

LIES = [0, 1, 2, 3, 7, 255, 256, 65535, 65536, 10_000_000, 10_000_001, 2**31, 2**32 - 1]
JSON_WORDS = ["0", "1", "-1", "3", "7", "1e999", "NaN", "null", "[]", "{}", '"x"', "true"]
JSON_WORDS += ["99999999999999999999", "5126", "5121", "0.5", "1e30", "[[[[", "10000000"]
USD_WORDS = ["nan", "inf", "-1", "1e39", "(", ")", "[]", "3", "half", "@a.usda@", "float3[]"]


def scenes() -> list[Gaussians]:
    """Small scenes of each degree."""
    return [random_scene(seed, count=20, degree=seed % 4) for seed in range(4)]


def seeds_of(suffix: str) -> list[bytes]:
    """Good files of a format, to be spoiled."""
    ply, spz, gltf = ([arrays_of(s, f, 3) for s in scenes()] for f in (PLY, SPZ, GLTF))
    match suffix:
        case ".compressed.ply":
            return [encode_compressed_ply(a) for a in ply]
        case ".splat":
            return [encode_splat(a) for a in ply]
        case ".spz":
            return [encode_spz(a, version) for a in spz for version in versions()]
        case ".sog":
            return [encode_sog(a) for a in ply]
        case ".glb":
            return [encode_glb(a) for a in gltf]
        case ".ksplat":
            return [ksplat_bytes(s, level, sections=2) for s in scenes() for level in range(3)]
    return [usda(scene) for scene in scenes()]


def versions() -> tuple[int, ...]:
    """The versions of .spz that can be written here."""
    try:
        import zstandard  # noqa: F401
    except ImportError:
        return (2, 3)
    return (2, 3, 4)


def usda(scene: Gaussians) -> bytes:
    """A stage as text, which shows a mutation more to grip than a binary one."""
    from splatsmith.export import write_splats

    with tempfile.TemporaryDirectory() as folder:
        write_splats(Path(folder) / "a.usda", scene)
        return (Path(folder) / "a.usda").read_bytes()


def raw(rng: np.random.Generator, seeds: list[bytes]) -> bytes:
    """Changes of any bytes."""
    data, other = (seeds[rng.integers(len(seeds))] for _ in range(2))
    return several(rng, data, other, BODY_CHANGES)


def lie(rng: np.random.Generator, data: bytes, within: int) -> bytes:
    """Other numbers in a header."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 3)):
        form = ("<B", "<H", "<I", "<Q")[rng.integers(4)]
        size = struct.calcsize(form)
        at = int(rng.integers(0, max(min(within, len(data)) - size, 1)))
        number = LIES[rng.integers(len(LIES))] % (1 << 8 * size)
        if at + size <= len(changed):
            struct.pack_into(form, changed, at, number)
    return bytes(changed)


def words(rng: np.random.Generator, text: bytes, pool: list[str], pattern: str) -> bytes:
    """Other words in a text."""
    found = list(re.finditer(pattern.encode(), text))
    for _ in range(rng.integers(1, 4)):
        if found:
            span = found[rng.integers(len(found))].span()
            if span[1] <= len(text):
                text = (
                    text[: span[0]] + pool[rng.integers(len(pool))].encode() + text[span[1] :]
                )
    return text


def spz(rng: np.random.Generator, seeds: list[bytes]) -> bytes:
    """Changes within the stream as often as in its wrapping."""
    data = seeds[rng.integers(len(seeds))]
    if data[:2] != b"\x1f\x8b":
        return lie(rng, data, 140) if rng.integers(2) else raw(rng, [data])
    if rng.integers(4) == 0:
        return raw(rng, [data])
    plain = gzip.decompress(data)
    plain = lie(rng, plain, 16) if rng.integers(2) else raw(rng, [plain])
    return gzip.compress(plain, 1)


def sog(rng: np.random.Generator, seeds: list[bytes]) -> bytes:
    """Changes in meta.json, in pictures, in the zip; members that are missing or too large."""
    data = seeds[rng.integers(len(seeds))]
    if rng.integers(4) == 0:
        return raw(rng, seeds)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[rng.integers(len(members))]
    match rng.integers(5):
        case 0:
            members[name] = lie(rng, members[name], 40)
        case 1:
            members[name] = raw(rng, list(members.values()))
        case 2:
            del members[name]
        case _:
            members["meta.json"] = words(rng, members["meta.json"], JSON_WORDS, r"[-\d.e]+")
    out = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if rng.integers(2) else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", kind) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member), content, kind)
    return out.getvalue()


def glb(rng: np.random.Generator, seeds: list[bytes]) -> bytes:
    """Changes in the document, with chunks that fit again, or of any bytes."""
    data = seeds[rng.integers(len(seeds))]
    if rng.integers(4) == 0:
        return lie(rng, data, 24) if rng.integers(2) else raw(rng, seeds)
    length = struct.unpack_from("<I", data, 12)[0]
    text, rest = data[20 : 20 + length], data[20 + length :]
    if rng.integers(2):
        document = json.loads(text)
        _twist(rng, document)
        text = json.dumps(document).encode()
    else:
        text = words(rng, text, JSON_WORDS, r'[-\d.e]+|"[^"]*"')
    if rng.integers(4) == 0:
        rest = raw(rng, [rest])
    head = struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON")
    return head + text + rest


def _twist(rng: np.random.Generator, value: object) -> None:
    """Exchange or remove something somewhere in a document."""
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[rng.integers(len(keys))]
        if not isinstance(value[key], dict | list) or rng.integers(4) == 0:
            if rng.integers(3) == 0:
                del value[key]
            else:
                value[key] = [None, -1, 0, 2, 10**9, 0.5, [], {}, "x"][rng.integers(9)]
            return
        value = value[key]


MUTATE: dict[str, Mutate] = {
    ".compressed.ply": mutate,
    ".splat": raw,
    ".spz": spz,
    ".sog": sog,
    ".glb": glb,
    ".ksplat": lambda rng, seeds: (
        lie(rng, seeds[rng.integers(len(seeds))], 5120) if rng.integers(2) else raw(rng, seeds)
    ),
    ".usda": lambda rng, seeds: words(
        rng, seeds[rng.integers(len(seeds))], USD_WORDS, r"[-\d.e]+|\w+\[?\]?"
    ),
}


def fuzz(suffix: str, count: int, seed: int, folder: Path, keep: Path | None = None) -> Tally:
    """Check `count` mutated files of a format; the same seed makes the same files."""
    seeds = seeds_of(suffix)
    return fuzz_files(suffix, MUTATE[suffix], seeds, read_splats, count, seed, folder, keep)


def main() -> int:
    """The command; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000, help="files of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="*", choices=MUTATE, default=list(MUTATE)[:-1])
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    failed = False
    for suffix in args.formats:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            tally = fuzz(suffix, args.count, args.seed, Path(folder), args.keep)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        print(
            f"{suffix}: {tally.count} files in {time.perf_counter() - start:.0f} s, "
            f"{tally.scenes} scenes, {tally.count - tally.scenes} refused for "
            f"{len(tally.reasons)} reasons, {len(tally.failures)} failures, slowest "
            f"{tally.slowest * 1000:.0f} ms (file {tally.slowest_number}), memory grew by "
            f"{grown / (1 << (20 if sys.platform == 'darwin' else 10)):.1f} MiB",
            flush=True,
        )
        print(*(f"  {failure}" for failure in tally.failures[:20]), sep="\n", end="")
        failed |= bool(tally.failures)
    return failed


if __name__ == "__main__":
    sys.exit(main())
