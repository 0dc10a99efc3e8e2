"""An object as numbers: one row per part, folded in order by the native kernel and its twin.

Row of 28 floats: 0-2 center, 3-11 rotation (local from world, row-major), 12-17 sizes, 18 blend
radius, 19-21 color, 22 bounding radius around the center, 23 finish (its number in `FINISHES`),
24-26 the second color of its pattern, 27 size of its pattern. Head of 4 integers: kind,
operation, mirrored (1: the part also exists at -y), group. A group is one thing: its parts
join, cut and paint only those before them in their own group.

Sizes by kind, in the part's own axes (z is its axis):
ellipsoid: three radii. sphere: radius. box: three half-sizes without rounding, rounding.
cylinder: radius, half-height, rounding. frustum: bottom and top radius, half-height, rounding.
capsule: radius, half-length. torus: ring radius, tube radius (ring in the xy plane).
slab: half-widths (x) at bottom and top, half-height (z), rounding, half-depth (y).
round cone: radius at the center, radius at the far end, length, cosine and sine of its slope.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

ROW = 28
HEAD = 4
CENTER, ROTATION, SIZES = slice(0, 3), slice(3, 12), slice(12, 18)
BLEND, COLOR, BOUND = 18, slice(19, 22), 22
FINISH, SECOND, PATTERN = 23, slice(24, 27), 27
MOST_PARTS = 192

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]


class Kind(IntEnum):
    """The primitives; the numbers are those of the native kernel."""

    ELLIPSOID = 0
    SPHERE = 1
    BOX = 2
    CYLINDER = 3
    FRUSTUM = 4
    CAPSULE = 5
    TORUS = 6
    SLAB = 7
    ROUND_CONE = 8


class Operation(IntEnum):
    """What a part does to those before it; PAINT only colors what it covers."""

    UNION = 0
    SMOOTH = 1
    CUT = 2
    PAINT = 3


@dataclass(frozen=True, eq=False)
class Tape:
    """The parts of one object, or of several in a row."""

    rows: Floats  # [parts, 28]
    heads: Integers  # [parts, 4]

    def __len__(self) -> int:
        return len(self.rows)


def joined(tapes: list[Tape]) -> tuple[Tape, Integers]:
    """Several tapes in one, and where each starts ([objects + 1])."""
    starts = np.zeros(len(tapes) + 1, dtype=np.int32)
    np.cumsum([len(tape) for tape in tapes], out=starts[1:])
    rows = np.concatenate([tape.rows for tape in tapes])
    heads = np.concatenate([tape.heads for tape in tapes])
    return Tape(rows, heads), starts


def moved(tape: Tape, scale: float, shift: tuple[float, float, float]) -> Tape:
    """The same parts at `scale` times their place and size, then moved by `shift`."""
    rows = tape.rows.copy()
    slopes = rows[:, 15:17].copy()
    rows[:, CENTER] = rows[:, CENTER] * scale + np.array(shift, dtype=np.float32)
    rows[:, SIZES] *= scale
    rows[:, [BLEND, BOUND, PATTERN]] *= scale
    cones = tape.heads[:, 0] == Kind.ROUND_CONE
    rows[cones, 15:17] = slopes[cones]  # These two are a cosine and a sine.
    return Tape(rows, tape.heads)


def unmirrored(tape: Tape) -> Tape:
    """The same thing, every mirrored part written out twice: now it can be moved along y.

    A reflected primitive is itself with a reflected rotation: all are symmetric in their own y.
    """
    twins = np.repeat(np.arange(len(tape)), 1 + (tape.heads[:, 2] != 0))
    rows, heads = tape.rows[twins].copy(), tape.heads[twins].copy()
    second = np.r_[False, twins[1:] == twins[:-1]]
    rows[second, 1] *= -1
    rows[np.ix_(second, [4, 7, 10])] *= -1
    heads[:, 2] = 0
    return Tape(rows, heads)
