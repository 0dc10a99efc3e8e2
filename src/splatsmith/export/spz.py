"""Gaussians as .spz files (Niantic, 2024): column by column, about 9 bytes a splat, compressed.

Versions 1 to 3 are one gzip stream behind a header of 16 bytes, which is compressed too;
version 4 (2026) has a plain header and one Zstandard stream for each column, which needs the
extra `spz`. There is no text that specifies them: Niantic's C++ does (nianticlabs/spz, MIT).
Version 3 is what most programs read.
"""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import Float, UInt8

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export import arrays as share
from splatsmith.export.untrusted import check_count

VERSIONS = (2, 3, 4)
MAGIC = b"NGSP"
GZIP = b"\x1f\x8b"
HEADER = struct.Struct("<4sIIBBBB")  # magic, version, splats, degree, fraction bits, flags, -
HEADER_4 = struct.Struct("<4sIIBBBBI12x")  # the same, but streams, and where their table is
SIZES = struct.Struct("<QQ")  # a stream's bytes, compressed and not

HAS_EXTENSIONS = 2  # in the flags
MAX_EXTENSIONS = 1 << 16  # bytes
COORDINATE_SYSTEM = 0xADBE0003  # Adobe's extension for other axes; its 4 is the usual ones
USUAL_AXES = (0, 4)

FRACTION_BITS = 12  # of 24-bit positions in scenes of usual size
COLOR_SCALE = 0.15  # color byte = 255 (0.15 f_dc + 0.5): room for colors beyond 0 to 1
SMALL = np.sqrt(0.5)  # the most that a component of a unit quaternion but the largest can have
LARGEST_LOG_SCALE = 255 / 16 - 10
BUCKETS = (8, 16)  # steps of harmonics' bytes, degree 1 and above: fewer values compress better
MOST_COEFFICIENTS = 16  # we keep degree 3 of degree 4


@dataclass(frozen=True, slots=True)
class _Header:
    version: int
    count: int
    degree: int
    fraction_bits: int
    flags: int

    @property
    def widths(self) -> dict[str, int]:
        """Bytes a splat of each column, in the order of the file."""
        return {
            "position": 6 if self.version == 1 else 9,
            "opacity": 1,
            "color": 3,
            "scale": 3,
            "quat": 4 if self.version >= 3 else 3,
            "sh": 3 * ((self.degree + 1) ** 2 - 1),
        }


def encode_spz(arrays: share.Arrays, version: int) -> bytes:
    """The bytes of a file of version 2, 3 or 4; `arrays` are in its frame.

    Raises InputError for another version, and for splats wider than the format can say.
    """
    if version not in VERSIONS:
        raise InputError(f"The version of an .spz must be 2, 3 or 4, got {version}.")
    log_scales = arrays["log_scales"]
    if log_scales.max() > LARGEST_LOG_SCALE + 1 / 32:
        raise InputError(
            f"An .spz holds standard deviations up to {np.exp(LARGEST_LOG_SCALE):.0f}, but the "
            f"widest here is {np.exp(log_scales.max()):g}; scale the scene down first."
        )
    bits = _fraction_bits(float(np.abs(arrays["means"]).max()))
    fixed = np.rint(arrays["means"] * 2.0**bits)
    three = (
        np.ascontiguousarray(fixed, dtype="<i4")
        .view(np.uint8)
        .reshape(len(fixed), 3, 4)[..., :3]
    )
    quats = np.roll(arrays["quats"], -1, axis=1)  # x y z w
    columns = [
        three,
        share.bytes_of(255 * share.sigmoid(arrays["logit_opacities"])),
        share.bytes_of(255 * (COLOR_SCALE * arrays["sh"][:, 0] + 0.5)),
        share.bytes_of(16 * (log_scales + 10)),
        _pack_quats(quats) if version >= 3 else _pack_first_three(quats),
        _pack_harmonics(arrays["sh"]),
    ]
    streams = [np.asarray(column).astype(np.uint8).tobytes() for column in columns]
    degree = int(arrays["sh"].shape[1] ** 0.5) - 1
    fields = (MAGIC, version, len(fixed), degree, bits, 0)
    if version < 4:
        return gzip.compress(HEADER.pack(*fields, 0) + b"".join(streams), mtime=0)
    compressor = _zstandard().ZstdCompressor(level=12)
    pairs = [(compressor.compress(stream), len(stream)) for stream in streams if stream]
    table = b"".join(SIZES.pack(len(packed), size) for packed, size in pairs)
    head = HEADER_4.pack(*fields, len(pairs), HEADER_4.size)
    return head + table + b"".join(packed for packed, _ in pairs)


def decode_spz(path: Path, data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file of version 1 to 4, in its frame.

    Raises InvalidFile for any other bytes. What the header promises is compared with the size
    of the file before anything is unpacked, and no more than that is unpacked.
    """
    header, columns = (_streams if data.startswith(MAGIC) else _gunzipped)(path, data)
    count = header.count
    rows = {name: column.reshape(count, -1) for name, column in columns.items()}
    quats = _unpack_quats(rows["quat"]) if header.version >= 3 else _first_three(rows["quat"])
    higher = (rows["sh"].astype(np.float64) - 128) / 128
    color = (rows["color"] / 255 - 0.5) / COLOR_SCALE
    sh = np.concatenate([color[:, None], higher.reshape(count, -1, 3)], axis=1)
    return {
        "means": _unpack_positions(rows["position"], header),
        "log_scales": rows["scale"] / 16.0 - 10,
        "quats": np.roll(quats, 1, axis=1),
        "logit_opacities": share.logit(rows["opacity"][:, 0] / 255),
        "sh": sh[:, :MOST_COEFFICIENTS],
    }


def _fraction_bits(reach: float) -> int:
    """How many of the 24 bits of a coordinate lie behind the point.

    The usual 12 for scenes up to 2048 wide to each side; more for small ones, so that a step is
    never more than 1/4096 of the scene; fewer for large ones, which must fit.
    """
    power = math.floor(math.log2(max(reach, 1e-9)))  # reach lies below 2^(power + 1)
    bits = FRACTION_BITS - min(power + 1, 0) - max(power - 10, 0)
    if bits < 0:
        raise InputError(
            f"An .spz holds centers up to {1 << 23} from the origin, but one here is at "
            f"{reach:g}; move the scene to the origin or scale it down first."
        )
    return min(bits, 23)


def _header(path: Path, fields: tuple, size: int) -> _Header:
    """Checked fields of either header."""
    magic, version, count, degree, bits, flags = fields[:6]
    expected = (4,) if len(fields) == 8 else (1, 2, 3)
    if magic != MAGIC or version not in expected:
        raise InvalidFile(path, 0, f"this is no .spz of a known version (it says {version})")
    if degree > 4 or bits > 23:
        raise InvalidFile(
            path, 12, f"harmonics of degree {degree} or positions with {bits} fraction bits"
        )
    check_count(path, count, size)
    return _Header(version, count, degree, bits, flags)


def _gunzipped(path: Path, data: bytes) -> tuple[_Header, dict[str, np.ndarray]]:
    """Versions 1 to 3: the header first, then as many bytes as it promises and no more."""
    stream = zlib.decompressobj(31)
    try:
        head = stream.decompress(data, HEADER.size)
        if len(head) < HEADER.size:
            raise InvalidFile(path, None, "the file ends within its header")
        header = _header(path, HEADER.unpack(head), len(data))
        size = header.count * sum(header.widths.values())
        extended = bool(header.flags & HAS_EXTENSIONS)
        most = size + (MAX_EXTENSIONS if extended else 0)
        body = stream.decompress(stream.unconsumed_tail, most)
        more = stream.decompress(stream.unconsumed_tail, 1)  # and its checksum is looked at
    except zlib.error as error:
        raise InvalidFile(path, None, f"its gzip stream is broken: {error}") from None
    if len(body) < size or not stream.eof or stream.unused_data or more:
        raise InvalidFile(
            path,
            None,
            f"a gzip stream of {HEADER.size + size} bytes is promised, but there are "
            f"{'more' if more or len(body) >= size else HEADER.size + len(body)}",
        )
    _check_axes(path, body[size:])
    columns, at = {}, 0
    for name, width in header.widths.items():
        columns[name] = np.frombuffer(body, np.uint8, width * header.count, at)
        at += width * header.count
    return header, columns


def _streams(path: Path, data: bytes) -> tuple[_Header, dict[str, np.ndarray]]:
    """Version 4: a table of streams, one for each column that is not empty."""
    if len(data) < HEADER_4.size:
        raise InvalidFile(path, len(data), "the file ends within its header")
    fields = HEADER_4.unpack_from(data)
    header, (count, table) = _header(path, fields, len(data)), fields[6:]
    wanted = {name: width * header.count for name, width in header.widths.items() if width}
    start = table + count * SIZES.size
    if count != len(wanted) or not HEADER_4.size <= table <= start <= len(data):
        raise InvalidFile(
            path, 15, f"{len(wanted)} streams are needed; {count} are promised at byte {table}"
        )
    if header.flags & HAS_EXTENSIONS:
        _check_axes(path, data[HEADER_4.size : table])
    columns = {"sh": np.zeros(0, np.uint8)}
    for number, (name, size) in enumerate(wanted.items()):
        packed, unpacked = SIZES.unpack_from(data, table + number * SIZES.size)
        if unpacked != size or packed > len(data) - start:
            raise InvalidFile(
                path,
                table + number * SIZES.size,
                f"the column of {name}s must have {size} bytes and lie within the file",
            )
        columns[name] = _unzstd(path, data[start : start + packed], size, start)
        start += packed
    if start != len(data):
        raise InvalidFile(path, start, f"{len(data) - start} bytes follow the last stream")
    return header, columns


def _unzstd(path: Path, packed: bytes, size: int, offset: int) -> UInt8[np.ndarray, "bytes"]:
    zstandard = _zstandard()
    try:
        if zstandard.frame_content_size(packed) not in (-1, size):
            raise InvalidFile(path, offset, f"a stream does not unpack to {size} bytes")
        plain = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompress(
            packed, max_output_size=size
        )
    except zstandard.ZstdError as error:
        raise InvalidFile(path, offset, f"a stream is broken: {error}") from None
    if len(plain) != size:
        raise InvalidFile(path, offset, f"a stream does not unpack to {size} bytes")
    return np.frombuffer(plain, np.uint8)


def _check_axes(path: Path, extensions: bytes) -> None:
    """Refuses a file whose extensions say that its axes are not the usual ones."""
    at = 0
    while at + 8 <= len(extensions):
        kind, length = struct.unpack_from("<II", extensions, at)
        payload = extensions[at + 8 : at + 8 + length]
        if kind == COORDINATE_SYSTEM and len(payload) >= 4:
            axes = int.from_bytes(payload[:4], "little")
            if axes not in USUAL_AXES:
                raise InvalidFile(
                    path, None, f"its axes are not those of the format (system {axes})"
                )
        at += 8 + length


def _unpack_positions(
    packed: UInt8[np.ndarray, "splats bytes"], header: _Header
) -> Float[np.ndarray, "splats 3"]:
    if header.version == 1:
        return packed.copy().view("<f2").astype(np.float64)
    parts = packed.reshape(-1, 3, 3).astype(np.int64)
    whole = parts[..., 0] | (parts[..., 1] << 8) | (parts[..., 2] << 16)
    return ((whole ^ 0x800000) - 0x800000) / 2.0**header.fraction_bits


def _pack_quats(quats: Float[np.ndarray, "splats 4"]) -> UInt8[np.ndarray, "splats 4"]:
    """Two bits for which of x y z w is the largest; sign and nine bits for the others."""
    largest, others = share.smallest_three(quats)
    word = largest.astype(np.int64)
    for value in others.T:
        size = share.bytes_of(np.abs(value) / SMALL * 511, 511)
        word = (word << 10) | ((value < 0).astype(np.int64) << 9) | size
    return word.astype("<u4").view(np.uint8).reshape(-1, 4)


def _unpack_quats(packed: UInt8[np.ndarray, "splats 4"]) -> Float[np.ndarray, "splats 4"]:
    word = packed.copy().view("<u4")[:, 0].astype(np.int64)
    others = np.empty((len(word), 3))
    for column in (2, 1, 0):
        others[:, column] = (word & 511) / 511 * SMALL * np.where(word & 512, -1, 1)
        word >>= 10
    return share.from_smallest_three(word, others)


def _pack_first_three(
    quats: Float[np.ndarray, "splats 4"],
) -> UInt8[np.ndarray, "splats 3"]:
    """Version 2: x y z of the quaternion whose w is not negative."""
    signed = quats[:, :3] * np.where(quats[:, 3:] < 0, -1, 1)
    return share.bytes_of(127.5 * signed + 127.5).astype(np.uint8)


def _first_three(packed: UInt8[np.ndarray, "splats 3"]) -> Float[np.ndarray, "splats 4"]:
    last = np.full(len(packed), 3)
    return share.from_smallest_three(last, packed / 127.5 - 1)


def _pack_harmonics(
    sh: Float[np.ndarray, "splats coefficients 3"],
) -> UInt8[np.ndarray, "splats values"]:
    """Bytes around 128, thinned out to multiples of the steps so that they compress well."""
    level = np.rint(128 * sh[:, 1:]) + 128
    step = np.where(np.arange(level.shape[1]) < 3, *BUCKETS)[:, None]
    level = np.clip((level + step // 2) // step * step, 0, 255)
    return level.reshape(len(sh), -1).astype(np.uint8)


def _zstandard() -> ModuleType:
    try:
        return import_module("zstandard")
    except ImportError:
        raise InputError(
            "Version 4 of .spz is compressed with Zstandard; pip install 'splatsmith[spz]', or "
            "use version 3."
        ) from None
