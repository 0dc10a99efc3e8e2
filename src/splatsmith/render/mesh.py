"""Draw a triangle mesh: vertices, faces and a way to color them in, `Picture` out.

The surface is rasterized, colored where it is seen, lit by the one lamp of `shading.py`, laid
over the background and antialiased. Gradients reach the vertices through what is seen inside
the outline (place, normal, color there) and, by the antialiasing, through the outline itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render.picture import Picture
from splatsmith.render.raster import (
    Backend,
    antialias,
    face_neighbors,
    interpolate_at,
    normal_sums,
    rasterize,
    to_clip,
)
from splatsmith.render.shading import Shading, shaded


@dataclass(frozen=True, eq=False)
class Hits:
    """Where the pixels of all views meet a surface, in one row."""

    points: Float[Tensor, "points 3"]  # in the world
    triangle: Int[Tensor, "points"]  # row of the mesh's faces
    barycentric: Float[Tensor, "points 3"]  # of the face's corners


Albedo = Callable[[Hits], Float[Tensor, "points 3"]]
"""The unlit color (0..1) of a surface where it is seen."""


def draw_mesh(
    vertices: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
    albedo: Albedo,
    cameras: Cameras,
    background: Float[Tensor, "views 3"]
    | Float[Tensor, "3"]
    | Float[Tensor, "views height width 3"],
    *,
    shading: Shading | None = None,
    neighbors: Int[Tensor, "faces 3"] | None = None,
    backend: Backend = "auto",
) -> Picture:
    """Pictures of a mesh, differentiable in the vertices and in whatever `albedo` uses.

    Args:
        vertices: in the world.
        faces: counter-clockwise seen from outside; both sides are drawn.
        albedo: asked once, for the points that all views see.
        cameras: one picture is drawn for each.
        background: what shows through: one color, a color for each view, or whole pictures.
        shading: light from one lamp for each view; None shows the albedo.
        neighbors: those of `raster.face_neighbors`, if they are known already.
        backend: see `raster.rasterize`.

    Normals are smooth: those of the vertices are means over their faces, weighted by area, and
    the picture has them where a pixel's center is on the surface. Depth and alpha are blended
    at the outline as color is.

    Raises InputError if shapes do not fit together, faces name vertices that are not there, or
    a vertex is not finite.
    """
    ground = _ground(background, cameras)
    clip = to_clip(vertices, cameras)
    shown = rasterize(clip, faces, cameras.width, cameras.height, backend=backend)
    if neighbors is None:
        neighbors = face_neighbors(faces, len(vertices), backend=backend)
    seen = (shown.triangle.reshape(-1) >= 0).nonzero()[:, 0]
    triangle = shown.triangle.reshape(-1)[seen]
    barycentric = _Take.apply(shown.barycentric.reshape(-1, 3), seen)
    normals = F.normalize(normal_sums(vertices, faces, backend=backend), dim=-1, eps=1e-20)
    both = torch.cat([vertices, normals], dim=1)
    inner = interpolate_at(both, faces, triangle, barycentric, backend=backend)
    points, normals = inner.split(3, dim=-1)
    normals = F.normalize(normals, dim=-1)
    color = albedo(Hits(points, triangle, barycentric))
    if shading is not None:
        view = seen // (cameras.width * cameras.height)
        color = shaded(color, normals, points, view, shading)
    depth = _Take.apply(shown.depth.reshape(-1, 1), seen)
    covered = torch.cat([color, torch.ones_like(depth), depth], dim=1).to(ground)
    empty = torch.cat([ground, ground.new_zeros(*ground.shape[:3], 2)], dim=-1)
    hard = _Put.apply(empty.reshape(-1, 5), covered, seen).reshape(empty.shape)
    whole = antialias(hard, shown, clip, faces, neighbors, backend=backend)
    alpha = whole[..., 3:4].clamp(0, 1)
    # Blended with the empty pixels' zeros, depth is alpha times what it should be.
    depth = whole[..., 4:] / torch.where(alpha > 0, alpha, 1)
    normal = _Put.apply(torch.zeros_like(ground).reshape(-1, 3), normals, seen)
    color, normal = whole[..., :3].clamp(0, 1), normal.reshape(ground.shape)
    return Picture(color=color, alpha=alpha, depth=depth, normal=normal)


class _Take(torch.autograd.Function):
    """Rows by number, each at most once: the gradient is copied back and need not be added."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Any:
        ctx.save_for_backward(rows)
        ctx.shape = table.shape
        return table.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return grad.new_zeros(ctx.shape).index_copy(0, ctx.saved_tensors[0], grad), None


class _Put(torch.autograd.Function):
    """A table with some rows, each at most once, exchanged for others."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, values: Tensor, rows: Tensor) -> Any:
        ctx.save_for_backward(rows)
        return table.index_copy(0, rows, values)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        rows = ctx.saved_tensors[0]
        table = grad.index_fill(0, rows, 0) if ctx.needs_input_grad[0] else None
        return table, grad.index_select(0, rows), None


def face_normals(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, "faces 3"]:
    """Normals of triangles, outward, their length twice the area."""
    a, b, c = vertices[faces].unbind(dim=1)
    return torch.linalg.cross(b - a, c - a)


def _ground(background: Tensor, cameras: Cameras) -> Float[Tensor, "views height width 3"]:
    shape = (len(cameras), cameras.height, cameras.width, 3)
    if background.ndim == 2:
        background = background[:, None, None]
    fits = background.shape in ((3,), (shape[0], 1, 1, 3), shape)
    if not fits:
        raise InputError(
            f"background has shape {tuple(background.shape)}, but for {shape[0]} cameras it "
            f"must be (3,), ({shape[0]}, 3) or {shape}."
        )
    return background.expand(shape)
