"""Draw a triangle mesh: vertices, faces and a way to color them in, `Picture` out.

The surface is rasterized, colored where it is seen, lit by the one lamp of `shading.py`, laid
over the background and antialiased. Gradients reach the vertices through what is seen inside
the outline (place, normal, color there) and, by the antialiasing, through the outline itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

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
    interpolate,
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

    Normals are smooth: those of the vertices are means over their faces, weighted by area.

    Raises InputError if shapes do not fit together, faces name vertices that are not there, or
    a vertex is not finite.
    """
    ground = _ground(background, cameras)
    clip = to_clip(vertices, cameras)
    shown = rasterize(clip, faces, cameras.width, cameras.height, backend=backend)
    if neighbors is None:
        neighbors = face_neighbors(faces, len(vertices), backend=backend)
    both = torch.cat([vertices, vertex_normals(vertices, faces)], dim=1)
    inner = interpolate(both, faces, shown, backend=backend)
    seen = (shown.triangle >= 0).nonzero(as_tuple=True)
    points, normals = inner[seen].split(3, dim=-1)
    normals = F.normalize(normals, dim=-1)
    color = albedo(Hits(points, shown.triangle[seen], shown.barycentric[seen]))
    if shading is not None:
        color = shaded(color, normals, points, seen[0], shading)
    covered = torch.cat(
        [color, torch.ones_like(color[:, :1]), shown.depth[seen], normals], dim=1
    )
    empty = torch.cat([ground, ground.new_zeros(*ground.shape[:3], 5)], dim=-1)
    whole = antialias(
        empty.index_put(seen, covered.to(ground)),
        shown,
        clip,
        faces,
        neighbors,
        backend=backend,
    )
    color, alpha, depth, normal = whole.split([3, 1, 1, 3], dim=-1)
    alpha = alpha.clamp(0, 1)
    # Blended with the empty pixels' zeros, depth is alpha times what it should be.
    depth = depth / torch.where(alpha > 0, alpha, 1)
    return Picture(
        color=color.clamp(0, 1), alpha=alpha, depth=depth, normal=F.normalize(normal, dim=-1)
    )


def face_normals(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, "faces 3"]:
    """Normals of triangles, outward, their length twice the area."""
    a, b, c = vertices[faces].unbind(dim=1)
    return torch.linalg.cross(b - a, c - a)


def vertex_normals(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, "vertices 3"]:
    """Unit normals of vertices: their faces' normals weighted by area; 0 without any face."""
    each = face_normals(vertices, faces)
    total = torch.zeros_like(vertices).index_add(
        0, faces.reshape(-1), each.repeat_interleave(3, dim=0)
    )
    return F.normalize(total, dim=-1, eps=1e-20)


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
