"""The pencil that shapes are drawn with: primitives by name, in any units, fitted at the end.

Every method adds a part. `paint` is the name of a color: "main", a slot of the category, or one
of the fixed inks. Options common to all: `blend` (radius of a smooth union with what is there),
`cut` (carve instead of add), `dye` (only color what it covers), `mirror` (also at -y).
"""

import math
from array import array
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from splatsmith.toybox.tape import HEAD, PATTERN, ROW, Kind, Operation, Tape, moved

Vector = tuple[float, float, float]
Rotation = tuple[float, ...]  # local from world, row-major
Anchor = tuple[Vector, float]
PLAIN = (0.0, 0.0, 0.0, 0.0, 1.0)  # no finish

UPRIGHT: Rotation = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
ALONG_X: Rotation = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)
ALONG_Y: Rotation = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
FILL = 0.92  # the farthest point of every object, as a share of the unit ball


def mix(low: float, high: float, share: float) -> float:
    """From `low` at 0 to `high` at 1."""
    return low + (high - low) * share


def turned(*, pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> Rotation:
    """Degrees: roll about x first (up to -y), pitch about y (up to +x), yaw about z."""
    a, b, c = math.radians(yaw), math.radians(pitch), math.radians(roll)
    ca, sa, cb, sb, cc, sc = (f(t) for t in (a, b, c) for f in (math.cos, math.sin))
    return (
        *(ca * cb, sa * cb, -sb),
        *(ca * sb * sc - sa * cc, sa * sb * sc + ca * cc, cb * sc),
        *(ca * sb * cc + sa * sc, sa * sb * cc - ca * sc, cb * cc),
    )


def pointing(start: Vector, end: Vector) -> tuple[Rotation, float]:
    """The rotation that lays a part's axis from `start` to `end`, and their distance."""
    x, y, z = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    length = math.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    if z < -0.9999:
        return (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0), length
    # The rotation by the smallest angle that takes z to the direction.
    f = 1 / (1 + z)
    return (1 - f * x * x, -f * x * y, -x, -f * x * y, 1 - f * y * y, -y, x, y, z), length


@dataclass(frozen=True, slots=True)
class Look:
    """How a part joins the others."""

    blend: float = 0.0
    cut: bool = False
    dye: bool = False
    mirror: bool = False

    @property
    def operation(self) -> Operation:
        """The fold's operation."""
        if self.cut:
            return Operation.CUT
        if self.dye:
            return Operation.PAINT
        return Operation.SMOOTH if self.blend > 0 else Operation.UNION


SOLID = Look()
MIRRORED = Look(mirror=True)
CUT = Look(cut=True)
DYE = Look(dye=True)
DYE_PAIR = Look(dye=True, mirror=True)


def soft(blend: float, *, mirror: bool = False) -> Look:
    """A smooth union."""
    return Look(blend=blend, mirror=mirror)


class Sketch:
    """Collects the parts of one object; `colors` says what each paint name means.

    The paints in `finished` have the finish of that number, with `second` as its other color.
    """

    def __init__(
        self,
        colors: dict[str, Vector],
        finished: Collection[str] = (),
        finish: int = 0,
        second: Vector = (0.0, 0.0, 0.0),
    ) -> None:
        self.colors = colors
        self.finished = finished
        self.finish_row = (float(finish), *second, 1.0)
        self.floats = array("f")
        self.integers = array("i")
        self.names: list[str] = []
        self.spheres: list[tuple[Kind, Vector, Rotation, tuple[float, ...]]] = []
        self.anchors: dict[str, Anchor] = {}

    def head(self, at: Vector, r: float) -> None:
        """Where a hat sits: the center of its brim, and the head's radius there.

        In a thing that is worn: where the head goes.
        """
        self.anchors["head"] = (at, r)

    def top(self, at: Vector, r: float) -> None:
        """Where things can stand: the center of a flat place, and its radius."""
        self.anchors["top"] = (at, r)

    def below(self, at: Vector, r: float) -> None:
        """Where things find shelter: a place on the ground, radius of a ball that fits."""
        self.anchors["below"] = (at, r)

    def ball(self, paint: str, at: Vector, r: float, look: Look = SOLID) -> None:
        """A sphere."""
        self._add(Kind.SPHERE, paint, at, UPRIGHT, (r, 0, 0, 0, 0, 0), r, look)

    def egg(
        self,
        paint: str,
        at: Vector,
        radii: Vector,
        look: Look = SOLID,
        turn: Rotation = UPRIGHT,
    ) -> None:
        """An ellipsoid."""
        self._add(Kind.ELLIPSOID, paint, at, turn, (*radii, 0, 0, 0), max(radii), look)

    def box(
        self,
        paint: str,
        at: Vector,
        half: Vector,
        look: Look = SOLID,
        turn: Rotation = UPRIGHT,
        round: float = 0.03,
    ) -> None:
        """A box of half-sizes `half`, edges rounded within it."""
        a, b, c = half
        r = min(round, 0.95 * min(half))
        bound = math.sqrt(a * a + b * b + c * c)
        self._add(Kind.BOX, paint, at, turn, (a - r, b - r, c - r, r, 0, 0), bound, look)

    def cylinder(
        self,
        paint: str,
        at: Vector,
        r: float,
        half: float,
        look: Look = SOLID,
        turn: Rotation = UPRIGHT,
        round: float = 0.02,
    ) -> None:
        """A cylinder about its z axis, rims rounded within it."""
        e = min(round, 0.95 * r, 0.95 * half)
        size = (r - e, half - e, e, 0, 0, 0)
        self._add(Kind.CYLINDER, paint, at, turn, size, math.hypot(r, half), look)

    def cone(
        self,
        paint: str,
        at: Vector,
        bottom: float,
        top: float,
        half: float,
        look: Look = SOLID,
        turn: Rotation = UPRIGHT,
        round: float = 0.02,
    ) -> None:
        """A frustum with these radii; the rounding grows a sharp tip, else it is taken off."""
        e = min(round, 0.9 * max(bottom, top), 0.9 * half)
        size = (max(bottom - e, 0.0), max(top - e, 0.0), half - e, e, 0, 0)
        self._add(
            Kind.FRUSTUM, paint, at, turn, size, math.hypot(max(bottom, top, e), half), look
        )

    def slab(
        self,
        paint: str,
        at: Vector,
        widths: tuple[float, float],
        half: float,
        depth: float,
        look: Look = SOLID,
        turn: Rotation = UPRIGHT,
        round: float = 0.02,
    ) -> None:
        """A trapezoid in x and z (half-widths below and above), extruded to half-depth in y."""
        bottom, top = widths
        e = min(round, 0.9 * max(widths), 0.9 * half, 0.9 * depth)
        size = (max(bottom - e, 0.0), max(top - e, 0.0), half - e, e, depth - e, 0)
        bound = math.hypot(math.hypot(max(bottom, top, e), half), depth)
        self._add(Kind.SLAB, paint, at, turn, size, bound, look)

    def torus(
        self,
        paint: str,
        at: Vector,
        ring: float,
        tube: float,
        look: Look = SOLID,
        turn: Rotation = UPRIGHT,
    ) -> None:
        """A ring in its xy plane."""
        self._add(Kind.TORUS, paint, at, turn, (ring, tube, 0, 0, 0, 0), ring + tube, look)

    def rod(self, paint: str, start: Vector, end: Vector, r: float, look: Look = SOLID) -> None:
        """A capsule; `r` is its radius, `start` and `end` the centers of its round ends."""
        turn, length = pointing(start, end)
        at = tuple((a + b) / 2 for a, b in zip(start, end, strict=True))
        size = (r, length / 2, 0, 0, 0, 0)
        self._add(Kind.CAPSULE, paint, at, turn, size, r + length / 2, look)  # type: ignore[arg-type]

    def limb(
        self, paint: str, start: Vector, end: Vector, r1: float, r2: float, look: Look = SOLID
    ) -> None:
        """A capsule whose ends have their own radii."""
        turn, length = pointing(start, end)
        slope = max(-0.999, min(0.999, (r1 - r2) / length))
        size = (r1, r2, length, math.sqrt(1 - slope * slope), slope, 0)
        self._add(Kind.ROUND_CONE, paint, start, turn, size, max(r1, length + r2), look)

    def _add(
        self,
        kind: Kind,
        paint: str,
        at: Vector,
        turn: Rotation,
        size: tuple[float, ...],
        bound: float,
        look: Look,
    ) -> None:
        operation = look.operation
        color = self.colors[paint]
        finish = self.finish_row if paint in self.finished else PLAIN
        self.floats.extend((*at, *turn, *size, look.blend, *color, bound, *finish))
        self.integers.extend((kind, operation, look.mirror, 0))
        self.names.append(paint)
        if operation <= Operation.SMOOTH:
            self.spheres.append((kind, at, turn, size))

    def finish(self, center: Vector, fill: float = FILL) -> tuple[Tape, dict[str, Anchor]]:
        """The tape, `center` at the origin, the farthest point at `fill`; and the anchors."""
        scale = fill / max(_reach(part, center) for part in self.spheres)
        rows = np.frombuffer(self.floats, dtype=np.float32).reshape(-1, ROW)
        heads = np.frombuffer(self.integers, dtype=np.int32).reshape(-1, HEAD)
        x, y, z = (-scale * c for c in center)
        tape = moved(Tape(rows, heads), scale, (x, y, z))
        tape.rows[:, PATTERN] /= scale / (
            fill / FILL
        )  # Patterns are sized by the finished thing.
        anchors = {
            name: ((at[0] * scale + x, at[1] * scale + y, at[2] * scale + z), r * scale)
            for name, (at, r) in self.anchors.items()
        }
        return tape, anchors


def _reach(part: tuple[Kind, Vector, Rotation, tuple[float, ...]], center: Vector) -> float:
    """How far the part's farthest point lies from `center`."""
    kind, at, turn, size = part
    x, y, z = at[0] - center[0], at[1] - center[1], at[2] - center[2]
    if turn is not UPRIGHT:
        a, b, c, d, e, f, g, h, i = turn
        x, y, z = x * a + y * b + z * c, x * d + y * e + z * f, x * g + y * h + z * i
    return _REACH[kind](abs(x), abs(y), z, size)


def _egg_reach(x: float, y: float, z: float, s: tuple[float, ...]) -> float:
    # Climbs from support point to support point: each is at least as far out as the one before.
    z, (a, b, c) = abs(z), s[:3]
    u, v, w = x + a, y + b, z + c
    for _ in range(3):
        n = math.sqrt((u * a) ** 2 + (v * b) ** 2 + (w * c) ** 2)
        u, v, w = x + a * a * u / n, y + b * b * v / n, z + c * c * w / n
    return math.sqrt(u * u + v * v + w * w)


def _norm(x: float, y: float, z: float) -> float:
    return math.sqrt(x * x + y * y + z * z)


def _frustum_reach(x: float, y: float, z: float, s: tuple[float, ...]) -> float:
    across = math.hypot(x, y)
    ends = (math.hypot(across + s[0], z - s[2]), math.hypot(across + s[1], z + s[2]))
    return max(ends) + s[3]


def _slab_reach(x: float, y: float, z: float, s: tuple[float, ...]) -> float:
    ends = (_norm(x + s[0], y + s[4], z - s[2]), _norm(x + s[1], y + s[4], z + s[2]))
    return max(ends) + s[3]


_REACH: dict[Kind, Callable[[float, float, float, tuple[float, ...]], float]] = {
    Kind.ELLIPSOID: _egg_reach,
    Kind.SPHERE: lambda x, y, z, s: _norm(x, y, z) + s[0],
    Kind.BOX: lambda x, y, z, s: _norm(x + s[0], y + s[1], abs(z) + s[2]) + s[3],
    Kind.CYLINDER: lambda x, y, z, s: math.hypot(math.hypot(x, y) + s[0], abs(z) + s[1]) + s[2],
    Kind.FRUSTUM: _frustum_reach,
    Kind.CAPSULE: lambda x, y, z, s: _norm(x, y, abs(z) + s[1]) + s[0],
    Kind.TORUS: lambda x, y, z, s: math.hypot(math.hypot(x, y) + s[0], z) + s[1],
    Kind.SLAB: _slab_reach,
    Kind.ROUND_CONE: lambda x, y, z, s: max(
        _norm(x, y, z) + s[0], _norm(x, y, z + s[2]) + s[1]
    ),
}
