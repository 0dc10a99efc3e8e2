"""The true objects of a category that a scene is compared with, and how they look in outline.

Sixty-four instances: the middle one, fifteen within the band of shapes that training never
sees, and forty-eight over the whole range, spread evenly by a Sobol sequence of a fixed seed.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splatsmith.cameras import Cameras, orbit, shifted
from splatsmith.evaluate.views import FOVY, RADIUS, angles, ring, unproject
from splatsmith.evaluate.wanted import Wanted
from splatsmith.toybox import CATEGORIES, build, render
from splatsmith.toybox.objects import Toy, ToyObject
from splatsmith.toybox.relations import together
from splatsmith.toybox.split import BAND

IN_BAND, EVERYWHERE = 16, 48  # instances of each kind
SEED = 20260  # of the Sobol sequence; another one would be another measure
OUTLINE = 48  # pixels a side of the silhouettes that are searched
FRAMING = 12  # azimuths from which depths tell center and size
AROUND = 24  # azimuths, 15 degrees apart
ELEVATION = 15.0  # degrees
REACH = 0.55  # world units: root-mean-square radius that everything is scaled to


@dataclass(frozen=True, eq=False)
class Frame:
    """Mean of the visible surface's points, and their root-mean-square distance from it."""

    center: Float[Tensor, "3"]
    size: float


def frame_of(points: Float[Tensor, "points 3"]) -> Frame | None:
    """Center and size of a cloud; None if there is no cloud to speak of."""
    if len(points) < 2:
        return None
    center = points.mean(dim=0)
    size = float((points - center).square().sum(dim=1).mean().sqrt())
    return Frame(center, size) if size > 0 else None


def framed(
    frame: Frame, azimuth: Float[Tensor, "views"], elevation: Float[Tensor, "views"], size: int
) -> Cameras:
    """Cameras to which whatever has this frame appears centered and of the common size."""
    away = RADIUS * frame.size / REACH
    cameras = orbit(azimuth, elevation, radius=away, fovy=FOVY, width=size, height=size)
    return shifted(cameras, frame.center.expand(len(cameras), 3))


@dataclass(frozen=True, eq=False)
class Outlines:
    """Instances of one kind with their silhouettes from 24 azimuths, centered and scaled."""

    shapes: tuple[tuple[float, ...], ...]
    frames: tuple[Frame, ...]
    silhouettes: Bool[Tensor, "instances azimuths pixels"]


def outlines(asked: Wanted) -> Outlines:
    """The instances of what is asked for; drawn once per kind and process (about a second)."""
    return _outlines(asked.category, asked.relation, asked.second_category)


@lru_cache(maxsize=24)
def _outlines(category: str, relation: str, second: str) -> Outlines:
    # Color has no outline; any will do.
    asked = Wanted("red", category, relation, "red" if second else "", second)
    shapes = spread(_parameters(category) + (_parameters(second) if second else 0))
    frames, silhouettes = [], []
    azimuth, elevation = angles(AROUND, (ELEVATION,))
    around = ring(FRAMING, ELEVATION)
    for shape in shapes:
        toy = true_object(asked, shape)
        seen = render(toy, around, samples=1)
        frame = frame_of(unproject(seen.alpha, seen.depth, around))
        assert frame is not None, "an object of the toybox can be seen"
        drawn = render(toy, framed(frame, azimuth, elevation, OUTLINE), samples=1)
        frames.append(frame)
        silhouettes.append(drawn.alpha.reshape(AROUND, -1) > 0.5)
    return Outlines(shapes, tuple(frames), torch.stack(silhouettes))


def true_object(asked: Wanted, shape: tuple[float, ...]) -> Toy:
    """What is asked for, with these shape parameters (those of the first thing first)."""
    split = _parameters(asked.category)
    first = build(asked.category, shape[:split], asked.color)
    if asked.alone:
        return first
    second = build(asked.second_category, shape[split:], asked.second_color)
    return together(first, asked.relation, second)


def held_object(asked: Wanted, generator: torch.Generator) -> Toy:
    """What is asked for, as an instance of the band that no training of a prior sees."""
    count = _parameters(asked.category)
    count += 0 if asked.alone else _parameters(asked.second_category)
    low, high = BAND
    draws = torch.rand(count, generator=generator)
    return true_object(asked, tuple((low + (high - low) * draws).tolist()))


def main_paint(toy: ToyObject) -> Bool[Tensor, "parts"]:
    """Which rows of an object's tape have its main color."""
    return torch.tensor([paint == "main" for paint in toy.paints])


def spread(parameters: int) -> tuple[tuple[float, ...], ...]:
    """Sixty-four shapes; a single one where nothing varies."""
    if parameters == 0:
        return ((),)
    sobol = torch.quasirandom.SobolEngine(parameters, scramble=True, seed=SEED)
    draws = sobol.draw(IN_BAND + EVERYWHERE)
    low, high = BAND
    band = low + (high - low) * draws[:IN_BAND]
    band[0] = 0.5
    return tuple(tuple(row) for row in torch.cat([band, draws[IN_BAND:]]).tolist())


def _parameters(category: str) -> int:
    return len(CATEGORIES[category].parameters)
