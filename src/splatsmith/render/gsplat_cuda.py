"""The gsplat back end for CUDA: Apache-2.0 kernels, the extra `splatsmith[gsplat]`.

Built from gsplat's lower-level functions, because `screen_offset` acts between its projection
and its rasterization. What has never been run: gsplat's CUDA kernels through this file, for
want of such a device; its plain torch projection and harmonics, called in their place on a
CPU, agreed with our reference. Unlike the other back ends it does not guard against splats so
wide that their screen covariance overflows.
"""

from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render import reference
from splatsmith.render.harmonics import DEGREE_OF_COUNT


def draw(
    means: Float[Tensor, "splats 3"],
    quats: Float[Tensor, "splats 4"],
    scales: Float[Tensor, "splats 3"],
    opacities: Float[Tensor, "splats"],
    sh: Float[Tensor, "splats coefficients 3"],
    cameras: Cameras,
    background: Float[Tensor, "views 3"] | Float[Tensor, "views height width 3"],
    screen_offset: Float[Tensor, "views splats 2"] | None,
) -> reference.Drawn:
    """Color, alpha, depth and radii, as `Picture` describes them; arguments as for `splat`.

    Radii count as drawn what gsplat's projection keeps: its box is rounded up to whole pixels.
    """
    if not means.is_cuda:
        raise InputError(
            f'The gsplat back end draws on CUDA, but means is on {means.device}; choose "auto".'
        )
    return draw_with(
        _gsplat(), means, quats, scales, opacities, sh, cameras, background, screen_offset
    )


def _gsplat() -> ModuleType:
    try:
        import gsplat
    except ImportError:
        raise InputError(
            "The gsplat back end needs the package gsplat, which is not installed; "
            "pip install 'splatsmith[gsplat]'."
        ) from None
    return gsplat


def draw_with(
    gsplat: ModuleType,
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    cameras: Cameras,
    background: Tensor,
    screen_offset: Tensor | None,
) -> reference.Drawn:
    """`draw` through a module that has gsplat's functions, on any device."""
    views, count = len(cameras), means.shape[0]
    still = quats.new_tensor([1.0, 0.0, 0.0, 0.0])
    turned = quats.square().sum(-1, keepdim=True) > reference.QUAT_MIN
    boxes, centers, depths, conics, _ = gsplat.fully_fused_projection(
        means,
        None,
        torch.where(turned, quats, still),
        scales,
        cameras.viewmat,
        cameras.K,
        cameras.width,
        cameras.height,
        eps2d=reference.LOW_PASS,
        near_plane=reference.NEAR,
        far_plane=reference.FAR,
        opacities=opacities,
    )
    centers = centers if screen_offset is None else centers + screen_offset
    drawn = (boxes > 0).all(-1)
    direction = means[None] - cameras.position[:, None]
    degree = DEGREE_OF_COUNT[sh.shape[1]]
    coefficients = sh.expand(views, *sh.shape)
    color = gsplat.spherical_harmonics(degree, direction, coefficients, masks=drawn)
    features = torch.cat([(color + 0.5).clamp_min(0.0), depths[..., None]], dim=-1)
    tile = reference.TILE
    across, down = -(-cameras.width // tile), -(-cameras.height // tile)
    _, order, splats = gsplat.isect_tiles(centers, boxes, depths, tile, across, down)
    starts = gsplat.isect_offset_encode(order, views, across, down)
    blended, alpha = gsplat.rasterize_to_pixels(
        centers,
        conics,
        features,
        opacities.expand(views, count),
        cameras.width,
        cameras.height,
        tile,
        starts.reshape(views, down, across),
        splats,
    )
    back = background if background.ndim == 4 else background[:, None, None]
    depth = torch.where(alpha > 0, blended[..., 3:] / torch.where(alpha > 0, alpha, 1.0), 0.0)
    return blended[..., :3] + (1 - alpha) * back, alpha, depth, _radii(conics.detach(), drawn)


def _radii(conics: Tensor, drawn: Tensor) -> Float[Tensor, "views splats"]:
    """Three standard deviations along the longer axis, from the inverse covariances."""
    half = 0.5 * (conics[..., 0] + conics[..., 2])
    spread = torch.hypot(0.5 * (conics[..., 0] - conics[..., 2]), conics[..., 1])
    least = torch.where(drawn, half - spread, 1.0)
    return torch.where(drawn, torch.ceil(3 * torch.rsqrt(least)), 0.0)
