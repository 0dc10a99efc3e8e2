"""What a scene is asked to be beside what the prior says of it.

Each kind of scene has its own; a recipe gives the weights, and all are zero unless it says so.
Those of Gaussians are means over splats, so that a weight means the same for any count.
`exterior` looks at the pictures and is for all kinds.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.curves import Varying, at, check_range
from splatsmith.errors import InputError
from splatsmith.optimize.exterior import uncovered
from splatsmith.optimize.field_regularizers import FieldRegularize, field_regularization
from splatsmith.optimize.surface_regularizers import SurfaceRegularize, surface_regularization
from splatsmith.render.picture import Picture
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.kinds import Scene
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.tetrahedra import Tetrahedra


@dataclass(frozen=True, slots=True, kw_only=True)
class Regularize:
    """Weights of Gaussians' regularizers, 0 or more, which may vary; 0 turns one off."""

    unnamed: ClassVar[bool] = True  # a table without a kind is of this one

    kind: Literal["gaussians"] = "gaussians"
    sparsity: Varying = 0.0  # on the mean opacity: faint splats fade away
    outside: Varying = 0.0  # on opacity that lies outside the unit ball
    needles: Varying = 0.0  # on splats whose longest axis is over `needle_ratio` times the next
    size: Varying = 0.0  # on splats larger than `largest`
    exterior: Varying = 0.0  # on alpha around the object in the target, where that is white
    needle_ratio: float = 4.0  # without unit, 1 or more
    largest: float = 0.15  # world units, positive

    def __post_init__(self) -> None:
        for name in ("sparsity", "outside", "needles", "size", "exterior"):
            check_range(name, getattr(self, name), 0)
        if not self.needle_ratio >= 1 or not self.largest > 0:
            raise InputError(
                f"needle_ratio must be 1 or more and largest positive, "
                f"got {self.needle_ratio} and {self.largest}."
            )


AnyRegularize = Regularize | FieldRegularize | SurfaceRegularize


def regularization(
    settings: AnyRegularize,
    scene: Scene,
    picture: Picture | None = None,
    target: Float[Tensor, "views height width 3"] | None = None,
    progress: float = 0.0,
) -> Float[Tensor, ""] | None:
    """The weighted sum of what the settings ask for; None if they ask for nothing.

    What concerns pictures needs the `picture` of the scene, and `exterior` also the one that it
    is pulled toward (0..1, of the same size). `progress` runs from 0 to 1 over the stage.
    """
    if isinstance(settings, FieldRegularize):
        terms = [] if picture is None else field_regularization(settings, picture, progress)
    elif isinstance(settings, SurfaceRegularize):
        assert isinstance(scene, Tetrahedra | Mesh)
        terms = surface_regularization(settings, scene, progress)
    else:
        assert isinstance(scene, Gaussians)
        terms = splat_regularization(settings, scene, progress)
    weight = at(settings.exterior, progress)
    if weight and picture is not None and target is not None:
        terms.append(weight * uncovered(picture.alpha, target))
    return torch.stack(terms).sum() if terms else None


def splat_regularization(
    settings: Regularize, scene: Gaussians, progress: float
) -> list[Float[Tensor, ""]]:
    """The weighted terms that concern Gaussians alone."""
    terms: list[Tensor] = []
    if weight := at(settings.sparsity, progress):
        terms.append(weight * sparsity(scene.opacities))
    if weight := at(settings.outside, progress):
        terms.append(weight * outside(scene.means, scene.opacities))
    if weight := at(settings.needles, progress):
        terms.append(weight * needles(scene.log_scales, settings.needle_ratio))
    if weight := at(settings.size, progress):
        terms.append(weight * size(scene.scales, settings.largest))
    return terms


def sparsity(opacities: Float[Tensor, "splats"]) -> Float[Tensor, ""]:
    """Mean opacity, 0 to 1."""
    return opacities.mean()


def outside(
    means: Float[Tensor, "splats 3"], opacities: Float[Tensor, "splats"]
) -> Float[Tensor, ""]:
    """Mean of opacity times the distance (world units) of the center from the unit ball."""
    return (opacities * (means.norm(dim=-1) - 1).clamp_min(0)).mean()


def needles(log_scales: Float[Tensor, "splats 3"], ratio: float) -> Float[Tensor, ""]:
    """Mean excess of log(longest / second axis) over log(ratio): disks pass, needles do not.

    After the ratio loss of Xie et al. 2023 (PhysGaussian, equation 10), in logarithms and with
    the second axis in the place of the shortest.
    """
    ordered = log_scales.sort(dim=-1).values
    limit = torch.log(log_scales.new_tensor(ratio))
    return (ordered[:, 2] - ordered[:, 1] - limit).clamp_min(0).mean()


def size(scales: Float[Tensor, "splats 3"], largest: float) -> Float[Tensor, ""]:
    """Mean length (world units) by which the longest axis exceeds `largest`."""
    return (scales.amax(dim=-1) - largest).clamp_min(0).mean()
