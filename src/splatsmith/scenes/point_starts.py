"""Starts that need more than numbers: something given, or a hull of the prior's own pictures.

Here are the numbers that a recipe says about them, and how points become splats. What is given
is made ready in `given.py`; pictures become points in `hull.py`.
"""

import math
from dataclasses import dataclass
from typing import Literal

from splatsmith.errors import InputError
from splatsmith.scenes.clouds import Cloud, Growth
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.starts import Ball, from_points
from splatsmith.scenes.transforms import AxisUp

MOST = 1_000_000  # splats


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What the user gives by `--start`: splats, a cloud of points, or a mesh."""

    kind: Literal["points"] = "points"
    count: int = 8000  # splats at most, 1 to 1,000,000; a mesh gets as many
    axes: AxisUp = "z-up"  # which axis of the file, as it is read, points up
    radius: float = 0.9  # world units: what does not fit is made as large; toys reach 0.92
    opacity: float = 0.5  # of points and on meshes, 0 to 1; splats have their own
    scale: float = 1.0  # times the distance to the three nearest neighbors; of splats nothing
    sh_degree: int = 0  # 0 to 3; harmonics above it are left out
    growth: Growth | None = None  # of clouds; None: they stay as they are

    def __post_init__(self) -> None:
        _check(self)
        if not 0 < self.radius <= 1:
            raise InputError(f"radius must be over 0 and at most 1, got {self.radius}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hull:
    """The visual hull of pictures that the prior draws by itself, in their colors.

    Cameras stand evenly around in rings; a cell of a grid is kept if enough of them see the
    object there (Laurentini 1994). Points are drawn in the cells of the surface. Where
    published methods ask a generator of point clouds, this asks the prior that they have
    anyway. Ours.
    """

    kind: Literal["hull"] = "hull"
    views: int = 8  # cameras in a ring, 3 to 64
    elevations: tuple[float, ...] = (10.0, 40.0)  # degrees, one for each ring, up to 8
    steps: int = 12  # of the sampler (DDIM), 1 to 1000
    guidance: float = 4.0  # standard scale
    cells: int = 64  # of the grid, a side of the cube from -1 to 1, 8 to 256
    agreed: float = 0.85  # share of the views that must see the object in a cell, 0 to 1
    count: int = 4000  # splats at most, 1 to 1,000,000
    opacity: float = 0.5  # 0 to 1
    scale: float = 1.0  # times the distance to the three nearest neighbors
    sh_degree: int = 0  # 0 to 3
    growth: Growth | None = None  # of the points; they are then half of the splats
    # Where there is no hull, because the prior knows no cameras or its pictures agree on
    # nothing: refuse, or begin with a ball of as many splats.
    otherwise: Literal["refuse", "ball"] = "refuse"

    def __post_init__(self) -> None:
        _check(self)
        if not 3 <= self.views <= 64 or not 1 <= self.steps <= 1000:
            raise InputError(
                f"views must lie in 3 to 64 and steps in 1 to 1000, "
                f"got {self.views} and {self.steps}."
            )
        within = all(-90 <= elevation <= 90 for elevation in self.elevations)
        if not 1 <= len(self.elevations) <= 8 or not within:
            raise InputError(
                f"elevations must be 1 to 8 angles within -90 to 90 degrees, "
                f"got {list(self.elevations)}."
            )
        if not 8 <= self.cells <= 256 or not 0 < self.agreed <= 1:
            raise InputError(
                f"cells must lie in 8 to 256 and agreed be over 0 and at most 1, "
                f"got {self.cells} and {self.agreed}."
            )
        if not 0 <= self.guidance < math.inf:
            raise InputError(f"guidance must be 0 or more, got {self.guidance}.")


PointNumbers = Points | Hull
BALL_RADIUS = 0.8  # world units, of the ball that stands in for a hull


def ball_for(settings: Hull) -> Ball:
    """What a run begins with where there is no hull: all colors, opacity falling outward."""
    return Ball(
        count=settings.count,
        radius=BALL_RADIUS,
        opacity=settings.opacity,
        falloff="linear",
        color_spread=1.0,
        scale=settings.scale,
        sh_degree=settings.sh_degree,
    )


def splats_of(settings: PointNumbers, cloud: Cloud) -> Gaussians:
    """One round splat per point, gray where the cloud has no colors."""
    return from_points(
        cloud.points.float(),
        cloud.colors,
        opacity=settings.opacity,
        scale=settings.scale,
        sh_degree=settings.sh_degree,
    )


def _check(settings: PointNumbers) -> None:
    if not 1 <= settings.count <= MOST:
        raise InputError(f"count must lie in 1 to {MOST:,}, got {settings.count}.")
    if not 0 < settings.opacity < 1:
        raise InputError(
            f"opacity must lie between 0 and 1, both excluded, got {settings.opacity}."
        )
    if not 0 < settings.scale < math.inf:
        raise InputError(f"scale must be positive, got {settings.scale}.")
    if settings.sh_degree not in (0, 1, 2, 3):
        raise InputError(f"sh_degree must be 0, 1, 2 or 3, got {settings.sh_degree}.")
