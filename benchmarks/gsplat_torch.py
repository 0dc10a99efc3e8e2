"""gsplat's own torch code as a peer on a CPU.

Projection, harmonics and `accumulate` are gsplat's (`gsplat.cuda._torch_impl`). It has no torch
code for finding which splats reach which pixels, and takes the sums along rays from nerfacc,
which runs on CUDA alone; both are supplied here in vectorized torch.
"""

import sys
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.render import Picture


class GsplatTorch:
    """Draws one view with gsplat's torch functions; the depth is left out."""

    def __init__(self) -> None:
        rays = ModuleType("nerfacc")
        rays.accumulate_along_rays = accumulate_along_rays
        rays.render_weight_from_alpha = render_weight_from_alpha
        sys.modules["nerfacc"] = rays
        from gsplat.cuda import _torch_impl

        self.code = _torch_impl

    @staticmethod
    def installed() -> bool:
        """Whether gsplat can be imported."""
        return find_spec("gsplat") is not None

    def __call__(self, tensors: list[Tensor], camera: Cameras, background: Tensor) -> Picture:
        """The picture of one camera; `tensors` as the first arguments of `splat`."""
        means, quats, scales, opacities, sh = tensors
        covars, _ = self.code._quat_scale_to_covar_preci(quats, scales, compute_preci=False)
        boxes, centers, depths, conics, _ = self.code._fully_fused_projection(
            means, covars, camera.viewmat, camera.K, camera.width, camera.height
        )
        degree = int(sh.shape[1] ** 0.5) - 1
        direction = (means - camera.position)[None]
        color = self.code._spherical_harmonics(degree, direction, sh[None]) + 0.5
        with torch.no_grad():
            found = fragments(centers[0], conics[0], opacities, boxes[0], depths[0], camera)
        splats, pixels = found
        color, alpha = self.code.accumulate(
            centers,
            conics,
            opacities[None],
            color.clamp_min(0.0),
            splats,
            pixels,
            torch.zeros_like(splats),
            camera.width,
            camera.height,
        )
        return Picture(color + (1 - alpha) * background, alpha, torch.zeros_like(alpha))


def fragments(
    centers: Tensor,
    conics: Tensor,
    opacities: Tensor,
    boxes: Tensor,
    depths: Tensor,
    camera: Cameras,
) -> tuple[Tensor, Tensor]:
    """Splat and pixel of everything to blend, sorted by pixel and then from front to back."""
    size = boxes.new_tensor([camera.width, camera.height])
    low = (centers - boxes).floor().int().clamp(min=0).minimum(size)
    span = (centers + boxes).ceil().int().clamp(min=0).minimum(size) - low
    order = torch.argsort(depths, stable=True)
    order = order[(boxes[order] > 0).all(-1) & (span[order] > 0).all(-1)]
    areas = span[order].prod(-1)
    splats = order.repeat_interleave(areas)
    inside = torch.arange(len(splats)) - (areas.cumsum(0) - areas).repeat_interleave(areas)
    x = low[splats, 0] + inside % span[splats, 0]
    y = low[splats, 1] + inside // span[splats, 0]
    alpha = alphas(centers, conics, opacities, splats, x, y)
    kept = alpha >= 1 / 255
    splats, pixels, alpha = splats[kept], (y * camera.width + x)[kept], alpha[kept]
    by_pixel = torch.argsort(pixels, stable=True)
    splats, pixels, alpha = splats[by_pixel], pixels[by_pixel], alpha[by_pixel]
    _, before = render_weight_from_alpha(
        alpha, ray_indices=pixels, n_rays=camera.width * camera.height
    )
    open_ = before * (1 - alpha) > 1e-4
    return splats[open_], pixels[open_]


def alphas(
    centers: Tensor, conics: Tensor, opacities: Tensor, splats: Tensor, x: Tensor, y: Tensor
) -> Tensor:
    dx, dy = x + 0.5 - centers[splats, 0], y + 0.5 - centers[splats, 1]
    a, b, c = conics[splats].unbind(-1)
    sigma = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
    return (opacities[splats] * torch.exp(-sigma)).clamp_max(0.999)


def render_weight_from_alpha(
    alphas: Tensor, ray_indices: Tensor, n_rays: int
) -> tuple[Tensor, Tensor]:
    """Weights and transmittances along sorted rays, summing logarithms in double precision."""
    logs = torch.log1p(-alphas.double())
    total = logs.cumsum(0) - logs
    counts = torch.bincount(ray_indices, minlength=n_rays)
    starts = counts.cumsum(0) - counts
    base = total[starts.clamp_max(max(len(total) - 1, 0))] if len(total) else total
    before = torch.exp(total - base[ray_indices]).to(alphas)
    return before * alphas, before


def accumulate_along_rays(
    weights: Tensor, values: Tensor | None, ray_indices: Tensor, n_rays: int
) -> Tensor:
    values = weights[:, None] if values is None else weights[:, None] * values
    out = values.new_zeros(n_rays, values.shape[1])
    return out.index_add(0, ray_indices, values)
