"""Where pictures are taken from: the convention, orbits and samplers."""

from splatsmith.cameras.convention import Cameras, intrinsics, look_at, orbit

__all__ = ["Cameras", "intrinsics", "look_at", "orbit"]
