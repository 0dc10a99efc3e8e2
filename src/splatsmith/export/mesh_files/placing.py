"""Where a mesh stands in its file: up axis, unit, origin."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.export.frames import GLTF, MESH_Z_UP, Frame
from splatsmith.export.meshing.mesh import Mesh

Origin = Literal["base", "center", "scene"]
Up = Literal["y", "z"]

FRAMES: dict[str, Frame] = {"y": GLTF, "z": MESH_Z_UP}
UP: dict[str, Up] = {".glb": "y", ".obj": "y", ".usdz": "y", ".ply": "z", ".stl": "z"}
PER_METER = {".glb": 1.0, ".obj": 1.0, ".usdz": 1.0, ".ply": 1.0, ".stl": 1000.0}


@dataclass(frozen=True, eq=False)
class Placing:
    """What takes world coordinates to meters in a file's frame: turn (move + place) x scale."""

    move: Float[Tensor, "3"]
    scale: float  # meters per world unit


def placing(mesh: Mesh, *, origin: Origin = "base", size: float | None = None) -> Placing:
    """Put the middle of the bottom ("base") or of the box ("center") at the origin.

    "scene" leaves the origin where the scene has it. `size` is the longest side in meters; by
    default one world unit is a meter. Other meshes of the asset take the same placing.
    """
    low, high = mesh.bounds
    middle = (low + high) / 2
    if origin == "base":
        middle = torch.stack([middle[0], middle[1], low[2]])
    elif origin == "scene":
        middle = torch.zeros_like(middle)
    if size is None:
        return Placing(-middle, 1.0)
    if not 1e-4 <= size <= 1e4:
        raise InputError(f"The size of an asset must lie in 0.0001 to 10000 m, got {size:g}.")
    return Placing(-middle, size / float((high - low).amax()))


def placed(mesh: Mesh, place: Placing, up: Up, per_meter: float = 1.0) -> Mesh:
    """The mesh in a file's coordinates; normals and tangents turn along."""
    frame = FRAMES[up]
    vertices = (mesh.vertices + place.move).double() * (place.scale * per_meter)
    tangents = mesh.tangents
    if tangents is not None:
        tangents = torch.cat([_turned(tangents[:, :3], frame), tangents[:, 3:]], dim=1)
    return replace(
        mesh,
        vertices=_turned(vertices, frame).float(),
        normals=_turned(mesh.normals, frame),
        tangents=tangents,
    )


def linear(display: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Display-referred (sRGB) values, 0..1, as amounts of light (IEC 61966-2-1)."""
    bright = ((display + 0.055) / 1.055) ** 2.4
    return np.where(display <= 0.04045, display / 12.92, bright)


def _turned(vectors: Tensor, frame: Frame) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(frame.points(vectors.numpy())))
