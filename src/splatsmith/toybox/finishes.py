"""Finishes: patterns and materials that the main parts of an object can have.

A pattern is a function of the place in space, so it needs no unwrapping and looks the same from
everywhere: stripes, spots, checks, the rings of wood. A material changes how light comes
back: metal mirrors a bright sky and a dark ground, glass is pale where one looks straight in.
This file is the plain twin of `native/toybox_finish.hpp`.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

# Their order is the number that stands in a tape; 0 is no finish.
FINISHES = ("", "striped", "spotted", "checkered", "wooden", "metal", "glass")
PATTERNS = ("striped", "spotted", "checkered")

# In units of the object, whose radius is 0.92.
STRIPE = 0.13
STRIPE_AXIS = (0.30, 0.20, 0.9327379)  # slanted, so that a table top has stripes too
SPOT_PITCH, SPOT_RADIUS = 0.36, 0.115
CHECK, CHECK_SHIFT = 0.22, (0.07, 0.11, 0.05)  # shifted: no border lies in a plane of symmetry
RING, RING_SHIFT = 0.12, (0.31, -0.17)
GRAIN = 0.42  # share of its light that the dark part of a ring loses


def albedo(
    rows: Float[Tensor, "points 28"], points: Float[Tensor, "points 3"]
) -> Float[Tensor, "points 3"]:
    """The unlit color at each point of the part whose row of the tape is given, 0..1."""
    color, finish, second = rows[:, 19:22], rows[:, 23].round().long(), rows[:, 24:27]
    place = points / rows[:, 27:28]
    masks = (_striped(place), _spotted(place), _checkered(place))
    for number, mask in enumerate(masks, start=1):
        color = torch.where(((finish == number) & mask)[:, None], second, color)
    grain = 1 - GRAIN * _grain(place)
    return torch.where((finish == 4)[:, None], color * grain[:, None], color)


def _striped(p: Tensor) -> Tensor:
    return torch.floor(p @ p.new_tensor(STRIPE_AXIS) / STRIPE).long() % 2 == 1


def _spotted(p: Tensor) -> Tensor:
    """Balls on a body-centered lattice."""
    cells = p / SPOT_PITCH
    near = [
        (c - (c - shift).round() - shift).norm(dim=-1)
        for c, shift in ((cells, 0.0), (cells, 0.5))
    ]
    return torch.minimum(*near) < SPOT_RADIUS / SPOT_PITCH


def _checkered(p: Tensor) -> Tensor:
    return torch.floor((p + p.new_tensor(CHECK_SHIFT)) / CHECK).long().sum(-1) % 2 == 1


def _grain(p: Tensor) -> Tensor:
    """Year rings about a slightly bent trunk beside the object, 0 light to 1 dark."""
    x, y = p[:, 0] - RING_SHIFT[0] + 0.12 * p[:, 2], p[:, 1] - RING_SHIFT[1]
    return 0.5 + 0.5 * torch.sin(torch.hypot(x, y) * (math.tau / RING))


def lit(
    finish: Float[Tensor, "points"],
    albedo_: Float[Tensor, "points 3"],
    shade: Float[Tensor, "points"],
    normal: Float[Tensor, "points 3"],
    to_eye: Float[Tensor, "points 3"],
    light: Float[Tensor, "3"],
) -> Float[Tensor, "points 3"]:
    """What comes back of the light, at most 1; the directions are unit vectors."""
    kind = finish.round().long()
    facing = (normal * to_eye).sum(-1)
    half = torch.nn.functional.normalize(light + to_eye, dim=-1, eps=1e-12)
    gloss = (normal * half).sum(-1).clamp(min=0) ** 24
    sky = (0.5 + 2.5 * (2 * facing * normal[:, 2] - to_eye[:, 2])).clamp(0, 1)
    metal = albedo_ * (shade * (0.5 + 0.7 * sky))[:, None] + 0.7 * gloss[:, None]
    rim = (0.30 + 0.70 * (1 - facing.clamp(0, 1)))[:, None]
    glass = (0.95 + (albedo_ - 0.95) * rim) * (0.45 + 0.55 * shade)[:, None] + 0.5 * gloss[
        :, None
    ]
    plain = albedo_ * shade[:, None]
    color = torch.where((kind == 5)[:, None], metal, plain)
    return torch.where((kind == 6)[:, None], glass, color).clamp(max=1)
