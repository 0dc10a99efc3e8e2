"""Gaussians as .compressed.ply files (PlayCanvas 2024): 16 bytes a splat, 256 to a chunk.

Element `chunk` holds the least and greatest positions, log scales and colors of its splats,
`vertex` packs each splat as four 32-bit words relative to them, and `sh` has the harmonics of
degree 1 and higher, a byte each, channel by channel. Splats are sorted along a Morton curve,
which keeps the boxes of the chunks small.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer

from splatsmith.errors import InvalidFile
from splatsmith.export import arrays as share
from splatsmith.export.ply_body import end_of, load_ply
from splatsmith.export.ply_header import ASCII, Header
from splatsmith.export.untrusted import check_count

CHUNK = 256  # splats
WORDS = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
BOUNDS = tuple(
    f"{side}_{name}"
    for names in (("x", "y", "z"), ("scale_x", "scale_y", "scale_z"), ("r", "g", "b"))
    for side in ("min", "max")
    for name in names
)
COLORLESS = 12  # bounds of older files, whose colors lie in 0 to 1
LARGEST_LOG_SCALE = 20.0  # what other readers and writers of the format keep to
SH_RANGE = 4.0  # harmonics lie in -4 to 4
DEGREE_OF_COLUMNS = {9: 1, 24: 2, 45: 3}
SMALL = 2 * np.sqrt(0.5)  # the span of the three smaller components of a unit quaternion


def is_compressed(header: Header) -> bool:
    """Whether a .ply is of this kind."""
    vertex = header.element("vertex")
    return vertex is not None and WORDS[0] in vertex.names


def encode_compressed_ply(arrays: share.Arrays) -> bytes:
    """The bytes of a file; `arrays` are in its frame. Splats change their order."""
    order = share.morton_order(arrays["means"])
    sorted_ = {name: values[order] for name, values in arrays.items()}
    count, chunks = len(order), -(-len(order) // CHUNK)
    position, position_bounds = _fit(sorted_["means"], chunks)
    log_scales = np.clip(sorted_["log_scales"], -LARGEST_LOG_SCALE, LARGEST_LOG_SCALE)
    scale, scale_bounds = _fit(log_scales, chunks)
    color, color_bounds = _fit(share.color_of(sorted_["sh"][:, 0]), chunks)
    opacity = share.sigmoid(sorted_["logit_opacities"])[:, None]
    words = [
        _pack(position, (11, 10, 11)),
        _pack_quats(sorted_["quats"]),
        _pack(scale, (11, 10, 11)),
        _pack(np.concatenate([color, opacity], axis=1), (8, 8, 8, 8)),
    ]
    rest = sorted_["sh"][:, 1:].transpose(0, 2, 1).reshape(count, -1)
    lines = ["ply", "format binary_little_endian 1.0", f"element chunk {chunks}"]
    lines += [f"property float {name}" for name in BOUNDS]
    lines += [f"element vertex {count}", *(f"property uint {name}" for name in WORDS)]
    if rest.size:  # An element without columns is refused by other readers.
        lines += [f"element sh {count}"]
        lines += [f"property uchar f_rest_{i}" for i in range(rest.shape[1])]
    bounds = np.concatenate([position_bounds, scale_bounds, color_bounds], axis=1)
    levels = np.clip(np.trunc((rest / (2 * SH_RANGE) + 0.5) * 256), 0, 255)
    return b"".join(
        [
            "\n".join([*lines, "end_header", ""]).encode("ascii"),
            bounds.astype("<f4").tobytes(),
            np.stack(words, axis=1).astype("<u4").tobytes(),
            levels.astype("u1").tobytes(),
        ]
    )


def decode_compressed_ply(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, in its frame; raises InvalidFile for any other file."""
    header, data = load_ply(path)
    tables = _tables(path, header, data)
    vertex, chunk = tables["vertex"], tables["chunk"]
    count = len(vertex)
    check_count(path, count)
    if len(chunk) != -(-count // CHUNK):
        raise InvalidFile(
            path,
            header.size,
            f"{count} splats need {-(-count // CHUNK)} chunks, not {len(chunk)}",
        )
    words = {
        name: _column(path, header, vertex, name, "u4").astype(np.uint32) for name in WORDS
    }
    colored = len(chunk.dtype.names or ()) > COLORLESS
    names = BOUNDS if colored else BOUNDS[:COLORLESS]
    bounds = np.stack(
        [_column(path, header, chunk, name, "f4").astype(np.float64) for name in names],
        axis=1,
    )[np.arange(count) // CHUNK]
    color = _unpack(words["packed_color"], (8, 8, 8, 8))
    shown = _between(bounds[:, 12:], color[:, :3]) if colored else color[:, :3]
    return {
        "means": _between(bounds, _unpack(words["packed_position"], (11, 10, 11))),
        "log_scales": _between(bounds[:, 6:], _unpack(words["packed_scale"], (11, 10, 11))),
        "quats": _unpack_quats(words["packed_rotation"]),
        "logit_opacities": share.logit(color[:, 3]),
        "sh": np.concatenate(
            [share.constant_of(shown)[:, None], _rest(path, header, tables, count)], axis=1
        ),
    }


def _fit(
    values: Float[np.ndarray, "splats columns"], chunks: int
) -> tuple[Float[np.ndarray, "splats columns"], Float[np.ndarray, "chunks bounds"]]:
    """Values as fractions of their chunk's range, and the ranges: minima, then maxima."""
    starts = np.arange(chunks) * CHUNK
    # The bounds are stored with 32 bits; fractions refer to what is stored.
    low = np.minimum.reduceat(values, starts).astype(np.float32).astype(np.float64)
    high = np.maximum.reduceat(values, starts).astype(np.float32).astype(np.float64)
    row = np.arange(len(values)) // CHUNK
    size = (high - low)[row]
    fraction = (values - low[row]) / np.where(size > 0, size, 1)
    return fraction, np.concatenate([low, high], axis=1)


def _between(
    bounds: Float[np.ndarray, "splats bounds"], fraction: Float[np.ndarray, "splats 3"]
) -> Float[np.ndarray, "splats 3"]:
    """The values that fractions of the first six bounds stand for."""
    return bounds[:, :3] * (1 - fraction) + bounds[:, 3:6] * fraction


def _pack(
    fraction: Float[np.ndarray, "splats columns"], widths: tuple[int, ...]
) -> Integer[np.ndarray, "splats"]:
    """Fractions 0 to 1 as whole numbers of so many bits each, side by side in a word."""
    word = np.zeros(len(fraction), dtype=np.int64)
    for column, width in zip(fraction.T, widths, strict=True):
        most = (1 << width) - 1
        word = (word << width) | share.bytes_of(column * most, most)
    return word


def _unpack(
    word: Integer[np.ndarray, "splats"], widths: tuple[int, ...]
) -> Float[np.ndarray, "splats columns"]:
    columns = []
    for width in reversed(widths):
        most = (1 << width) - 1
        columns.append((word & np.uint32(most)) / most)
        word = word >> np.uint32(width)
    return np.stack(columns[::-1], axis=1)


def _pack_quats(quats: Float[np.ndarray, "splats 4"]) -> Integer[np.ndarray, "splats"]:
    """Two bits for which component is the largest, ten for each of the others."""
    largest, others = share.smallest_three(quats)
    return (largest << 30) | _pack(others / SMALL + 0.5, (10, 10, 10))


def _unpack_quats(word: Integer[np.ndarray, "splats"]) -> Float[np.ndarray, "splats 4"]:
    others = (_unpack(word, (10, 10, 10)) - 0.5) * SMALL
    return share.from_smallest_three((word >> np.uint32(30)).astype(np.int64), others)


def _tables(path: Path, header: Header, data: bytes) -> dict[str, np.ndarray]:
    """The elements of a binary file as structured arrays, not copied."""
    if header.byte_order == ASCII:
        raise InvalidFile(path, None, "a compressed .ply is binary, but this one is ASCII")
    tables, end = {}, header.size
    for element in header.elements:
        start, end = end, end_of(path, data, end, element, header.byte_order)
        if not element.has_lists:
            kind = np.dtype([(c.name, header.byte_order + c.kind) for c in element.properties])
            tables[element.name] = np.frombuffer(data, kind, element.count, start)
    if end != len(data):
        raise InvalidFile(
            path, end, f"the header's tables end here, but {len(data) - end} bytes follow"
        )
    for name in ("chunk", "vertex"):
        if name not in tables:
            raise InvalidFile(path, header.size, f"a compressed .ply needs an element {name!r}")
    return tables


def _column(path: Path, header: Header, table: np.ndarray, name: str, kind: str) -> np.ndarray:
    if name not in (table.dtype.names or ()) or table.dtype[name].str[1:] != kind:
        raise InvalidFile(
            path, header.size, f"a compressed .ply needs a column {name} of type {kind}"
        )
    return table[name]


def _rest(
    path: Path, header: Header, tables: dict[str, np.ndarray], count: int
) -> Float[np.ndarray, "splats coefficients 3"]:
    """Harmonics of degree 1 and higher."""
    table = tables.get("sh")
    if table is None:
        return np.zeros((count, 0, 3))
    width = len(table.dtype.names or ())
    if width not in DEGREE_OF_COLUMNS or len(table) != count:
        raise InvalidFile(
            path,
            header.size,
            f"element sh has {len(table)} rows of {width} columns; it must have {count} rows "
            f"of 9, 24 or 45",
        )
    columns = [_column(path, header, table, f"f_rest_{i}", "u1") for i in range(width)]
    level = np.stack(columns, axis=1).astype(np.float64)
    # The two ends of the scale stand for themselves, all other levels for their middle.
    fraction = np.where(level == 0, 0, np.where(level == 255, 1, (level + 0.5) / 256))
    return ((fraction - 0.5) * 2 * SH_RANGE).reshape(count, 3, width // 3).transpose(0, 2, 1)
