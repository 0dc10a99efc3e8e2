"""Pictures of triangle meshes under a light that stands still in the world.

This is the evaluators' renderer, on purpose another one than the prior's: that one marches
through distances under a light that hangs at the camera. All triangles of all views go through
a z-buffer at once; the test's loop over single triangles says what the answer is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render.triangles import covered, nearest
from splatsmith.toybox.geometry import ToyMesh

AMBIENT = 0.45  # share of the light that comes from everywhere


@dataclass(frozen=True, eq=False)
class Raster:
    """What cameras see of meshes."""

    color: Float[Tensor, "views height width 3"]  # the background already blended in
    alpha: Float[Tensor, "views height width 1"]
    depth: Float[Tensor, "views height width 1"]  # mean camera z of what is seen, 0 beside it


@dataclass(frozen=True, eq=False)
class Corners:
    """The triangles of all views in a row; x and y in samples, z in world units."""

    place: Float[Tensor, "triangles 3 3"]
    color: Float[Tensor, "triangles 3 3"]  # lit
    view: Int[Tensor, "triangles"]


def rasterize(
    meshes: Sequence[ToyMesh] | ToyMesh,
    cameras: Cameras,
    *,
    light: Float[Tensor, "views 3"] | Float[Tensor, "3"],
    ambient: Float[Tensor, "views"] | float = AMBIENT,
    background: Float[Tensor, "views 3"] | Float[Tensor, "3"] | float = 1.0,
    samples: int = 2,
) -> Raster:
    """Draw one mesh from all cameras, or as many meshes as cameras, each from its own.

    `light` points toward the light in the world (any length). A vertex shows its color times
    `ambient` + (1 - `ambient`) max(0, normal . light) (Lambert 1760), and colors run evenly
    over the triangles. A pixel is the mean of samples x samples places, 1 to 8 a side. Faces
    seen from behind are not drawn. Raises InputError if meshes and cameras do not pair up.
    """
    views = len(cameras)
    each = [meshes] * views if isinstance(meshes, ToyMesh) else list(meshes)
    if len(each) != views:
        raise InputError(f"{len(each)} meshes cannot be seen by {views} cameras: one each.")
    if not 1 <= samples <= 8:
        raise InputError(f"samples must lie in 1..8, got {samples}.")
    fine = cameras.resized(cameras.width * samples, cameras.height * samples)
    shares = torch.as_tensor(ambient).expand(views)
    corners = _corners(each, fine, light.expand(views, 3), shares)
    shown = nearest(
        covered(corners.place, corners.view, fine.width, fine.height),
        views * fine.height * fine.width,
    )
    share = shown.weight / shown.nearness[:, None]
    lit = (share[:, :, None] * corners.color[shown.triangle]).sum(1)
    values = torch.cat([lit, torch.ones_like(lit[:, :1]), 1 / shown.nearness[:, None]], dim=1)
    grid = values.new_zeros(views * fine.height * fine.width, 5)
    grid[shown.sample] = values
    shape = (views, cameras.height, samples, cameras.width, samples, 5)
    parts = grid.reshape(shape)
    places = [parts[:, :, i, :, j] for i in range(samples) for j in range(samples)]
    color, alpha, depth = (sum(places[1:], places[0]) / samples**2).split([3, 1, 1], dim=-1)
    ground = torch.as_tensor(background, dtype=color.dtype).expand(views, 3)[:, None, None]
    return Raster(color + (1 - alpha) * ground, alpha, depth / alpha.clamp(min=1e-9))


def _corners(
    meshes: list[ToyMesh],
    cameras: Cameras,
    light: Float[Tensor, "views 3"],
    ambient: Float[Tensor, "views"],
) -> Corners:
    """Project and light the vertices, and take those of each triangle together."""
    toward = torch.nn.functional.normalize(light, dim=-1)
    found = []
    for i, mesh in enumerate(meshes):
        rotation, move = cameras.viewmat[i, :3, :3], cameras.viewmat[i, :3, 3]
        local = mesh.vertices @ rotation.T + move
        screen = local @ cameras.K[i].T
        flat = torch.cat([screen[:, :2] / local[:, 2:], local[:, 2:]], dim=1)
        shade = ambient[i] + (1 - ambient[i]) * (mesh.normals @ toward[i]).clamp(min=0)
        both = torch.cat([flat, mesh.color * shade[:, None]], dim=1)
        found.append(both[mesh.faces])
    counts = torch.tensor([len(part) for part in found])
    place, color = torch.cat(found).split([3, 3], dim=-1)
    return Corners(place, color, torch.arange(len(meshes)).repeat_interleave(counts))
