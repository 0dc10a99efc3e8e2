"""Gaussians as .sog files (PlayCanvas 2025, version 2): a zip of lossless WebP pictures.

Each splat is a pixel, row by row: 16 bits for each logarithm of a coordinate in two pictures,
an index into a codebook of 256 numbers for scales and colors, and for harmonics of degree 1 and
higher an index into a palette of up to 65,536 sets. `meta.json` names the pictures and holds
ranges and codebooks. Splats are sorted along a Morton curve, since smooth pictures are small.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer, UInt8
from PIL import Image

from splatsmith.errors import InvalidFile
from splatsmith.export import arrays as share
from splatsmith.export.archive import Archive
from splatsmith.export.codebook import ENTRIES, codebook, palette
from splatsmith.export.untrusted import check_count

MAX_META = 1 << 20  # bytes
PALETTE = 1 << 16  # entries
PALETTE_WIDTH = 64  # entries in a row of the palette's picture
SMALL = np.sqrt(0.5)  # the most that a component of a unit quaternion but the largest can have
FIRST_TAG = 252  # alpha of a quaternion: this plus the index of the largest component
COEFFICIENTS = {1: 3, 2: 8, 3: 15}
EXTRA_PIXELS = 1 << 16  # that a picture may have beyond two for each splat


def encode_sog(arrays: share.Arrays) -> bytes:
    """The bytes of a file; `arrays` are in its frame. Splats change their order."""
    order = share.morton_order(arrays["means"])
    sorted_ = {name: values[order] for name, values in arrays.items()}
    width = -(-int(np.ceil(np.sqrt(len(order)))) // 4) * 4
    size = (width, -(-len(order) // (4 * width)) * 4)
    pictures, meta = {}, {"version": 2, "asset": {"generator": "splatsmith"}}
    meta |= {"count": len(order)}
    logs = np.sign(sorted_["means"]) * np.log1p(np.abs(sorted_["means"]))
    low, high = logs.min(axis=0), logs.max(axis=0)
    level = share.bytes_of((logs - low) / np.where(high > low, high - low, 1) * 65535, 65535)
    pictures["means_l.webp"] = _picture(level & 255, size)
    pictures["means_u.webp"] = _picture(level >> 8, size)
    files = ["means_l.webp", "means_u.webp"]
    meta["means"] = {"mins": _short(low), "maxs": _short(high), "files": files}
    numbers, index = codebook(sorted_["log_scales"])
    pictures["scales.webp"] = _picture(index, size)
    meta["scales"] = {"codebook": _short(numbers), "files": ["scales.webp"]}
    largest, others = share.smallest_three(sorted_["quats"])
    bytes_ = share.bytes_of(255 * (others / SMALL * 0.5 + 0.5))
    tagged = np.concatenate([bytes_, largest[:, None] + FIRST_TAG], axis=1)
    pictures["quats.webp"] = _picture(tagged, size)
    meta["quats"] = {"files": ["quats.webp"]}
    numbers, index = codebook(sorted_["sh"][:, 0])
    opacity = share.bytes_of(255 * share.sigmoid(sorted_["logit_opacities"]))
    pictures["sh0.webp"] = _picture(np.concatenate([index, opacity[:, None]], axis=1), size)
    meta["sh0"] = {"codebook": _short(numbers), "files": ["sh0.webp"]}
    if sorted_["sh"].shape[1] > 1:
        meta["shN"], more = _encode_higher(sorted_["sh"][:, 1:], size)
        pictures |= more
    return _zipped(pictures | {"meta.json": json.dumps(meta).encode()})


def decode_sog(path: Path, data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file, in its frame; raises InvalidFile for any other bytes.

    Sizes of pictures are taken from their headers and compared with the number of splats
    before a pixel is unpacked.
    """
    archive = Archive(path, data)
    meta = _Meta(path, archive)
    count = meta.count
    low, high = meta.numbers("means", "mins", 3), meta.numbers("means", "maxs", 3)
    lower, upper = (meta.pixels("means", i)[:, :3].astype(np.int64) for i in (0, 1))
    logs = low + (high - low) * ((lower | (upper << 8)) / 65535)
    tagged = meta.pixels("quats", 0)
    if tagged[:, 3].min() < FIRST_TAG:
        raise InvalidFile(path, None, "quats: a pixel does not say which component is largest")
    others = (tagged[:, :3] / 255 * 2 - 1) * SMALL
    shown = meta.pixels("sh0", 0)
    constant = meta.numbers("sh0", "codebook", ENTRIES)[shown[:, :3]]
    higher = _decode_higher(meta) if "shN" in meta.fields else np.zeros((count, 0, 3))
    return {
        "means": np.sign(logs) * np.expm1(np.abs(logs)),
        "log_scales": meta.numbers("scales", "codebook", ENTRIES)[
            meta.pixels("scales", 0)[:, :3]
        ],
        "quats": share.from_smallest_three(tagged[:, 3].astype(np.int64) - FIRST_TAG, others),
        "logit_opacities": share.logit(shown[:, 3] / 255),
        "sh": np.concatenate([constant[:, None], higher], axis=1),
    }


def _encode_higher(
    higher: Float[np.ndarray, "splats coefficients 3"], size: tuple[int, int]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The entry of meta.json for degree 1 and higher, and its two pictures."""
    coefficients = higher.shape[1]
    entries, label = palette(higher.reshape(len(higher), -1), PALETTE)
    numbers, index = codebook(entries)
    height = -(-len(entries) // PALETTE_WIDTH)
    labels = np.stack([label & 255, label >> 8], axis=1)
    pictures = {
        "shN_centroids.webp": _picture(
            index.reshape(-1, 3), (PALETTE_WIDTH * coefficients, height)
        ),
        "shN_labels.webp": _picture(labels, size),
    }
    bands = {count: band for band, count in COEFFICIENTS.items()}[coefficients]
    fields = {"count": len(entries), "bands": bands, "codebook": _short(numbers)}
    return fields | {"files": list(pictures)}, pictures


def _decode_higher(meta: "_Meta") -> Float[np.ndarray, "splats coefficients 3"]:
    entries, bands = meta.whole("shN", "count"), meta.whole("shN", "bands")
    if bands not in COEFFICIENTS or not 1 <= entries <= PALETTE:
        raise InvalidFile(meta.path, None, f"shN: {bands} bands and {entries} entries")
    coefficients = COEFFICIENTS[bands]
    shape = (PALETTE_WIDTH * coefficients, -(-entries // PALETTE_WIDTH))
    pixels = meta.picture("shN", 0, shape)
    numbers = meta.numbers("shN", "codebook", ENTRIES)
    sets = numbers[pixels[: entries * coefficients, :3]].reshape(entries, coefficients, 3)
    parts = meta.pixels("shN", 1).astype(np.int64)
    label = parts[:, 0] | (parts[:, 1] << 8)
    if label.max() >= entries:
        raise InvalidFile(meta.path, None, f"shN: a label is {label.max()} of {entries}")
    return sets[label]


class _Meta:
    """meta.json, each entry checked when it is asked for, and the pictures that it names."""

    def __init__(self, path: Path, archive: Archive) -> None:
        self.path, self.archive = path, archive
        text = archive.read("meta.json", MAX_META)
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidFile(path, None, f"meta.json is not JSON: {error}") from None
        if not isinstance(fields, dict) or fields.get("version") != 2:
            raise InvalidFile(path, None, "meta.json does not say version 2")
        self.fields: dict[str, Any] = fields
        self.count = self._integer(fields.get("count"), "count")
        check_count(path, self.count, archive.size)

    def entry(self, name: str, key: str) -> Any:
        """What stands at name.key, or None."""
        within = self.fields.get(name)
        return within.get(key) if isinstance(within, dict) else None

    def whole(self, name: str, key: str) -> int:
        """A whole number."""
        return self._integer(self.entry(name, key), f"{name}.{key}")

    def numbers(self, name: str, key: str, count: int) -> Float[np.ndarray, "count"]:
        """That many finite numbers; a shorter codebook is filled up with its last."""
        found = self.entry(name, key)
        good = isinstance(found, list) and 1 <= len(found) <= count
        if not good or not all(type(n) in (int, float) and abs(n) < 1e30 for n in found):
            raise InvalidFile(self.path, None, f"{name}.{key} must be {count} numbers")
        if len(found) < count and key != "codebook":
            raise InvalidFile(self.path, None, f"{name}.{key} must be {count} numbers")
        return np.pad(np.array(found, dtype=np.float64), (0, count - len(found)), mode="edge")

    def pixels(self, name: str, number: int) -> UInt8[np.ndarray, "splats 4"]:
        """RGBA of the pixel of each splat."""
        return self.picture(name, number, None)[: self.count]

    def picture(
        self, name: str, number: int, shape: tuple[int, int] | None
    ) -> UInt8[np.ndarray, "pixels 4"]:
        """RGBA of all pixels, row by row; `shape` is width and height if they are fixed."""
        files = self.entry(name, "files")
        if (
            not isinstance(files, list)
            or len(files) <= number
            or type(files[number]) is not str
        ):
            raise InvalidFile(self.path, None, f"{name}.files must name its pictures")
        file = files[number]
        data = self.archive.read(file, 64 + 8 * (2 * self.count + EXTRA_PIXELS))
        width, height = _webp_size(self.path, file, data)
        fits = self.count <= width * height <= 2 * self.count + EXTRA_PIXELS
        if not fits if shape is None else (width, height) != shape:
            raise InvalidFile(
                self.path,
                None,
                f"{file} is {width} x {height}, which does not fit {self.count} splats",
            )
        try:
            with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
                pixels = np.asarray(image.convert("RGBA"))
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise InvalidFile(self.path, None, f"{file} is no WebP picture: {error}") from None
        if pixels.shape[:2] != (height, width):
            raise InvalidFile(self.path, None, f"{file} is not as large as it says")
        return pixels.reshape(-1, 4)

    def _integer(self, found: Any, name: str) -> int:
        if type(found) is not int:
            raise InvalidFile(self.path, None, f"{name} must be a whole number")
        return found


def _webp_size(path: Path, name: str, data: bytes) -> tuple[int, int]:
    """Width and height as the header of a WebP says, which is looked at before decoding."""
    kind = data[12:16] if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else b""
    if kind == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 30:
        sides = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return next(sides), next(sides)
    raise InvalidFile(path, None, f"{name} is no lossless WebP picture")


def _short(numbers: Float[np.ndarray, "numbers"]) -> list[float]:
    """As exact as 32 bits, but not longer in text."""
    return [float(f"{number:.8g}") for number in numbers.tolist()]


def _picture(values: Integer[np.ndarray, "pixels channels"], size: tuple[int, int]) -> bytes:
    """A lossless WebP of these bytes; missing channels are 0, but alpha is 255."""
    width, height = size
    pixels = np.zeros((width * height, 4), dtype=np.uint8)
    pixels[:, 3] = 255
    pixels[: len(values), : values.shape[1]] = values
    out = io.BytesIO()
    image = Image.fromarray(pixels.reshape(height, width, 4), "RGBA")
    # `exact` keeps colors where alpha is 0: there, colors are data.
    image.save(out, "WEBP", lossless=True, exact=True, quality=75, method=4)
    return out.getvalue()


def _zipped(files: dict[str, bytes]) -> bytes:
    """A zip of files that are compressed already; equal files make equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return out.getvalue()
