"""Grids of features around a point: multiresolution hash grids, and dense grids as their case.

A level is a lattice over the cube from -radius to radius. The two features of a level at a
point are blended from the eight corners of its cell (Mueller et al. 2022, Instant NGP, section
3). Where a level has more corners than rows in the table, corners share rows by a hash. Levels
may have the same resolution: that is how a dense voxel grid of more than two values is kept.

`encode_reference` is the plain twin that defines the answer; `fields_native` is the fast way.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

PRIMES = (1, 2654435761, 805459861)  # Mueller et al. 2022, equation 4
PER_LEVEL = 2  # features


@dataclass(frozen=True, slots=True)
class Level:
    """One lattice: cells a side, its rows in the table, and whether corners share them."""

    resolution: int
    first: int
    rows: int
    hashed: bool


@dataclass(frozen=True, slots=True)
class Lattice:
    """All levels, coarse to fine, whose rows follow each other in one table."""

    levels: tuple[Level, ...]

    @staticmethod
    def of(resolutions: Sequence[int], most_rows: int | None = None) -> "Lattice":
        """Levels of these resolutions; none has more than `most_rows` rows, a power of two."""
        levels, first = [], 0
        for resolution in resolutions:
            rows = (resolution + 1) ** 3
            hashed = most_rows is not None and rows > most_rows
            rows = most_rows if most_rows is not None and hashed else rows
            levels.append(Level(resolution, first, rows, hashed))
            first += rows
        return Lattice(tuple(levels))

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return sum(level.rows for level in self.levels)

    @property
    def features(self) -> int:
        """How many features a point gets."""
        return PER_LEVEL * len(self.levels)


def geometric(base: int, top: int, levels: int) -> list[int]:
    """Resolutions that grow by a constant factor from `base` to `top`, both included."""
    growth = (top / base) ** (1 / max(1, levels - 1))
    return [int(base * growth**level + 1e-6) for level in range(levels)]


def encode_reference(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "rows 2"],
    lattice: Lattice,
    radius: float,
    active: int,
) -> Float[Tensor, "points features"]:
    """Features at points (world units), two for each level; those from `active` on are zero.

    A point outside the cube gets the features of the cube's nearest point.
    """
    units = (points * (0.5 / radius) + 0.5).clamp(0, 1)
    features = [
        _level(units, table, level) if index < active else units.new_zeros(len(units), 2)
        for index, level in enumerate(lattice.levels)
    ]
    return torch.cat(features, dim=-1)


def _level(
    units: Float[Tensor, "points 3"], table: Float[Tensor, "rows 2"], level: Level
) -> Float[Tensor, "points 2"]:
    place = units * level.resolution
    cell = place.detach().long().clamp_max(level.resolution - 1)
    inner = place - cell
    total = units.new_zeros(len(units), 2)
    for corner in itertools.product((0, 1), repeat=3):
        offset = torch.tensor(corner, device=units.device)
        weight = torch.where(offset == 1, inner, 1 - inner).prod(dim=-1, keepdim=True)
        total = total + weight * table[_row(cell + offset, level)]
    return total


def _row(corner: Int[Tensor, "points 3"], level: Level) -> Int[Tensor, "points"]:
    x, y, z = corner.unbind(-1)
    if level.hashed:
        mixed = (x * PRIMES[0]) ^ (y * PRIMES[1]) ^ (z * PRIMES[2])
        return level.first + mixed % level.rows
    side = level.resolution + 1
    return level.first + x + side * (y + side * z)
