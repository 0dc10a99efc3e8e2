"""What a surface is asked to be, whatever the prior says: plain functions of meshes and grids.

Each is a mean (over edges, vertices or faces), so a weight means the same for any resolution.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.distill.curves import Varying, at, check_range
from splatsmith.render.mesh import face_normals
from splatsmith.render.raster import face_neighbors
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.tetrahedra import Tetrahedra

NAMES = ("normal_consistency", "laplacian", "edge_length", "sign_changes", "eikonal")


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceRegularize:
    """Weights of the regularizers of meshes and tetrahedra, 0 or more, which may vary."""

    kind: Literal["surface"] = "surface"
    normal_consistency: Varying = 0.0  # faces that share an edge look the same way
    laplacian: Varying = 0.0  # vertices lie amid their neighbors
    edge_length: Varying = 0.0  # edges are short
    sign_changes: Varying = 0.0  # few edges of the grid cross the surface; of tetrahedra only
    eikonal: Varying = 0.0  # distances rise as distances do; of tetrahedra only
    exterior: Varying = 0.0  # on alpha around the object in the target, where that is white

    def __post_init__(self) -> None:
        for name in (*NAMES, "exterior"):
            check_range(name, getattr(self, name), 0)


def surface_regularization(
    settings: SurfaceRegularize, scene: Tetrahedra | Mesh, progress: float
) -> list[Float[Tensor, ""]]:
    """The weighted terms that the settings ask for, but `exterior`."""
    weights = {name: at(getattr(settings, name), progress) for name in NAMES}
    wanted = {name: weight for name, weight in weights.items() if weight}
    if not wanted:
        return []
    found = _of_tetrahedra(scene) if isinstance(scene, Tetrahedra) else _of_mesh(scene)
    return [weight * found[name]() for name, weight in wanted.items() if name in found]


def _of_tetrahedra(scene: Tetrahedra) -> dict[str, Callable[[], Tensor]]:
    vertices, faces, cut, closed = scene.surface()
    neighbors = face_neighbors(faces, len(vertices))
    return {
        "normal_consistency": lambda: normal_consistency(vertices, faces, neighbors),
        "laplacian": lambda: laplacian(vertices, faces),
        "edge_length": lambda: edge_length(vertices, faces),
        "sign_changes": lambda: sign_changes(closed, cut.ends),
        "eikonal": lambda: eikonal(closed, scene.points, scene.grid.cells, 2 * scene.grid.cube),
    }


def _of_mesh(scene: Mesh) -> dict[str, Callable[[], Tensor]]:
    vertices, faces = scene.vertices, scene.faces
    return {
        "normal_consistency": lambda: normal_consistency(vertices, faces, scene.neighbors),
        "laplacian": lambda: laplacian(vertices, faces),
        "edge_length": lambda: edge_length(vertices, faces),
    }


SPREAD = 1e-12  # world units squared, under roots and quotients


def normal_consistency(
    vertices: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
    neighbors: Int[Tensor, "faces 3"],
) -> Float[Tensor, ""]:
    """Mean of 1 - cos of the angle between faces that share an edge: 0 flat, 2 folded."""
    normals = F.normalize(face_normals(vertices, faces), dim=-1)
    face, corner = (neighbors >= 0).nonzero(as_tuple=True)
    if len(face) == 0:
        return vertices.sum() * 0
    other = neighbors[face, corner]
    return (1 - (normals[face] * normals[other]).sum(dim=-1)).mean()


def laplacian(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, ""]:
    """Mean squared distance (world units) of vertices to the mean of their neighbors.

    The uniform Laplacian: a neighbor counts once for each face that it shares with the vertex,
    which in a closed mesh is twice for all.
    """
    start, end = _directed(faces)
    total = torch.zeros_like(vertices).index_add(0, start, vertices[end])
    count = torch.zeros_like(vertices[:, 0]).index_add(
        0, start, torch.ones_like(end).to(vertices)
    )
    used = count > 0
    mean = total[used] / count[used][:, None]
    return (vertices[used] - mean).square().sum(dim=-1).sum() / max(1, int(used.sum()))


def edge_length(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, ""]:
    """Mean squared length of the faces' edges, world units squared."""
    start, end = _directed(faces)
    squares = (vertices[start] - vertices[end]).square().sum(dim=-1)
    return squares.sum() / max(1, len(squares))


def sign_changes(
    sdf: Float[Tensor, "points"], ends: Int[Tensor, "crossings 2"]
) -> Float[Tensor, ""]:
    """How strongly distances insist on the surface where it is: floaters inside dissolve.

    Munkberg et al. 2022 (nvdiffrec): over the grid's edges that the surface crosses, the cross
    entropy of each end's distance, as a logit, against the sign of the other end; the mean over
    them, 0 if there are none. `ends` are those of a `tetrahedra.Cut`: inside, outside.
    """
    if len(ends) == 0:
        return sdf.sum() * 0
    against = sdf.new_tensor([1.0, 0.0]).expand(len(ends), 2)
    return F.binary_cross_entropy_with_logits(sdf[ends], against, reduction="sum") / len(ends)


def eikonal(
    sdf: Float[Tensor, "points"],
    points: Float[Tensor, "points 3"],
    cells: Int[Tensor, "cells 4"],
    reach: float | None = None,
) -> Float[Tensor, ""]:
    """Mean of (|gradient| - 1)^2 over cells: the function rises as a distance does.

    The function is linear in a cell, so its gradient there is exact. `reach` leaves out cells
    with a corner further than that (world units) from the surface, by their own distances.
    """
    if reach is not None:
        cells = cells[(sdf.detach().abs()[cells] < reach).all(dim=1)]
    if len(cells) == 0:
        return sdf.sum() * 0
    corners, values = points[cells], sdf[cells]
    sides = corners[:, 1:] - corners[:, :1]
    rise = values[:, 1:] - values[:, :1]
    # Cramer's rule by cross products, which is far quicker than many small solves.
    a, b, c = sides.unbind(dim=1)
    across = torch.stack(
        [torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=1
    )
    volume = (a * across[:, 0]).sum(dim=-1)
    gradient = (rise[:, :, None] * across).sum(dim=1) / volume[:, None]
    length = (gradient.square().sum(dim=-1) + SPREAD).sqrt()
    return (length - 1).square().mean()


def _directed(faces: Int[Tensor, "faces 3"]) -> tuple[Tensor, Tensor]:
    """Both ways of every side of every face: start and end."""
    start, end = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    return torch.cat([start, end]), torch.cat([end, start])
