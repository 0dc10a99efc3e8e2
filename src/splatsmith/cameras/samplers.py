"""Where the cameras of a step, of a turntable and of a contact sheet stand.

An `OrbitSampler` is only numbers; all draws come from the generator that is passed to `sample`.
The number of draws depends on `views` alone, so changing a range never shifts later draws.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras.convention import Cameras, orbit
from splatsmith.errors import InputError

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrbitSampler:
    """Ranges (low, high) from which orbit cameras are drawn; low == high pins a value.

    Raises InputError for ranges that are not finite, not ordered or not possible.
    """

    radius: Range = (3.2, 3.2)  # world units from the origin to the camera, positive
    fovy: Range = (40.0, 40.0)  # vertical field of view, degrees, between 0 and 180
    elevation: Range = (-10.0, 60.0)  # degrees, within -90 to 90
    azimuth: Range = (-180.0, 180.0)  # degrees, at most one turn wide
    uniform_on_sphere: bool = True  # equal areas equally often; else equal angles equally often
    stratified: bool = True  # one azimuth in each of `views` equal sectors, in random order
    jitter: float = 0.0  # standard deviation of a shift of each camera, world units per axis
    together: int = 1  # cameras that stand evenly around the scene at one height (MVDream: 4)

    def __post_init__(self) -> None:
        _check("radius", self.radius, 0.0, math.inf, open_ends=True)
        _check("fovy", self.fovy, 0.0, 180.0, open_ends=True)
        _check("elevation", self.elevation, -90.0, 90.0)
        _check("azimuth", self.azimuth, -math.inf, math.inf)
        if self.azimuth[1] - self.azimuth[0] > 360.0:
            raise InputError(f"azimuth must span at most 360 degrees, got {self.azimuth}.")
        if not 0.0 <= self.jitter < math.inf:
            raise InputError(f"jitter must be zero or more, got {self.jitter}.")
        if not 1 <= self.together <= 64:
            raise InputError(f"together must lie in 1 to 64, got {self.together}.")

    def sample(
        self, views: int, width: int, height: int, generator: torch.Generator
    ) -> Cameras:
        """Draw `views` cameras for pictures of width x height, on the generator's device.

        Those that stand `together` follow each other, counter-clockwise; what is drawn is the
        place of the first one of each group.
        """
        if views < 1:
            raise InputError(f"At least one view must be drawn, got {views}.")
        if views % self.together:
            raise InputError(
                f"Cameras stand {self.together} together, and {views} is no multiple of that."
            )
        device, groups = generator.device, views // self.together
        draws = torch.rand(4, views, generator=generator, device=device)[:, :groups]
        order = torch.randperm(views, generator=generator, device=device)
        order = order[order < groups]
        shift = torch.randn(views, 3, generator=generator, device=device) * self.jitter
        turn = (order + draws[0]) / groups if self.stratified else draws[0]
        first = [
            _between(self.azimuth, turn),
            self._elevations(draws[1]),
            _between(self.radius, draws[2]),
            _between(self.fovy, draws[3]),
        ]
        azimuth, elevation, radius, fovy = (f.repeat_interleave(self.together) for f in first)
        around = torch.arange(views, device=device) % self.together * (360.0 / self.together)
        cameras = orbit(
            azimuth + around,
            elevation,
            radius=radius,
            fovy=fovy,
            width=width,
            height=height,
        )
        return shifted(cameras, shift) if self.jitter > 0 else cameras

    def _elevations(self, draw: Float[Tensor, "views"]) -> Float[Tensor, "views"]:
        if not self.uniform_on_sphere or self.elevation[0] == self.elevation[1]:
            return _between(self.elevation, draw)
        # A band of the sphere has an area proportional to the difference of sines (Archimedes).
        low, high = (math.sin(math.radians(limit)) for limit in self.elevation)
        return torch.rad2deg(torch.asin((low + (high - low) * draw).clamp(-1, 1))).clamp(
            *self.elevation
        )


def turntable(
    frames: int,
    *,
    elevation: float = 15.0,
    radius: float = 3.2,
    fovy: float = 40.0,
    width: int,
    height: int,
) -> Cameras:
    """One full turn in `frames` equal steps, front first, the camera going counter-clockwise.

    The last frame is one step short of the first, so that the film loops without a stutter.
    """
    if frames < 1:
        raise InputError(f"A turntable needs at least one frame, got {frames}.")
    azimuth = torch.arange(frames) * (360.0 / frames)
    return orbit(azimuth, elevation, radius=radius, fovy=fovy, width=width, height=height)


def sheet_cameras(
    width: int,
    height: int,
    *,
    azimuths: int = 8,
    elevations: Sequence[float] = (10.0, 35.0),
    radius: float = 3.2,
    fovy: float = 40.0,
) -> Cameras:
    """The views of a contact sheet: one row per elevation, `azimuths` columns, front first.

    View number `row * azimuths + column` belongs in that cell.
    """
    if azimuths < 1 or len(elevations) < 1:
        raise InputError(
            f"A sheet needs at least one azimuth and one elevation, got {azimuths} azimuths "
            f"and {len(elevations)} elevations."
        )
    rows = torch.tensor(list(elevations), dtype=torch.float32).repeat_interleave(azimuths)
    columns = (torch.arange(azimuths) * (360.0 / azimuths)).repeat(len(elevations))
    return orbit(columns, rows, radius=radius, fovy=fovy, width=width, height=height)


def shifted(cameras: Cameras, shift: Float[Tensor, "views 3"]) -> Cameras:
    """The same cameras carried by `shift` (world units) without turning them.

    `azimuth`, `elevation` and `radius` keep the values of the orbit that the cameras left.
    """
    viewmat = cameras.viewmat.clone()
    viewmat[:, :3, 3] -= torch.einsum("vij,vj->vi", viewmat[:, :3, :3], shift)
    return replace(cameras, viewmat=viewmat)


def _between(limits: Range, draw: Float[Tensor, "views"]) -> Float[Tensor, "views"]:
    return limits[0] + (limits[1] - limits[0]) * draw


def _check(
    name: str, limits: Range, lowest: float, highest: float, *, open_ends: bool = False
) -> None:
    low, high = limits
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise InputError(f"{name} must be a finite range (low, high), got {limits}.")
    inside = lowest < low and high < highest if open_ends else lowest <= low and high <= highest
    if not inside:
        raise InputError(f"{name} must lie between {lowest:g} and {highest:g}, got {limits}.")
