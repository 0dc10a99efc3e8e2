"""Plain pictures of triangle meshes: for baking, for comparing, for looking; no gradients.

What a point of the surface shows is a function, the paint: a texture, colors at vertices,
normals, wires.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render.picture import Picture
from splatsmith.render.triangles import covered, nearest

Paint = Callable[
    [Int[Tensor, "points"], Float[Tensor, "points 3"]], Float[Tensor, "points channels"]
]
"""Triangles and barycentric coordinates of points in, RGB (0..1) out."""

WIRE = 0.12  # darkness of a wire's color


@dataclass(frozen=True, eq=False)
class Hits:
    """The nearest point of a mesh at each pixel of one view that sees it."""

    pixel: Int[Tensor, "points"]  # row x width + column
    triangle: Int[Tensor, "points"]
    share: Float[Tensor, "points 3"]  # barycentric, in the world
    depth: Float[Tensor, "points"]  # camera z


def hits(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"], camera: Cameras
) -> Hits:
    """What one camera sees of a mesh; faces seen from behind are not there."""
    rotation, move = camera.viewmat[0, :3, :3], camera.viewmat[0, :3, 3]
    local = vertices @ rotation.T + move
    screen = local @ camera.K[0].T
    place = torch.cat([screen[:, :2] / local[:, 2:], local[:, 2:]], dim=1)[faces]
    view = torch.zeros(len(faces), dtype=torch.long)
    found = covered(place, view, camera.width, camera.height)
    found = nearest(found, camera.height * camera.width)
    return Hits(
        found.sample,
        found.triangle,
        found.weight / found.nearness[:, None],
        1 / found.nearness,
    )


@torch.no_grad()
def draw_mesh(
    vertices: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
    cameras: Cameras,
    paint: Paint,
    background: Float[Tensor, "3"],
    *,
    samples: int = 2,
) -> Picture:
    """Draw a mesh on the CPU; a pixel is the mean of samples x samples places (1 to 8 a side).

    Raises InputError for another number of samples.
    """
    if not 1 <= samples <= 8:
        raise InputError(f"samples must lie in 1..8, got {samples}.")
    fine = cameras.resized(cameras.width * samples, cameras.height * samples)
    pictures = []
    for i in range(len(cameras)):
        seen = hits(vertices, faces, fine[[i]])
        grid = torch.zeros(fine.height * fine.width, 5)
        shown = paint(seen.triangle, seen.share)
        one = torch.ones_like(seen.depth)
        grid[seen.pixel] = torch.cat([shown, one[:, None], seen.depth[:, None]], dim=1)
        shape = (cameras.height, samples, cameras.width, samples, 5)
        pictures.append(grid.reshape(shape).mean(dim=(1, 3)))
    color, alpha, depth = torch.stack(pictures).split([3, 1, 1], dim=-1)
    return Picture(
        color=color + (1 - alpha) * background, alpha=alpha, depth=depth / alpha.clamp(min=1e-9)
    )


def vertex_paint(
    values: Float[Tensor, "vertices channels"], faces: Int[Tensor, "faces 3"]
) -> Paint:
    """Values at vertices, evenly between them."""

    def paint(triangle: Tensor, share: Tensor) -> Tensor:
        return (share[:, :, None] * values[faces[triangle]]).sum(dim=1)

    return paint


def normal_paint(normals: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]) -> Paint:
    """Unit normals in the world as colors: red +X, green +Y, blue +Z."""
    between = vertex_paint(normals, faces)

    def paint(triangle: Tensor, share: Tensor) -> Tensor:
        return (torch.nn.functional.normalize(between(triangle, share), dim=-1) + 1) / 2

    return paint


def wire_paint(
    vertices: Float[Tensor, "vertices 3"],
    normals: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
    width: float,
) -> Paint:
    """Pale faces and dark edges, `width` (world units) wide; each face is shaded by its own."""
    corners = vertices[faces]
    sides = corners[:, [2, 0, 1]] - corners[:, [1, 2, 0]]
    area = torch.linalg.cross(sides[:, 0], sides[:, 1]).norm(dim=-1, keepdim=True)
    height = area / sides.norm(dim=-1).clamp(min=1e-12)  # above the side that faces a corner
    up = 0.75 + 0.2 * normals[faces].mean(dim=1)[:, 2]

    def paint(triangle: Tensor, share: Tensor) -> Tensor:
        away = (share * height[triangle]).amin(dim=1)
        line = (1 - away / (width / 2)).clamp(0, 1)
        return (up[triangle] * (1 - line) + WIRE * line)[:, None].expand(-1, 3)

    return paint
