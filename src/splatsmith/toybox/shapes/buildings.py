"""Buildings: castle, windmill, tent."""

import math

from splatsmith.toybox.category import category
from splatsmith.toybox.sketch import (
    ALONG_X,
    CUT,
    DYE,
    DYE_PAIR,
    MIRRORED,
    Look,
    Sketch,
    Vector,
    mix,
    turned,
)

CUT_PAIR = Look(cut=True, mirror=True)


def castle(s: Sketch, width: float, towers: float, keep: float, roofs: float) -> Vector:
    """Four round towers around a battlemented wall with a gate toward +x, a keep behind."""
    w, h, k = mix(0.54, 0.70, width), mix(0.44, 0.56, towers), mix(0.60, 0.70, keep)
    r, c = 0.21, mix(0.20, 0.28, roofs)
    s.box("main", (0, 0, 0.32), (w, w, 0.32), round=0.01)
    s.box("main", (0, 0, 0.84), (w - 0.12, w - 0.12, 0.3), CUT, round=0.01)
    s.box("main", (0, 0.12, 0.66), (2, 0.05, 0.11), CUT_PAIR, round=0.01)
    for x in (-0.12, 0.12):
        s.box("main", (x, 0, 0.66), (0.05, 2, 0.11), CUT, round=0.01)
    s.box("main", (-0.15, 0, k), (0.29, 0.29, k), round=0.01)
    for x, y in ((0.19, 0.19), (0.08, 1), (1, 0.08)):
        s.box("main", (-0.15, 0, 2 * k), (x, y, 0.12), CUT, round=0.01)
    for x in (-w, w):
        s.cylinder("main", (x, w, h), r, h, MIRRORED)
        s.cone("roofs", (x, w, 2 * h + c * 0.9), r + 0.07, 0.0, c, MIRRORED)
        for slit in ((1, 0.04, 0.10), (0.04, 1, 0.10)):
            s.box("dark", (x, w, h * 1.4), slit, DYE_PAIR)
    s.box("gate", (w + 0.01, 0, 0.18), (0.05, 0.19, 0.20), round=0.01)
    s.cylinder("gate", (w + 0.01, 0, 0.36), 0.19, 0.05, turn=ALONG_X)
    s.box("dark", (0.14, 0, k * 1.52), (0.03, 0.07, 0.12))
    s.rod("iron", (-0.15, 0, k), (-0.15, 0, 2 * k + 0.30), 0.04)
    s.slab("flag", (-0.34, 0, 2 * k + 0.20), (0.13, 0.02), 0.20, 0.04, turn=turned(pitch=-90))
    return (0, 0, k + 0.08)


def windmill(s: Sketch, height: float, girth: float, blades: float, roof: float) -> Vector:
    """A tapering tower with a gallery, four blades and a door toward +x."""
    h, r = mix(0.66, 0.86, height), mix(0.52, 0.61, girth)
    b, cap = mix(0.62, 0.71, blades), mix(0.24, 0.31, roof)
    s.cone("main", (0, 0, 0), r, r * 0.64, h)
    s.egg("roof", (0, 0, h - 0.02), (r * 0.72, r * 0.70, cap))
    s.cylinder("main", (0, 0, -h * 0.26), r + 0.05, 0.05)
    x, z = r * 0.68 + 0.14, h * 0.80
    s.rod("wood", (0, 0, z), (x, 0, z), 0.07)
    s.ball("wood", (x + 0.03, 0, z), 0.10)
    for roll in (30, 120, 210, 300):
        a, turn = math.radians(roll), turned(roll=roll)
        c, d = math.cos(a), math.sin(a)
        at = (x + 0.03, -0.5 * b * d, z + 0.5 * b * c)
        s.box("wood", at, (0.04, 0.04, b * 0.5), turn=turn, round=0.01)
        at = (x, 0.08 * c - 0.6 * b * d, z + 0.08 * d + 0.6 * b * c)
        s.box("blades", at, (0.04, 0.105, b * 0.40), turn=turn, round=0.01)
    lean = turned(pitch=-math.degrees(math.atan(r * 0.18 / h)))
    s.box("door", (r * 0.93, 0, -h * 0.66), (0.06, 0.14, h * 0.32), turn=lean, round=0.03)
    for up in (-h * 0.62, h * 0.22):
        s.box("sky", (0, 0, up), (0.10, 2, 0.11), DYE, round=0.03)
    return (0.05, 0, 0.12)


def tent(s: Sketch, length: float, width: float, height: float, opening: float) -> Vector:
    """A ridge tent on ropes, its door turned back toward +x."""
    x, y, h = mix(0.62, 0.80, length), mix(0.56, 0.68, width), mix(0.45, 0.58, height)
    o, front = mix(0.46, 0.58, opening), turned(yaw=90)
    top = h * 2 - 0.04
    s.slab("main", (0, 0, h), (y, 0.03), h, x, turn=front)
    for at in (-x * 0.5, x * 0.5):
        s.box("stripes", (at, 0, 0), (0.075, 2, 3), DYE)
    s.slab("dark", (x, 0, h * 0.80), (y * o, 0.0), h * 0.78, x * 0.8, CUT, turn=front)
    flap = (x + 0.02, y * o * 0.92, h * 0.66)
    s.slab("door", flap, (y * 0.18, 0.0), h * 0.66, 0.06, MIRRORED, turn=front)
    s.rod("wood", (-x - 0.05, 0, top), (x + 0.05, 0, top), 0.06)
    for side in (-1, 1):
        end = (side * (x + 0.24), y * 0.72, 0.04)
        s.rod("light", (side * (x + 0.05), 0, top), end, 0.032, MIRRORED)
        s.ball("wood", end, 0.055, MIRRORED)
    return (0, 0, h)


ROWS = (
    category(
        castle,
        "width:narrow/wide towers:low/tall keep roofs",
        "roofs*=blue gate=wood flag=red",
        "gray",
        front=True,
        roles="large",
    ),
    category(
        windmill,
        "height:short/tall girth:slim/fat blades roof",
        "blades*=white roof=brick door=wood",
        "purple",
        front=True,
        roles="large",
    ),
    category(
        tent,
        "length:short/long width:narrow/wide height:low/tall opening",
        "door=cream stripes*=cream",
        "green",
        front=True,
        roles="large",
    ),
)
