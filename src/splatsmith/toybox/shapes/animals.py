"""Animals: horse, cow, pig, sheep, elephant, rabbit, bear, penguin, turtle, snail, frog."""

import math

from splatsmith.toybox.category import category
from splatsmith.toybox.sketch import (
    ALONG_X,
    DYE,
    DYE_PAIR,
    MIRRORED,
    Sketch,
    Vector,
    mix,
    soft,
    turned,
)


def horse(s: Sketch, legs: float, neck: float, body: float) -> Vector:
    """Long legs, an arched neck with a mane, a long head, a flowing tail, a saddle."""
    h, n, r = mix(0.42, 0.66, legs), mix(0.52, 0.66, neck), mix(0.24, 0.40, body)
    z = h + 0.2
    s.rod("main", (-0.36, 0, z), (0.38, 0, z + 0.02), r)
    _legs(s, "main", (-0.42, 0.44), 0.16, z, (0.17, 0.12), "hooves")
    hx, hz = 0.76, z + n
    s.limb("main", (0.42, 0, z + 0.08), (hx - 0.06, 0, hz), r * 0.92, 0.17, soft(0.08))
    s.limb("main", (hx - 0.04, 0, hz + 0.02), (hx + 0.38, 0, hz - 0.22), 0.2, 0.145, soft(0.03))
    s.ball("dark", (hx + 0.48, 0.08, hz - 0.18), 0.04, MIRRORED)
    s.ball("eyes", (hx + 0.1, 0.165, hz + 0.06), 0.06, MIRRORED)
    s.cone("main", (hx - 0.06, 0.11, hz + 0.24), 0.085, 0.01, 0.13, MIRRORED)
    s.limb("mane", (hx - 0.16, 0, hz + 0.14), (0.2, 0, z + 0.3), 0.12, 0.10)
    s.egg("mane", (hx + 0.06, 0, hz + 0.19), (0.16, 0.08, 0.09), turn=turned(pitch=25))
    s.limb("tail", (-0.34 - r, 0, z + 0.14), (-0.54 - r, 0, z - 0.06), 0.09, 0.14)
    s.limb("tail", (-0.54 - r, 0, z - 0.06), (-0.60 - r, 0, z - 0.46), 0.14, 0.07)
    s.cylinder("saddle", (-0.08, 0, z + 0.06), r + 0.035, 0.2, turn=ALONG_X, round=0.06)
    s.head((hx - 0.02, 0, hz + 0.22), 0.19)
    return (0.16, 0, (hz + 0.35) / 2)


def cow(s: Sketch, length: float, legs: float, horns: float) -> Vector:
    """A heavy body with dark patches, a wide muzzle, horns, an udder."""
    x, h, e = mix(0.42, 0.62, length), mix(0.28, 0.44, legs), mix(0.10, 0.22, horns)
    z = h + 0.26
    s.box("main", (0, 0, z), (x, 0.33, 0.31), round=0.24)
    _legs(s, "main", (-x + 0.16, x - 0.16), 0.19, z, (0.16, 0.13), "dark")
    s.egg("rose", (-x + 0.36, 0, z - 0.32), (0.17, 0.14, 0.12))
    s.rod("main", (-x - 0.02, 0, z + 0.18), (-x - 0.16, 0, z - 0.1), 0.045)
    s.egg("dark", (-x - 0.18, 0, z - 0.2), (0.08, 0.08, 0.13))
    hx, hz = x + 0.18, z + 0.28
    s.egg("main", (hx, 0, hz), (0.28, 0.28, 0.30), soft(0.06))
    s.ball("patches", (-x + 0.18, 0.32, z + 0.14), 0.22, DYE)
    s.ball("patches", (x * 0.4, 0.36, z - 0.04), 0.18, DYE)
    s.ball("patches", (x * 0.3, -0.30, z + 0.2), 0.23, DYE)
    s.ball("patches", (-x + 0.12, -0.34, z - 0.06), 0.18, DYE)
    s.egg("muzzle", (hx + 0.21, 0, hz - 0.13), (0.19, 0.25, 0.17))
    s.ball("dark", (hx + 0.38, 0.1, hz - 0.1), 0.045, MIRRORED)
    s.ball("eyes", (hx + 0.2, 0.16, hz + 0.12), 0.065, MIRRORED)
    s.egg("main", (hx - 0.08, 0.36, hz + 0.06), (0.07, 0.15, 0.09), MIRRORED)
    tip = (hx, 0.35, hz + 0.28 + e)
    s.limb(
        "horns", (hx - 0.04, 0.16, hz + 0.2), (hx - 0.02, 0.32, hz + 0.28), 0.08, 0.07, MIRRORED
    )
    s.limb("horns", (hx - 0.02, 0.32, hz + 0.28), tip, 0.07, 0.045, MIRRORED)
    s.head((hx - 0.02, 0, hz + 0.24), 0.2)
    return (0.12, 0, (hz + 0.3) / 2)


def pig(s: Sketch, body: float, snout: float, ears: float) -> Vector:
    """A round body on short legs, a snout with two nostrils, a curly tail."""
    r, n, e = mix(0.36, 0.50, body), mix(0.15, 0.2, snout), mix(0.15, 0.21, ears)
    z = r + 0.16
    s.egg("main", (-0.08, 0, z), (0.62, r, r))
    _legs(s, "main", (-0.40, 0.24), r * 0.5, z - 0.1, (0.14, 0.12), "dark")
    hx, hz = 0.44, z + 0.12
    s.ball("main", (hx, 0, hz), 0.36, soft(0.05))
    s.cylinder("snout", (hx + 0.36, 0, hz - 0.06), n, 0.1, turn=turned(pitch=90), round=0.04)
    s.egg("dark", (hx + 0.46, n * 0.42, hz - 0.06), (0.025, 0.04, 0.06), MIRRORED)
    s.ball("eyes", (hx + 0.28, 0.18, hz + 0.14), 0.06, MIRRORED)
    s.slab(
        "ears",
        (hx + 0.02, 0.24, hz + 0.3),
        (0.14, 0.02),
        e,
        0.06,
        MIRRORED,
        turn=turned(yaw=60, roll=-30),
    )
    s.torus("tail", (-0.74, 0, z + 0.12), 0.1, 0.05, turn=turned(pitch=90, yaw=60))
    s.head((hx - 0.05, 0, hz + 0.30), 0.21)
    return (0.0, 0, z)


def sheep(s: Sketch, body: float, legs: float, head: float) -> Vector:
    """Clouds of wool, a bare face with hanging ears, bare legs."""
    r, h, f = mix(0.29, 0.43, body), mix(0.24, 0.40, legs), mix(0.9, 1.1, head)
    z = h + r * 0.9
    s.egg("main", (0, 0, z), (0.56, r, r))
    for x in (-0.42, -0.14, 0.14, 0.42):
        for angle in (-40, 15, 70):
            a, ring = math.radians(angle), r * (1.0 if abs(x) < 0.2 else 0.85)
            at = (x, ring * math.cos(a), z + ring * math.sin(a))
            s.ball("main", at, 0.2, MIRRORED)
    s.ball("main", (-0.56, 0.12, z + 0.02), 0.2, MIRRORED)
    s.ball("main", (-0.70, 0, z + 0.16), 0.14)
    for x in (-0.34, 0.34):
        s.rod("legs", (x, 0.2, z - 0.2), (x, 0.2, 0.1), 0.1, MIRRORED)
    hx, hz = 0.72, z + 0.26
    tilt = turned(pitch=-35)
    s.egg("face", (hx, 0, hz), (0.21 * f, 0.19 * f, 0.31 * f), turn=tilt)
    s.egg("face", (hx - 0.1, 0.28 * f, hz + 0.1), (0.08, 0.16, 0.07), MIRRORED)
    s.ball("light", (hx + 0.12 * f, 0.12 * f, hz + 0.1), 0.085, MIRRORED)
    s.ball("dark", (hx + 0.19 * f, 0.13 * f, hz + 0.1), 0.05, MIRRORED)
    s.ball("main", (hx - 0.14, 0, hz + 0.26), 0.19)
    s.ball("main", (hx - 0.16, 0.14, hz + 0.2), 0.15, MIRRORED)
    s.head((hx - 0.14, 0, hz + 0.38), 0.17)
    return (0.08, 0, (hz + 0.4) / 2)


def elephant(s: Sketch, body: float, legs: float, trunk: float, ears: float) -> Vector:
    """Wide ears, a trunk that curls forward, tusks, legs like pillars."""
    r, h, t, e = mix(0.36, 0.56, body), mix(0.30, 0.50, legs), trunk, mix(0.32, 0.42, ears)
    z = h + 0.32
    s.egg("main", (-0.1, 0, z), (0.60, r, 0.44))
    for x in (-0.42, 0.22):
        at, look = (x, r * 0.52, z * 0.5), soft(0.05, mirror=True)
        s.cone("main", at, 0.2, 0.17, z * 0.5, look, round=0.04)
    s.rod("main", (-0.64, 0, z + 0.12), (-0.78, 0, z - 0.2), 0.045)
    hx, hz = 0.48, z + 0.28
    s.ball("main", (hx, 0, hz), 0.36, soft(0.05))
    knee = (hx + 0.46, 0, hz - mix(0.42, 0.56, t))
    s.limb("main", (hx + 0.24, 0, hz - 0.06), knee, 0.19, 0.13, soft(0.04))
    s.limb("main", knee, (knee[0] + 0.26, 0, knee[2] + 0.02), 0.13, 0.10, soft(0.03))
    s.egg(
        "ears",
        (hx - 0.2, 0.28 + e * 0.6, hz + 0.06),
        (0.075, e * 0.9, e),
        MIRRORED,
        turn=turned(yaw=40),
    )
    tip = (hx + 0.5, 0.27, hz - 0.22)
    s.limb("tusks", (hx + 0.22, 0.19, hz - 0.18), tip, 0.085, 0.055, MIRRORED)
    s.ball("eyes", (hx + 0.28, 0.2, hz + 0.12), 0.06, MIRRORED)
    s.head((hx - 0.02, 0, hz + 0.28), 0.24)
    return (0.16, 0, (hz + 0.36) / 2)


def rabbit(s: Sketch, body: float, ears: float, tail: float) -> Vector:
    """Sitting up: long ears, a pale belly, big feet, a fluffy tail."""
    r, e, t = mix(0.33, 0.46, body), mix(0.28, 0.42, ears), mix(0.15, 0.2, tail)
    s.egg("main", (0, 0, 0.44), (r, r, 0.44))
    s.ball("main", (-0.04, r * 0.66, 0.24), 0.22, soft(0.05, mirror=True))
    s.egg("belly", (r * 0.8, 0, 0.44), (r * 0.5, r * 0.7, 0.34), DYE)
    s.egg("main", (0.26, r * 0.66, 0.09), (0.28, 0.13, 0.1), MIRRORED)
    s.limb("main", (r * 0.5, r * 0.72, 0.64), (r + 0.02, 0.17, 0.56), 0.1, 0.09, MIRRORED)
    s.ball("tail", (-r - 0.04, 0, 0.26), t)
    hz = 1.04
    s.egg("main", (0.06, 0, hz), (0.33, 0.36, 0.33), soft(0.05))
    s.ball("light", (0.36, 0.075, hz - 0.11), 0.10, MIRRORED)
    s.egg("rose", (0.43, 0, hz - 0.04), (0.05, 0.065, 0.05))
    s.egg("eyes", (0.31, 0.17, hz + 0.09), (0.06, 0.06, 0.085), MIRRORED)
    up, tilt = hz + 0.2 + e, turned(roll=-12)
    s.egg("ears", (0.02, 0.2, up), (0.09, 0.13, e), MIRRORED, turn=tilt)
    s.egg("rose", (0.07, 0.2, up), (0.06, 0.075, e * 0.75), MIRRORED, turn=tilt)
    s.head((0.04, 0, hz + 0.27), 0.2)
    return (0.04, 0, (up + e) / 2)


def bear(s: Sketch, body: float, head: float, ears: float) -> Vector:
    """Sitting like a teddy: round ears, a muzzle, pads on its feet."""
    r, q, e = mix(0.32, 0.50, body), mix(0.36, 0.43, head), mix(0.14, 0.18, ears)
    s.egg("main", (0, 0, 0.46), (r * 0.95, r, 0.48))
    s.egg("belly", (r * 0.8, 0, 0.48), (r * 0.5, r * 0.66, 0.27), DYE)
    s.limb("main", (0.1, r * 0.7, 0.2), (0.46, r * 0.7 + 0.08, 0.19), 0.18, 0.19, MIRRORED)
    s.egg("paws", (0.6, r * 0.7 + 0.09, 0.2), (0.07, 0.14, 0.14), MIRRORED)
    s.limb("main", (0.02, r * 0.8, 0.74), (0.26, r + 0.1, 0.46), 0.15, 0.14, MIRRORED)
    s.ball("main", (-r - 0.02, 0, 0.2), 0.12)
    hz = 0.82 + q
    s.egg("main", (0.04, 0, hz), (q * 0.95, q * 1.06, q), soft(0.03))
    s.ball("main", (0, q * 0.82, hz + q * 0.76), e, MIRRORED)
    s.ball("muzzle", (0.07, q * 0.82, hz + q * 0.76), e * 0.74, MIRRORED)
    s.egg("muzzle", (q, 0, hz - q * 0.26), (0.17, 0.2, 0.15))
    s.egg("dark", (q + 0.15, 0, hz - q * 0.1), (0.055, 0.085, 0.06))
    s.ball("eyes", (q * 0.84, q * 0.42, hz + q * 0.18), 0.06, MIRRORED)
    s.head((0.04, 0, hz + q * 0.74), q * 0.72)
    return (0.1, 0, (hz + q) / 2)


def penguin(s: Sketch, height: float, girth: float, wings: float) -> Vector:
    """Upright: a pale front, flippers, a pointed beak, flat feet."""
    h, r, w = mix(0.50, 0.74, height), mix(0.33, 0.47, girth), mix(0.30, 0.40, wings)
    z = h + 0.02
    s.egg("main", (0, 0, z), (r * 0.95, r, h))
    hz = z + h * 0.86
    s.ball("main", (0.04, 0, hz), 0.31, soft(0.1))
    s.egg("belly", (r * 0.78, 0, z - h * 0.1), (r * 0.6, r * 0.74, h * 0.72), DYE)
    s.egg(
        "wings", (0, r + 0.06, z + h * 0.05), (0.16, 0.075, w), MIRRORED, turn=turned(roll=24)
    )
    s.egg("feet", (0.2, r * 0.5, 0.05), (0.26, 0.16, 0.08), MIRRORED)
    s.cone("main", (-r * 0.85, 0, 0.16), 0.14, 0.03, 0.16, turn=turned(pitch=-70))
    s.cone("beak", (0.44, 0, hz - 0.03), 0.12, 0.01, 0.16, turn=turned(pitch=95))
    s.ball("light", (0.23, 0.16, hz + 0.08), 0.105, MIRRORED)
    s.ball("dark", (0.31, 0.18, hz + 0.08), 0.06, MIRRORED)
    s.head((0.04, 0, hz + 0.24), 0.22)
    return (0.04, 0, (hz + 0.3) / 2)


def turtle(s: Sketch, shell: float, length: float, head: float) -> Vector:
    """A patterned dome on four stout legs, a long neck, a pointed tail."""
    h, x, r = mix(0.36, 0.54, shell), mix(0.48, 0.70, length), mix(0.22, 0.27, head)
    z = 0.34
    s.egg("shell", (0, 0, z), (x, 0.54, h))
    s.ball("main", (0, 0, z + h), 0.17, DYE)
    for degrees in (0, 60, 120, 180):
        a = math.radians(degrees)
        at = (0.8 * x * math.cos(a), 0.8 * 0.54 * math.sin(a), z + 0.6 * h)
        s.ball("main", at, 0.15, DYE_PAIR)
    s.egg("main", (0, 0, z - 0.04), (x + 0.08, 0.62, 0.14))
    for side in (-1, 1):
        foot = (side * (x - 0.04), 0.46, 0.06)
        s.limb("main", (side * x * 0.6, 0.36, z - 0.05), foot, 0.2, 0.18, MIRRORED)
    hx, hz = x + 0.28, z + 0.32
    s.limb("main", (x - 0.1, 0, z - 0.02), (hx - 0.04, 0, hz - 0.1), 0.19, 0.17)
    s.egg("main", (hx, 0, hz), (r * 1.2, r, r), soft(0.04))
    s.ball("light", (hx + r * 0.62, r * 0.6, hz + r * 0.4), 0.10, MIRRORED)
    s.ball("dark", (hx + r * 0.87, r * 0.72, hz + r * 0.42), 0.06, MIRRORED)
    s.egg("dark", (hx + r * 1.2, 0, hz - r * 0.3), (0.09, 0.14, 0.03), DYE)
    s.cone("main", (-x - 0.14, 0, z - 0.08), 0.12, 0.02, 0.15, turn=turned(pitch=-100))
    s.head((hx - 0.04, 0, hz + r * 0.76), r * 0.7)
    return (0.14, 0, (z + h) / 2)


def snail(s: Sketch, length: float, shell: float, head: float) -> Vector:
    """A creeping foot, a coiled shell on its back, eyes on stalks."""
    x, r, q = mix(0.44, 0.74, length), mix(0.38, 0.46, shell), mix(0.2, 0.25, head)
    s.limb("main", (-x - 0.1, 0, 0.08), (0.4, 0, 0.2), 0.08, 0.2)
    s.egg("main", (0, 0, 0.14), (x, 0.3, 0.14), soft(0.05))
    hx, hz = 0.74, 0.68
    s.limb("main", (0.38, 0, 0.2), (hx, 0, hz), 0.21, q, soft(0.05))
    at = (-0.1, 0, 0.2 + r)
    s.egg("shell", at, (r, 0.3, r))
    for start, end in zip(_coil(r), _coil(r)[1:], strict=False):
        a = (at[0] + start[0], start[1], at[2] + start[2])
        b = (at[0] + end[0], end[1], at[2] + end[2])
        s.rod("main", a, b, 0.05, MIRRORED)
    s.rod("main", (hx, 0.1, hz + 0.1), (hx + 0.08, 0.2, hz + 0.4), 0.055, MIRRORED)
    s.ball("light", (hx + 0.09, 0.21, hz + 0.44), 0.12, MIRRORED)
    s.ball("dark", (hx + 0.16, 0.23, hz + 0.45), 0.075, MIRRORED)
    s.egg("dark", (hx + q, 0, hz - 0.06), (0.06, 0.11, 0.035), DYE)
    return (0.06, 0, 0.5)


def _coil(r: float) -> list[Vector]:
    """Points of a spiral on the side of a snail's shell."""
    turns = [(math.radians(45 * i), r * (0.95 - 0.066 * i)) for i in range(12)]
    return [
        (d * math.cos(a), 0.3 * math.sqrt(1 - (d / r) ** 2), d * math.sin(a)) for a, d in turns
    ]


def frog(s: Sketch, body: float, eyes: float, legs: float) -> Vector:
    """Squatting: bulging eyes, a wide mouth, folded hind legs."""
    r, e, g = mix(0.32, 0.48, body), mix(0.16, 0.21, eyes), mix(0.24, 0.32, legs)
    s.limb("main", (-0.38, 0, 0.28), (0.14, 0, 0.50), 0.27, r)
    s.egg("main", (0.22, 0, 0.62), (0.40, r + 0.08, 0.29), soft(0.06))
    s.egg("belly", (0.14 + r * 0.5, 0, 0.35), (r * 0.64, r * 0.8, 0.26))
    s.egg("dark", (0.56, 0, 0.60), (0.34, 0.36, 0.03), DYE)
    s.ball("main", (0.24, r * 0.72, 0.9), e, MIRRORED)
    s.ball("light", (0.31, r * 0.74, 0.93), e * 0.84, MIRRORED)
    s.ball("dark", (0.31 + e * 0.5, r * 0.77, 0.95), e * 0.5, MIRRORED)
    s.egg(
        "main", (-0.22, r + 0.06, g), (g * 1.3, 0.15, g * 0.8), MIRRORED, turn=turned(pitch=-35)
    )
    s.egg("feet", (0.06, r + 0.16, 0.07), (0.28, 0.15, 0.07), MIRRORED)
    s.limb("main", (0.30, r * 0.7, 0.42), (0.44, r * 0.8, 0.1), 0.11, 0.09, MIRRORED)
    s.egg("feet", (0.54, r * 0.84, 0.06), (0.17, 0.13, 0.06), MIRRORED)
    s.head((0.10, 0, 0.90), 0.27)
    return (0.06, 0, 0.5)


def _legs(
    s: Sketch,
    paint: str,
    at: tuple[float, float],
    y: float,
    top: float,
    radii: tuple[float, float],
    hoof: str,
) -> None:
    """Four legs at these two places along x, from z = `top` down to hooves on the ground."""
    for x in at:
        s.limb(paint, (x, y, top), (x, y + 0.01, radii[1]), *radii, soft(0.04, mirror=True))
        s.cylinder(hoof, (x, y + 0.01, 0.07), radii[1] * 1.12, 0.075, MIRRORED)


ROWS = (
    category(
        horse,
        "legs:short/long neck body:slim/fat",
        "mane=black tail=black saddle=red hooves*=dark",
        "brown",
        front=True,
    ),
    category(
        cow,
        "length:short/long legs:low/tall horns",
        "patches*=black horns*=tan muzzle=pink",
        "white",
        front=True,
    ),
    category(
        pig, "body:slim/fat snout ears", "snout=main ears*=main tail=main", "pink", front=True
    ),
    category(
        sheep, "body:slim/fat legs:low/tall head", "face=black legs*=black", "white", front=True
    ),
    category(
        elephant,
        "body:slim/fat legs:low/tall trunk ears",
        "ears*=main tusks*=white",
        "gray",
        front=True,
    ),
    category(
        rabbit,
        "body:slim/fat ears tail",
        "ears*=main belly=pink tail=pink",
        "white",
        front=True,
    ),
    category(
        bear, "body:slim/fat head ears", "muzzle=tan belly=tan paws*=tan", "brown", front=True
    ),
    category(
        penguin,
        "height:short/tall girth:slim/fat wings",
        "belly=white beak=orange feet*=orange wings*=main",
        "black",
        front=True,
    ),
    category(
        turtle, "shell:low/tall length:short/long head", "shell=brown", "green", front=True
    ),
    category(snail, "length:short/long shell head", "shell=orange", "brown", front=True),
    category(frog, "body:slim/fat eyes legs", "belly=cream feet*=orange", "green", front=True),
)
