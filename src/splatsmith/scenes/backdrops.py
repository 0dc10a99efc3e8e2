"""Backgrounds that learn: by direction of view, or as one coarse picture behind every view."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.render.harmonics import harmonics
from splatsmith.render.samples import cast
from splatsmith.scenes.encodings import apply_network, fresh_network, parameter_count

DEGREE = 3  # of the harmonics by which a direction is told, 16 numbers
HIDDEN = 16  # units; threestudio's neural environment map has two such layers
PIXELS = 4  # a side of the coarse picture, as in SJC (Wang et al. 2022)


def shape(kind: str, channels: int) -> tuple[int, ...]:
    """Shape of the parameter of a background of this kind, `directions` or `picture`."""
    if kind == "picture":
        return (channels, PIXELS, PIXELS)
    return (parameter_count(_widths(channels)),)


def start(kind: str, channels: int, generator: torch.Generator) -> Tensor:
    """The parameter at the start: a picture is zero before its activation."""
    if kind == "picture":
        return torch.zeros(shape(kind, channels))
    return fresh_network(_widths(channels), generator)


def show(
    kind: str, parameter: Tensor, cameras: Cameras, channels: int
) -> Float[Tensor, "views height width channels"]:
    """The background that each camera sees, before its activation."""
    size = (cameras.height, cameras.width)
    if kind == "picture":
        large = F.interpolate(parameter[None], size, mode="bilinear")
        return large.permute(0, 2, 3, 1).expand(len(cameras), *size, channels)
    directions = cast(cameras, 1.0).directions
    seen = apply_network(harmonics(directions, DEGREE), parameter, _widths(channels))
    return seen.reshape(len(cameras), *size, channels)


def _widths(channels: int) -> list[int]:
    return [(DEGREE + 1) ** 2, HIDDEN, channels]
