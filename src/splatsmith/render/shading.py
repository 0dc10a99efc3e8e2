"""How light falls on a surface with normals: one lamp per view, and light from everywhere.

Poole et al. 2022 (DreamFusion), equation 8: color = albedo * (lamp * max(0, n . l) + ambient).
Geometry that only looks right from its texture is found out when it is lit, or lit without
texture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

Look = Literal["albedo", "lambertian", "textureless"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Shading:
    """One choice of light for each view."""

    lamp: Float[Tensor, "views 3"]  # where the lamp is, world units
    ambient: Float[Tensor, "views"]  # light from everywhere, 0..1; the lamp gives the rest
    textureless: Bool[Tensor, "views"]  # whether the surface is white in this view

    @staticmethod
    def of(looks: Sequence[Look], lamp: Float[Tensor, "views 3"], ambient: float) -> "Shading":
        """The light that each view's look means; `albedo` is ambient light alone."""
        shares = [1.0 if look == "albedo" else ambient for look in looks]
        return Shading(
            lamp=lamp,
            ambient=torch.tensor(shares).to(lamp),
            textureless=torch.tensor([look == "textureless" for look in looks]).to(lamp.device),
        )

    @property
    def needs_normals(self) -> bool:
        """Whether any view is lit by its lamp."""
        return bool((self.ambient < 1).any())


def shaded(
    albedo: Float[Tensor, "points 3"],
    normals: Float[Tensor, "points 3"],
    points: Float[Tensor, "points 3"],
    view: Int[Tensor, "points"],
    shading: Shading,
) -> Float[Tensor, "points 3"]:
    """The color (0..1) of lit points; `normals` have length 1, `view` says who sees each."""
    toward = F.normalize(shading.lamp[view] - points, dim=-1)
    facing = (normals * toward).sum(dim=-1, keepdim=True).clamp(min=0)
    ambient = shading.ambient[view][:, None]
    white = shading.textureless[view][:, None]
    return torch.where(white, 1.0, albedo) * (ambient + (1 - ambient) * facing)
