"""A surface from rendered depths: truncated signed distances, fused (Curless & Levoy 1996).

Every view says of every grid point how far it lies before the surface that the view sees:
`depth - z`, at most a truncation; behind the surface by more than that, it says nothing. Where
the view sees no surface at all (alpha below one half), the point is free. The mean over views
changes its sign on the surface. What no view says anything about lies inside.

That last rule is as weak as the depths: inside an object almost all views are silent, so a
single ray that slips between two splats and sees the far side's back makes a cavity, and a few
of them hollow the object out. So holes in the pictures are closed first: a depth counts only if
it is the nearest one in some window of `HOLE` x `HOLE` pixels around it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.export.meshing.density import Grid
from splatsmith.export.meshing.level import OPAQUE
from splatsmith.export.meshing.views import Views

TRUNCATION = 4.0  # cells
HOLE = 7  # pixels, odd; narrower holes in a picture are closed


@torch.no_grad()
def fused(views: Views, grid: Grid) -> Float[Tensor, "x y z"]:
    """Mean signed distance in truncations, -1 (inside) to 1 (outside), at a grid's points.

    Raises InputError if no view sees anything opaque.
    """
    if not bool((views.alpha >= OPAQUE).any()):
        raise InputError(
            f"No view sees anything opaque: the highest alpha is "
            f"{float(views.alpha.max()):.2f}, and depths count from {OPAQUE:g}. Use the method "
            "density, with a level."
        )
    limit = TRUNCATION * grid.cell
    front = closed_depths(views)
    points = torch.stack(
        torch.meshgrid(*(grid.axis(i) for i in range(3)), indexing="ij"), dim=-1
    ).reshape(-1, 3)
    total, count = torch.zeros(len(points)), torch.zeros(len(points))
    for i in range(len(views.cameras)):
        camera = views.cameras[[i]]
        local = points @ camera.viewmat[0, :3, :3].T + camera.viewmat[0, :3, 3]
        pixel = (local @ camera.K[0].T)[:, :2] / local[:, 2:]
        column, row = pixel.floor().long().unbind(1)
        known = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
        place = (row * camera.width + column)[known]
        distance = (front[i].reshape(-1)[place] - local[known, 2]) / limit
        said = distance > -1
        index = known.nonzero()[:, 0][said]
        total[index] += distance[said].clamp(max=1)
        count[index] += 1
    mean = torch.where(count > 0, total / count.clamp(min=1), -1.0)
    return mean.reshape(grid.shape)


def closed_depths(views: Views) -> Float[Tensor, "views height width"]:
    """Camera z of what is opaque, infinite elsewhere, without holes narrower than `HOLE`.

    A closing of gray values (least, then greatest, in a window): outlines stay where they are.
    """
    depth = torch.where(views.alpha >= OPAQUE, views.depth, torch.inf)[..., 0]
    widest = torch.nn.MaxPool2d(HOLE, stride=1, padding=HOLE // 2)
    nearest: Tensor = -widest(-depth[:, None])
    closed: Tensor = widest(nearest)[:, 0]
    return closed
