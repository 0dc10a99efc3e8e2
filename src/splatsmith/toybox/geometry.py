"""The exact shape of an object: distances, normals, points on its surface, a mesh."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.toybox import drawing, sdf
from splatsmith.toybox.finishes import albedo
from splatsmith.toybox.objects import Toy
from splatsmith.toybox.tape import Tape

SHELL = 0.02  # half-thickness of the layer from which surface points are projected, world units
NEAR = 1e-4  # how far from the surface a projected point may end


def distance(
    toy: Toy, points: Float[Tensor, "points 3"]
) -> tuple[Float[Tensor, "points"], Int[Tensor, "points"]]:
    """Signed distance (negative inside) and the part whose color shows, by the fastest way."""
    return tape_distance(toy.tape, points)


def tape_distance(
    tape: Tape, points: Float[Tensor, "points 3"]
) -> tuple[Float[Tensor, "points"], Int[Tensor, "points"]]:
    """The same for a tape.

    Points that ask for a gradient, or are not float32 on the CPU, go to the torch twin.
    """
    plain = points.dtype == torch.float32 and points.device.type == "cpu"
    if drawing.native is None or points.requires_grad or not plain:
        return sdf.distance(tape, points)
    result = torch.empty(len(points))
    part = torch.empty(len(points), dtype=torch.int32)
    given = points.contiguous().numpy()
    drawing.native.distance(tape.rows, tape.heads, given, result.numpy(), part.numpy())
    return result, part.long()


def gradient(toy: Toy, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
    """Gradient of the signed distance: the unit normal wherever the distance is exact."""
    with torch.enable_grad():
        leaf = points.detach().clone().requires_grad_()
        value = sdf.distance(toy.tape, leaf)[0].sum()
        return torch.autograd.grad(value, leaf)[0]


@dataclass(frozen=True)
class Surface:
    """Points on an object's surface."""

    points: Float[Tensor, "points 3"]
    normals: Float[Tensor, "points 3"]  # unit, outward
    color: Float[Tensor, "points 3"]  # RGB in 0..1, unlit
    part: Int[Tensor, "points"]  # index into the tape


def surface_points(toy: Toy, count: int, generator: torch.Generator) -> Surface:
    """`count` points, uniform over the surface.

    Points drawn uniformly in a thin layer are carried onto the surface by Newton steps along
    the gradient. The layer is as thick as 1 / |gradient|, so points are kept with a probability
    proportional to |gradient|; what remains is uniform up to curvature over the layer's width.
    """
    if count < 1:
        raise InputError(f"At least one surface point must be asked for, got {count}.")
    found: list[Tensor] = []
    while sum(len(points) for points in found) < count:
        found.append(_projected(toy, max(20000, 8 * count), generator))
    points = torch.cat(found)[:count]
    return _described(toy, points)


def _projected(toy: Toy, tries: int, generator: torch.Generator) -> Tensor:
    points = torch.rand(tries, 3, generator=generator) * 2 - 1
    chance = torch.rand(tries, generator=generator)
    kept = distance(toy, points)[0].abs() < SHELL
    points, chance = points[kept], chance[kept]
    steepness = gradient(toy, points).norm(dim=-1)
    points = points[chance * 1.05 < steepness]
    return refined(toy, points)


def refined(
    toy: Toy, points: Float[Tensor, "points 3"], steps: int = 4, *, drop: bool = True
) -> Float[Tensor, "kept 3"]:
    """Newton steps onto the surface; with `drop`, without the few that do not arrive."""
    for _ in range(steps):
        d, g = distance(toy, points)[0], gradient(toy, points)
        points = points - g * (d / (g * g).sum(-1).clamp(min=0.1))[:, None]
    return points[distance(toy, points)[0].abs() < NEAR] if drop else points


def _described(toy: Toy, points: Tensor) -> Surface:
    part = distance(toy, points)[1]
    color = albedo(torch.from_numpy(toy.tape.rows)[part], points)
    return Surface(points, sdf.normals(toy.tape, points), color, part)


@dataclass(frozen=True)
class ToyMesh:
    """A closed triangle mesh; faces are counter-clockwise seen from outside."""

    vertices: Float[Tensor, "vertices 3"]
    faces: Int[Tensor, "faces 3"]
    normals: Float[Tensor, "vertices 3"]
    color: Float[Tensor, "vertices 3"]


def mesh(toy: Toy, resolution: int = 96) -> ToyMesh:
    """Marching cubes over a grid of `resolution` cells a side, vertices moved onto the surface.

    Needs the extra "mesh" (scikit-image). Raises InputError if it is missing or `resolution` is
    not within 8..512.
    """
    if not 8 <= resolution <= 512:
        raise InputError(f"The resolution of a mesh must lie in 8..512, got {resolution}.")
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise InputError(
            'Meshes need scikit-image, which is not installed: pip install "splatsmith[mesh]".'
        ) from error
    axis = torch.linspace(-1, 1, resolution + 1)
    layers = [_layer(toy, float(x), axis) for x in axis]
    grid = torch.stack(layers).numpy()
    cell = (2 / resolution,) * 3
    corners, faces, _, _ = marching_cubes(grid, 0.0, spacing=cell, gradient_direction="descent")
    vertices = torch.from_numpy(np.ascontiguousarray(corners, dtype=np.float32)) - 1
    moved = refined(toy, vertices, steps=2, drop=False)
    # A Newton step across a crease can overshoot; such a vertex stays where the cubes put it.
    calm = (moved - vertices).norm(dim=-1, keepdim=True) < cell[0]
    told = _described(toy, torch.where(calm, moved, vertices))
    triangles = torch.from_numpy(faces.astype(np.int64))
    return ToyMesh(told.points, triangles, told.normals, told.color)


def _layer(toy: Toy, x: float, axis: Tensor) -> Tensor:
    y, z = torch.meshgrid(axis, axis, indexing="ij")
    points = torch.stack([torch.full_like(y, x), y, z], dim=-1).reshape(-1, 3)
    return distance(toy, points)[0].reshape(y.shape)
