"""Where the lamp hangs in each view of a step, and which views it lights.

Poole et al. 2022 (DreamFusion, section 3.1 and appendix A.2): most views are lit by a lamp near
the camera, and some of these are drawn without color, so that the shape has to be right.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from splatsmith.cameras import Cameras
from splatsmith.distill.curves import Varying, at, check_range
from splatsmith.errors import InputError
from splatsmith.render.shading import Look, Shading


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    """How often and from where views are lit; shares may vary over the stage."""

    lit: Varying = 0.75  # share of the views with a lamp; the others show plain color
    textureless: Varying = 0.5  # share of the lit views that are white
    ambient: float = 0.1  # light from everywhere in a lit view, 0 to 1
    distance: tuple[float, float] = (0.8, 1.5)  # of the lamp, in distances of the camera
    spread: float = 1.0  # deviation of its direction about the camera's, before it is normed

    def __post_init__(self) -> None:
        check_range("lit", self.lit, 0, 1)
        check_range("textureless", self.textureless, 0, 1)
        if not 0 <= self.ambient <= 1 or not 0 <= self.spread <= 100:
            raise InputError(
                f"ambient must lie in 0 to 1 and spread in 0 to 100, "
                f"got {self.ambient} and {self.spread}."
            )
        if not 0 < self.distance[0] <= self.distance[1] <= 100:
            raise InputError(
                f"distance must be two numbers over 0, the smaller first, got {self.distance}."
            )


def light(lamp: Lamp, cameras: Cameras, progress: float, generator: torch.Generator) -> Shading:
    """The light of a step's views at `progress` (0 to 1) through the stage."""
    views = len(cameras)
    near, far = lamp.distance
    draws = torch.rand(3, views, generator=generator)
    shake = lamp.spread * torch.randn(views, 3, generator=generator)
    eyes = cameras.position
    distance = eyes.norm(dim=1, keepdim=True) * (near + (far - near) * draws[0][:, None])
    places = distance * F.normalize(F.normalize(eyes, dim=1) + shake.to(eyes), dim=1)
    lit = draws[1] < at(lamp.lit, progress)
    white = draws[2] < at(lamp.textureless, progress)
    looks: list[Look] = [
        ("textureless" if white[i] else "lambertian") if lit[i] else "albedo"
        for i in range(views)
    ]
    return Shading.of(looks, places, lamp.ambient)
