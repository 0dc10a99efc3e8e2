"""Things to eat: apple, banana, cake, burger, pumpkin."""

import math

from splatsmith.toybox.category import category
from splatsmith.toybox.sketch import (
    CUT,
    DYE,
    DYE_PAIR,
    Sketch,
    Vector,
    mix,
    soft,
    turned,
)


def apple(s: Sketch, height: float, girth: float, stem: float) -> Vector:
    """Dimpled above, narrower below, a stem and a leaf."""
    h, r, t = mix(0.08, 0.24, height), mix(0.18, 0.32, girth), mix(0.22, 0.34, stem)
    s.torus("main", (0, 0, h), r, 0.50)
    s.torus("main", (0, 0, -h), r * 0.70, 0.48, soft(0.18))
    top = h + 0.40
    s.limb("stem", (0, 0, top - 0.05), (0.10, 0, top + t), 0.06, 0.085)
    at = (0.02, 0.30, top + t * 0.62)
    s.egg("leaf", at, (0.17, 0.30, 0.065), turn=turned(roll=-25))
    return (0, 0, t * 0.4)


def banana(s: Sketch, length: float, girth: float, bend: float) -> Vector:
    """Bent upward like a smile, dark at both tips."""
    span, r = mix(1.0, 1.35, length), mix(0.20, 0.27, girth)
    ring = mix(1.2, 0.9, bend)

    def at(share: float) -> Vector:
        a = span * share / ring
        return (ring * math.sin(a), 0, -ring * math.cos(a))

    knots = (-0.92, -0.62, -0.31, 0.0, 0.31, 0.62, 0.86)
    thick = (0.50, 0.82, 0.97, 1.0, 0.97, 0.82, 0.45)
    for i in range(6):
        a, b = r * thick[i], r * thick[i + 1]
        s.limb("main", at(knots[i]), at(knots[i + 1]), a, b)
    s.limb("tips", at(-0.98), at(-1.03), r * 0.42, r * 0.36)
    s.limb("tips", at(0.90), at(1.12), r * 0.38, r * 0.42)
    rise = at(1.12)[2]
    return (0.04, 0, (rise - ring) / 2)


def cake(s: Sketch, height: float, width: float, cherries: float, slice: float) -> Vector:
    """A round cake on a plate, a slice missing, cherries on a rim of icing."""
    h, r = mix(0.42, 0.54, height), mix(0.64, 0.76, width)
    t, gap = mix(0.09, 0.105, cherries), mix(0.30, 0.40, slice)
    s.cylinder("main", (0, 0, h), r, h, round=0.06)
    s.torus("icing", (0, 0, 2 * h - 0.03), r - 0.05, 0.08)
    s.slab("tan", (0.62, 0, h), (0.0, gap), 0.6, 2, CUT, turn=WEDGE)
    s.cylinder("icing", (0, 0, h), r - 0.08, 0.06, DYE)
    s.cylinder("plate", (0, 0, -0.04), r + 0.08, 0.05, round=0.04)
    for i in range(5):
        a = math.radians(60 + i * 60)
        at = ((r - 0.05) * math.cos(a), (r - 0.05) * math.sin(a), 2 * h + t * 0.8)
        s.ball("cherries", at, t)
    s.top((-0.26, 0, 2 * h), 0.36)
    return (0, 0, h)


# A slab's height points along +x, and its depth upright.
WEDGE = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)


def burger(s: Sketch, height: float, width: float, patty: float, seeds: float) -> Vector:
    """A bun with seeds, lettuce, cheese with hanging corners, a patty."""
    h, r = mix(0.38, 0.50, height), mix(0.62, 0.72, width)
    p, size = mix(0.09, 0.13, patty), mix(0.05, 0.065, seeds)
    s.cylinder("main", (0, 0, -0.26), r, 0.18, round=0.15)
    s.cylinder("patty", (0, 0, 0), r + 0.04, p, round=0.08)
    s.cylinder("cheese", (0, 0, p + 0.01), r + 0.02, 0.04)
    for yaw in (20, 110, 200, 290):
        a = math.radians(yaw)
        at = ((r + 0.04) * math.cos(a), (r + 0.04) * math.sin(a), p - 0.08)
        s.slab("cheese", at, (0.03, 0.24), 0.13, 0.045, turn=turned(yaw=yaw + 90))
    for i in range(9):
        a = i * math.tau / 9
        at = (r * 0.86 * math.cos(a), r * 0.86 * math.sin(a), p + 0.10)
        tilt = turned(yaw=i * 40, pitch=14, roll=25)
        s.egg("lettuce", at, (0.23, 0.25, 0.055), turn=tilt)
    z = p + 0.13
    s.egg("main", (0, 0, z), (r, r, h))
    for low, count, start in ((88, 1, 0.0), (57, 5, 20.0), (30, 7, 0.0)):
        up = math.radians(low)
        for i in range(count):
            a = math.radians(start + i * 360 / count)
            c, d = r * math.cos(up) * math.cos(a), r * math.cos(up) * math.sin(a)
            s.ball("seeds", (c, d, z + h * math.sin(up)), size)
    return (0, 0, 0.1)


def pumpkin(s: Sketch, height: float, girth: float, stem: float) -> Vector:
    """Ribbed, with a stem and a grin toward +x."""
    h, r, t = mix(0.44, 0.56, height), mix(0.30, 0.35, girth), mix(0.16, 0.26, stem)
    ring = mix(0.32, 0.42, girth)
    for i in range(8):
        a = math.radians(i * 45)
        at = (ring * math.cos(a), ring * math.sin(a), 0)
        s.egg("main", at, (r, r * 0.85, h), turn=turned(yaw=i * 45))
    s.limb("stem", (0, 0, h * 0.7), (-0.06, 0, h + t), 0.13, 0.09)
    s.slab("face", (0.5, 0.32, 0.13), (0.17, 0.0), 0.15, 0.5, DYE_PAIR, turn=turned(yaw=90))
    s.slab("face", (0.5, 0, 0.0), (0.06, 0.0), 0.06, 0.5, DYE, turn=turned(yaw=90))
    s.slab("face", (0.5, 0, -0.17), (0.22, 0.42), 0.10, 0.5, DYE, turn=turned(yaw=90))
    s.box("main", (0.7, 0.12, -0.10), (0.5, 0.055, 0.05), DYE_PAIR)
    s.box("main", (0.7, 0, -0.25), (0.5, 0.055, 0.05), DYE)
    return (0, 0, t * 0.5)


ROWS = (
    category(apple, "height:short/tall girth:slim/fat stem", "leaf=leaf stem=wood", "red"),
    category(banana, "length:short/long girth:slim/fat bend", "tips*=wood", "yellow"),
    category(
        cake,
        "height:low/tall width:narrow/wide cherries slice",
        "icing=white cherries*=red plate=gray",
        "pink",
    ),
    category(
        burger,
        "height:low/tall width:narrow/wide patty seeds",
        "cheese=yellow lettuce=green patty=wood seeds*=cream",
        "orange",
    ),
    category(
        pumpkin,
        "height:short/tall girth:slim/fat stem",
        "face=dark stem=leaf",
        "orange",
        front=True,
    ),
)
