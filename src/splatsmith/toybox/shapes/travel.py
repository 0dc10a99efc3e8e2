"""Buildings and things that travel: house, car, rocket, airplane, boat, lighthouse."""

import math

from splatsmith.toybox.category import category
from splatsmith.toybox.sketch import (
    ALONG_X,
    ALONG_Y,
    CUT,
    DYE,
    DYE_PAIR,
    MIRRORED,
    SOLID,
    UPRIGHT,
    Sketch,
    Vector,
    mix,
    soft,
    turned,
)


def house(s: Sketch, width: float, depth: float, walls: float, roof: float) -> Vector:
    """Walls with a door toward +x, windows, a gabled roof and a chimney."""
    y, x, h = mix(0.52, 0.64, width), mix(0.50, 0.62, depth), mix(0.56, 0.68, walls)
    r = mix(0.18, 0.25, roof)
    gable = turned(yaw=90)
    s.box("main", (0, 0, 0), (x, y, h), round=0.01)
    s.slab("roof", (0, 0, h + r), (y + 0.11, 0.0), r + 0.02, x + 0.07, turn=gable)
    s.slab("main", (0, 0, h + r - 0.06), (y - 0.06, 0.0), r - 0.05, 2, DYE, turn=gable)
    s.box("roof", (-x * 0.4, y * 0.5, h + r * 1.25), (0.10, 0.10, r * 0.9 + 0.05))
    s.box("door", (x, 0, -h + 0.3), (0.04, 0.16, 0.32), round=0.01)
    s.ball("glow", (x + 0.05, 0.1, -h + 0.3), 0.035)
    s.box("sky", (x, y * 0.60, h * 0.30), (0.03, 0.13, 0.14), MIRRORED, round=0.01)
    s.box("sky", (-x, y * 0.5, h * 0.2), (0.03, 0.13, 0.14), MIRRORED, round=0.01)
    for side in (-1, 1):
        at = (side * x * 0.48, y, h * 0.2)
        s.box("sky", at, (0.13, 0.03, 0.14), MIRRORED, round=0.01)
    return (0, 0, r)


def car(s: Sketch, length: float, cabin: float, wheels: float, height: float) -> Vector:
    """Bonnet and headlights toward +x, a cabin with windows, four wheels."""
    x, c, w, h = mix(0.82, 0.95, length), mix(0.40, 0.50, cabin), mix(0.22, 0.28, wheels), 0.0
    up, z = mix(0.22, 0.28, height), mix(0.20, 0.24, height)
    s.box("main", (0, 0, h), (x, 0.46, z), round=0.12)
    roof = h + z + up - 0.02
    s.slab("main", (-0.14, 0, roof), (c + 0.16, c - 0.06), up, 0.40, round=0.06)
    s.slab("windows", (-0.14, 0, roof + 0.02), (c + 0.04, c - 0.13), up * 0.72, 0.6, DYE)
    s.box("windows", (-0.14, 0, roof + 0.02), (1, 0.31, up * 0.66), DYE, round=0.02)
    s.box("main", (-0.14, 0, roof), (0.045, 0.7, up * 1.2), DYE)
    for side in (-1, 1):
        at = (side * x * 0.60, 0.42, -z)
        s.cylinder("wheels", at, w, 0.11, MIRRORED, turn=ALONG_Y, round=0.04)
        s.cylinder("light", at, w * 0.5, 0.125, MIRRORED, turn=ALONG_Y)
    s.ball("glow", (x - 0.03, 0.29, 0.04), 0.10, MIRRORED)
    s.box("dark", (x, 0, -0.06), (0.02, 0.15, 0.05))
    s.box("crimson", (-x, 0.31, 0.05), (0.03, 0.09, 0.06), MIRRORED)
    return (0, 0, up * 0.5)


def rocket(s: Sketch, height: float, girth: float, fins: float) -> Vector:
    """A pointed body on three fins, portholes toward +x."""
    h, r, f = mix(0.66, 0.82, height), mix(0.36, 0.43, girth), mix(0.19, 0.26, fins)
    s.cone("main", (0, 0, -h * 0.45), r * 0.78, r, h * 0.55, round=0.03)
    s.cone("main", (0, 0, h * 0.40), r, r * 0.80, h * 0.31, round=0.004)
    s.limb("nose", (0, 0, h * 0.74), (0, 0, h * 0.74 + 0.32), r * 0.66, 0.05)
    s.cone("iron", (0, 0, -h - 0.06), r * 0.7, r * 0.5, 0.07)
    for yaw in (60, 180, 300):
        a = math.radians(yaw)
        d = r * 0.8 + f * 0.42
        at = (d * math.cos(a), d * math.sin(a), -h * 0.78)
        s.slab("fins", at, (f, f * 0.32), 0.30, 0.065, turn=turned(yaw=yaw))
    s.cylinder("light", (r * 0.93, 0, h * 0.30), 0.155, 0.08, turn=ALONG_X)
    s.cylinder("window", (r * 0.93, 0, h * 0.30), 0.105, 0.10, turn=ALONG_X)
    s.cylinder("window", (r * 0.9, 0, -h * 0.25), 0.08, 0.1, turn=ALONG_X)
    return (0, 0, (h * 0.74 + 0.45 - h - 0.2) / 2)


def airplane(s: Sketch, length: float, girth: float, wings: float, sweep: float) -> Vector:
    """Nose and propeller toward +x, wings, a tail."""
    x, r, w, back = (
        mix(0.72, 0.85, length),
        mix(0.19, 0.25, girth),
        mix(0.80, 0.95, wings),
        mix(0.0, 0.22, sweep),
    )
    s.limb("main", (x - 0.2, 0, 0), (-x, 0, 0.08), r, 0.09)
    s.egg("main", (x - 0.2, 0, 0), (0.30, r, r), soft(0.04))
    wing = wing_turn(back, w)
    s.slab(
        "main", (0.12 - back / 2, w / 2, -0.02), (0.26, 0.15), w / 2, 0.055, MIRRORED, turn=wing
    )
    s.box("stripes", (0, w * 0.72, 0), (1, 0.06, 0.2), DYE_PAIR)
    s.slab("tail", (-x + 0.03, 0, 0.30), (0.22, 0.11), 0.24, 0.055)
    s.box("tail", (-x + 0.04, 0, 0.12), (0.13, 0.40, 0.05))
    s.egg("sky", (x - 0.26, 0, r * 0.80), (0.20, r * 0.72, r * 0.55))
    s.ball("propeller", (x + 0.10, 0, 0), 0.085)
    s.box("propeller", (x + 0.10, 0, 0), (0.035, 0.055, 0.36), turn=turned(roll=30))
    return (0.05, 0, 0.05)


def wing_turn(back: float, span: float) -> tuple[float, ...]:
    """A slab's height becomes the span toward +y, swept back; its depth the thickness."""
    a = math.atan2(back, span)
    c, d = math.cos(a), math.sin(a)
    return (c, d, 0.0, 0.0, 0.0, -1.0, -d, c, 0.0)


def boat(s: Sketch, length: float, hull: float, sail: float) -> Vector:
    """A hull with its bow toward +x, a mast and a sail."""
    x, h, t = mix(0.78, 0.92, length), mix(0.48, 0.58, hull), mix(0.66, 0.82, sail)
    s.egg("main", (-0.05, 0, 0), (x, 0.48, h))
    s.box("main", (0, 0, 0.5 + 0.02), (2, 2, 0.5), CUT)
    s.limb("main", (x * 0.55, 0, -0.1), (x * 0.98, 0, 0.04), 0.16, 0.06, soft(0.10))
    s.box("wood", (-0.05, 0, 0.02), (x * 0.45, 0.22, 0.10), CUT, round=0.05)
    s.box("main", (-x * 0.55, 0, 0.06), (0.18, 0.20, 0.12), round=0.03)
    s.rod("wood", (0.08, 0, -0.1), (0.08, 0, t + 0.22), 0.045)
    s.slab("sail", (-0.26, 0, 0.20 + t / 2), (0.34, 0.0), t / 2, 0.04, turn=UPRIGHT)
    s.slab("flag", (-0.03, 0, t + 0.2), (0.09, 0.0), 0.12, 0.025, turn=BACKWARD)
    return (0, 0, (t + 0.25 - h) / 2)


BACKWARD = turned(pitch=-90)


def lighthouse(s: Sketch, height: float, girth: float, stripes: float) -> Vector:
    """A striped tower with a lantern, a door toward +x."""
    h, r = mix(0.78, 0.90, height), mix(0.40, 0.48, girth)
    width = mix(0.06, 0.08, stripes)
    s.egg("gray", (0, 0, -h), (0.50, 0.50, 0.09))
    s.cone("main", (0, 0, 0), r, r * 0.62, h)
    for z in (-0.22, 0.42):
        s.cylinder("stripes", (0, 0, z * h), 1.0, width, DYE)
    s.cylinder("iron", (0, 0, h + 0.02), r * 0.80, 0.04)
    s.cylinder("glow", (0, 0, h + 0.13), r * 0.44, 0.10)
    s.cone("roof", (0, 0, h + 0.32), r * 0.60, 0.03, 0.12)
    s.box("door", (r * 0.9, 0, -h + 0.22), (0.11, 0.10, 0.18), round=0.03)
    s.box("sky", (r * 0.8, 0, 0.36 * h), (0.1, 0.07, 0.09), SOLID)
    return (0, 0, 0.24)


ROWS = (
    category(
        house,
        "width:narrow/wide depth walls:low/tall roof",
        "roof=brick door=wood",
        "yellow",
        front=True,
        roles="large",
    ),
    category(
        car,
        "length:short/long cabin wheels height:low/tall",
        "wheels*=dark windows*=sky",
        "red",
        front=True,
        roles="large",
    ),
    category(
        rocket,
        "height:short/tall girth:slim/fat fins",
        "nose=red fins*=red window=sky",
        "white",
        front=True,
        roles="large",
    ),
    category(
        airplane,
        "length:short/long girth:slim/fat wings:short/wide sweep",
        "stripes*=main tail=main propeller=gray",
        "blue",
        front=True,
        roles="large",
    ),
    category(
        boat,
        "length:short/long hull:low/tall sail",
        "sail=white flag=red",
        "red",
        front=True,
        roles="large",
    ),
    category(
        lighthouse,
        "height:short/tall girth:slim/fat stripes",
        "stripes*=white roof=red door=wood",
        "red",
        front=True,
        roles="large",
    ),
)
