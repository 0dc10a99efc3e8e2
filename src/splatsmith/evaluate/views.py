"""Where scenes are looked at from when they are weighed, and what can be read off a depth."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras import Cameras, orbit

SIZE = 96  # pixels a side: half as large again as what the prior draws
RADIUS, FOVY = 3.2, 40.0  # world units, degrees; as the toybox is looked at
WHITE, GRAY = 1.0, 0.5  # the two backgrounds of the protocol
OPAQUE = 0.5  # alpha from which a pixel shows a surface
CLIFF = 0.3  # world units; where depth spans more than this in 3 x 3 pixels lies an edge


def ring(count: int, elevation: float, size: int = SIZE) -> Cameras:
    """`count` cameras evenly around, the first at azimuth 0; elevation in degrees."""
    azimuth = torch.arange(count) * (360.0 / count)
    return orbit(azimuth, elevation, radius=RADIUS, fovy=FOVY, width=size, height=size)


def angles(count: int, elevations: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Azimuths and elevations, degrees, of one ring of `count` cameras per elevation."""
    azimuth = (torch.arange(count) * (360.0 / count)).repeat(len(elevations))
    return azimuth, torch.tensor(elevations).repeat_interleave(count)


def standard_views() -> Cameras:
    """The 48 views of the protocol (section 6.2): 24 azimuths at elevations 0 and 30."""
    azimuth, elevation = angles(24, (0.0, 30.0))
    return orbit(azimuth, elevation, radius=RADIUS, fovy=FOVY, width=SIZE, height=SIZE)


@dataclass(frozen=True, eq=False)
class Seen:
    """Pictures before any background: color times coverage, coverage, and depth."""

    color: Float[Tensor, "views height width 3"]
    alpha: Float[Tensor, "views height width 1"]
    depth: Float[Tensor, "views height width 1"]  # camera z, 0 where nothing is

    def over(self, background: float) -> Float[Tensor, "views height width 3"]:
        """The pictures over a gray, 0 to 1."""
        return (self.color + (1 - self.alpha) * background).clamp(0, 1)


def camera_points(
    depth: Float[Tensor, "views height width 1"], cameras: Cameras
) -> Float[Tensor, "views height width 3"]:
    """The point behind each pixel, camera axes."""
    rows = torch.arange(cameras.height) + 0.5
    columns = torch.arange(cameras.width) + 0.5
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    pixel = torch.stack([x, y, torch.ones_like(x)], dim=-1)
    direction = torch.einsum("vij,hwj->vhwi", torch.linalg.inv(cameras.K), pixel)
    return direction * depth


def unproject(
    alpha: Float[Tensor, "views height width 1"],
    depth: Float[Tensor, "views height width 1"],
    cameras: Cameras,
) -> Float[Tensor, "points 3"]:
    """World points of all pixels that show a surface and do not lie on an edge of it.

    The mean depth at an edge lies between what is in front and what is behind, where nothing
    is; such pixels are left out.
    """
    kept = _surface(alpha, depth)
    rotation, translation = cameras.viewmat[:, :3, :3], cameras.viewmat[:, :3, 3]
    local = camera_points(depth, cameras) - translation[:, None, None]
    return torch.einsum("vji,vhwj->vhwi", rotation, local)[kept]


def _surface(alpha: Tensor, depth: Tensor) -> Tensor:
    shown = alpha > OPAQUE
    pool = torch.nn.functional.max_pool2d
    flat = depth.permute(0, 3, 1, 2)
    covered = shown.permute(0, 3, 1, 2)
    far = pool(torch.where(covered, flat, -torch.inf), 3, stride=1, padding=1)
    near = -pool(torch.where(covered, -flat, -torch.inf), 3, stride=1, padding=1)
    return (covered & (far - near < CLIFF))[:, 0]
