"""Picture files into pixels, with limits: a small file can claim to be a huge picture."""

import io
import stat
import struct
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from splatsmith.errors import InputError, InvalidFile

FORMATS = ("PNG", "JPEG", "WEBP")
MOST_BYTES = 64_000_000
MOST_PIXELS = 50_000_000  # decoded, four bytes each
LEAST_SIDE = 16  # pixels; less shows nothing that could be made

# What Pillow's decoders raise at damaged data.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    MemoryError,
    struct.error,
)


def read_picture(path: Path) -> UInt8[np.ndarray, "height width 4"]:
    """The first picture of a PNG, JPEG or WebP file as RGBA, turned as its EXIF data say.

    Color is not multiplied by alpha; a file without alpha is opaque everywhere. Color profiles
    are passed over: values are taken to be sRGB.

    Raises:
        InputError: there is no such file.
        InvalidFile: it is no such picture, is damaged, or is too large or too small.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a device has no end, and a pipe lets one wait
            raise InvalidFile(path, None, "is not a regular file")
        if status.st_size > MOST_BYTES:
            raise InvalidFile(path, None, f"is larger than {MOST_BYTES // 1_000_000} MB")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    return decode_picture(data, path)


def decode_picture(data: bytes, path: Path) -> UInt8[np.ndarray, "height width 4"]:
    """`read_picture` for the bytes of a file; messages say `path`."""
    with warnings.catch_warnings():
        # Pillow warns about sizes that are refused below, and about EXIF data it cannot read.
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                _check_size(picture.size, path)
                picture.load()
                return _rgba(ImageOps.exif_transpose(picture))
        except InputError:
            raise
        except (UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise InvalidFile(path, None, "is not a picture in PNG, JPEG or WebP") from error
        except DAMAGE as error:
            raise InvalidFile(path, None, f"is damaged ({error})") from error


def _check_size(size: tuple[int, int], path: Path) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise InvalidFile(
            path,
            None,
            f"has {width} x {height} pixels, over {MOST_PIXELS // 1_000_000} million; "
            f"make it smaller",
        )
    if min(size) < LEAST_SIDE:
        raise InvalidFile(
            path, None, f"has {width} x {height} pixels; {LEAST_SIDE} a side are the least"
        )


def _rgba(picture: Image.Image) -> UInt8[np.ndarray, "height width 4"]:
    if picture.mode.startswith(("I", "F")):
        # Pillow would cut 16 bits off at 255.
        deep = np.asarray(picture, dtype=np.float64)
        gray = (deep / 257).round().clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(gray)
    return np.array(picture.convert("RGBA"))
