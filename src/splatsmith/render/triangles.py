"""Triangles onto samples: which sample lies in which triangle, and which of them is nearest.

All triangles of all views at once, without a loop: every triangle asks all samples of its box.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NEAREST = 0.05  # camera z in world units; triangles that reach below it are not drawn


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


def covered(
    place: Float[Tensor, "triangles 3 3"],
    view: Int[Tensor, "triangles"],
    width: int,
    height: int,
    *,
    both_sides: bool = False,
) -> Fragments:
    """Every sample that a triangle covers: its center lies inside, edges included.

    `place` holds x and y in samples and camera z in world units. Faces seen from behind are
    left out unless `both_sides`.
    """
    x, y, z = place.unbind(-1)
    size = x.new_tensor([width, height])
    flat = place[:, :, :2]
    low = (flat.amin(1) - 0.5).ceil().clamp(min=0)
    high = torch.minimum((flat.amax(1) - 0.5).floor(), size - 1)
    span = (high - low + 1).clamp(min=0).long()
    doubled = _cross(x, y)  # Twice the area: negative from the front, because y points down.
    faced = doubled != 0 if both_sides else doubled < 0
    kept = (faced & (z.amin(1) > NEAREST) & (span.prod(1) > 0)).nonzero()[:, 0]
    span, low, x, y, z = span[kept], low[kept].long(), x[kept], y[kept], z[kept]
    counts = span.prod(1)
    of = torch.arange(len(kept)).repeat_interleave(counts)
    inside = torch.arange(len(of)) - (counts.cumsum(0) - counts)[of]
    across = span[of, 0]
    row = torch.div(inside, across, rounding_mode="floor")
    column = low[of, 0] + inside - row * across
    row = low[of, 1] + row
    share = _shares(x, y, of, column + 0.5, row + 0.5) / doubled[kept][of, None]
    weight = share / z[of]
    sample = (view[kept][of] * height + row) * width + column
    return Fragments(sample, kept[of], weight, weight.sum(1))[(share >= 0).all(1)]


def nearest(found: Fragments, count: int) -> Fragments:
    """The nearest fragment of each sample that has any; the first of equally near ones."""
    best = found.nearness.new_zeros(count)
    best.scatter_reduce_(0, found.sample, found.nearness, "amax")
    found = found[found.nearness == best[found.sample]]
    order = torch.arange(len(found.sample))
    first = torch.full((count,), len(order)).scatter_reduce_(0, found.sample, order, "amin")
    return found[order == first[found.sample]]


def _cross(x: Float[Tensor, "triangles 3"], y: Float[Tensor, "triangles 3"]) -> Tensor:
    return (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])


def _shares(x: Tensor, y: Tensor, of: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """Barycentric coordinates times twice the area: each is an edge function."""
    next_, last = [1, 2, 0], [2, 0, 1]
    across, down = x[:, last] - x[:, next_], y[:, last] - y[:, next_]
    constant = x[:, next_] * down - y[:, next_] * across
    edges = torch.stack([across, -down, constant], dim=-1)[of]
    return edges[..., 0] * row[:, None] + edges[..., 1] * column[:, None] + edges[..., 2]
