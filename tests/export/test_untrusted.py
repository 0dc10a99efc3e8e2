"""Small files that would become large are refused by what their headers say."""

import gzip
import io
import os
import struct
import tracemalloc
import zipfile
from contextlib import contextmanager

import pytest
from dialects import random_scene
from kept import KEPT

from splatsmith.errors import InvalidFile
from splatsmith.export import read_splats, write_splats

MEBIBYTE = 1 << 20


@contextmanager
def memory_below(most: int):
    """Checks how much memory Python asked for meanwhile."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def refused(tmp_path, name: str, data: bytes, reason: str, most: int = 4 * MEBIBYTE) -> None:
    (tmp_path / name).write_bytes(data)
    with memory_below(most + 4 * len(data)), pytest.raises(InvalidFile, match=reason):
        read_splats(tmp_path / name)


def spz(version: int, count: int, degree: int = 0, bits: int = 12, flags: int = 0) -> bytes:
    return struct.pack("<4sIIBBBB", b"NGSP", version, count, degree, bits, flags, 0)


def test_gzip_bombs(tmp_path):
    claims = gzip.compress(spz(3, 9_000_000))
    refused(tmp_path, "a.spz", claims, "cannot hold the 9000000 splats")
    refused(tmp_path, "b.spz", gzip.compress(spz(3, 10**8)), "at most")
    swollen = gzip.compress(spz(3, 2) + bytes(32 * MEBIBYTE), 1)
    refused(tmp_path, "c.spz", swollen, "there are more")
    nested = gzip.compress(bytes(50 * MEBIBYTE), 1)
    refused(tmp_path, "d.spz", nested, "no .spz of a known version")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(b"NGSP"), "ends within its header"),
        (gzip.compress(spz(3, 2) + bytes(39)), "there are 55"),
        (gzip.compress(spz(3, 2) + bytes(41)), "there are more"),
        (gzip.compress(spz(3, 2) + bytes(40))[:-6], "there are more|broken"),
        (gzip.compress(spz(3, 2) + bytes(40)) + b"x", "more"),
        (gzip.compress(spz(5, 2) + bytes(40)), "known version"),
        (gzip.compress(spz(3, 2, degree=5) + bytes(40)), "degree 5"),
        (gzip.compress(spz(3, 2, bits=24) + bytes(40)), "24 fraction bits"),
        (gzip.compress(spz(3, 0)), "no splats"),
        (b"\x1f\x8b" + bytes(30), "gzip stream is broken"),
        (b"NGSP" + bytes(10), "ends within its header"),
        (spz(4, 2)[:15] + struct.pack("<BI12x", 5, 20), "5 streams are needed"),
        (spz(4, 2)[:15] + struct.pack("<BI12x", 5, 32), "5 streams are needed"),
    ],
)
def test_streams_that_are_not_whole(tmp_path, data, reason):
    refused(tmp_path, "a.spz", data, reason)


def test_zstandard_bombs(tmp_path):
    zstandard = pytest.importorskip("zstandard", reason="NOT TESTED: .spz 4 needs `spz`")
    bomb = zstandard.ZstdCompressor().compress(bytes(32 * MEBIBYTE))
    sizes = [18, 2, 6, 6, 8]
    streams = [bomb] * 5
    table = b"".join(struct.pack("<QQ", len(s), n) for s, n in zip(streams, sizes, strict=True))
    head = spz(4, 2)[:15] + struct.pack("<BI12x", 5, 32)
    refused(tmp_path, "a.spz", head + table + b"".join(streams), "does not unpack to 18 bytes")
    grown = table.replace(struct.pack("<Q", 18), struct.pack("<Q", 32 * MEBIBYTE))
    refused(tmp_path, "b.spz", head + grown + b"".join(streams), "must have 18 bytes")


def sog(members: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.fixture
def members(tmp_path):
    """What a good .sog holds."""
    write_splats(tmp_path / "good.sog", random_scene(1, count=9))
    with zipfile.ZipFile(tmp_path / "good.sog") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_zip_bombs(tmp_path, members):
    large = sog(members | {"meta.json": b" " * (32 * MEBIBYTE)}, zipfile.ZIP_DEFLATED)
    refused(tmp_path, "a.sog", large, "meta.json would have 33554432 bytes")
    many = sog({f"{i}": b"" for i in range(500)} | members)
    refused(tmp_path, "b.sog", many, "a zip with 508 members|507 members|506 members")
    end = sog(members)
    wide = end[:-22] + b"PK\x06\x07" + bytes(16) + end[-22:]
    refused(tmp_path, "c.sog", wide, "64-bit kind")
    liar = bytearray(sog(members, zipfile.ZIP_DEFLATED))
    at = liar.rfind(b"PK\x01\x02", 0, liar.rfind(b"meta.json"))
    struct.pack_into("<I", liar, at + 24, 900_000)  # its size, unpacked
    refused(tmp_path, "d.sog", bytes(liar), "meta.json")
    flipped = bytearray(sog(members))
    flipped[flipped.find(b"version") + 12] ^= 1
    refused(tmp_path, "e.sog", bytes(flipped), "cannot be unpacked: Bad CRC")
    refused(tmp_path, "f.sog", sog({"a": b""}), "lacks meta.json")
    squeezed = sog(members, zipfile.ZIP_BZIP2)
    refused(tmp_path, "g.sog", squeezed, "neither stored nor deflated")


@pytest.mark.parametrize("kind", [b"VP8L", b"VP8X", b"VP8 "])
def test_picture_bombs(tmp_path, members, kind):
    """A picture of 16,383 x 16,383 pixels in a few bytes is refused before it is decoded."""
    if kind == b"VP8L":
        body = struct.pack("<IBI", 5, 0x2F, 16382 | 16382 << 14)
    else:
        body = struct.pack("<IB3x", 10, 0) + (16382).to_bytes(3, "little") * 2
    picture = b"RIFF" + struct.pack("<I", 30) + b"WEBP" + kind + body + bytes(8)
    data = sog(members | {"means_l.webp": picture})
    refused(tmp_path, "a.sog", data, "which does not fit 9 splats|no lossless WebP")
    small = members["means_l.webp"][:40]
    refused(
        tmp_path, "b.sog", sog(members | {"means_l.webp": small}), "no WebP picture|no loss"
    )


def test_files_that_are_too_large_are_not_read(tmp_path):
    """A file of 5 GiB that takes no room on the disk."""
    for name in ("a.splat", "a.ksplat", "a.sog"):
        with (tmp_path / name).open("wb") as file:
            file.write(b"PK\x03\x04" if name == "a.sog" else bytes(4))
            file.truncate(5 << 30)
        with memory_below(MEBIBYTE), pytest.raises(InvalidFile, match="at most 4294967296"):
            read_splats(tmp_path / name)


@pytest.mark.parametrize("suffix", [*(s for s in KEPT if not s.startswith(".usd")), ".ksplat"])
def test_empty_and_short_files_are_refused(tmp_path, suffix):
    for data in (b"", b"\0", b"x" * 33):
        refused(tmp_path, f"a{suffix}", data, ".")


@pytest.mark.parametrize("suffix", [s for s in KEPT if not s.startswith(".usd")])
def test_every_cut_is_refused_or_fewer_splats(tmp_path, suffix):
    """.splat has no header: cut between two splats it is a smaller scene."""
    write_splats(tmp_path / f"a{suffix}", random_scene(2, count=5, degree=1))
    data = (tmp_path / f"a{suffix}").read_bytes()
    for stop in range(1, len(data) - 1, max(len(data) // 40, 1)):
        if suffix == ".splat" and stop % 32 == 0:
            continue
        (tmp_path / f"b{suffix}").write_bytes(data[:stop])
        with pytest.raises(InvalidFile):
            read_splats(tmp_path / f"b{suffix}")


def test_what_is_not_a_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.spz")
    with pytest.raises(InvalidFile, match="not a regular file"):
        read_splats(tmp_path / "pipe.spz")
    with pytest.raises(InvalidFile):
        read_splats(tmp_path)
