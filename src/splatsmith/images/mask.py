"""Where in a picture the object is: by its alpha, by a plain background, or by rembg."""

import importlib
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from splatsmith.errors import InputError

TOLERANCE = 24  # of 255, the largest of the three channels: what still is the background
PLAIN_SHARE = 0.85  # of the border that must be background for it to be plain
LEAST_SHARE, MOST_SHARE = 0.002, 0.98  # of the picture that an object covers
OPAQUE = 250  # alpha from here on is opaque
TRANSPARENT_SHARE = 0.01  # of a picture's pixels, from which on its alpha is a mask

Picture = UInt8[np.ndarray, "height width 4"]
Cells = Bool[np.ndarray, "height width"]


def has_mask(picture: Picture) -> bool:
    """Whether the picture's own alpha leaves out a background."""
    return float((picture[..., 3] < OPAQUE).mean()) > TRANSPARENT_SHARE


def without_plain_background(picture: Picture) -> Picture:
    """The picture with alpha 0 wherever its border's color reaches from the border.

    Background that the object encloses, as in the handle of a mug, stays: it cannot be told
    from a part that has the same color. Specks that a pixel's erosion removes go.

    Raises InputError if the border is not of one color, or if no object is left.
    """
    color = picture[..., :3].astype(np.int16)
    border = np.concatenate([color[0], color[-1], color[:, 0], color[:, -1]])
    ground = np.median(border, axis=0)
    near = np.abs(color - ground).max(axis=-1) <= TOLERANCE
    rim = np.zeros_like(near)
    rim[0] = rim[-1] = True
    rim[:, 0] = rim[:, -1] = True
    if near[rim].mean() < PLAIN_SHARE:
        raise InputError(
            "The picture's background is not plain; give a picture with a transparent "
            "background, or --matting rembg."
        )
    thing = ~reached(rim & near, near)
    thing = reached(_eroded(thing), thing)
    result = picture.copy()
    result[..., 3] = np.where(thing, 255, 0)
    return result


def without_background_by_rembg(picture: Picture) -> Picture:
    """What the rembg package makes of the picture; it downloads its network at first use.

    Raises InputError if it is not installed.
    """
    try:
        rembg: Any = importlib.import_module("rembg")
    except ImportError as error:
        raise InputError(
            "--matting rembg needs the extra of that name: pip install 'splatsmith[rembg]'."
        ) from error
    return np.array(rembg.remove(Image.fromarray(picture[..., :3])).convert("RGBA"))


def check_object(picture: Picture) -> None:
    """InputError unless the mask covers some of the picture, but not all of it."""
    share = float((picture[..., 3] > 127).mean())
    if share < LEAST_SHARE:
        raise InputError("No object stands out from the picture's background.")
    if share > MOST_SHARE:
        raise InputError("The object fills the whole picture; leave some background around it.")


def reached(seeds: Cells, free: Cells) -> Cells:
    """The free cells that a seed reaches over free cells, in steps to the four neighbors."""
    found = seeds & free
    while True:
        wider = _along_rows(_along_rows(found, free).T, free.T).T
        if (wider == found).all():
            return found
        found = wider


def _along_rows(found: Cells, free: Cells) -> Cells:
    """Every run of free cells in a row of which one is found."""
    height, width = free.shape
    # A wall begins a new run; so does a row.
    runs = np.cumsum(~free, axis=1) + (width + 1) * np.arange(height)[:, None]
    hit = np.zeros((width + 1) * height + 1, dtype=bool)
    hit[runs[found]] = True
    return free & hit[runs]


def _eroded(cells: Cells) -> Cells:
    """Cells whose four neighbors are cells too; outside the picture all are."""
    wide = np.pad(cells, 1, constant_values=True)
    around = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return cells & around
