"""The plain twin of the volume renderer's kernels, which defines the answer: torch alone.

A ray is cut into steps of one length, and each step has one sample, at a place in it that is
drawn once for the ray (stratified; the middle where nothing is drawn). Steps whose sample lies
in an empty cell are left out. The rest absorbs and adds up as in Max 1995 (Optical models for
direct volume rendering), equation 9.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splatsmith.render.samples import Rays, Samples

STOP = 1e-4  # where no more of a ray is left, it has ended: later samples do not count


class Sums(NamedTuple):
    """A weight for each sample; for each ray the sums of weights, and of weights times what."""

    weights: Float[Tensor, "samples"]
    alpha: Float[Tensor, "rays"]
    distance: Float[Tensor, "rays"]
    totals: Float[Tensor, "rays width"]


def march(
    rays: Rays,
    jitter: Float[Tensor, "rays"],
    occupied: Bool[Tensor, "cells cells cells"],
    radius: float,
    step: float,
) -> Samples:
    """The samples of all rays; `jitter` (0 to 1) says where in its step each sample lies.

    `occupied` is indexed x, y, z and fills the cube from -radius to radius.
    """
    cells = occupied.shape[0]
    steps = torch.arange(slots(radius, step), device=jitter.device)
    distances = rays.near[:, None] + (steps + jitter[:, None]) * step
    points = rays.origins[:, None] + distances[..., None] * rays.directions[:, None]
    cell = (points * (0.5 * cells / radius) + 0.5 * cells).clamp(0, cells - 1).long()
    kept = (distances < rays.far[:, None]) & occupied[cell.unbind(-1)]
    ray, _ = kept.nonzero(as_tuple=True)
    return Samples(
        rays=ray,
        starts=starts_of(kept.sum(dim=-1)),
        distances=distances[kept],
        points=points[kept],
        directions=rays.directions,
        step=step,
        extent=2 * radius,
    )


def composite(
    samples: Samples,
    density: Float[Tensor, "samples"],
    values: Float[Tensor, "samples width"],
) -> Sums:
    """Weights and sums of samples whose density (0 or more) is per world unit."""
    rays, starts = len(samples.directions), samples.starts
    place = torch.arange(len(density), device=density.device) - starts[samples.rays]
    longest = int((starts[1:] - starts[:-1]).max()) if rays else 0
    depth = density.new_zeros(rays, longest).index_put(
        (samples.rays, place), density * samples.step
    )
    before = torch.cumsum(torch.nn.functional.pad(depth, (1, 0)), dim=-1)[:, :-1]
    left = torch.exp(-before)
    dense = torch.where(left > STOP, -torch.expm1(-depth) * left, 0.0)
    weights = dense[samples.rays, place]
    zero = values.new_zeros(rays, values.shape[1])
    return Sums(
        weights=weights,
        alpha=dense.sum(dim=-1),
        distance=zero.new_zeros(rays).index_add(0, samples.rays, weights * samples.distances),
        totals=zero.index_add(0, samples.rays, weights[:, None] * values),
    )


def slots(radius: float, step: float) -> int:
    """How many steps the longest way through the ball can have."""
    return int(2 * radius / step + 1e-3) + 1


def starts_of(counts: Tensor) -> Tensor:
    """Where each ray's samples begin, and where the last one's end."""
    return torch.nn.functional.pad(torch.cumsum(counts, dim=0), (1, 0))
