"""How much of a scene is where: a grid on which surfaces are looked for, and its densities."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.render import density as lattice_density
from splatsmith.render.density import SMALLEST, Lattice
from splatsmith.render.reference import rotation_matrices
from splatsmith.scenes.gaussians import Gaussians

THINNEST = 1e-9  # world units; standard deviation of a splat, so that one can be divided by it
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


def density(scene: Gaussians, grid: Grid) -> Float[Tensor, "x y z"]:
    """The sum of the splats at the points of a grid, float32 on the CPU; see `render.density`.

    A splat ends where it adds less than `render.density.SMALLEST`. (DreamGaussian, Tang et al.
    2024, sums the splats whose centers lie near a block instead, which cuts large ones off at
    the blocks' borders.)
    """
    return lattice_density.density(
        _cpu(scene.means),
        _cpu(scene.quats),
        _cpu(scene.scales).clamp(min=THINNEST),
        _cpu(scene.opacities),
        Lattice(grid.low, grid.high, grid.shape),
    )[0]


def occupied_box(scene: Gaussians) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """The box of all that splats add; InputError if all of them are transparent.

    A splat of opacity o ends at m = sqrt(2 ln(o / SMALLEST)) standard deviations; its box has
    m sqrt(Sigma_ii) a side.
    """
    opacities, means = _cpu(scene.opacities), _cpu(scene.means)
    there = opacities >= SMALLEST
    if not bool(there.any()):
        raise InputError(
            f"Every splat has an opacity below {SMALLEST:g} (the highest is "
            f"{float(opacities.max()):.2g}): there is nothing to make a mesh of."
        )
    axes = rotation_matrices(_cpu(scene.quats)) * _cpu(scene.scales)[:, None, :]
    ratio = (opacities / SMALLEST).clamp(min=1)
    reach = torch.sqrt(2 * torch.log(ratio))[:, None] * axes.square().sum(dim=2).sqrt()
    return (means - reach)[there].amin(dim=0), (means + reach)[there].amax(dim=0)


def _cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().to(device="cpu", dtype=torch.float32)
