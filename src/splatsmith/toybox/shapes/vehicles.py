"""Vehicles: truck, bus, train, helicopter, submarine."""

import math

from splatsmith.toybox.category import category
from splatsmith.toybox.sketch import (
    ALONG_X,
    ALONG_Y,
    DYE,
    DYE_PAIR,
    MIRRORED,
    Sketch,
    Vector,
    mix,
    soft,
    turned,
)


def truck(s: Sketch, length: float, cargo: float, wheels: float, cab: float) -> Vector:
    """A tall box of cargo behind a cab with a bonnet toward +x, six wheels."""
    x, h, w = mix(0.48, 0.66, length), mix(0.34, 0.44, cargo), mix(0.20, 0.25, wheels)
    c = mix(0.30, 0.36, cab)
    s.box("iron", (0.36 - x, 0, 0), (x + 0.40, 0.34, 0.07))
    s.box("main", (-x, 0, h + 0.05), (x, 0.46, h), round=0.05)
    s.box("stripe", (-x, 0, h * 0.95), (x + 0.1, 1, 0.075), DYE)
    s.slab("main", (0.30, 0, c + 0.04), (0.24, 0.17), c, 0.40, round=0.06)
    s.box("main", (0.60, 0, 0.17), (0.24, 0.38, 0.18), round=0.08)
    s.box("windows", (0.52, 0, c * 1.38), (0.17, 0.33, c * 0.40), DYE, round=0.02)
    s.box("windows", (0.31, 0.4, c * 1.38), (0.12, 0.1, c * 0.40), DYE_PAIR, round=0.02)
    s.rod("light", (0.03, 0.40, 0.1), (0.03, 0.40, c * 2 + 0.14), 0.05, MIRRORED)
    s.box("light", (0.84, 0, 0.0), (0.05, 0.40, 0.07))
    s.box("dark", (0.83, 0, 0.18), (0.03, 0.16, 0.08))
    s.ball("glow", (0.81, 0.29, 0.18), 0.09, MIRRORED)
    s.box("crimson", (-2 * x, 0.32, 0.14), (0.03, 0.09, 0.05), MIRRORED)
    for at in (0.52, 0.1 - x, 0.28 - 2 * x):
        s.cylinder("wheels", (at, 0.36, -0.08), w, 0.12, MIRRORED, turn=ALONG_Y, round=0.04)
        s.cylinder("light", (at, 0.36, -0.08), w * 0.45, 0.135, MIRRORED, turn=ALONG_Y)
    return (0.43 - x, 0, h - 0.1)


def bus(s: Sketch, length: float, height: float, wheels: float) -> Vector:
    """A long rounded box: a stripe, rows of windows, a windshield toward +x."""
    x, h, w = mix(0.80, 1.02, length), mix(0.40, 0.52, height), mix(0.19, 0.24, wheels)
    z = h * 0.38
    s.box("main", (0, 0, 0), (x, 0.42, h), round=0.10)
    s.box("stripe", (0, 0, -h * 0.22), (2, 2, 0.06), DYE)
    s.box("windows", (x, 0, z - 0.05), (0.16, 0.35, h * 0.40), DYE, round=0.05)
    s.box("windows", (x + 0.02, 0, z - 0.05), (0.16, 1, h * 0.40), DYE, round=0.05)
    s.box("windows", (-x, 0, z), (0.1, 0.25, h * 0.28), DYE, round=0.05)
    step = x * 0.42
    for i in range(4):
        at = (x * 0.57 - i * step, 0.42, z)
        s.box("windows", at, (step * 0.38, 0.1, h * 0.28), DYE_PAIR, round=0.04)
    for side in (-1, 1):
        at = (side * x * 0.60, 0.36, -h)
        s.cylinder("wheels", at, w, 0.10, MIRRORED, turn=ALONG_Y, round=0.04)
        s.cylinder("light", at, w * 0.45, 0.115, MIRRORED, turn=ALONG_Y)
    s.box("gray", (x, 0, -h * 0.84), (0.05, 0.40, 0.06))
    s.ball("glow", (x - 0.03, 0.29, -h * 0.52), 0.10, MIRRORED)
    s.box("dark", (x, 0, -h * 0.52), (0.02, 0.14, 0.06))
    s.box("crimson", (-x, 0.31, -h * 0.55), (0.03, 0.07, 0.10), MIRRORED)
    return (0, 0, -w * 0.5)


def train(s: Sketch, length: float, boiler: float, chimney: float, wheels: float) -> Vector:
    """A steam engine: a round boiler toward +x, a chimney, a roofed cab behind."""
    x, r, h = mix(0.68, 0.98, length), mix(0.34, 0.39, boiler), 0.51
    up, w = mix(0.11, 0.17, chimney), mix(0.17, 0.20, wheels)
    z, half = 0.14 + r, (x + 0.26) / 2
    s.box("main", (x / 2 - 0.39, 0, 0.06), (x / 2 + 0.41, 0.40, 0.13))
    s.cylinder("main", (x - half, 0, z), r, half, turn=ALONG_X, round=0.04)
    for at in (x - 0.12, x - 0.42):
        s.cylinder("glow", (at, 0, z), r + 0.02, 0.03, turn=ALONG_X)
    s.cylinder("iron", (x, 0, z), r * 0.80, 0.04, turn=ALONG_X)
    s.ball("glow", (x + 0.03, 0, z), 0.12)
    s.cone("chimney", (x - 0.25, 0, z + r + up), 0.10, 0.17, up + 0.05)
    s.ball("glow", (x / 2 - 0.27, 0, z + r - 0.02), 0.14)
    s.box("main", (-0.50, 0, h + 0.08), (0.28, 0.44, h), round=0.03)
    s.box("dark", (-0.50, 0.44, h * 1.45), (0.15, 0.1, h * 0.28), DYE_PAIR, round=0.03)
    s.box("dark", (-0.78, 0, h * 1.45), (0.1, 0.22, h * 0.28), DYE, round=0.03)
    s.box("roof", (-0.50, 0, h * 2 + 0.10), (0.31, 0.46, 0.05), round=0.05)
    s.slab("iron", (x + 0.05, 0, -0.10), (0.15, 0.03), 0.12, 0.28)
    middle = x / 2 - 0.38
    for at, size in ((-0.52, w), (middle, w), (x - 0.28, w * 0.75)):
        hub = (at, 0.38, size - 0.30)
        s.cylinder("wheels", hub, size, 0.08, MIRRORED, turn=ALONG_Y, round=0.03)
        s.ball("light", (at, 0.45, size - 0.30), 0.06, MIRRORED)
    s.rod("iron", (-0.52, 0.47, w - 0.30), (middle, 0.47, w - 0.30), 0.045, MIRRORED)
    return (x / 2 - 0.32, 0, h - 0.06)


def helicopter(s: Sketch, body: float, tail: float, rotor: float) -> Vector:
    """A round cabin with a big window toward +x, a tail boom, a rotor, two skids."""
    b, t, w = mix(0.53, 0.60, body), mix(0.88, 1.14, tail), mix(0.62, 0.76, rotor)
    top, low = b + 0.16, -b - 0.12
    s.egg("main", (0.12, 0, 0), (b * 1.25, b, b))
    s.ball("window", (0.12 + b * 1.18, 0, b * 0.30), b * 0.84, DYE)
    s.box("main", (0.6, 0, 0), (1, 0.04, 1), DYE)
    s.limb("main", (-0.10, 0, 0.08), (-t, 0, 0.24), b * 0.62, 0.13, soft(0.06))
    s.slab("main", (-t - 0.06, 0, 0.42), (0.19, 0.11), 0.25, 0.07, turn=turned(pitch=-14))
    s.box("stripe", (-t * 0.72, 0, 0.2), (0.08, 1, 0.3), DYE)
    for pitch in (30, 120):
        turn = turned(pitch=pitch)
        s.box("rotor", (-t - 0.06, 0.12, 0.44), (0.22, 0.04, 0.05), turn=turn)
    s.cylinder("iron", (0.08, 0, b + 0.04), 0.09, 0.15)
    for yaw in (25, 115):
        s.box("rotor", (0.08, 0, top), (w, 0.065, 0.045), turn=turned(yaw=yaw))
    s.ball("rotor", (0.08, 0, top), 0.11)
    y = b * 0.70
    for x in (-0.12, 0.34):
        s.rod("skids", (x, y * 0.7, -b * 0.6), (x, y, low), 0.045, MIRRORED)
    s.rod("skids", (-0.32, y, low), (0.52, y, low), 0.055, MIRRORED)
    s.rod("skids", (0.52, y, low), (0.60, y, low + 0.07), 0.055, MIRRORED)
    return (-0.2, 0, 0.03)


def submarine(s: Sketch, length: float, girth: float, tower: float, fins: float) -> Vector:
    """A cigar with portholes, a tower with a periscope, a propeller behind."""
    x, r, h = mix(0.60, 0.80, length), mix(0.42, 0.49, girth), mix(0.12, 0.20, tower)
    f = mix(0.18, 0.25, fins)
    s.limb("main", (x - 0.28, 0, 0), (-x, 0, 0), r, r * 0.40)
    s.slab("tower", (0.05, 0, r + h * 0.5), (0.25, 0.18), h + 0.03, 0.16, round=0.08)
    top = r + h * 1.5 + 0.28
    s.rod("iron", (0.0, 0, r + h), (0.0, 0, top), 0.06)
    s.rod("iron", (0.0, 0, top), (0.14, 0, top), 0.06)
    s.ball("sky", (0.19, 0, top), 0.06)
    for at, size in ((0.34, 0.135), (-0.04, 0.135), (-0.40, 0.115)):
        y = r * (0.96 - 0.34 * max(0.1 - at, 0))
        s.cylinder("light", (at, y - 0.06, 0.05), size, 0.06, MIRRORED, turn=ALONG_Y)
        s.cylinder("windows", (at, y - 0.05, 0.05), size - 0.04, 0.07, MIRRORED, turn=ALONG_Y)
    nose = x - 0.28 + r
    s.cylinder("light", (nose - 0.07, 0, 0.04), 0.23, 0.08, turn=ALONG_X)
    s.cylinder("windows", (nose - 0.06, 0, 0.04), 0.17, 0.09, turn=ALONG_X)
    for roll in (0, 90, 180, 270):
        a, d = math.radians(roll), r * 0.3 + f * 0.8
        fin = (-x - 0.03, -d * math.sin(a), d * math.cos(a))
        s.slab("main", fin, (0.20, 0.11), f, 0.055, turn=turned(roll=roll))
    back = -x - r * 0.40 - 0.16
    s.rod("iron", (-x, 0, 0), (back, 0, 0), 0.07)
    s.ball("propeller", (back, 0, 0), 0.10)
    for roll in (45, 135):
        s.box("propeller", (back, 0, 0), (0.04, 0.085, 0.25), turn=turned(roll=roll))
    return (-0.04, 0, (top - r) / 2)


ROWS = (
    category(
        truck,
        "length:short/long cargo:low/tall wheels cab",
        "wheels*=dark stripe=white windows*=sky",
        "red",
        front=True,
        roles="large",
    ),
    category(
        bus,
        "length:short/long height:low/tall wheels",
        "stripe=white wheels*=dark windows*=sky",
        "red",
        front=True,
        roles="large",
    ),
    category(
        train,
        "length:short/long boiler chimney wheels",
        "wheels*=red chimney=black roof=black",
        "green",
        front=True,
        roles="large",
    ),
    category(
        helicopter,
        "body tail:short/long rotor",
        "rotor=iron window=sky skids*=iron stripe=white",
        "orange",
        front=True,
        roles="large",
    ),
    category(
        submarine,
        "length:short/long girth:slim/fat tower fins",
        "tower=main windows*=sky propeller=red",
        "yellow",
        front=True,
        roles="large",
    ),
)
