"""Pictures of triangle meshes under a light that stands still in the world.

This is the evaluators' renderer, on purpose another one than the prior's: that one marches
through distances under a light that hangs at the camera. All triangles of all views go through
a z-buffer at once; the test's loop over single triangles says what the answer is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.toybox.geometry import ToyMesh

NEAREST = 0.05  # camera z in world units; triangles that reach below it are not drawn
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


@dataclass(frozen=True, eq=False)
class Fragments:
    """Samples that triangles cover, several for a sample if triangles overlap."""

    sample: Int[Tensor, "fragments"]  # place in [views, height, width] of samples
    triangle: Int[Tensor, "fragments"]
    weight: Float[Tensor, "fragments 3"]  # of the corners: barycentric over camera z
    nearness: Float[Tensor, "fragments"]  # 1 / camera z

    def __getitem__(
        self, index: Bool[Tensor, "fragments"] | Int[Tensor, "kept"]
    ) -> "Fragments":
        return Fragments(
            self.sample[index], self.triangle[index], self.weight[index], self.nearness[index]
        )


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
    shown = _nearest(_fragments(corners, fine), views * fine.height * fine.width)
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


def _fragments(corners: Corners, cameras: Cameras) -> Fragments:
    """Every sample that a triangle covers: its center lies inside, edges included."""
    x, y, z = corners.place.unbind(-1)
    size = x.new_tensor([cameras.width, cameras.height])
    flat = corners.place[:, :, :2]
    low = (flat.amin(1) - 0.5).ceil().clamp(min=0)
    high = torch.minimum((flat.amax(1) - 0.5).floor(), size - 1)
    span = (high - low + 1).clamp(min=0).long()
    doubled = _cross(x, y)  # Twice the area: negative from the front, because y points down.
    drawn = (doubled < 0) & (z.amin(1) > NEAREST) & (span.prod(1) > 0)
    kept = drawn.nonzero()[:, 0]
    span, low, x, y, z = span[kept], low[kept].long(), x[kept], y[kept], z[kept]
    counts = span.prod(1)
    of = torch.arange(len(kept)).repeat_interleave(counts)
    inside = torch.arange(len(of)) - (counts.cumsum(0) - counts)[of]
    width = span[of, 0]
    row = torch.div(inside, width, rounding_mode="floor")
    column = low[of, 0] + inside - row * width
    row = low[of, 1] + row
    share = _shares(x, y, of, column + 0.5, row + 0.5) / doubled[kept][of, None]
    weight = share / z[of]
    sample = (corners.view[kept][of] * cameras.height + row) * cameras.width + column
    return Fragments(sample, kept[of], weight, weight.sum(1))[(share >= 0).all(1)]


def _cross(x: Float[Tensor, "triangles 3"], y: Float[Tensor, "triangles 3"]) -> Tensor:
    return (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])


def _shares(x: Tensor, y: Tensor, of: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """Barycentric coordinates times twice the area: each is an edge function."""
    next_, last = [1, 2, 0], [2, 0, 1]
    across, down = x[:, last] - x[:, next_], y[:, last] - y[:, next_]
    constant = x[:, next_] * down - y[:, next_] * across
    edges = torch.stack([across, -down, constant], dim=-1)[of]
    return edges[..., 0] * row[:, None] + edges[..., 1] * column[:, None] + edges[..., 2]


def _nearest(found: Fragments, count: int) -> Fragments:
    """The nearest fragment of each sample that has any; the first of equally near ones."""
    best = found.nearness.new_zeros(count)
    best.scatter_reduce_(0, found.sample, found.nearness, "amax")
    found = found[found.nearness == best[found.sample]]
    order = torch.arange(len(found.sample))
    first = torch.full((count,), len(order)).scatter_reduce_(0, found.sample, order, "amin")
    return found[order == first[found.sample]]
