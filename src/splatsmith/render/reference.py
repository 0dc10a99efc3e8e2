"""The plain twin, which defines the answer: torch alone, any dtype, any device.

Elliptical weighted averaging (Zwicker et al. 2001) as in 3D Gaussian splatting (Kerbl et al.
2023), with gsplat's conventions. Each view is projected, sorted by depth and blended tile by
tile; tiles are checkpointed, so that memory stays near that of the busiest one.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from splatsmith.cameras import Cameras
from splatsmith.render.harmonics import color_from

ALPHA_MAX = 0.999  # keeps every layer a little transparent, so that 1 / (1 - alpha) stays tame
ALPHA_MIN = 1 / 255  # a fainter mark would not change an 8-bit picture and is left out
LOW_PASS = 0.3  # pixels squared, added to screen covariances: none is thinner than a pixel
STOP = 1e-4  # a layer that would leave no more transmittance ends its pixel, undrawn
NEAR, FAR = 0.01, 1e10  # camera-space depths between which a splat's center must lie
VARIANCE_MAX = 1e12  # pixels squared; a splat wider than a million pixels is not drawn
CENTER_MAX = 1e7  # pixels; further out nothing that may be drawn can reach the picture
QUAT_MIN = 1e-20  # squared length below which a quaternion means "not rotated"
TILE = 16  # pixels a side


@dataclass(frozen=True, eq=False)
class Ellipses:
    """Splats of one view on the screen; `det` is the determinant of the screen covariance."""

    center: Float[Tensor, "splats 2"]
    depth: Float[Tensor, "splats"]
    variance: Float[Tensor, "splats 2"]
    covariance: Float[Tensor, "splats"]
    det: Float[Tensor, "splats"]


Drawn = tuple[Tensor, Tensor, Tensor, Tensor]


def draw(
    means: Float[Tensor, "splats 3"],
    quats: Float[Tensor, "splats 4"],
    scales: Float[Tensor, "splats 3"],
    opacities: Float[Tensor, "splats"],
    sh: Float[Tensor, "splats coefficients 3"],
    cameras: Cameras,
    background: Float[Tensor, "views 3"] | Float[Tensor, "views height width 3"],
    screen_offset: Float[Tensor, "views splats 2"] | None,
) -> Drawn:
    """Color, alpha, depth and radii, as `Picture` describes them; arguments as for `splat`."""
    views = []
    for view in range(len(cameras)):
        offset = None if screen_offset is None else screen_offset[view]
        scene = (means, quats, scales, opacities, sh)
        views.append(_draw_view(scene, cameras[view : view + 1], background[view], offset))
    color, alpha, depth, radii = (torch.stack(parts) for parts in zip(*views, strict=True))
    return color, alpha, depth, radii


def project(
    means: Float[Tensor, "splats 3"],
    quats: Float[Tensor, "splats 4"],
    scales: Float[Tensor, "splats 3"],
    camera: Cameras,
    offset: Float[Tensor, "splats 2"] | None,
) -> Ellipses:
    """Screen ellipses of splats; rows of splats that must not be drawn may hold anything."""
    rotation, K = camera.viewmat[0, :3, :3].detach(), camera.K[0].detach()
    shift = camera.viewmat[0, :3, 3].detach()
    focal, middle = K[[0, 1], [0, 1]], K[:2, 2]
    size = focal.new_tensor([camera.width, camera.height])
    # The order of splats hangs on depth: in float64, every back end rounds to the same value.
    depth = ((means.double() * rotation[2].double()).sum(-1) + shift[2].double()).to(means)
    slope = (means @ rotation[:2].T + shift[:2]) / depth[:, None]
    center = slope * focal + middle
    # Far outside the picture the linearization would explode, so it is taken at the border.
    margin = 0.15 * size / focal
    slope = slope.clamp(min=-middle / focal - margin, max=(size - middle) / focal + margin)
    axes = rotation @ (rotation_matrices(quats) * scales[:, None, :])
    rows = (axes[:, :2] - slope[:, :, None] * axes[:, 2:]) * (
        focal[:, None] / depth[:, None, None]
    )
    along, across = rows[:, 0], rows[:, 1]
    covariance = (along * across).sum(-1)
    extent = (rows * rows).sum(-1)
    # Lagrange's identity: unlike xx * yy - xy * xy, a sum of squares cannot cancel.
    det = torch.linalg.cross(along, across).square().sum(-1)
    det = det + LOW_PASS * extent.sum(-1) + LOW_PASS**2
    center = center if offset is None else center + offset
    return Ellipses(center, depth, extent + LOW_PASS, covariance, det)


def rotation_matrices(quats: Float[Tensor, "splats 4"]) -> Float[Tensor, "splats 3 3"]:
    """Rotations of unnormalized quaternions wxyz; one of (almost) no length turns nothing."""
    square = quats.square().sum(-1, keepdim=True)
    still = quats.new_tensor([1.0, 0.0, 0.0, 0.0])
    unit = torch.where(square > QUAT_MIN, quats, still)
    w, x, y, z = torch.nn.functional.normalize(unit, dim=-1).unbind(-1)
    entries = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(entries, dim=-1).reshape(-1, 3, 3)


def _draw_view(
    scene: tuple[Tensor, ...], camera: Cameras, background: Tensor, offset: Tensor | None
) -> Drawn:
    means, quats, scales, opacities, sh = scene
    with torch.no_grad():
        ellipses = project(means, quats, scales, camera, offset)
        reach = _reach(ellipses, opacities)
        order = _order(ellipses, reach, camera)
        radii = torch.zeros_like(opacities)
        radii[order] = _radii(ellipses)[order]
    # Only what is drawn takes part in the graph: elsewhere infinities could meet zeros.
    means, opacities, reach = means[order], opacities[order], reach[order]
    offset = None if offset is None else offset[order]
    ellipses = project(means, quats[order], scales[order], camera, offset)
    color = color_from(sh[order], means - camera.position[0].detach())
    features = torch.cat([color, ellipses.depth[:, None]], dim=-1)
    blended, left = _blend(ellipses, opacities, features, reach, camera)
    alpha = 1 - left
    depth = torch.where(alpha > 0, blended[..., 3:] / torch.where(alpha > 0, alpha, 1.0), 0.0)
    return blended[..., :3] + left * background, alpha, depth, radii


def _reach(ellipses: Ellipses, opacities: Tensor) -> Float[Tensor, "splats 2"]:
    """Half sides of the box that holds all alphas from `ALPHA_MIN` up; -1 if there are none."""
    drop = 2 * torch.log(opacities.clamp_min(ALPHA_MIN) / ALPHA_MIN)
    reach = torch.sqrt(drop[:, None] * ellipses.variance)
    return torch.where((opacities >= ALPHA_MIN)[:, None], reach, -1.0)


def _order(ellipses: Ellipses, reach: Tensor, camera: Cameras) -> Int[Tensor, "drawn"]:
    """Indices of the splats to draw, nearest first; equal depths in the order of the scene."""
    size = reach.new_tensor([camera.width, camera.height])
    center, depth = ellipses.center, ellipses.depth
    inside = (center + reach > 0) & (center - reach < size) & (center.abs() < CENTER_MAX)
    kept = (inside & (reach >= 0) & (ellipses.variance < VARIANCE_MAX)).all(-1)
    kept &= (depth > NEAR) & (depth < FAR)
    index = kept.nonzero()[:, 0]
    return index[torch.argsort(depth[index], stable=True)]


def _radii(ellipses: Ellipses) -> Float[Tensor, "splats"]:
    middle = 0.5 * ellipses.variance.sum(-1)
    spread = torch.hypot(
        0.5 * (ellipses.variance[:, 0] - ellipses.variance[:, 1]), ellipses.covariance
    )
    return torch.ceil(3 * torch.sqrt(middle + spread))


def _blend(
    ellipses: Ellipses, opacities: Tensor, features: Tensor, reach: Tensor, camera: Cameras
) -> tuple[Float[Tensor, "height width 4"], Float[Tensor, "height width 1"]]:
    """Blended features and the transmittance left over, tile by tile."""
    variance_y = ellipses.variance[:, 1]
    # The inverse covariance as two squares: exponents never turn positive by rounding.
    shape = torch.stack(
        [
            torch.sqrt(variance_y / ellipses.det),
            ellipses.covariance / variance_y,
            torch.rsqrt(variance_y),
            opacities,
        ],
        dim=-1,
    )
    splats = torch.cat([ellipses.center, shape, features], dim=-1)
    box = torch.cat([ellipses.center - reach, ellipses.center + reach], dim=-1).detach()
    rows = []
    for top in range(0, camera.height, TILE):
        bottom = min(top + TILE, camera.height)
        band = ((box[:, 3] > top - 1) & (box[:, 1] < bottom + 1)).nonzero()[:, 0]
        tiles = []
        for left in range(0, camera.width, TILE):
            right = min(left + TILE, camera.width)
            edges = box[band]
            near = band[(edges[:, 2] > left - 1) & (edges[:, 0] < right + 1)]
            x = torch.arange(left, right, device=box.device) + 0.5
            y = torch.arange(top, bottom, device=box.device) + 0.5
            pixels = torch.cartesian_prod(y, x).flip(-1).to(splats)
            tile = checkpoint(
                _blend_tile, splats[near], pixels, use_reentrant=False, preserve_rng_state=False
            )
            tiles.append(tile.reshape(bottom - top, right - left, -1))
        rows.append(torch.cat(tiles, dim=1))
    picture = torch.cat(rows, dim=0)
    return picture[..., :4], picture[..., 4:]


def _blend_tile(splats: Tensor, pixels: Tensor) -> Float[Tensor, "pixels 5"]:
    """Features and transmittance at some pixels, of splats sorted front to back."""
    center, shape, features = splats[:, :2], splats[:, 2:6], splats[:, 6:]
    dx, dy = (pixels[:, None, :] - center).unbind(-1)
    first = shape[:, 0] * (dx - shape[:, 1] * dy)
    second = shape[:, 2] * dy
    alpha = shape[:, 3] * torch.exp(-0.5 * (first * first + second * second))
    with torch.no_grad():
        seen = alpha >= ALPHA_MIN
        layers = torch.where(seen, alpha.clamp_max(ALPHA_MAX), 0.0)
        seen &= torch.cumprod(1 - layers, dim=-1) > STOP
    alpha = torch.where(seen, alpha.clamp_max(ALPHA_MAX), 0.0)
    start = torch.ones_like(pixels[:, :1])
    left = torch.cat([start, torch.cumprod(1 - alpha, dim=-1)], dim=-1)
    weight = alpha * left[:, :-1]
    return torch.cat([weight @ features, left[:, -1:]], dim=-1)
