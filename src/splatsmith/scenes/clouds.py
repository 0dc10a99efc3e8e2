"""Points with colors, and how a few of them become many.

What published text-to-3D systems begin with instead of a ball: a cloud that another model, a
scanner or a mesh has given.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splatsmith.errors import InputError

CHUNK = 1 << 22  # pairs of points that are looked at at once


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points, and what colors they have.

    Raises InputError for no points at all, values that are not finite, or other shapes.
    """

    points: Float[Tensor, "points 3"]  # world units
    colors: Float[Tensor, "points 3"] | None = None  # 0..1; None: unknown

    def __post_init__(self) -> None:
        if len(self.points) == 0:
            raise InputError("A point cloud needs at least one point, got none.")
        if self.colors is not None and self.colors.shape != self.points.shape:
            raise InputError(
                f"A cloud of {len(self.points)} points needs as many colors, "
                f"got {len(self.colors)}."
            )
        for values in (self.points, self.colors):
            if values is not None and not bool(torch.isfinite(values).all()):
                raise InputError("Points and colors must be finite.")

    def __len__(self) -> int:
        return len(self.points)

    def rows(self, which: Int[Tensor, "chosen"] | Bool[Tensor, "points"]) -> "Cloud":
        """Some of its points."""
        return Cloud(self.points[which], None if self.colors is None else self.colors[which])


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """GaussianDreamer's noisy point growing and color perturbation (Yi et al. 2023, 3.2).

    Points are tried evenly in the cloud's box. Those nearer than `reach` to a point of the
    cloud stay, in its color plus something drawn evenly from 0 to `color` for each channel.
    """

    trials: int = 100_000  # points that are tried, 1 to 10,000,000; the paper's code 1,000,000
    reach: float = 0.02  # world units; the paper's code 0.01 of an object of about radius 1
    color: float = 0.2  # 0 to 1

    def __post_init__(self) -> None:
        if not 1 <= self.trials <= 10_000_000:
            raise InputError(f"trials must lie in 1 to 10,000,000, got {self.trials}.")
        if not 0 < self.reach < math.inf or not 0 <= self.color <= 1:
            raise InputError(
                f"reach must be positive and color lie in 0 to 1, "
                f"got {self.reach} and {self.color}."
            )


@torch.no_grad()
def grown(cloud: Cloud, growth: Growth, generator: torch.Generator, most: int) -> Cloud:
    """The cloud, then the first of the tried points that stay: `most` points in all.

    A cloud that has so many already is not grown.
    """
    device = generator.device
    low, high = cloud.points.amin(dim=0), cloud.points.amax(dim=0)
    trial = torch.rand(growth.trials, 3, generator=generator, device=device).to(low)
    noise = torch.rand(growth.trials, 3, generator=generator, device=device).to(low)
    trial = low + trial * (high - low)
    near = _may_be_near(cloud.points, trial, growth.reach)
    trial, noise = trial[near], noise[near]
    distance, nearest = _nearest(cloud.points, trial)
    stay = (distance < growth.reach).nonzero()[:, 0][: max(0, most - len(cloud))]
    colors = None
    if cloud.colors is not None:
        fresh = (cloud.colors[nearest] + growth.color * noise).clamp(0, 1)
        colors = torch.cat([cloud.colors, fresh[stay]])
    return Cloud(torch.cat([cloud.points, trial[stay]]), colors)


@torch.no_grad()
def thinned(cloud: Cloud, most: int, generator: torch.Generator) -> Cloud:
    """At most `most` of the points, drawn without preference, in the order that they had."""
    if len(cloud) <= most:
        return cloud
    draw = torch.rand(len(cloud), generator=generator, device=generator.device)
    return cloud.rows(draw.argsort(stable=True)[:most].sort().values.to(cloud.points.device))


def _may_be_near(
    points: Float[Tensor, "points 3"], trial: Float[Tensor, "trials 3"], reach: float
) -> Bool[Tensor, "trials"]:
    """False where no point lies within `reach` for sure: by cells, which is quick."""
    low = points.amin(dim=0)
    # Of few cells: finer ones than the reach say no more, and very many take memory.
    side = max(reach, float((points.amax(dim=0) - low).max()) / 200, 1e-12)

    def cells(places: Tensor) -> Tensor:
        return ((places - low) / side).long() + 1

    size = [int(n) + 2 for n in cells(points).amax(dim=0)]
    marked = torch.zeros(1, 1, *size, device=points.device)
    x, y, z = cells(points).unbind(dim=1)
    marked[0, 0, x, y, z] = 1
    around = torch.nn.functional.max_pool3d(marked, 3, stride=1, padding=1)
    x, y, z = cells(trial).unbind(dim=1)
    return around[0, 0, x, y, z] > 0


def _nearest(
    points: Float[Tensor, "points 3"], places: Float[Tensor, "places 3"]
) -> tuple[Float[Tensor, "places"], Int[Tensor, "places"]]:
    """Distance of each place to the nearest point, and which that is."""
    found = [
        torch.cdist(part, points, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1)
        for part in places.split(max(1, CHUNK // len(points)))
    ]
    if not found:
        return places.new_zeros(0), torch.zeros(0, dtype=torch.long, device=places.device)
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])
