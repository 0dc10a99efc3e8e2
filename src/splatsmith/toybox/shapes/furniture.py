"""Furniture and vessels: sofa, bed, bookshelf, stool, clock, vase, bottle, bucket."""

import math

from splatsmith.toybox.category import category
from splatsmith.toybox.sketch import (
    ALONG_X,
    ALONG_Y,
    CUT,
    DYE,
    MIRRORED,
    Sketch,
    Vector,
    mix,
    soft,
    turned,
)


def sofa(s: Sketch, width: float, back: float, arms: float) -> Vector:
    """Two seats between fat arms, a back at -x, a pillow in each corner."""
    w, b, r = mix(0.62, 0.82, width), mix(0.36, 0.56, back), mix(0.13, 0.19, arms)
    y = w + r
    s.box("main", (0, 0, 0.30), (0.44, y, 0.18), round=0.05)
    s.box("main", (-0.40, 0, 0.40 + b), (0.16, y, 0.36 + b - 0.2), round=0.13)
    s.box("main", (0.04, y, 0.44), (0.46, r, 0.32), MIRRORED, round=0.05)
    s.cylinder("main", (0.04, y, 0.72), r * 1.2, 0.49, MIRRORED, turn=ALONG_X, round=0.05)
    s.box("cushions", (0.07, w / 2, 0.53), (0.44, w / 2 - 0.01, 0.11), MIRRORED, round=0.08)
    tilt = turned(pitch=-18)
    s.box("pillows", (-0.10, w - 0.24, 0.82), (0.10, 0.24, 0.22), MIRRORED, tilt, round=0.09)
    for x in (-0.40, 0.36):
        s.cone("legs", (x, y - 0.06, 0.03), 0.085, 0.12, 0.14, MIRRORED)
    s.top((0.10, 0, 0.64), w * 0.7)
    return (0, 0, 0.31 + b)


def bed(s: Sketch, length: float, width: float, headboard: float) -> Vector:
    """A blanket hanging over its sides, two pillows below a headboard at -x."""
    x, y, h = mix(0.82, 1.0, length), mix(0.50, 0.66, width), mix(0.70, 0.88, headboard)
    s.box("main", (0.24, 0, 0.38), (x - 0.16, y + 0.10, 0.28), round=0.14)
    s.box("main", (0.0, 0, 0.30), (x - 0.06, y, 0.20), round=0.06)
    s.box("sheet", (0.30 - x, 0, 0.38), (0.26, y + 0.07, 0.25), round=0.12)
    s.box("main", (0.52 - x, 0, 0.40), (0.09, y + 0.13, 0.29), round=0.09)
    s.box("pillows", (0.24 - x, y * 0.5, 0.66), (0.19, y * 0.42, 0.13), MIRRORED, round=0.12)
    s.box("headboard", (-x, 0, h / 2 + 0.03), (0.07, y + 0.10, h / 2 - 0.06), round=0.06)
    s.cylinder("headboard", (-x, 0, h - 0.14), y * 0.56, 0.07, turn=ALONG_X, round=0.05)
    for side in (-1, 1):
        s.cylinder("headboard", (side * (x - 0.05), y + 0.01, 0.12), 0.10, 0.16, MIRRORED)
    s.top((0.25, 0, 0.66), y * 0.9)
    return (0, 0, (h - 0.14 + y * 0.56) / 2)


def bookshelf(s: Sketch, width: float, height: float, books: float) -> Vector:
    """Three shelves open toward +x, with books of several colors."""
    w, h, tall = mix(0.58, 0.80, width), mix(0.82, 1.05, height), mix(0.76, 0.92, books)
    room = (h - 0.16) / 3
    s.box("main", (0, 0, 0), (0.30, w, h), round=0.03)
    s.box("main", (0, 0, h), (0.35, w + 0.06, 0.06))
    s.box("main", (0, 0, -h), (0.35, w + 0.06, 0.07))
    s.top((0, 0, h + 0.06), 0.36)
    for shelf in (-1, 0, 1):
        s.box(
            "main", (0.14, 0, shelf * 2 * room), (0.30, w - 0.09, room - 0.05), CUT, round=0.02
        )
    step = (w - 0.10) / 5
    for i, (place, ink) in enumerate(BOOKS):
        half = (room - 0.05) * tall * (0.8, 1.0, 0.9)[i % 3]
        at = (0.02, (place - 2) * step * 2, (i // 4 - 1) * 2 * room - room + 0.05 + half)
        s.box(ink, at, (0.24, step * 0.93, half))
    return (0, 0, 0)


BOOKS = (
    *((0, "books"), (1, "cream"), (3, "books"), (4, "books")),
    *((0, "amber"), (1, "books"), (2, "books"), (4, "sky")),
    *((1, "books"), (2, "sky"), (3, "books"), (4, "books")),
)


def stool(s: Sketch, height: float, seat: float, legs: float) -> Vector:
    """A thick round seat on four splayed legs with a ring."""
    h, r, t = mix(0.72, 0.95, height), mix(0.52, 0.64, seat), mix(0.07, 0.095, legs)
    for x in (-1, 1):
        foot, top = r * 0.74, r * 0.5
        s.rod("legs", (x * foot, foot, t), (x * top, top, h), t, MIRRORED)
    s.torus("legs", (0, 0, h * 0.40), r * 0.9, 0.05)
    s.cylinder("main", (0, 0, h), r, 0.20, round=0.08)
    s.cylinder("main", (0, 0, h + 0.02), r + 0.04, 0.05, round=0.04)
    s.top((0, 0, h + 0.2), r)
    return (0, 0, (h + 0.2) / 2)


def clock(s: Sketch, depth: float, bells: float, hour: float) -> Vector:
    """An alarm clock: a round face toward +x, two bells, two feet."""
    d, b, a = mix(0.26, 0.36, depth), mix(0.21, 0.27, bells), mix(-2.5, 0.6, hour)
    s.cylinder("main", (0, 0, 0), 0.70, d, turn=ALONG_X, round=0.08)
    s.cylinder("face", (d, 0, 0), 0.56, 0.03, turn=ALONG_X)
    for i in range(4):
        y, z = math.sin(i * math.pi / 2), math.cos(i * math.pi / 2)
        s.ball("hands", (d + 0.01, 0.45 * y, 0.45 * z), 0.06)
    for turn, long in ((a, 0.25), (a * 12, 0.40)):
        tip = (d + 0.05, long * math.sin(turn), long * math.cos(turn))
        s.rod("hands", (d + 0.05, 0, 0), tip, 0.05)
    s.ball("hands", (d + 0.05, 0, 0), 0.085)
    s.rod("iron", (0, 0.30, 0.55), (0, 0.44, 0.80), 0.06, MIRRORED)
    s.ball("bells", (0, 0.45, 0.76), b, MIRRORED)
    s.rod("iron", (0, 0, 0.6), (0, 0, 0.86), 0.05)
    s.box("iron", (0, 0, 0.90), (0.07, 0.15, 0.06), round=0.04)
    s.limb("main", (0, 0.36, -0.5), (0, 0.50, -0.80), 0.12, 0.10, MIRRORED)
    s.box("iron", (-d - 0.05, 0, 0), (0.12, 0.24, 0.08), round=0.04)
    return (0, 0, 0.08)


def vase(s: Sketch, height: float, belly: float, neck: float) -> Vector:
    """A round belly, a narrow neck, a wide lip, a painted band."""
    h, r, n = mix(0.42, 0.58, height), mix(0.46, 0.58, belly), mix(0.17, 0.25, neck)
    s.cone("main", (0, 0, -h), r * 0.62, r * 0.5, 0.10)
    s.egg("main", (0, 0, 0), (r, r, h), soft(0.05))
    s.cylinder("main", (0, 0, h + 0.12), n, 0.26, soft(0.10))
    s.cone("main", (0, 0, h + 0.36), n * 0.95, n + 0.20, 0.12, soft(0.05))
    s.torus("rim", (0, 0, h + 0.47), n + 0.16, 0.065)
    s.cylinder("band", (0, 0, 0.02), 1, h * 0.26, DYE)
    for i in range(7):
        a = i * math.tau / 7
        s.ball("main", (r * math.cos(a), r * math.sin(a), 0.02), h * 0.17, DYE)
    s.cone("dark", (0, 0, h + 0.42), n * 0.8, n + 0.12, 0.14, CUT)
    return (0, 0, 0.24)


def bottle(s: Sketch, height: float, girth: float, neck: float) -> Vector:
    """A body with a label, sloping shoulders, a neck and a cork."""
    h, r, n = mix(0.52, 0.66, height), mix(0.30, 0.40, girth), mix(0.18, 0.32, neck)
    top = h + 0.30 + n
    s.cylinder("main", (0, 0, 0), r, h, round=0.07)
    s.egg("main", (0, 0, h - 0.1), (r * 0.98, r * 0.98, 0.36), soft(0.05))
    s.cylinder("main", (0, 0, top - n), 0.145, n, soft(0.14))
    s.torus("main", (0, 0, top - 0.05), 0.13, 0.065)
    s.cone("cork", (0, 0, top + 0.07), 0.105, 0.14, 0.13, round=0.03)
    s.cylinder("label", (0, 0, -0.04), r + 0.02, h * 0.42, round=0.01)
    for side in (-1, 1):
        s.ball("crimson", (side * (r + 0.02), 0, -0.04), 0.15, DYE)
    return (0, 0, (top + 0.2 - h) / 2)


def bucket(s: Sketch, height: float, flare: float, handle: float) -> Vector:
    """An open pail with a rim and a round handle over it."""
    h, r, low = mix(0.42, 0.56, height), 0.62, mix(0.50, 0.38, flare)
    s.torus("handle", (0, 0, h - 0.06), r + 0.06, mix(0.055, 0.075, handle), turn=ALONG_X)
    s.box("handle", (0, 0, h - 1.08), (1, 1, 1), CUT)
    s.cone("main", (0, 0, 0), low, r, h, round=0.03)
    s.torus("rim", (0, 0, h - 0.02), r - 0.01, 0.06)
    s.cylinder("handle", (0, r + 0.02, h - 0.10), 0.13, 0.07, MIRRORED, turn=ALONG_Y)
    s.cone("main", (0, 0, 0.14), low - 0.04, r - 0.08, h, CUT)
    return (0, 0, 0.25)


ROWS = (
    category(
        sofa,
        "width:narrow/wide back:low/tall arms:thin/thick",
        "cushions*=main pillows*=cream legs*=wood",
        "turquoise",
        front=True,
    ),
    category(
        bed,
        "length:short/long width:narrow/wide headboard:low/tall",
        "pillows*=white headboard=wood sheet=white",
        "blue",
        front=True,
    ),
    category(
        bookshelf,
        "width:narrow/wide height:short/tall books",
        "books*=red",
        "brown",
        front=True,
    ),
    category(
        stool,
        "height:low/tall seat:small/big legs:thin/thick",
        "legs*=wood",
        "red",
    ),
    category(
        clock,
        "depth:thin/thick bells:small/big hour",
        "face=white hands*=black bells*=yellow",
        "red",
        front=True,
    ),
    category(
        vase, "height:short/tall belly:slim/fat neck:narrow/wide", "band=white rim=main", "blue"
    ),
    category(
        bottle,
        "height:short/tall girth:slim/fat neck:short/long",
        "label=cream cork=tan",
        "green",
    ),
    category(
        bucket, "height:short/tall flare handle:thin/thick", "handle=gray rim=main", "red"
    ),
)
