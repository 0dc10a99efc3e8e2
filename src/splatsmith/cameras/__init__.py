"""Where pictures are taken from: the convention, orbits and samplers."""

from splatsmith.cameras.convention import Cameras, intrinsics, look_at, orbit
from splatsmith.cameras.samplers import OrbitSampler, sheet_cameras, shifted, turntable

__all__ = [
    "Cameras",
    "OrbitSampler",
    "intrinsics",
    "look_at",
    "orbit",
    "sheet_cameras",
    "shifted",
    "turntable",
]
