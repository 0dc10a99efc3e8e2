"""Things in a house: table, chair, mug, lamp, barrel, candle, teapot, guitar."""

from splatsmith.toybox.category import category
from splatsmith.toybox.sketch import (
    ALONG_X,
    ALONG_Y,
    CUT,
    DYE,
    MIRRORED,
    SOLID,
    Sketch,
    Vector,
    mix,
    soft,
    turned,
)


def table(s: Sketch, width: float, height: float, top: float, legs: float) -> Vector:
    """A thick top on four legs."""
    x, y, h = 0.78, mix(0.55, 0.78, width), mix(0.62, 0.85, height)
    t, r = mix(0.07, 0.12, top), mix(0.075, 0.115, legs)
    s.box("main", (0, 0, h), (x, y, t), round=0.04)
    s.box("main", (0, 0, h - t - 0.06), (x - 0.1, y - 0.1, 0.08), SOLID)
    for side in (-1, 1):
        at = (side * (x - r - 0.04), y - r - 0.04, h / 2 - 0.04)
        s.box("legs", at, (r, r, h / 2), MIRRORED)
    s.top((0, 0, h + t), y)
    s.below((0, 0, 0), h * 0.52)
    return (0, 0, h / 2 + 0.03)


def chair(s: Sketch, width: float, back: float, seat: float, legs: float) -> Vector:
    """A seat, four legs and a high back at -x."""
    w, b, h, r = mix(0.40, 0.50, width), mix(0.75, 1.0, back), 0.62, mix(0.07, 0.1, legs)
    t = mix(0.07, 0.11, seat)
    s.box("main", (0, 0, h), (0.46, w, t), round=0.04)
    s.egg("cushion", (0.06, 0, h + t), (0.36, w * 0.84, 0.07))
    back_turn = turned(pitch=-7)
    s.box("main", (-0.45, 0, h + b / 2), (0.085, w, b / 2 + 0.06), turn=back_turn, round=0.06)
    for x in (-0.46 + r, 0.46 - r):
        s.box("legs", (x, w - r, h / 2 - 0.03), (r, r, h / 2), MIRRORED)
    s.top((0.06, 0, h + t + 0.04), w * 0.8)
    s.below((0, 0, 0), h * 0.36)
    return (-0.08, 0, (h + b) / 2)


def mug(s: Sketch, height: float, width: float, handle: float) -> Vector:
    """A cup with a fat handle at +y."""
    h, r, t = mix(0.52, 0.68, height), mix(0.50, 0.60, width), mix(0.095, 0.13, handle)
    s.torus("handle", (0, r + 0.05, 0), h * 0.52, t, turn=ALONG_X)
    s.cylinder("main", (0, 0, 0), r, h, round=0.06)
    s.cylinder("stripe", (0, 0, 0), r + 0.3, 0.13, DYE)
    s.torus("handle", (0, r + 0.05, 0), h * 0.52, t + 0.02, DYE, turn=ALONG_X)
    s.cylinder("main", (0, 0, 0.14), r - 0.10, h, CUT)
    return (0, 0.16, 0)


def lamp(s: Sketch, height: float, shade: float, flare: float, base: float) -> Vector:
    """A shade on a stand."""
    h, r, top = mix(0.75, 1.0, height), mix(0.54, 0.64, shade), mix(0.26, 0.40, flare)
    s.cylinder("stand", (0, 0, 0.05), mix(0.32, 0.42, base), 0.065, round=0.05)
    s.ball("stand", (0, 0, 0.2), 0.17, soft(0.1))
    s.cylinder("stand", (0, 0, h / 2), 0.07, h / 2, SOLID)
    s.cone("main", (0, 0, h + 0.22), r, top, 0.40)
    s.cone("glow", (0, 0, h + 0.15), r - 0.06, top - 0.06, 0.40, CUT)
    s.ball("glow", (0, 0, h + 0.05), 0.17)
    s.below((0.36, 0, 0), 0.25)
    return (0, 0, (h + 0.62) / 2)


def barrel(s: Sketch, height: float, bulge: float, bands: float) -> Vector:
    """A bulging barrel with hoops."""
    h, r, e = mix(0.72, 0.88, height), mix(0.62, 0.70, bulge), 0.50
    third, width = h / 3, mix(0.04, 0.06, bands)
    m = e + (r - e) * 0.72
    s.cylinder("main", (0, 0, 0), r, third * 0.55, round=0.004)
    for side in (-1, 1):
        a, b = (m, r) if side < 0 else (r, m)
        s.cone("main", (0, 0, side * third), a, b, third * 0.5, round=0.004)
        a, b = (e, m) if side < 0 else (m, e)
        s.cone("main", (0, 0, side * 2.2 * third), a, b, third * 0.76, round=0.004)
        s.cylinder("bands", (0, 0, side * 1.35 * third), m + 0.05, width)
        s.cylinder("bands", (0, 0, side * (h - 0.1)), e + 0.065, width)
    s.cylinder("main", (0, 0, h), e - 0.05, 0.05, CUT)
    s.top((0, 0, h - 0.05), e)
    return (0, 0, 0)


def candle(s: Sketch, height: float, girth: float, flame: float, holder: float) -> Vector:
    """Wax with a flame, on a dish with a loop."""
    h, r, f = mix(0.75, 1.0, height), mix(0.30, 0.40, girth), mix(0.13, 0.16, flame)
    d = mix(0.44, 0.52, holder)
    s.cylinder("holder", (0, 0, 0.04), d, 0.06, round=0.05)
    s.torus("holder", (0, 0, 0.1), d - 0.05, 0.06)
    s.torus("holder", (0, d + 0.1, 0.1), 0.12, 0.05, turn=ALONG_X)
    s.cylinder("main", (0, 0, h / 2), r, h / 2, round=0.05)
    for x, y, drop in ((0.9, 0.3, 0.28), (-0.5, 0.8, 0.4), (-0.4, -0.85, 0.22)):
        s.limb("main", (r * x, r * y, h - drop), (r * x, r * y, h - 0.07), 0.08, 0.05)
    s.rod("dark", (0, 0, h), (0, 0, h + 0.12), 0.025)
    s.limb("flame", (0, 0, h + 0.22), (0, 0, h + 0.22 + f * 2.1), f, 0.03)
    return (0, 0, (h + 0.22 + f * 2.1) / 2)


def teapot(s: Sketch, body: float, spout: float, handle: float) -> Vector:
    """A round pot: spout toward +x, handle behind, a lid with a knob."""
    h, tip, t = mix(0.46, 0.58, body), mix(0.28, 0.42, spout), mix(0.065, 0.09, handle)
    s.torus("handle", (-0.62, 0, 0.04), mix(0.27, 0.33, handle), t, turn=ALONG_Y)
    s.egg("main", (0, 0, 0), (0.62, 0.62, h))
    s.cylinder("main", (0, 0, -h * 0.9), 0.34, 0.07)
    s.limb("main", (0.42, 0, -0.12), (0.94, 0, tip), 0.19, 0.085, soft(0.08))
    s.cylinder("dark", (1.0, 0, tip + 0.1), 0.055, 0.1, CUT, turn=turned(pitch=40))
    s.egg("lid", (0, 0, h * 0.78), (0.36, 0.36, 0.17))
    s.ball("lid", (0, 0, h * 0.78 + 0.23), 0.10)
    return (0.04, 0, 0.08)


def guitar(s: Sketch, body: float, waist: float, neck: float) -> Vector:
    """Standing upright, strings toward +x."""
    r, q, n = mix(0.54, 0.62, body), mix(0.38, 0.46, waist), mix(0.72, 0.92, neck)
    up = r + q * 0.55
    s.cylinder("main", (0, 0, 0), r, 0.20, turn=ALONG_X, round=0.05)
    s.cylinder("main", (0, 0, up), q, 0.20, soft(0.16), turn=ALONG_X, round=0.05)
    s.cylinder("dark", (0.23, 0, up * 0.52), 0.19, 0.09, DYE, turn=ALONG_X)
    s.box("neck", (0.15, 0, up + n / 2), (0.075, 0.10, n / 2 + 0.15), round=0.02)
    top = up + n + 0.24
    s.box("neck", (0.10, 0, top), (0.07, 0.15, 0.18), round=0.03)
    for z in (top - 0.09, top + 0.09):
        s.rod("light", (0.10, 0.1, z), (0.10, 0.22, z), 0.035, MIRRORED)
    s.box("neck", (0.21, 0, -0.2), (0.035, 0.2, 0.045))
    s.box("light", (0.235, 0, up * 0.5), (0.012, 0.05, up * 0.5 + 0.18), round=0.005)
    return (0.05, 0, (top + 0.18 - r) / 2)


ROWS = (
    category(
        table, "width:narrow/wide height:low/tall top:thin/thick legs", "legs*=main", "brown"
    ),
    category(
        chair,
        "width:narrow/wide back:low/tall seat legs:thin/thick",
        "legs*=main cushion=main",
        "blue",
        front=True,
    ),
    category(
        mug, "height:short/tall width:narrow/wide handle", "handle=main stripe=main", "green"
    ),
    category(lamp, "height:short/tall shade:small/big flare base", "stand=gray", "orange"),
    category(barrel, "height:short/tall bulge:slim/fat bands", "bands*=gray", "brown"),
    category(
        candle,
        "height:short/tall girth:slim/fat flame holder",
        "flame=glow holder=amber",
        "purple",
    ),
    category(teapot, "body:low/tall spout handle", "lid=main handle=main", "blue", front=True),
    category(guitar, "body:small/big waist neck:short/long", "neck=wood", "orange", front=True),
)
