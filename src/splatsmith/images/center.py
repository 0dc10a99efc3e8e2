"""The object brought to the middle of a square picture, at a fixed share of its side."""

import math

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from splatsmith.errors import InputError


def centered(
    picture: UInt8[np.ndarray, "height width 4"], size: int, share: float
) -> UInt8[np.ndarray, "size size 4"]:
    """RGBA of `size` pixels a side; the longer side of the object's box covers `share` of it.

    The box is that of alpha over one half. Liu et al. 2023 (Zero-1-to-3) use 0.78, Tang et al.
    2023 (DreamGaussian) 0.8, TripoSR 0.85.
    """
    if not 0.1 <= share <= 1:
        raise InputError(f"The object's share of the picture is 0.1 to 1, got {share}.")
    rows, columns = (np.flatnonzero((picture[..., 3] > 127).any(axis=a)) for a in (1, 0))
    if not len(rows):
        raise InputError("The picture shows no object: all of it is transparent.")
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    side = max(bottom - top, right - left) / share
    corner_y, corner_x = (top + bottom - side) / 2, (left + right - side) / 2
    room = math.ceil(side)  # more than the square can stick out on any side
    padded = np.pad(picture, ((room, room), (room, room), (0, 0)))
    y, x = corner_y + room, corner_x + room
    # Only the square, and what the filter wants around it: a padded photo can be large.
    first_y, first_x = (max(0, math.floor(c) - 8) for c in (y, x))
    cut = padded[first_y : math.ceil(y + side) + 8, first_x : math.ceil(x + side) + 8]
    box = (x - first_x, y - first_y, x - first_x + side, y - first_y + side)
    # Pillow multiplies color by alpha before it resamples, so that no background bleeds in.
    square = Image.fromarray(np.ascontiguousarray(cut)).resize(
        (size, size), Image.Resampling.BILINEAR, box=box
    )
    return np.array(square)
