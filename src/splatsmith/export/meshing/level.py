"""At which density the surface lies.

The rule: the level whose outline fits the splats' own outline best. From `VIEWS` directions,
the outline of everything denser than L is the set of pixels whose ray meets a density of L or
more somewhere; the splats' outline is where their picture's alpha is at least one half. One
walk along the rays gives the highest density on each, and with it the outlines of all levels
at once; L is the one with the largest overlap (intersection over union, all views together).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.export.meshing.density import Grid
from splatsmith.export.meshing.views import Views, rays

VIEWS, SIZE = 12, 64  # pictures, pixels a side
OPAQUE = 0.5  # alpha


def fitting_level(
    values: Float[Tensor, "x y z"], grid: Grid, views: Views
) -> tuple[float, float]:
    """The level by the rule above, and the overlap of the outlines there (0..1).

    Raises InputError if the splats are nowhere opaque: no outline is there to be fitted.
    """
    inside = views.alpha[..., 0] >= OPAQUE
    if not bool(inside.any()):
        raise InputError(
            f"The splats are nowhere opaque: the highest alpha from {len(inside)} views is "
            f"{float(views.alpha.max()):.2f}, and their outline is where it is {OPAQUE:g}. "
            f"Give a level below {float(values.max()):.3g}, the highest density."
        )
    return best_cut(highest_on_rays(values, grid, views), inside)


def best_cut(
    values: Float[Tensor, "views height width"], inside: Bool[Tensor, "views height width"]
) -> tuple[float, float]:
    """The threshold at which {values >= threshold} overlaps a mask best, and the overlap.

    It is put midway between the two values that it parts.
    """
    sorted_, order = values.flatten().sort(descending=True)
    hits = inside.flatten()[order].cumsum(0).double()
    taken = torch.arange(1, len(order) + 1)
    overlap = hits / (int(inside.sum()) + taken - hits)
    # Equal values cannot be parted: only the last of them counts.
    last = torch.cat([sorted_[1:] < sorted_[:-1], torch.tensor([True])])
    best = int(torch.where(last & (sorted_ > 0), overlap, 0).argmax())
    below = float(sorted_[best + 1]) if best + 1 < len(order) else 0.0
    return (float(sorted_[best]) + below) / 2, float(overlap[best])


def highest_on_rays(
    values: Float[Tensor, "x y z"], grid: Grid, views: Views
) -> Float[Tensor, "views height width"]:
    """The highest density that each pixel's ray meets, in steps of one cell."""
    low, high = torch.tensor(grid.low), torch.tensor(grid.high)
    origin, direction = rays(views.cameras)
    middle = float(
        (views.cameras.viewmat[0, :3, :3] @ ((low + high) / 2)).add(
            views.cameras.viewmat[0, :3, 3]
        )[2]
    )
    reach = float((high - low).norm()) / 2
    steps = torch.arange(middle - reach, middle + reach, grid.cell)
    volume = values[None, None]
    best = torch.zeros(direction.shape[:-1])
    for depth in steps:
        place = origin[:, None, None] + depth * direction
        unit = 2 * (place - low) / (high - low) - 1
        # grid_sample counts coordinates from the last axis to the first.
        asked = unit.flip(-1).reshape(1, 1, 1, -1, 3)
        met = torch.nn.functional.grid_sample(
            volume, asked, align_corners=True, padding_mode="zeros"
        )
        best = torch.maximum(best, met.reshape(best.shape))
    return best
