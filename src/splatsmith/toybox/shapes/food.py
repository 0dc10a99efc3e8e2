"""Things that grow or are eaten: mushroom, donut, ice cream, tree, cactus."""

import math

from splatsmith.toybox.category import category
from splatsmith.toybox.sketch import CUT, DYE, MIRRORED, SOLID, Sketch, Vector, mix, soft


def mushroom(s: Sketch, height: float, girth: float, dome: float, dots: float) -> Vector:
    """A cap with dots on a stem."""
    h, r, up = mix(0.50, 0.75, height), mix(0.18, 0.28, girth), mix(0.55, 0.80, dome)
    s.egg("main", (0, 0, h), (0.85, 0.85, up))
    s.box("stem", (0, 0, h - 1.05), (1, 1, 1), CUT)
    s.cone("stem", (0, 0, h / 2), r * 1.15, r * 0.85, h / 2 + 0.05, round=0.06)
    size = mix(0.15, 0.20, dots)
    s.ball("dots", (0, 0, h + up), size * 1.1, DYE)
    for low, count, start in ((42, 5, 0.0), (12, 6, 30.0)):
        c, z = 0.85 * math.cos(math.radians(low)), h + up * math.sin(math.radians(low))
        for i in range(count):
            a = math.radians(start + i * 360 / count)
            s.ball("dots", (c * math.cos(a), c * math.sin(a), z), size, DYE)
    s.below((0.55, 0, 0), h * 0.42)
    return (0, 0, (h + up) / 2)


def donut(s: Sketch, ring: float, icing: float, sprinkles: float) -> Vector:
    """Icing with sprinkles on dough, lying flat."""
    tube, size = mix(0.25, 0.31, ring), mix(0.035, 0.05, sprinkles)
    s.torus("dough", (0, 0, -0.09), 0.66, tube * 0.97)
    s.torus("main", (0, 0, mix(0.03, 0.06, icing)), 0.66, tube * 1.03)
    for i in range(11):
        a, lean = i * math.tau / 11, (i % 3 - 1) * 0.11
        x, y = (0.66 + lean) * math.cos(a), (0.66 + lean) * math.sin(a)
        b = a + 1.3 * i
        dx, dy = 0.075 * math.cos(b), 0.075 * math.sin(b)
        z = math.sqrt(tube * tube * 1.06 - lean * lean) + 0.045
        s.rod("sprinkles", (x - dx, y - dy, z), (x + dx, y + dy, z), size)
    s.top((0, 0, 0.03 + tube), 0.66)
    return (0, 0, 0)


def icecream(s: Sketch, cone: float, scoop: float, second: float) -> Vector:
    """Two scoops and a cherry on a cone."""
    h, r, r2 = mix(0.65, 0.85, cone), mix(0.50, 0.58, scoop), mix(0.38, 0.47, second)
    s.cone("cone", (0, 0, -h / 2 - 0.1), 0.04, 0.4, h / 2, round=0.03)
    s.torus("cone", (0, 0, -0.12), 0.4, 0.06)
    s.ball("main", (0, 0, 0.2), r)
    s.torus("main", (0, 0, 0.0), r * 0.85, 0.09, soft(0.08))
    s.ball("main", (0, 0, 0.2 + r * 0.7 + r2 * 0.5), r2, soft(0.05))
    top = 0.2 + r * 0.7 + r2 * 1.5
    s.ball("cherry", (0, 0, top + 0.08), 0.14)
    return (0, 0, (top + 0.2 - h - 0.1) / 2)


def tree(s: Sketch, height: float, crown: float, lumps: float) -> Vector:
    """A round crown of several lumps on a trunk."""
    h, r, lump = mix(0.5, 0.8, height), mix(0.52, 0.66, crown), mix(0.30, 0.42, lumps)
    s.cone("trunk", (0, 0, h / 2), 0.19, 0.13, h / 2 + 0.15, round=0.03)
    s.cone("trunk", (0, 0, 0.06), 0.27, 0.17, 0.07)
    z = h + r * 0.8
    s.egg("main", (0, 0, z), (r, r, r * 0.92))
    for i in range(5):
        a = math.radians(20 + 72 * i)
        up = z + (0.10 if i % 2 else -0.16)
        at = (0.42 * r / 0.55 * math.cos(a), 0.42 * r / 0.55 * math.sin(a), up)
        s.ball("main", at, lump, soft(0.06))
    s.ball("main", (0, 0, z + r * 0.6), lump, soft(0.06))
    s.below((0.55, 0, 0), 0.3)
    return (0, 0, (z + r * 0.6 + lump) / 2)


def cactus(s: Sketch, height: float, girth: float, arms: float) -> Vector:
    """A fat stem with two raised arms in a pot, a flower on top."""
    h, r = mix(1.2, 1.5, height), mix(0.24, 0.31, girth)
    low, high = mix(0.62, 0.72, arms), mix(0.82, 0.98, arms)
    s.cone("pot", (0, 0, 0.16), 0.28, 0.40, 0.2)
    s.cylinder("pot", (0, 0, 0.36), 0.45, 0.07)
    s.rod("main", (0, 0, 0.3), (0, 0, h - r + 0.25), r)
    for side, z in ((1, low), (-1, high)):
        y = side * (r + 0.32)
        s.rod("main", (0, 0, z), (0, y, z), 0.15, soft(0.05))
        s.rod("main", (0, y, z), (0, y, z + 0.36), 0.15, soft(0.05))
    s.ball("flower", (0, 0, h + 0.27), 0.15)
    return (0, 0, (h + 0.4) / 2)


def snowman(s: Sketch, body: float, head: float, hat: float) -> Vector:
    """Three balls, a carrot, coals, a scarf and a hat."""
    r, m, t = mix(0.52, 0.62, body), mix(0.41, 0.47, body), mix(0.33, 0.39, head)
    z1, z2 = r + m * 0.38, r + m * 0.98 + t * 0.62
    s.ball("main", (0, 0, 0), r)
    s.ball("main", (0, 0, z1), m, soft(0.04))
    s.ball("main", (0, 0, z2), t, soft(0.04))
    s.limb("nose", (t * 0.9, 0, z2 - 0.06), (t * 0.9 + 0.32, 0, z2 - 0.10), 0.10, 0.03)
    s.ball("eyes", (t * 0.86, t * 0.42, z2 + t * 0.24), 0.075, MIRRORED)
    for x, z in ((m * 0.95, z1 + 0.10), (m * 0.97, z1 - 0.13), (r * 0.95, 0.13)):
        s.ball("eyes", (x, 0, z), 0.075)
    s.torus("scarf", (0, 0, (z1 + z2) / 2 + 0.05), m * 0.66, 0.09)
    s.rod("scarf", (m * 0.75, 0.2, z1 + 0.26), (m * 1.0, 0.24, z1 - 0.08), 0.07)
    top, tall = z2 + t * 0.84, mix(0.13, 0.2, hat)
    s.cylinder("hat", (0, 0, top), t * 1.25, 0.04)
    s.cylinder("hat", (0, 0, top + tall), t * 0.8, tall + 0.03, SOLID)
    return (0, 0, (top + 2 * tall - r) / 2)


ROWS = (
    category(
        mushroom, "height:short/tall girth:slim/fat dome dots", "dots*=white stem=cream", "red"
    ),
    category(
        snowman,
        "body:slim/fat head hat",
        "hat=black nose=orange scarf=red",
        "white",
        front=True,
    ),
    category(
        tree, "height:short/tall crown:slim/fat lumps", "trunk=wood", "green", roles="large"
    ),
    category(donut, "ring:thin/thick icing sprinkles", "sprinkles*=white dough=tan", "pink"),
    category(icecream, "cone:short/long scoop:small/big second", "cone=tan cherry=red", "pink"),
    category(cactus, "height:short/tall girth:slim/fat arms", "pot=brick flower=pink", "green"),
)
