"""What a scene looks like before its first step.

Each kind of start has its numbers in a frozen dataclass, so that a recipe can name it, and one
function. `begin` picks the function by the settings. Starts that need data instead of numbers,
such as a point cloud, are functions only.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.scenes.gaussians import SH_C0, Gaussians, color_to_sh
from splatsmith.scenes.neighbors import nearest_distances

Falloff = Literal["linear", "constant"]

FAINTEST = 0.01  # Opacity at the rim of a linear falloff: 0 would have no finite logit.
SMALLEST = 1e-4  # Least scale, world units: points at equal places would have scale 0.
ALONE = 0.1  # Scale of a point without neighbors, world units.


@dataclass(frozen=True, slots=True, kw_only=True)
class Ball:
    """Points uniform in a ball, fainter outward (Guo et al. 2023, StableDreamer, section 4.2).

    The paper gives the 1000 points and the linear fall; the other numbers are ours.
    """

    kind: Literal["ball"] = "ball"
    count: int = 1000  # splats
    radius: float = 0.8  # world units, scenes fit the unit ball
    opacity: float = 0.8  # at the center, 0 to 1
    falloff: Falloff = "linear"  # linear: opacity falls to nearly 0 at the rim
    color_spread: float = 0.0  # 0: all grey; 1: colors uniform in the whole cube
    scale: float = 1.0  # times the mean distance to the three nearest neighbors
    sh_degree: int = 0  # 0 to 3

    def __post_init__(self) -> None:
        _check_numbers(self.count, self.radius, self.opacity)
        if self.falloff not in ("linear", "constant"):
            raise InputError(f"falloff must be linear or constant, got {self.falloff!r}.")
        if not 0.0 <= self.color_spread <= 1.0:
            raise InputError(f"color_spread must lie in 0 to 1, got {self.color_spread}.")
        _check_scale_and_degree(self.scale, self.sh_degree)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallBall:
    """DreamGaussian's start (Tang et al. 2023): a small, faint, nearly grey ball."""

    kind: Literal["small-ball"] = "small-ball"
    count: int = 5000  # splats
    radius: float = 0.5  # world units
    opacity: float = 0.1  # everywhere, 0 to 1
    sh_degree: int = 0  # 0 to 3

    def __post_init__(self) -> None:
        _check_numbers(self.count, self.radius, self.opacity)
        _check_scale_and_degree(1.0, self.sh_degree)


StartSettings = Ball | SmallBall

STARTS: dict[str, type[Ball] | type[SmallBall]] = {"ball": Ball, "small-ball": SmallBall}


def begin(settings: StartSettings, generator: torch.Generator) -> Gaussians:
    """The scene that `settings` describe, float32, on the generator's device."""
    if isinstance(settings, SmallBall):
        return small_ball(settings, generator)
    return ball(settings, generator)


def ball(settings: Ball, generator: torch.Generator) -> Gaussians:
    """Points uniform in a ball, with the opacities and colors that the settings ask for."""
    points = ball_points(settings.count, settings.radius, generator)
    draw = torch.rand(settings.count, 3, generator=generator, device=generator.device)
    opacity = points.new_full((settings.count,), settings.opacity)
    if settings.falloff == "linear":
        fall = 1 - points.norm(dim=-1) / settings.radius
        opacity = (settings.opacity * fall).clamp_min(min(FAINTEST, settings.opacity))
    return from_points(
        points,
        0.5 + settings.color_spread * (draw - 0.5),
        opacity=opacity,
        scale=settings.scale,
        sh_degree=settings.sh_degree,
    )


def small_ball(settings: SmallBall, generator: torch.Generator) -> Gaussians:
    """DreamGaussian's ball: harmonics uniform in 0 to 1/255, which is grey but for a breath."""
    points = ball_points(settings.count, settings.radius, generator)
    draw = torch.rand(settings.count, 3, generator=generator, device=generator.device)
    return from_points(
        points,
        0.5 + SH_C0 * draw / 255,
        opacity=settings.opacity,
        sh_degree=settings.sh_degree,
    )


def from_points(
    points: Float[Tensor, "splats 3"],
    colors: Float[Tensor, "splats 3"] | None = None,
    *,
    opacity: float | Float[Tensor, "splats"] = 0.1,
    scale: float = 1.0,
    sh_degree: int = 0,
) -> Gaussians:
    """One round splat per point, as wide as the mean distance to the three nearest neighbors.

    `colors` are 0 to 1, grey when left out; `scale` multiplies the width. Works for 200,000
    points and more. Raises InputError for clouds that are empty or not finite.
    """
    if points.ndim != 2 or points.shape[1] != 3 or points.shape[0] == 0:
        raise InputError(
            f"A point cloud must have shape (points, 3), got {tuple(points.shape)}."
        )
    _check_scale_and_degree(scale, sh_degree)
    opacities = torch.as_tensor(opacity, dtype=points.dtype, device=points.device)
    opacities = opacities.expand(len(points))
    if not bool(((opacities > 0) & (opacities < 1)).all()):
        raise InputError("Opacities at the start must lie between 0 and 1, both excluded.")
    colors = torch.full_like(points, 0.5) if colors is None else colors.to(points)
    if colors.shape != points.shape:
        raise InputError(
            f"Colors must have one row per point, {tuple(points.shape)}, "
            f"got {tuple(colors.shape)}."
        )
    log_scales = torch.log(spacing(points) * scale)[:, None].expand(-1, 3)
    quats = points.new_tensor([1.0, 0.0, 0.0, 0.0]).expand(len(points), 4)
    sh = color_to_sh(colors, sh_degree)
    return Gaussians(points, log_scales, quats, torch.logit(opacities), sh)


def spacing(points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
    """Mean distance of each point to its three nearest neighbors, or to all there are."""
    distances = nearest_distances(points, 3)
    present = torch.isfinite(distances)
    total = torch.where(present, distances, 0).sum(dim=1)
    mean = total / present.sum(dim=1).clamp_min(1)
    return torch.where(present.any(dim=1), mean, ALONE).clamp_min(SMALLEST)


def ball_points(
    count: int, radius: float, generator: torch.Generator
) -> Float[Tensor, "points 3"]:
    """Points uniform in a ball about the origin."""
    device = generator.device
    direction = torch.randn(count, 3, generator=generator, device=device)
    distance = torch.rand(count, 1, generator=generator, device=device) ** (1 / 3)
    return radius * distance * torch.nn.functional.normalize(direction, dim=-1)


def _check_numbers(count: int, radius: float, opacity: float) -> None:
    if count < 1:
        raise InputError(f"A start needs at least one splat, got count {count}.")
    if not 0.0 < radius < math.inf:
        raise InputError(f"The radius of a start must be positive, got {radius}.")
    if not 0.0 < opacity < 1.0:
        raise InputError(f"opacity must lie between 0 and 1, both excluded, got {opacity}.")


def _check_scale_and_degree(scale: float, sh_degree: int) -> None:
    if not 0.0 < scale < math.inf:
        raise InputError(f"scale must be positive, got {scale}.")
    if sh_degree not in (0, 1, 2, 3):
        raise InputError(f"sh_degree must be 0, 1, 2 or 3, got {sh_degree}.")
