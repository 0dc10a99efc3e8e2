"""Media whose pictures are known, for the tests of the volume renderer."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Medium:
    """A density and a color given as functions of points."""

    absorb: Callable[[Tensor], Tensor]
    paint: Callable[[Tensor], Tensor] = lambda p: torch.full_like(p, 0.25)
    radius: float = 1.0
    samples: int = 256
    cells: Tensor | None = None
    asked: int = 0

    def occupied(self) -> Tensor:
        whole = torch.ones(8, 8, 8, dtype=torch.bool)
        return whole if self.cells is None else self.cells

    def density(self, points: Tensor) -> Tensor:
        return self.absorb(points)

    def matter(self, points: Tensor) -> tuple[Tensor, Tensor]:
        self.asked += len(points)
        return self.absorb(points), self.paint(points)

    def normals(self, points: Tensor) -> Tensor:
        return torch.nn.functional.normalize(points, dim=-1)


def ball(density: float, radius: float) -> Callable[[Tensor], Tensor]:
    return lambda p: torch.where(p.norm(dim=-1) < radius, density, 0.0)


def slab(density: float, half: float) -> Callable[[Tensor], Tensor]:
    """Between the planes x = -half and x = half."""
    return lambda p: torch.where(p[:, 0].abs() < half, density, 0.0)


def cloud(points: Tensor) -> Tensor:
    """A smooth medium without any symmetry."""
    x, y, z = points.unbind(-1)
    return 3 * torch.exp(-4 * points.square().sum(-1)) * (1.5 + torch.sin(5 * x + 2 * y - z))


def stripes(points: Tensor) -> Tensor:
    return 0.5 + 0.5 * torch.sin(
        points @ torch.tensor([[3.0, 1, 0], [0, 4, 1], [1, 0, 5]]).to(points)
    )
