"""Rays through a scene and the samples along them, as the volume renderer keeps them.

Only samples that can be seen are kept, those of one ray after those of the one before, each
ray's from near to far.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.cameras import Cameras

NEAR = 0.01  # world units before the eye where a ray begins, for cameras within the scene


@dataclass(frozen=True, eq=False)
class Rays:
    """One ray for each pixel of each view, and where it enters and leaves the ball it crosses.

    `directions` have length 1; `cosine` is that of the angle to the camera's forward axis.
    A ray that misses the ball has `far` = `near` = 0. `origins` has a row for each ray.
    """

    origins: Float[Tensor, "rays 3"]
    directions: Float[Tensor, "rays 3"]
    cosine: Float[Tensor, "rays"]
    near: Float[Tensor, "rays"]
    far: Float[Tensor, "rays"]

    def __getitem__(self, index: slice) -> "Rays":
        return Rays(**{name: part[index].contiguous() for name, part in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Samples:
    """Places along rays, and what each of them contributes.

    Attributes:
        rays: the ray that each sample lies on.
        starts: where each ray's samples begin; one number more than there are rays.
        distances: from the eye, world units.
        points: in the world.
        directions: of the rays, length 1.
        step: the length that each sample stands for, world units.
        extent: the length of the longest ray within the scene, world units.
        weights: how much each sample adds to its pixel; a ray's weights sum to its alpha.
        normals: unit normals at the samples, where they were asked for.
    """

    rays: Int[Tensor, "samples"]
    starts: Int[Tensor, "boundaries"]
    distances: Float[Tensor, "samples"]
    points: Float[Tensor, "samples 3"]
    directions: Float[Tensor, "rays 3"]
    step: float
    extent: float
    weights: Float[Tensor, "samples"] | None = None
    normals: Float[Tensor, "samples 3"] | None = None


def cast(cameras: Cameras, radius: float) -> Rays:
    """The rays through all pixel centers, clipped to the ball of `radius` about the origin."""
    columns = torch.arange(cameras.width, device=cameras.K.device) + 0.5
    rows = torch.arange(cameras.height, device=cameras.K.device) + 0.5
    views, K = len(cameras), cameras.K[:, None, None]
    x = (columns.to(K) - K[..., 0, 2]) / K[..., 0, 0]
    y = (rows.to(K)[:, None] - K[..., 1, 2]) / K[..., 1, 1]
    x, y = torch.broadcast_tensors(x, y)
    local = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(views, -1, 3)
    length = local.norm(dim=-1)
    directions = (local / length[..., None]) @ cameras.viewmat[:, :3, :3]
    origins = cameras.position[:, None].expand_as(directions)
    toward = (origins * directions).sum(-1)
    square = toward.square() - origins.square().sum(-1) + radius**2
    half = torch.sqrt(square.clamp_min(0))
    near, far = (-toward - half).clamp_min(NEAR), -toward + half
    hit = (square > 0) & (far > near)
    return Rays(
        origins=origins.reshape(-1, 3).contiguous(),
        directions=directions.reshape(-1, 3).contiguous(),
        cosine=(1 / length).reshape(-1),
        near=torch.where(hit, near, 0).reshape(-1),
        far=torch.where(hit, far, 0).reshape(-1),
    )
