"""Toys and a plant: ball, drum, flower."""

import math

from splatsmith.toybox.category import category
from splatsmith.toybox.sketch import DYE, Sketch, Vector, mix, turned


def ball(s: Sketch, stripes: float, cap: float, tilt: float) -> Vector:
    """A beach ball: stripes from pole to pole, and caps on the poles."""
    w, t = mix(0.42, 0.62, stripes), math.radians(mix(25, 65, tilt))
    axis, u = (math.cos(t), 0.0, math.sin(t)), (-math.sin(t), 0.0, math.cos(t))
    s.ball("main", (0, 0, 0), 1.0)
    for i in range(3):
        c, d = math.cos(i * math.tau / 3), math.sin(i * math.tau / 3)
        radial, tangent = (c * u[0], d, c * u[2]), (-d * u[0], c, -d * u[2])
        at = (0.6 * radial[0], 0.6 * radial[1], 0.6 * radial[2])
        s.slab("stripes", at, (0, w), 0.6, 1.1, DYE, (*tangent, *axis, *radial), round=0.001)
    turn, end = turned(pitch=90 - math.degrees(t)), mix(0.28, 0.40, cap)
    for side in (-1, 1):
        s.cylinder("cap", (side * axis[0], 0, side * axis[2]), end, 0.2, DYE, turn)
    return (0, 0, 0)


def drum(s: Sketch, height: float, girth: float, ropes: float) -> Vector:
    """A skin on top, two hoops, a zigzag of ropes."""
    h, r, t = mix(0.58, 0.74, height), mix(0.56, 0.64, girth), mix(0.027, 0.037, ropes)
    s.cylinder("main", (0, 0, 0), r, h)
    for i in range(8):
        a, b, z = i * math.tau / 8, (i + 1) * math.tau / 8, (h - 0.08) * (-1) ** i
        c = r + 0.03
        start = (c * math.cos(a), c * math.sin(a), z)
        s.rod("ropes", start, (c * math.cos(b), c * math.sin(b), -z), t)
    for side in (-1, 1):
        s.cylinder("rims", (0, 0, side * h), r + 0.04, 0.05, round=0.03)
    s.cylinder("skin", (0, 0, h + 0.035), r - 0.05, 0.03)
    s.top((0, 0, h + 0.065), r)
    return (0, 0, 0.01)


def flower(s: Sketch, height: float, petals: float, center: float, leaves: float) -> Vector:
    """A round of petals looking up toward +x, on a stem with two leaves."""
    h, p, c = mix(0.85, 1.15, height), mix(0.30, 0.38, petals), mix(0.22, 0.28, center)
    n, u = (math.sin(TILT), 0.0, math.cos(TILT)), (math.cos(TILT), 0.0, -math.sin(TILT))
    s.limb("stem", (0, 0, 0), (-0.06, 0, h), 0.09, 0.075)
    out = mix(0.20, 0.27, leaves)
    s.egg("leaves", (0.03, 0.24, 0.26), (0.17, 0.08, out * 1.3), turn=turned(roll=-55))
    s.egg("leaves", (0.03, -0.24, 0.36), (0.17, 0.08, out * 1.3), turn=turned(roll=55))
    s.cone("stem", (-0.08 * n[0], 0, h - 0.08 * n[2]), 0.09, 0.22, 0.09, turn=(*u, 0, 1, 0, *n))
    for i in range(7):
        a, b = math.cos(i * math.tau / 7), math.sin(i * math.tau / 7)
        radial, tangent = (a * u[0], b, a * u[2]), (-b * u[0], a, -b * u[2])
        at = (0.36 * radial[0], 0.36 * radial[1], h + 0.36 * radial[2])
        s.egg("main", at, (p, 0.20, 0.11), turn=(*radial, *tangent, *n))
    s.egg("center", (0.06 * n[0], 0, h + 0.06 * n[2]), (c, c, 0.16), turn=(*u, 0, 1, 0, *n))
    return (0, 0, (h + 0.5) / 2)


TILT = math.radians(62)

ROWS = (
    category(ball, "stripes:thin/thick cap tilt", "stripes*=white cap=yellow", "red"),
    category(
        drum,
        "height:low/tall girth:slim/fat ropes:thin/thick",
        "rims*=yellow ropes*=white skin=cream",
        "red",
    ),
    category(
        flower,
        "height:short/tall petals:short/long center:small/big leaves",
        "center=yellow stem=leaf leaves*=leaf",
        "pink",
        front=True,
    ),
)
