"""Which cells of a field may hold something, so that rays need not ask in the rest.

As in Mueller et al. 2022, appendix C: an old estimate fades, a new density at a random place of
each cell raises it. A cell counts as occupied if it or a neighbor is over the threshold; that
is a density so low that all of a ray through it would still be transparent.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

CHUNK = 65536  # points asked for at once
MOST = 1e6  # estimates are cut here, so that what is kept is finite

Grid = Float[Tensor, "cells cells cells"]


def random_places(
    cells: int, radius: float, generator: torch.Generator, like: Tensor
) -> Float[Tensor, "places 3"]:
    """A random place in each cell of the cube from -radius to radius, x slowest."""
    draw = torch.rand(cells**3, 3, generator=generator, device=generator.device).to(like)
    index = torch.arange(cells, device=like.device)
    corner = torch.cartesian_prod(index, index, index)
    return ((corner + draw) * (2 / cells) - 1) * radius


@torch.no_grad()
def updated(
    old: Grid | None,
    density: Callable[[Tensor], Tensor],
    places: Float[Tensor, "places 3"],
    cells: int,
    fade: float,
) -> Grid:
    """The estimates after a look at one place of each cell; `old` is None at the first look."""
    found = torch.cat([density(part) for part in places.split(CHUNK)])
    found = torch.nan_to_num(found, nan=0.0, posinf=MOST).clamp_max(MOST)
    found = found.reshape(cells, cells, cells)
    return found if old is None else torch.maximum(old * fade, found)


def occupied(estimates: Grid, threshold: float) -> Bool[Tensor, "cells cells cells"]:
    """Cells over the threshold (density) and their neighbors; all cells if none is over it.

    What is empty everywhere could not come back otherwise.
    """
    widest = F.max_pool3d(estimates[None, None], 3, stride=1, padding=1)[0, 0]
    found = widest > threshold
    return found if bool(found.any()) else torch.ones_like(found)
