"""Reading .ksplat files (mkkellogg/GaussianSplats3D, version 0.1), which are no longer made.

A header, headers of sections, then the sections. In level 0 all numbers have 32 bits; in levels
1 and 2 centers are 16-bit steps from the middle of the splat's bucket, scales and quaternions
have 16 bits, and harmonics 16 or 8. Within a degree, harmonics stand channel by channel.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from splatsmith.errors import InvalidFile
from splatsmith.export import arrays as share
from splatsmith.export.untrusted import check_count, take

MAX_SECTIONS = 1024


def _record(size: int, *fields: tuple[str, str, int]) -> np.dtype:
    """A record of `size` bytes, of which we want some fields: name, kind and offset."""
    names, kinds, offsets = zip(*fields, strict=True)
    return np.dtype({"names": names, "formats": kinds, "offsets": offsets, "itemsize": size})


HEADER = _record(
    4096,
    ("major", "u1", 0),
    ("minor", "u1", 1),
    ("sections", "<u4", 4),
    ("splats", "<u4", 16),
    ("level", "<u2", 20),
    ("low", "<f4", 36),
    ("high", "<f4", 40),
)
SECTION = _record(
    1024,
    ("splats", "<u4", 0),
    ("room", "<u4", 4),
    ("bucket", "<u4", 8),
    ("buckets", "<u4", 12),
    ("block", "<f4", 16),
    ("bucket_bytes", "<u2", 20),
    ("range", "<u4", 24),
    ("full", "<u4", 32),
    ("partial", "<u4", 36),
    ("degree", "<u2", 40),
)
HARMONICS = ("<f4", "<f2", "u1")  # kinds of the numbers, by level
BUCKET = 12  # bytes of a bucket's middle
STEPS = 32767  # of half a bucket, unless the section says otherwise
RANGE = 1.5  # of 8-bit harmonics, unless the header says otherwise


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    data: bytes
    level: int
    low: float
    high: float


def decode_ksplat(path: Path, data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file, in its frame (of a .ply); raises InvalidFile for other bytes."""
    header = take(path, data, 0, HEADER, 1, "the header")[0]
    level, sections = int(header["level"]), int(header["sections"])
    if header["major"] != 0 or header["minor"] < 1 or level > 2:
        raise InvalidFile(
            path,
            0,
            f"this is no .ksplat of version 0.1 (it says {header['major']}."
            f"{header['minor']}, level {level})",
        )
    if sections > MAX_SECTIONS:
        raise InvalidFile(path, 4, f"{sections} sections; at most {MAX_SECTIONS} are accepted")
    check_count(path, int(header["splats"]))
    file = _File(
        path, data, level, float(header["low"]) or -RANGE, float(header["high"]) or RANGE
    )
    at = HEADER.itemsize + sections * SECTION.itemsize
    parts = []
    for section in take(path, data, HEADER.itemsize, SECTION, sections, "the sections"):
        part, at = _section(file, section, at)
        if len(part["means"]):
            parts.append(part)
    count = sum(len(part["means"]) for part in parts)
    if count != header["splats"]:
        raise InvalidFile(
            path, 16, f"{header['splats']} splats are promised, but the sections hold {count}"
        )
    widest = max(part["sh"].shape[1] for part in parts)
    for part in parts:
        part["sh"] = np.pad(part["sh"], ((0, 0), (0, widest - part["sh"].shape[1]), (0, 0)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _row(level: int, degree: int) -> np.dtype:
    """What a splat takes."""
    wide, half = ("<f4", "<f4") if level == 0 else ("<u2", "<f2")
    fields = [("mean", wide, 3), ("scale", half, 3), ("quat", half, 4), ("color", "u1", 4)]
    return np.dtype([*fields, ("sh", HARMONICS[level], (3 * ((degree + 1) ** 2 - 1),))])


def _section(file: _File, section: np.void, at: int) -> tuple[dict[str, np.ndarray], int]:
    """A section's arrays, and where the next one begins."""
    count, room, degree = (int(section[name]) for name in ("splats", "room", "degree"))
    partial, buckets = int(section["partial"]), int(section["buckets"])
    if degree > 3 or count > room:
        raise InvalidFile(
            file.path, at, f"a section with {count} of {room} splats, degree {degree}"
        )
    row = _row(file.level, degree)
    middles = at + 4 * partial
    start = middles + int(section["bucket_bytes"]) * buckets
    rows = take(file.path, file.data, start, row, count, "a section")
    end = start + room * row.itemsize
    if end > len(file.data):
        raise InvalidFile(file.path, at, "a section runs past the end of the file")
    means = rows["mean"].astype(np.float64)
    if file.level and count:
        bucket = _bucket_of(file, section, at)
        if section["bucket_bytes"] != BUCKET or bucket.max() >= buckets:
            raise InvalidFile(file.path, at, "a splat lies in no bucket")
        middle = take(file.path, file.data, middles, "<f4", 3 * buckets, "the buckets")
        steps = int(section["range"]) or STEPS
        size = float(section["block"]) / 2 / steps
        means = (means - steps) * size + middle.reshape(-1, 3)[bucket]
    color = rows["color"] / 255
    sh = np.concatenate(
        [share.constant_of(color[:, None, :3]), _higher(file, rows["sh"])], axis=1
    )
    return {
        "means": means,
        "log_scales": share.log_of_scales(file.path, rows["scale"].astype(np.float64)),
        "quats": rows["quat"].astype(np.float64),
        "logit_opacities": share.logit(color[:, 3]),
        "sh": sh,
    }, end


def _bucket_of(file: _File, section: np.void, at: int) -> Int[np.ndarray, "splats"]:
    """Which bucket each splat lies in: first the full ones, then those of given sizes."""
    count, full, partial = (int(section[name]) for name in ("splats", "full", "partial"))
    sizes = take(file.path, file.data, at, "<u4", partial, "the sizes of buckets")
    inside = min(full * int(section["bucket"]), count)
    ends = np.cumsum(sizes.astype(np.int64)) + inside
    index = np.arange(count, dtype=np.int64)
    return np.where(
        index < inside,
        index // max(int(section["bucket"]), 1),
        full + np.searchsorted(ends, index, side="right"),
    )


def _higher(file: _File, stored: np.ndarray) -> Float[np.ndarray, "splats coefficients 3"]:
    """Harmonics of degree 1 and higher, coefficient by coefficient."""
    values = stored.astype(np.float64)
    if file.level == 2:
        values = file.low + values / 255 * (file.high - file.low)
    parts, at = [np.zeros((len(values), 0, 3))], 0
    for width in (3, 5, 7):
        if at < values.shape[1]:
            band = values[:, at : at + 3 * width].reshape(-1, 3, width)
            parts.append(band.transpose(0, 2, 1))
            at += 3 * width
    return np.concatenate(parts, axis=1)
