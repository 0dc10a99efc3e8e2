"""Things to hold or to wear: hammer, sword, hat, crown."""

import math

from splatsmith.toybox.category import category
from splatsmith.toybox.sketch import ALONG_X, CUT, MIRRORED, Sketch, Vector, mix, soft, turned


def hammer(s: Sketch, head: float, handle: float, grip: float) -> Vector:
    """Standing on its handle: a fat head with its face toward +x, a split claw behind."""
    r, h, t = mix(0.22, 0.30, head), mix(0.95, 1.25, handle), mix(0.09, 0.12, grip)
    s.cylinder("handle", (0, 0, h / 2), t, h / 2, round=0.03)
    s.limb("grip", (0, 0, t * 1.2), (0, 0, h * 0.36), t * 1.35, t * 1.1)
    s.box("main", (0, 0, h), (0.22, r * 0.9, r * 1.05), round=0.06)
    s.cylinder("main", (0.30, 0, h), r * 0.75, 0.20, turn=ALONG_X)
    s.cylinder("main", (0.52, 0, h), r * 1.12, 0.13, turn=ALONG_X, round=0.04)
    s.cylinder("face", (0.64, 0, h), r * 0.95, 0.04, turn=ALONG_X, round=0.03)
    s.limb("main", (-0.18, 0, h + 0.03), (-0.48, 0, h + 0.02), r * 0.85, r * 0.6, soft(0.05))
    s.limb(
        "main",
        (-0.48, r * 0.3, h),
        (-0.78, r * 0.6, h - r),
        r * 0.5,
        0.07,
        soft(0.04, mirror=True),
    )
    return (-0.08, 0, (h + r) / 2)


def sword(s: Sketch, length: float, blade: float, guard: float) -> Vector:
    """Point upward: a broad blade, a guard, a grip, a round pommel."""
    h, w, g = mix(1.1, 1.4, length), mix(0.20, 0.28, blade), mix(0.36, 0.45, guard)
    s.box("main", (0, 0, h / 2), (0.085, w, h / 2), round=0.05)
    s.slab("main", (0, 0, h + w * 0.75), (w, 0.0), w * 0.9, 0.085, turn=FLAT, round=0.05)
    s.box("light", (0, 0, h / 2), (0.11, w * 0.25, h * 0.44))
    s.box("guard", (0, 0, 0), (0.12, g, 0.085), round=0.06)
    s.ball("guard", (0, g, 0), 0.125, MIRRORED)
    s.cylinder("grip", (0, 0, -0.28), 0.105, 0.24)
    s.ball("guard", (0, 0, -0.56), 0.155)
    s.ball("gem", (0, 0, 0), 0.17)
    return (0, 0, (h + w * 1.6 - 0.75) / 2)


FLAT = turned(yaw=90)


def hat(s: Sketch, brim: float, height: float, taper: float) -> Vector:
    """A wide brim, a tall top with a dent, a band and a feather."""
    r, h, top = mix(0.78, 0.95, brim), mix(0.28, 0.44, height), mix(0.44, 0.36, taper)
    s.cylinder("main", (0, 0, 0.07), r, 0.07, round=0.06)
    s.torus("main", (0, 0, 0.11), r - 0.06, 0.075)
    s.cone("main", (0, 0, h + 0.07), 0.52, top, h, soft(0.10), round=0.08)
    s.cone("band", (0, 0, 0.25), 0.545, 0.525, 0.11)
    s.egg("feather", (-0.10, 0.52, 0.52), (0.15, 0.09, 0.36), turn=turned(pitch=-25, roll=-8))
    s.egg("main", (0, 0, 2 * h + 0.16), (0.26, 0.13, 0.14), CUT)
    s.head((0, 0, 0.07), 0.48)
    return (0, 0, h + 0.07)


def crown(s: Sketch, height: float, points: float, gems: float) -> Vector:
    """An open ring with six points, a pearl on each, gems around."""
    h, up, g = mix(0.20, 0.28, height), mix(0.22, 0.34, points), mix(0.085, 0.115, gems)
    top = h + 2 * up
    s.cone("main", (0, 0, up), 0.58, 0.70, h + up, round=0.03)
    s.cone("main", (0, 0, up), 0.45, 0.57, h + up + 0.05, CUT)
    for i in range(3):
        notch = turned(yaw=60 * i)
        s.slab("main", (0, 0, h + up + 0.02), (0.0, 0.34), up, 1, CUT, notch, round=0.01)
    s.torus("main", (0, 0, 0.07 - h), 0.54, 0.10)
    for i in range(6):
        a = math.radians(60 * i)
        x, y = math.cos(a), math.sin(a)
        s.ball("pearls", (0.64 * x, 0.64 * y, top - 0.02), 0.12)
        s.ball("gems", (0.60 * x, 0.60 * y, 0.10), g)
    s.head((0, 0, 0.07 - h), 0.48)
    return (0, 0, up + 0.04)


ROWS = (
    category(
        hammer,
        "head:small/big handle:short/long grip:thin/thick",
        "handle=wood grip=dark face=gray",
        "red",
        front=True,
    ),
    category(
        sword,
        "length:short/long blade:narrow/wide guard",
        "guard=yellow grip=brown gem=red",
        "gray",
    ),
    category(
        hat,
        "brim:narrow/wide height:low/tall taper",
        "band=black feather=white",
        "purple",
        roles="worn",
    ),
    category(
        crown,
        "height:low/tall points:short/long gems:small/big",
        "gems*=red pearls*=white",
        "yellow",
        roles="worn",
    ),
)
