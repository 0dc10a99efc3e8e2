"""How much of a scene is where: the sum of its Gaussians on a grid.

Each splat adds opacity x exp(-m^2 / 2), m being the distance in its own standard deviations,
and nothing at all where that is below `FLOOR`: the cut-off belongs to the splat and not to the
way of computing, so that any block size, and any faster kernel, gives the same numbers.
(DreamGaussian, Tang et al. 2024, sums the splats whose centers lie near a block instead, which
cuts large splats off at the blocks' borders.)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.render.reference import rotation_matrices
from splatsmith.scenes.gaussians import Gaussians

FLOOR = 1e-3  # a splat ends where it adds less than this
BLOCK = 12  # grid points a side that are computed at once
TOGETHER = 256  # splats that are computed at once
LARGEST = 512  # points a side


@dataclass(frozen=True)
class Grid:
    """Points at `low` + `cell` (i, j, k), world units; InputError if it is too large."""

    low: tuple[float, float, float]
    cell: float
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        if not (self.cell > 0 and all(2 <= n <= LARGEST for n in self.shape)):
            raise InputError(
                f"A grid must have 2 to {LARGEST} points a side and a positive cell, got "
                f"{self.shape} and {self.cell:g}."
            )

    @property
    def high(self) -> tuple[float, float, float]:
        """The last point."""
        x, y, z = (
            low + self.cell * (n - 1) for low, n in zip(self.low, self.shape, strict=True)
        )
        return (x, y, z)

    def axis(self, number: int) -> Float[Tensor, "points"]:
        """Coordinates of the points along one axis."""
        return self.low[number] + self.cell * torch.arange(self.shape[number])


def grid_between(
    low: Float[Tensor, "3"], high: Float[Tensor, "3"], cells: int, *, margin: int = 2
) -> Grid:
    """Points to `margin` cells beyond a box whose longest side is `cells` cells long."""
    cell = float((high - low).amax()) / cells
    counts = [math.ceil(side / cell) + 1 + 2 * margin for side in (high - low).tolist()]
    x, y, z = (low - margin * cell).tolist()
    return Grid((x, y, z), cell, (counts[0], counts[1], counts[2]))


@torch.no_grad()
def density(scene: Gaussians, grid: Grid) -> Float[Tensor, "x y z"]:
    """The sum of the splats at the points of a grid, float32 on the CPU."""
    found = torch.zeros(grid.shape)
    whiten, reach, means = _ellipsoids(scene)
    tallest = torch.log(_cpu(scene.opacities).clamp(min=1e-30))
    for block in _blocks(grid.shape):
        axes = [grid.axis(i)[part] for i, part in enumerate(block)]
        low, high = (torch.stack([axis[end] for axis in axes]) for end in (0, -1))
        near = ((means + reach >= low) & (means - reach <= high)).all(dim=1)
        near &= tallest >= math.log(FLOOR)
        center = (low + high) / 2
        points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
        total = torch.zeros(len(points))
        for some in near.nonzero()[:, 0].split(TOGETHER):
            turn = whiten[some]
            start = torch.einsum("sij,sj->si", turn, center - means[some])
            away = (points - center) @ turn.reshape(-1, 3).T + start.reshape(-1)
            power = tallest[some] - 0.5 * away.reshape(len(points), -1, 3).square().sum(-1)
            total += torch.exp(power).mul_(power >= math.log(FLOOR)).sum(dim=1)
        found[block] = total.reshape([len(axis) for axis in axes])
    return found


def occupied_box(scene: Gaussians) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """The box of all that splats add; InputError if all of them are transparent."""
    _, reach, means = _ellipsoids(scene)
    opacities = _cpu(scene.opacities)
    there = opacities >= FLOOR
    if not bool(there.any()):
        raise InputError(
            f"Every splat has an opacity below {FLOOR:g} (the highest is "
            f"{float(opacities.max()):.2g}): there is nothing to make a mesh of."
        )
    return (means - reach)[there].amin(dim=0), (means + reach)[there].amax(dim=0)


def _ellipsoids(scene: Gaussians) -> tuple[Tensor, Tensor, Tensor]:
    """What takes world offsets to standard deviations, the half sizes of boxes, the centers.

    A splat of opacity o ends at m = sqrt(2 ln(o / FLOOR)); its box has m sqrt(Sigma_ii) a side.
    """
    scales = _cpu(scene.scales).clamp(min=1e-9)
    turn = rotation_matrices(_cpu(scene.quats))
    whiten = turn.transpose(1, 2) / scales[:, :, None]
    ratio = (_cpu(scene.opacities) / FLOOR).clamp(min=1)
    spread = ((turn * scales[:, None, :]) ** 2).sum(dim=2).sqrt()
    return whiten, torch.sqrt(2 * torch.log(ratio))[:, None] * spread, _cpu(scene.means)


def _cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().to(device="cpu", dtype=torch.float32)


def _blocks(shape: tuple[int, int, int]) -> Iterator[tuple[slice, slice, slice]]:
    starts = [range(0, count, BLOCK) for count in shape]
    for x in starts[0]:
        for y in starts[1]:
            for z in starts[2]:
                yield (slice(x, x + BLOCK), slice(y, y + BLOCK), slice(z, z + BLOCK))
