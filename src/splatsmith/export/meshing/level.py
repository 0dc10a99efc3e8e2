"""At which density the surface lies.

The rule: the level whose depths fit the splats' own depths best. From `VIEWS` directions, the
surface of level L begins on each pixel's ray where the density first reaches L; the splats
begin where their picture says, if its alpha is at least one half. The misfit of a level is the
mean over pixels of the difference of the two depths, of which at most `REACH` counts, and of
`MISSED` times `REACH` where only one of the two is there. So outlines, which pictures show
sharply, come first, and depths decide between levels with the same ones: by outlines alone,
haze in a hollow could swell the surface; by depths alone, which 3DGS measures to the centers
of splats, the surface would sink into large splats and faint parts would be lost. One
walk along the rays, with the highest density so far, serves all `LEVELS`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.export.meshing.density import Grid
from splatsmith.export.meshing.views import Views, front_depths, rays, seen, sphere_cameras
from splatsmith.scenes.gaussians import Gaussians

VIEWS, SIZE = 12, 64  # pictures, rays a side
FINER = 5  # pixels a ray, odd: drawn as coarse as the rays lie, splats would blur outward
OPAQUE = 0.5  # alpha
REACH = 0.05  # of the grid's diagonal: no difference of depths counts more
MISSED = 8.0  # reaches that a pixel counts if only one of the two is there: outlines come first
LEVELS = 64  # that are tried, from `LOWEST` to the highest density, in equal ratios
LOWEST = 0.05  # density; a part of the highest one if that is below 1


def fitting_level(
    values: Float[Tensor, "x y z"], grid: Grid, views: Views
) -> tuple[float, float]:
    """The level by the rule above, and the overlap (0..1) of its outlines and the splats'.

    Raises InputError if the splats are nowhere opaque: there is nothing to be fitted.
    """
    inside = views.alpha[..., 0] >= OPAQUE
    top = float(values.max())
    if not bool(inside.any()):
        raise InputError(
            f"The splats are nowhere opaque: the highest alpha from {len(inside)} views is "
            f"{float(views.alpha.max()):.2f}, and they count from {OPAQUE:g}. Give a level "
            f"below {top:.3g}, the highest density."
        )
    steps, highest = walked(values, grid, views)
    # Where splats pile up densities are in the tens, and faint parts still lie at a tenth.
    least = LOWEST * min(top, 1.0)
    levels = top * (least / top) ** torch.linspace(1, 0, LEVELS + 1)[:-1]
    # The steps before a level is reached; the highest density so far can only grow.
    tried = levels.expand(*highest.shape[1:], -1).contiguous()
    firsts = torch.searchsorted(highest.movedim(0, -1).contiguous(), tried).unbind(-1)
    limit = REACH * float((torch.tensor(grid.high) - torch.tensor(grid.low)).norm())
    best, best_misfit, shared = 0.0, float("inf"), 0.0
    for level, first in zip(levels.tolist(), firsts, strict=True):
        met = first < len(steps)
        away = (steps[first.clamp(max=len(steps) - 1)] - views.depth[..., 0]).abs()
        both, either = met & inside, met | inside
        off = away.clamp(max=limit)[both].sum() + MISSED * limit * (either & ~both).sum()
        misfit = float(off / either.sum())
        if misfit < best_misfit:
            best, best_misfit, shared = level, misfit, float(both.sum() / either.sum())
    return best, shared


def fitting_views(scene: Gaussians, low: Float[Tensor, "3"], high: Float[Tensor, "3"]) -> Views:
    """What `fitting_level` looks at: few pixels of sharp pictures, all around a box."""
    cameras = sphere_cameras(VIEWS, low, high, SIZE)
    fine = cameras.resized(SIZE * FINER, SIZE * FINER)
    sharp, front = seen(scene, fine), front_depths(scene, fine)
    picked = slice(FINER // 2, None, FINER)
    color, alpha, depth = (
        part[:, picked, picked] for part in (sharp.color, sharp.alpha, front)
    )
    return Views(cameras, color, alpha, depth)


def walked(
    values: Float[Tensor, "x y z"], grid: Grid, views: Views
) -> tuple[Float[Tensor, "steps"], Float[Tensor, "steps views height width"]]:
    """Depths in steps of one cell, and the highest density on each ray up to there."""
    low, high = torch.tensor(grid.low), torch.tensor(grid.high)
    origin, direction = rays(views.cameras)
    camera = views.cameras.viewmat[0]
    middle = float((camera[:3, :3] @ ((low + high) / 2) + camera[:3, 3])[2])
    reach = float((high - low).norm()) / 2
    steps = torch.arange(middle - reach, middle + reach, grid.cell)
    highest = torch.zeros(len(steps), *direction.shape[:-1])
    before = highest[0]
    for number, depth in enumerate(steps):
        place = origin[:, None, None] + depth * direction
        unit = 2 * (place - low) / (high - low) - 1
        # grid_sample counts coordinates from the last axis to the first.
        asked = unit.flip(-1).reshape(1, 1, 1, -1, 3)
        found = torch.nn.functional.grid_sample(values[None, None], asked, align_corners=True)
        before = torch.maximum(before, found.reshape(before.shape))
        highest[number] = before
    return steps, highest
