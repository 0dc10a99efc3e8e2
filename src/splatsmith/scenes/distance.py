"""Signed distance of a closed mesh on a regular grid of points, near its surface.

Which side a point is on is counted exactly: along each line of points in z, every triangle that
the line meets adds its turn (+1 upward, -1 downward), so parts of a mesh may overlap. Distances
are exact within a band about the surface and cut off beyond it.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.render.density import Lattice

CHUNK = 1_000_000  # pairs of triangle and grid point that are looked at at once
# Lines of points are moved by these shares of a cell, so that none meets an edge of a mesh that
# was built on the same grid.
ASIDE = (1.3e-4, 2.9e-4)


@torch.no_grad()
def signed_distance(
    vertices: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
    lattice: Lattice,
    band: float,
) -> Float[Tensor, "x y z"]:
    """Distance to the surface, negative inside, cut off at `band` (world units).

    The mesh must be closed, its faces counter-clockwise seen from outside. Raises InputError if
    it is not closed, or a band is asked for that is not positive.
    """
    if not band > 0:
        raise InputError(f"The band of distances must be positive, got {band}.")
    check_closed(faces)
    inside = _turns(vertices.double(), faces, lattice) > 0
    distance = _unsigned(vertices, faces, lattice, band)
    return torch.where(inside, -distance, distance)


def check_closed(faces: Int[Tensor, "faces 3"]) -> None:
    """Raise InputError unless each edge is walked as often one way as the other."""
    ends = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    way = torch.where(ends[:, 0] < ends[:, 1], 1, -1)
    _, place = ends.sort(dim=1).values.unique(dim=0, return_inverse=True)
    total = torch.zeros(int(place.max()) + 1 if len(place) else 0, dtype=torch.long)
    total = total.to(faces.device).index_add(0, place, way)
    if bool((total != 0).any()) or len(faces) == 0:
        raise InputError(
            f"The mesh is not closed: {int((total != 0).sum())} edges of {len(total)} have a "
            "face on one side only; close it, or make it from a density."
        )


def _turns(vertices: Tensor, faces: Tensor, lattice: Lattice) -> Int[Tensor, "x y z"]:
    """How often the surface winds about each point."""
    size, spacing = lattice.size, vertices.new_tensor(lattice.spacing)
    aside = vertices.new_tensor([*ASIDE, 0.0])
    scaled = (vertices - vertices.new_tensor(lattice.low)) / spacing - aside
    total = torch.zeros(size[0], size[1], size[2] + 1, dtype=torch.long, device=faces.device)
    flat = scaled[faces]
    low = flat[..., :2].amin(dim=1).ceil()
    high = flat[..., :2].amax(dim=1).floor()
    for face, place in _boxes(low, high, size[:2]):
        corners = flat[face]
        x, y = corners[..., 0] - place[:, :1], corners[..., 1] - place[:, 1:]
        edges = x[:, [1, 2, 0]] * y[:, [2, 0, 1]] - x[:, [2, 0, 1]] * y[:, [1, 2, 0]]
        turn = edges.sum(dim=1)
        share = edges / turn[:, None]
        z = (share * corners[..., 2]).sum(dim=1)
        hit = (share >= 0).all(dim=1)
        # The points below the meeting have this face above them.
        below = z[hit].ceil().clamp(0, size[2]).long()
        place, way = place[hit].long(), torch.where(turn[hit] > 0, 1, -1)
        index = (place[:, 0], place[:, 1], below)
        total.index_put_(index, way, accumulate=True)
    return total.flip(2).cumsum(dim=2).flip(2)[:, :, 1:]


def _unsigned(
    vertices: Tensor, faces: Tensor, lattice: Lattice, band: float
) -> Float[Tensor, "x y z"]:
    """Distance to the nearest triangle, at most `band`."""
    size, spacing = lattice.size, vertices.new_tensor(lattice.spacing)
    start = vertices.new_tensor(lattice.low)
    corners = vertices[faces]
    low = ((corners.amin(dim=1) - band - start) / spacing).ceil()
    high = ((corners.amax(dim=1) + band - start) / spacing).floor()
    nearest = vertices.new_full((size[0] * size[1] * size[2],), band)
    for face, place in _boxes(low, high, size):
        point = place * spacing + start
        distance = triangle_distance(point, corners[face])
        index = place.long()
        number = (index[:, 0] * size[1] + index[:, 1]) * size[2] + index[:, 2]
        nearest.scatter_reduce_(0, number, distance, "amin")
    return nearest.reshape(size)


def triangle_distance(
    points: Float[Tensor, "points 3"], triangles: Float[Tensor, "points 3 3"]
) -> Float[Tensor, "points"]:
    """Distance of each point to its own triangle."""
    a, b, c = triangles.unbind(dim=1)
    normal = torch.linalg.cross(b - a, c - a)
    length = normal.norm(dim=-1)
    over = torch.ones_like(length, dtype=torch.bool)
    distance = torch.full_like(length, torch.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        along, to = end - start, points - start
        share = (to * along).sum(-1) / along.square().sum(-1).clamp_min(1e-30)
        nearest = to - share.clamp(0, 1)[:, None] * along
        distance = torch.minimum(distance, nearest.norm(dim=-1))
        over &= (torch.linalg.cross(along, to) * normal).sum(-1) >= 0
    height = ((points - a) * normal).sum(-1).abs() / length.clamp_min(1e-30)
    return torch.where(over & (length > 0), height, distance)


def _boxes(
    low: Tensor, high: Tensor, size: tuple[int, ...]
) -> Iterator[tuple[Int[Tensor, "pairs"], Tensor]]:
    """Pairs of a box and a grid point in it, in chunks: the box's number, the point's place."""
    low = low.clamp_min(0)
    high = torch.minimum(high, low.new_tensor(size) - 1)
    spans = (high - low + 1).clamp_min(0).long()
    counts = spans.prod(dim=1)
    totals = counts.cumsum(0)
    start = 0
    while start < len(counts):
        base = int(totals[start - 1]) if start else 0
        stop = max(start + 1, int(torch.searchsorted(totals, base + CHUNK, right=True)))
        box = torch.arange(start, stop, device=low.device).repeat_interleave(counts[start:stop])
        rest = torch.arange(len(box), device=low.device) - (totals - counts - base)[box]
        places = []
        for axis in reversed(range(spans.shape[1])):
            places.append(low[box, axis] + rest % spans[box, axis])
            rest = torch.div(rest, spans[box, axis], rounding_mode="floor")
        yield box, torch.stack(places[::-1], dim=1)
        start = stop
