"""Creatures with a face toward +x: dog, duck, fish, cat, bird, robot."""

import math

from splatsmith.toybox.category import category
from splatsmith.toybox.sketch import (
    DYE,
    MIRRORED,
    Sketch,
    Vector,
    mix,
    soft,
    turned,
)


def dog(s: Sketch, length: float, legs: float, head: float, ears: float) -> Vector:
    """On four legs: snout, hanging ears, a raised tail, a collar."""
    x, h, r, e = mix(0.34, 0.46, length), mix(0.34, 0.46, legs), mix(0.31, 0.36, head), ears
    z = h + 0.16
    s.rod("main", (-x, 0, z), (x * 0.85, 0, z + 0.03), 0.29)
    for at in (-x, x * 0.85):
        s.limb(
            "main",
            (at, 0.15, z - 0.05),
            (at + 0.02, 0.17, 0.09),
            0.145,
            0.12,
            soft(0.05, mirror=True),
        )
    s.limb("main", (x * 0.9, 0, z + 0.1), (x + 0.2, 0, z + 0.48), 0.22, 0.2, soft(0.08))
    hx, hz = x + 0.25, z + 0.56
    s.ball("main", (hx, 0, hz), r, soft(0.05))
    s.limb("main", (hx + 0.15, 0, hz - 0.08), (hx + 0.42, 0, hz - 0.11), 0.17, 0.13, soft(0.05))
    s.ball("eyes", (hx + 0.53, 0, hz - 0.05), 0.075)
    s.ball("eyes", (hx + r * 0.80, 0.13, hz + 0.11), 0.06, MIRRORED)
    drop = mix(0.20, 0.30, e)
    s.egg(
        "ears",
        (hx - 0.04, r * 0.98, hz - 0.06),
        (0.15, 0.07, drop),
        MIRRORED,
        turn=turned(roll=10),
    )
    s.limb("main", (-x - 0.2, 0, z + 0.12), (-x - 0.42, 0, z + 0.48), 0.085, 0.06, soft(0.05))
    s.torus("collar", (x + 0.09, 0, z + 0.29), 0.215, 0.055, turn=turned(pitch=20))
    s.head((hx - 0.02, 0, hz + r * 0.72), r * 0.72)
    return (0.12, 0, (hz + r) / 2)


def duck(s: Sketch, body: float, head: float, bill: float) -> Vector:
    """A swimming duck: flat bill, round head, upturned tail, wings at its sides."""
    x, r, b = mix(0.62, 0.72, body), mix(0.29, 0.35, head), mix(0.20, 0.27, bill)
    s.egg("main", (-0.05, 0, 0), (x, 0.46, 0.40))
    s.limb("main", (-x * 0.7, 0, 0.1), (-x - 0.12, 0, 0.36), 0.22, 0.05, soft(0.1))
    s.limb("main", (x * 0.55, 0, 0.15), (x * 0.66, 0, 0.55), 0.24, 0.18, soft(0.1))
    hx, hz = x * 0.70, 0.66
    s.ball("main", (hx, 0, hz), r, soft(0.06))
    s.egg("bill", (hx + r + b * 0.35, 0, hz - 0.06), (b, 0.17, 0.065))
    s.ball("eyes", (hx + r * 0.66, r * 0.58, hz + 0.10), 0.065, MIRRORED)
    s.egg("wings", (-0.12, 0.40, 0.08), (0.40, 0.12, 0.22), MIRRORED, turn=turned(pitch=12))
    s.head((hx, 0, hz + r * 0.70), r * 0.74)
    return (0.02, 0, 0.27)


def fish(s: Sketch, length: float, height: float, fins: float) -> Vector:
    """Swimming toward +x: round eyes, a wide tail, fins, stripes."""
    x, h, f = mix(0.62, 0.70, length), mix(0.44, 0.54, height), mix(0.20, 0.26, fins)
    s.egg("main", (0.1, 0, 0), (x, 0.31, h))
    for side in (-1, 1):
        tail = turned(pitch=-90 + side * 32)
        s.slab("fins", (-x - 0.14, 0, side * 0.17), (0.07, 0.15), 0.25, 0.06, turn=tail)
    s.slab(
        "fins", (-0.02, 0, h * 0.86), (f * 1.2, f * 0.55), 0.20, 0.055, turn=turned(pitch=-14)
    )
    s.slab("fins", (0.0, 0, -h * 0.92), (f * 0.7, f * 0.35), 0.14, 0.05, turn=turned(pitch=190))
    s.egg(
        "fins", (0.16, 0.31, -0.12), (0.17, 0.05, 0.10), MIRRORED, turn=turned(pitch=25, yaw=25)
    )
    for at in (0.02, -0.26):
        s.box("stripes", (at, 0, 0), (0.042, 1, 1), DYE)
    ex = 0.1 + x * 0.62
    s.ball("light", (ex, 0.18, h * 0.24), 0.125, MIRRORED)
    s.ball("dark", (ex + 0.06, 0.24, h * 0.25), 0.08, MIRRORED)
    s.egg("dark", (0.1 + x, 0, -0.06), (0.06, 0.12, 0.035), DYE)
    return (-0.08, 0, 0.03)


def cat(s: Sketch, body: float, head: float, ears: float, tail: float) -> Vector:
    """Sitting: pointed ears, a long tail, a pale belly."""
    h, r, e = mix(0.52, 0.64, body), mix(0.33, 0.38, head), mix(0.24, 0.32, ears)
    s.limb("main", (-0.10, 0, 0.36), (0.06, 0, h + 0.28), 0.37, 0.22)
    s.ball("main", (-0.08, 0.22, 0.22), 0.23, soft(0.06, mirror=True))
    s.limb("main", (0.17, 0.13, h), (0.28, 0.14, 0.08), 0.11, 0.10, soft(0.04, mirror=True))
    hx, hz = 0.14, h + 0.50
    s.egg("main", (hx, 0, hz), (r * 0.92, r, r * 0.88), soft(0.04))
    s.slab(
        "main",
        (hx, r * 0.62, hz + r * 0.78),
        (0.17, 0.0),
        e * 0.75,
        0.08,
        MIRRORED,
        turn=turned(yaw=90, pitch=0, roll=0),
    )
    s.egg("belly", (0.22, 0, h * 0.86), (0.22, 0.17, 0.26), DYE)
    s.egg("belly", (hx + r * 0.82, 0, hz - 0.10), (0.13, 0.15, 0.10), soft(0.03))
    s.ball("rose", (hx + r * 0.82 + 0.12, 0, hz - 0.045), 0.045)
    s.egg("eyes", (hx + r * 0.76, r * 0.44, hz + 0.09), (0.06, 0.065, 0.09), MIRRORED)
    up = mix(0.25, 0.55, tail)
    s.limb("main", (-0.36, 0, 0.14), (-0.68, 0, 0.20), 0.10, 0.09, soft(0.05))
    s.limb("main", (-0.68, 0, 0.20), (-0.76, 0, 0.30 + up), 0.09, 0.08, soft(0.04))
    s.head((hx - 0.02, 0, hz + r * 0.66), r * 0.66)
    return (-0.10, 0, (hz + r + e) / 2)


def bird(s: Sketch, body: float, wings: float, tail: float, head: float) -> Vector:
    """Wings spread, a pointed beak, a fanned tail, two thin legs."""
    x, w, t = mix(0.46, 0.54, body), mix(0.60, 0.74, wings), mix(0.28, 0.38, tail)
    r, tilt = mix(0.25, 0.30, head), turned(pitch=-22)
    s.egg("main", (0, 0, 0), (x, 0.36, 0.36), turn=tilt)
    hx, hz = x * 0.82, 0.36
    s.ball("main", (hx, 0, hz), r, soft(0.08))
    s.cone("beak", (hx + r + 0.10, 0, hz - 0.02), 0.095, 0.01, 0.14, turn=turned(pitch=90))
    s.ball("eyes", (hx + r * 0.66, r * 0.60, hz + 0.08), 0.06, MIRRORED)
    wing = turned(roll=-62, pitch=-6)
    at = (-0.05, 0.22 + w * 0.42, 0.18 + w * 0.24)
    s.slab("wings", at, (0.22, 0.10), w * 0.46, 0.06, MIRRORED, turn=wing)
    s.slab("wings", (-x - t * 0.7, 0, -0.24), (0.11, 0.19), t, 0.05, turn=FAN)
    s.egg("belly", (0.10, 0, -0.26), (0.30, 0.22, 0.17), DYE)
    s.rod("beak", (0.0, 0.13, -0.28), (0.02, 0.14, -0.62), 0.045, MIRRORED)
    s.rod("beak", (0.0, 0.14, -0.63), (0.16, 0.15, -0.63), 0.045, MIRRORED)
    s.head((hx, 0, hz + r * 0.70), r * 0.74)
    return (-0.12, 0, 0.02)


# A slab whose height points backward and down a little, and whose width lies across.
FAN = (
    0.0,
    1.0,
    0.0,
    math.sin(0.25),
    0.0,
    -math.cos(0.25),
    -math.cos(0.25),
    0.0,
    -math.sin(0.25),
)


def robot(s: Sketch, height: float, head: float, limbs: float) -> Vector:
    """Boxes: glowing eyes, a mouth, a panel of buttons, an antenna."""
    h, w, r = mix(0.36, 0.44, height), mix(0.30, 0.37, head), mix(0.085, 0.115, limbs)
    s.box("main", (0, 0, 0), (0.28, 0.40, h), round=0.06)
    z = h + w * 0.78 + 0.09
    s.cylinder("iron", (0, 0, h + 0.05), 0.12, 0.1)
    s.box("main", (0, 0, z), (0.27, w, w * 0.78), round=0.05)
    s.cylinder("eyes", (0.27, w * 0.45, z + 0.07), 0.095, 0.04, MIRRORED, turn=turned(pitch=90))
    s.box("dark", (0.27, 0, z - w * 0.45), (0.03, w * 0.5, 0.04), round=0.01)
    s.rod("iron", (0, 0, z + w * 0.7), (0, 0, z + w * 0.78 + 0.16), 0.035)
    s.ball("antenna", (0, 0, z + w * 0.78 + 0.22), 0.09)
    s.rod("arms", (0, 0.44, h * 0.65), (0, 0.58, -h * 0.1), r, MIRRORED)
    s.rod("arms", (0, 0.58, -h * 0.1), (0.20, 0.58, -h * 0.55), r, MIRRORED)
    s.rod("legs", (0, 0.2, -h), (0, 0.2, -h - 0.26), r * 1.1, MIRRORED)
    s.box("legs", (0.06, 0.2, -h - 0.34), (0.20, 0.14, 0.08), MIRRORED)
    s.box("light", (0.28, 0, h * 0.25), (0.025, 0.23, h * 0.42), round=0.01)
    for y, ink in ((-0.12, "crimson"), (0.0, "glow"), (0.12, "sky")):
        s.ball(ink, (0.30, y, h * 0.25), 0.05)
    s.head((0, 0, z + w * 0.74), 0.27)
    return (0, 0, (w * 1.5 + 0.30 - 0.42) / 2)


ROWS = (
    category(
        robot,
        "height:short/tall head limbs:thin/thick",
        "arms*=gray legs*=gray eyes*=yellow antenna=red",
        "purple",
        front=True,
    ),
    category(
        dog,
        "length:short/long legs:low/tall head ears",
        "ears*=main collar=red",
        "brown",
        front=True,
    ),
    category(
        duck, "body:short/long head bill", "bill=orange wings*=main", "yellow", front=True
    ),
    category(
        fish,
        "length:short/long height:slim/fat fins",
        "fins*=main stripes*=main",
        "orange",
        front=True,
    ),
    category(cat, "body:short/tall head ears tail", "belly=cream", "orange", front=True),
    category(
        bird,
        "body:short/long wings tail head",
        "wings*=main beak=orange belly=cream",
        "blue",
        front=True,
    ),
)
