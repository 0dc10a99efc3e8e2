"""Two things in one scene: on, under, beside, in front of, wearing.

The first thing is the one that is spoken of: "a duck on a barrel". Where it goes is decided by
what the second offers ("top", "below") or what the first does ("head"), see `Sketch`.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch

from splatsmith.errors import InputError
from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.geometry import tape_distance
from splatsmith.toybox.objects import (
    ToyObject,
    ToyPair,
    build,
    colors_of,
    dressed,
    pick,
)
from splatsmith.toybox.sketch import FILL, Vector
from splatsmith.toybox.split import Split, may_meet
from splatsmith.toybox.tape import Tape, joined, moved, unmirrored

# How often each is drawn.
RELATIONS = {"on": 0.32, "under": 0.10, "beside": 0.26, "in front of": 0.14, "wearing": 0.18}
GAP = 0.05  # between things side by side, world units before the scene is fitted
STEPS = 24  # of feeling for a surface along an axis
TOUCH = 8e-3  # world units; a pixel of 64 is 0.04 wide


@lru_cache
def fits(first: str, relation: str, second: str) -> bool:
    """Whether two categories can stand in a relation."""
    roles, other_roles = CATEGORIES[first].roles, CATEGORIES[second].roles
    if relation == "wearing":
        return "worn" in other_roles and "worn" not in roles and _offers(first, "head")
    if relation in ("on", "under"):
        place = "top" if relation == "on" else "below"
        return "large" not in roles and _offers(second, place)
    return "worn" not in roles | other_roles


@lru_cache
def _offers(category: str, place: str) -> bool:
    return place in build(category).anchors


@lru_cache
def meetings(relation: str, split: Split) -> list[tuple[str, str]]:
    """All ordered pairs of categories that stand in a relation in a split."""
    return [
        (first, second)
        for first in CATEGORIES
        for second in CATEGORIES
        if first != second
        and may_meet(first, second, split)
        and fits(first, relation, second)
        and colors_of(first, split)
        and colors_of(second, split)
    ]


def pair_from(draws: Sequence[float], others: Sequence[float], split: Split) -> ToyPair:
    """The scene that two rows of uniform numbers stand for."""
    relation = _relation(draws[-3])
    first, second = pick(meetings(relation, split), draws[0])
    things = []
    for category, row in ((first, draws), (second, others)):
        color = pick(colors_of(category, split), row[6])
        things.append(dressed(category, color, row, split, plain=True))
    return together(things[0], relation, things[1])


def _relation(draw: float) -> str:
    for relation, share in RELATIONS.items():
        draw -= share
        if draw < 0:
            return relation
    return "beside"


def together(first: ToyObject, relation: str, second: ToyObject) -> ToyPair:
    """The scene of `first` in `relation` to `second`.

    Raises InputError for a relation that does not exist or that these two cannot have.
    """
    if relation not in RELATIONS:
        raise InputError(
            f"There is no relation {relation!r}; known are {', '.join(RELATIONS)}."
        )
    if not fits(first.category, relation, second.category):
        raise InputError(f"A {first.category} cannot be {relation!r} with a {second.category}.")
    scales, places = _PLACES[relation](first, second)
    center, size = _enclosing(places, scales)
    fill = FILL / size
    tapes = []
    for toy, scale, place in zip((first, second), scales, places, strict=True):
        x, y, z = ((p - c) * fill for p, c in zip(place, center, strict=True))
        still = toy.tape if abs(y) < 1e-6 else unmirrored(toy.tape)
        tapes.append((moved(still, scale * fill, (x, y, z)), _paints(toy, still)))
    tape, starts = joined([tape for tape, _ in tapes])
    tape.heads[starts[1] :, 3] = 1
    return ToyPair(first, relation, second, tape, tuple(p for _, names in tapes for p in names))


def _paints(toy: ToyObject, tape: Tape) -> list[str]:
    if len(tape) == len(toy.tape):
        return list(toy.paints)
    counts = 1 + (toy.tape.heads[:, 2] != 0)
    return [name for name, n in zip(toy.paints, counts, strict=True) for _ in range(n)]


Places = tuple[tuple[float, float], tuple[Vector, Vector]]  # scales; where the centers go
ORIGIN: Vector = (0.0, 0.0, 0.0)


def _wearing(first: ToyObject, second: ToyObject) -> Places:
    (x, y, z), r = first.anchors["head"]
    seat, inner = second.anchors["head"]
    scale = r / inner
    return (1.0, scale), (
        ORIGIN,
        (x - seat[0] * scale, y - seat[1] * scale, z - seat[2] * scale),
    )


def _on(first: ToyObject, second: ToyObject) -> Places:
    (x, y, z), r = second.anchors["top"]
    scale = min(0.78, max(0.42, 1.35 * r))
    return (scale, 1.0), ((x, y, z - scale * _end(first.tape, 2, -1)), ORIGIN)


def _under(first: ToyObject, second: ToyObject) -> Places:
    (x, y, z), r = second.anchors["below"]
    scale = r / FILL
    return (scale, 1.0), ((x, y, z - scale * _end(first.tape, 2, -1)), ORIGIN)


def _beside(first: ToyObject, second: ToyObject) -> Places:
    """The first on the left as one looks from the front."""
    a, b = _sizes(first, second)
    apart = a * _end(first.tape, 1, 1) - b * _end(second.tape, 1, -1) + GAP
    return (a, b), ((0, -apart / 2, _stood(first, a)), (0, apart / 2, _stood(second, b)))


def _in_front(first: ToyObject, second: ToyObject) -> Places:
    a, b = _sizes(first, second)
    a *= 0.8  # What is behind has to be seen over it.
    apart = b * _end(second.tape, 0, 1) - a * _end(first.tape, 0, -1) + GAP
    return (a, b), ((apart / 2, 0, _stood(first, a)), (-apart / 2, 0, _stood(second, b)))


_PLACES: dict[str, Callable[[ToyObject, ToyObject], Places]] = {
    "wearing": _wearing,
    "on": _on,
    "under": _under,
    "beside": _beside,
    "in front of": _in_front,
}


def _sizes(first: ToyObject, second: ToyObject) -> tuple[float, float]:
    """A large thing beside a small one is half as large again, not more: both must be seen."""
    large = ["large" in CATEGORIES[toy.category].roles for toy in (first, second)]
    if large[0] == large[1]:
        return 1.0, 1.0
    return (1.0, 0.66) if large[0] else (0.66, 1.0)


def _stood(toy: ToyObject, scale: float) -> float:
    """Height of the center of a thing that stands on the ground."""
    return -scale * _end(toy.tape, 2, -1)


def _enclosing(
    places: tuple[Vector, Vector], scales: tuple[float, float]
) -> tuple[Vector, float]:
    """Center and radius of the smallest ball around both; each fills one of radius FILL."""
    a, b = (np.array(place) for place in places)
    r, s = (FILL * scale for scale in scales)
    apart = float(np.linalg.norm(b - a))
    if apart + min(r, s) <= max(r, s):
        center, radius = (a, r) if r >= s else (b, s)
    else:
        radius = (apart + r + s) / 2
        center = a + (b - a) * ((radius - r) / apart)
    x, y, z = center.tolist()
    return (x, y, z), radius


def _end(tape: Tape, axis: int, side: int) -> float:
    """Where a thing ends along an axis (0 x, 1 y, 2 z) on one side: felt along many lines."""
    line = torch.linspace(-FILL, FILL, 15)
    points = torch.full((len(line) ** 2, 3), float(side))
    points[:, [i for i in range(3) if i != axis]] = torch.cartesian_prod(line, line)
    for _ in range(STEPS):
        d = tape_distance(tape, points)[0]
        points[:, axis] -= side * d.clamp(min=0)
    arrived = points[tape_distance(tape, points)[0] < TOUCH, axis]
    return float(side * (side * arrived).max()) if len(arrived) else side * FILL
