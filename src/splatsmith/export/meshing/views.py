"""Pictures of a scene from all around: what a mesh is made from and measured against."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras import Cameras, orbit, shifted
from splatsmith.scenes.gaussians import Gaussians, color_to_sh
from splatsmith.scenes.kinds import Scene

FOVY = 30.0  # degrees; narrow, so that near and far parts are seen at like sizes
ROOM = 1.05  # a ball around the object fills 1 / ROOM of the picture
RANGE = 10.0  # e-folds; 32 bits hold 15, and a blend must not drown in their rounding
GOLDEN = 180 * (3 - math.sqrt(5))  # degrees between neighbors on the spiral


@dataclass(frozen=True, eq=False)
class Views:
    """What cameras see of a scene, on the CPU."""

    cameras: Cameras
    color: Float[Tensor, "views height width 3"]  # premultiplied: over black
    alpha: Float[Tensor, "views height width 1"]
    depth: Float[Tensor, "views height width 1"]  # mean camera z of what is seen

    def over(self, gray: float) -> Float[Tensor, "views height width 3"]:
        """The pictures over a gray, 0 to 1."""
        return self.color + (1 - self.alpha) * gray


def sphere_cameras(
    count: int,
    low: Float[Tensor, "3"],
    high: Float[Tensor, "3"],
    size: int,
    *,
    turn: float = 0.0,
) -> Cameras:
    """Cameras evenly around a box (a Fibonacci spiral), each of which sees all of it.

    `turn` (degrees) turns the spiral about the vertical: another turn gives other views.
    """
    step = (torch.arange(count) + 0.5) / count
    elevation = torch.rad2deg(torch.asin(1 - 2 * step))
    azimuth = turn + GOLDEN * torch.arange(count)
    reach = float((high - low).norm()) / 2
    radius = ROOM * reach / math.sin(math.radians(FOVY / 2))
    cameras = orbit(azimuth, elevation, radius=radius, fovy=FOVY, width=size, height=size)
    return shifted(cameras, ((low + high) / 2).float().expand(count, 3))


@torch.no_grad()
def seen(scene: Scene, cameras: Cameras) -> Views:
    """Draw a scene of any kind from all cameras, one after the other to save memory."""
    like = next(iter(scene.parameters_by_name().values()))
    given = cameras.to(like.dtype).to(like.device)
    black = like.new_zeros(3)
    parts = []
    for i in range(len(cameras)):
        picture = scene.render(given[[i]], black)
        parts.append(
            torch.cat([picture.color, picture.alpha, picture.depth], dim=-1).float().cpu()
        )
    color, alpha, depth = torch.cat(parts).split([3, 1, 1], dim=-1)
    return Views(cameras.to(torch.float32).to("cpu"), color, alpha, depth)


@torch.no_grad()
def front_depths(scene: Gaussians, cameras: Cameras) -> Float[Tensor, "views height width 1"]:
    """Camera z of what is in front at each pixel, 0 where nothing is.

    A picture's own depth is the mean over all splats on the ray: a twentieth of light that
    leaks through the front of an object a unit thick puts it a twentieth of a unit too deep.
    This one is -log(mean of exp(-b z)) / b, in which what lies behind hardly counts. b is as
    large as 32 bits allow: `RANGE` over the depth that the scene spans.
    """
    state = {name: value.float().cpu() for name, value in scene.state().items()}
    found = []
    for i in range(len(cameras)):
        camera = cameras[[i]]
        z = state["means"] @ camera.viewmat[0, 2, :3] + camera.viewmat[0, 2, 3]
        near, steepness = z.min(), RANGE / (z.max() - z.min()).clamp(min=1e-6)
        code = torch.exp(steepness * (near - z))[:, None].expand(-1, 3)
        coded = Gaussians.from_state(state | {"sh": color_to_sh(code)})
        picture = coded.render(camera, torch.zeros(3))
        mean = picture.color[..., :1] / picture.alpha.clamp(min=1e-6)
        depth = near - torch.log(mean.clamp(min=1e-7)) / steepness
        found.append(torch.where(picture.alpha > 1e-3, depth, 0.0))
    return torch.cat(found)


def rays(
    cameras: Cameras,
) -> tuple[Float[Tensor, "views 3"], Float[Tensor, "views height width 3"]]:
    """Where the cameras stand, and the way to each pixel's center, one unit of depth long."""
    y, x = torch.meshgrid(
        torch.arange(cameras.height) + 0.5, torch.arange(cameras.width) + 0.5, indexing="ij"
    )
    pixel = torch.stack([x, y, torch.ones_like(x)], dim=-1)
    local = torch.einsum("vij,hwj->vhwi", torch.linalg.inv(cameras.K), pixel)
    return cameras.position, torch.einsum("vij,vhwi->vhwj", cameras.viewmat[:, :3, :3], local)
