"""What a scene's Gaussians weigh and where: floaters, pieces, needles, color by direction.

The mass of a splat is its opacity times the mean area of its three axis-aligned shadows, which
is how much of a picture it can cover.
"""

import itertools
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.render.harmonics import color_from
from splatsmith.render.reference import rotation_matrices
from splatsmith.scenes.gaussians import Gaussians

CELLS = 64  # a side of the occupancy grid
EDGE = 1.2  # the grid spans -EDGE to EDGE, world units; what lies beyond counts at its rim
SOLID = 0.1  # opacity from which a splat occupies space
EXTENT = 1.5  # standard deviations within which it does
NEEDLE = 20.0  # longest to second axis: a disc, thin along one axis, is no needle
# Places on a splat that occupy their cells, in standard deviations along its axes; the center
# comes first.
LATTICE = tuple(itertools.product((0.0, -EXTENT, -EXTENT / 2, EXTENT / 2, EXTENT), repeat=3))


@dataclass(frozen=True)
class Pieces:
    """How much of a scene hangs together."""

    floating: float  # share of the mass outside the heaviest piece, 0..1
    count: int  # pieces of occupied space that do not touch, not even at a corner


@torch.no_grad()
def pieces(scene: Gaussians) -> Pieces:
    """Split the scene's space into connected pieces of a 64^3 grid.

    Splats of opacity 0.1 and more occupy the cells within 1.5 standard deviations. Fainter
    ones occupy nothing, but their mass floats unless they lie within the heaviest piece.
    """
    mass = masses(scene).double()
    solid = scene.opacities >= SOLID
    if not bool(solid.any()):
        return Pieces(1.0, 0)
    stamps = _cells_of(_stamps(scene, solid))
    cells, place = stamps.reshape(-1).unique(return_inverse=True)
    place = place.reshape(stamps.shape)
    # A splat is one piece, even one so wide that its stamps leave cells between them empty.
    center = place[:, :1].expand_as(place)
    label = connected(cells, (center.reshape(-1), place.reshape(-1)))
    of_cell = torch.full((CELLS**3,), -1, dtype=torch.long)
    of_cell[cells] = label
    mine = of_cell[_cells_of(scene.means)]
    inside = mine >= 0
    weight = mass.new_zeros(int(label.max()) + 1).index_add_(0, mine[inside], mass[inside])
    return Pieces(max(0.0, float(1 - weight.max() / mass.sum())), len(weight))


@torch.no_grad()
def masses(scene: Gaussians) -> Float[Tensor, "splats"]:
    """Opacity times mean shadow area (without pi), world units squared."""
    a, b, c = scene.scales.unbind(-1)
    return scene.opacities * (a * b + b * c + c * a) / 3


def connected(
    cells: Int[Tensor, "cells"], links: tuple[Int[Tensor, "links"], Int[Tensor, "links"]]
) -> Int[Tensor, "cells"]:
    """The number of the piece of each occupied cell, 0 to pieces - 1.

    Cells that share a face, an edge or a corner belong together, and so do those that `links`
    (pairs of places in `cells`) name. Every cell takes the least
    number among its neighbors', then the number that this one has taken, and so on: lengths
    double, so that a few rounds are enough.
    """
    first, second = (torch.cat(pair) for pair in zip(_neighbors(cells), links, strict=True))
    label = torch.arange(len(cells))
    while True:
        least = torch.minimum(label[first], label[second])
        lower = label.clone()
        for ends in (first, second):
            lower.scatter_reduce_(0, ends, least, "amin")
            # The representative, too: so that whole trees are hung below each other.
            lower.scatter_reduce_(0, label[ends], least, "amin")
        lower = lower[lower]
        if bool((lower == label).all()):
            return label.unique(return_inverse=True)[1]
        label = lower


@torch.no_grad()
def needle_share(scene: Gaussians) -> float:
    """Share of the splats of opacity over 0.1 that are over 20 times as long as wide."""
    solid = scene.opacities > SOLID
    if not bool(solid.any()):
        return 0.0
    axes = scene.scales[solid].sort(dim=1, descending=True).values
    return float((axes[:, 0] > NEEDLE * axes[:, 1]).float().mean())


@torch.no_grad()
def view_dependence(scene: Gaussians, cameras: Cameras) -> float:
    """Standard deviation of a splat's color over cameras, mean over channels and mass, 0..1.

    0 for scenes whose color does not depend on the direction (harmonics of degree 0).
    """
    if scene.sh_degree == 0:
        return 0.0
    looks = [color_from(scene.sh, scene.means - eye).clamp(0, 1) for eye in cameras.position]
    spread = torch.stack(looks).std(dim=0, unbiased=False).mean(dim=1)
    mass = masses(scene)
    return float((spread * mass).sum() / mass.sum())


def _stamps(
    scene: Gaussians, which: Bool[Tensor, "splats"]
) -> Float[Tensor, "chosen stamps 3"]:
    """Points within the extent of the chosen splats, the center first."""
    lattice = scene.means.new_tensor(LATTICE)
    lattice = lattice[lattice.norm(dim=1) <= EXTENT + 1e-6]
    local = lattice[None] * scene.scales[which, None]
    rotation = rotation_matrices(scene.quats[which])
    return scene.means[which, None] + local @ rotation.transpose(1, 2)


def _cells_of(points: Float[Tensor, "*points 3"]) -> Int[Tensor, "*points"]:
    place = ((points + EDGE) / (2 * EDGE) * CELLS).floor().clamp(0, CELLS - 1).long()
    return (place[..., 0] * CELLS + place[..., 1]) * CELLS + place[..., 2]


def _neighbors(cells: Int[Tensor, "cells"]) -> tuple[Tensor, Tensor]:
    """Pairs of places in `cells` whose cells touch, each once."""
    number = torch.full((CELLS**3,), -1, dtype=torch.long)
    number[cells] = torch.arange(len(cells))
    x, y, z = cells // CELLS**2, cells // CELLS % CELLS, cells % CELLS
    pairs = []
    for i, j, k in itertools.product((-1, 0, 1), repeat=3):
        if (i, j, k) <= (0, 0, 0):
            continue  # The opposite direction finds the same pairs.
        there = torch.stack([x + i, y + j, z + k])
        inside = ((there >= 0) & (there < CELLS)).all(dim=0)
        cell = (there[0] * CELLS + there[1]) * CELLS + there[2]
        other = torch.where(inside, number[torch.where(inside, cell, 0)], -1)
        mine = (other >= 0).nonzero()[:, 0]
        pairs.append((mine, other[mine]))
    return torch.cat([p[0] for p in pairs]), torch.cat([p[1] for p in pairs])
