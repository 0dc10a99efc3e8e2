"""Figures on two legs, or none: astronaut, knight, wizard, ghost."""

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


def astronaut(s: Sketch, height: float, helmet: float, girth: float) -> Vector:
    """A round helmet with a visor toward +x, a backpack, thick limbs."""
    h, r, g = mix(0.26, 0.36, height), mix(0.38, 0.44, helmet), mix(0.25, 0.32, girth)
    hip = h + 0.12
    s.limb("main", (0, 0, hip), (0, 0, hip + 0.34), g, g * 0.92)
    s.box("backpack", (-0.32, 0, hip + 0.26), (0.15, 0.28, 0.30), round=0.07)
    s.limb("main", (0, 0.16, hip), (0, 0.19, 0.14), 0.16, 0.14, soft(0.04, mirror=True))
    s.box("boots", (0.05, 0.19, 0.09), (0.22, 0.155, 0.11), MIRRORED, round=0.07)
    s.limb("main", (0, 0.22, hip + 0.40), (0.08, 0.50, hip + 0.10), 0.13, 0.12, MIRRORED)
    s.ball("boots", (0.10, 0.54, hip + 0.05), 0.13, MIRRORED)
    z = hip + 0.46 + r * 0.8
    s.torus("gray", (0, 0, z - r * 0.80), r * 0.62, 0.07)
    s.ball("main", (0, 0, z), r)
    s.egg("visor", (r * 0.72, 0, z), (r * 0.42, r * 0.70, r * 0.55))
    s.egg("light", (r * 1.04, -0.12, z + 0.10), (0.1, 0.07, 0.045), DYE)
    s.box("gray", (g * 0.92, 0, hip + 0.18), (0.06, 0.16, 0.11))
    for y, ink in ((-0.08, "crimson"), (0.08, "glow")):
        s.ball(ink, (g * 0.92 + 0.06, y, hip + 0.19), 0.05)
    s.head((0, 0, z + r * 0.72), r * 0.72)
    return (0, 0, (z + r) / 2)


def knight(s: Sketch, height: float, girth: float, shield: float, plume: float) -> Vector:
    """In armor: a helmet with a slit, a plume, a shield and a raised sword."""
    h, g = mix(0.22, 0.32, height), mix(0.31, 0.39, girth)
    w, p = mix(0.20, 0.25, shield), mix(0.09, 0.115, plume)
    hip = h + 0.16
    s.limb("main", (0, 0.16, hip), (0, 0.18, 0.14), 0.15, 0.13, MIRRORED)
    s.box("iron", (0.05, 0.18, 0.08), (0.20, 0.14, 0.10), MIRRORED, round=0.06)
    s.cone("main", (0, 0, hip + 0.18), g + 0.08, g * 0.8, 0.30, round=0.06)
    s.torus("wood", (0, 0, hip + 0.10), g, 0.06)
    s.ball("main", (0, g + 0.02, hip + 0.42), 0.17, MIRRORED)
    z = hip + 0.72
    s.cylinder("main", (0, 0, z), 0.33, 0.26, round=0.10)
    s.egg("main", (0, 0, z + 0.20), (0.33, 0.33, 0.22))
    s.box("dark", (0.3, 0, z + 0.08), (0.2, 0.26, 0.055), DYE)
    s.box("iron", (0.33, 0, z - 0.04), (0.03, 0.045, 0.22))
    s.limb("plume", (0.08, 0, z + 0.42), (-0.22, 0, z + 0.52), p * 0.9, p * 1.1)
    s.limb("plume", (-0.22, 0, z + 0.52), (-0.46, 0, z + 0.16), p * 1.1, p * 0.6)
    s.limb("main", (0, g, hip + 0.40), (0.26, g + 0.14, hip + 0.22), 0.12, 0.11, MIRRORED)
    s.slab("shield", (0.40, g + 0.16, hip + 0.34), (w, w), 0.18, 0.06, turn=turned(yaw=90))
    s.slab("shield", (0.40, g + 0.16, hip + 0.02), (0.03, w), 0.18, 0.06, turn=turned(yaw=90))
    s.box("light", (0.46, g + 0.16, hip + 0.24), (0.03, 0.05, 0.22))
    s.box("light", (0.46, g + 0.16, hip + 0.34), (0.03, w * 0.75, 0.05))
    y = -g - 0.16
    lean = turned(pitch=8)
    s.box("light", (0.36, y, hip + 0.70), (0.045, 0.085, 0.42), turn=lean, round=0.03)
    s.box("glow", (0.31, y, hip + 0.32), (0.06, 0.19, 0.055))
    s.rod("wood", (0.26, y, hip + 0.10), (0.31, y, hip + 0.32), 0.06)
    return (0.05, 0, (z + 0.5) / 2)


def wizard(s: Sketch, height: float, girth: float, hat: float, beard: float) -> Vector:
    """In a robe and a pointed hat with stars, with a long beard and a staff."""
    h, g = mix(0.42, 0.52, height), mix(0.42, 0.52, girth)
    t, b = mix(0.42, 0.56, hat), mix(0.30, 0.52, beard)
    s.cone("main", (0, 0, h), g, 0.22, h, round=0.06)
    z = 2 * h + 0.16
    s.limb("main", (0, 0.16, h * 1.6), (0.24, 0.42, h), 0.12, 0.16, MIRRORED)
    top = z + 0.18 + t
    s.cylinder("main", (0, 0, z + 0.20), 0.46, 0.05, round=0.04)
    s.cone("main", (0, 0, z + 0.18 + t * 0.5), 0.32, 0.09, t * 0.5, round=0.01)
    s.limb("main", (0, 0, top - 0.06), (-0.16, 0, top + 0.14), 0.10, 0.05)
    for x, y, up in ((0.26, 0.06, 0.14), (0.08, 0.20, 0.26), (-0.2, 0.14, 0.14)):
        s.ball("stars", (x, y, z + 0.18 + up), 0.08, DYE)
        s.ball("stars", (x * 0.9, -y * 1.1, z + 0.30 + up), 0.07, DYE)
    for i in range(9):
        a = math.radians(20 + i * 40)
        d, up = (g * 0.95, 0.12) if i % 2 else (g * 0.78, 0.40)
        s.ball("stars", (d * math.cos(a), d * math.sin(a), up), 0.085, DYE)
    s.ball("tan", (0, 0, z), 0.29)
    s.ball("tan", (0.32, 0.47, h * 0.95), 0.11, MIRRORED)
    s.limb("beard", (0.17, 0, z - 0.14), (0.38, 0, z - 0.14 - b), 0.24, 0.07)
    s.ball("tan", (0.34, 0, z), 0.08)
    s.ball("dark", (0.25, 0.13, z + 0.06), 0.055, MIRRORED)
    s.rod("staff", (0.36, -0.52, 0.06), (0.36, -0.52, z + 0.16), 0.06)
    s.ball("orb", (0.36, -0.52, z + 0.28), 0.15)
    return (0, 0, (top + 0.16) / 2)


def ghost(s: Sketch, height: float, girth: float, hem: float) -> Vector:
    """A sheet with wide eyes and a wavy hem, arms raised."""
    h, r, e = mix(0.50, 0.68, height), mix(0.42, 0.50, girth), mix(0.15, 0.20, hem)
    s.rod("main", (0, 0, 0), (0, 0, h), r)
    s.cone("main", (0, 0, -0.10), r * 1.3, r, 0.36, soft(0.1), round=0.05)
    for i in range(7):
        a = i * math.tau / 7
        x, y = r * math.cos(a), r * math.sin(a)
        end = (x * 1.05, y * 1.05, -0.42 - e * 0.5)
        s.limb("main", (x, y, -0.42), end, e, e * 0.85, soft(0.03))
    arm = soft(0.06, mirror=True)
    s.limb("main", (0.05, r * 0.8, h * 0.35), (0.30, r + 0.22, h * 0.62), 0.18, 0.12, arm)
    z = h + r * 0.12
    s.egg("eyes", (r * 0.87, r * 0.38, z), (0.08, 0.105, 0.15), MIRRORED)
    s.egg("mouth", (r * 0.97, 0, z - 0.27), (0.07, 0.09, 0.12))
    cheek = (r * 0.84, r * 0.56, z - 0.22)
    s.egg("cheeks", cheek, (0.06, 0.09, 0.07), MIRRORED, turn=turned(yaw=32))
    s.head((0, 0, h + r * 0.72), r * 0.72)
    return (0, 0, (h + r - 0.62) / 2)


ROWS = (
    category(
        astronaut,
        "height:short/tall helmet girth:slim/fat",
        "visor=black backpack=gray boots*=gray",
        "white",
        front=True,
    ),
    category(
        knight,
        "height:short/tall girth:slim/fat shield plume",
        "shield=red plume=red",
        "blue",
        front=True,
    ),
    category(
        wizard,
        "height:short/tall girth:slim/fat hat beard",
        "beard=white staff=wood orb=sky stars*=yellow",
        "purple",
        front=True,
    ),
    category(
        ghost,
        "height:short/tall girth:slim/fat hem",
        "cheeks*=pink mouth=dark",
        "white",
        front=True,
    ),
)
