"""What a radiance field is asked to be beside what the prior says of it, as a recipe has it."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.curves import Varying, at, check_range
from splatsmith.render.picture import Picture
from splatsmith.scenes import field_losses

NAMES = (
    "distortion",
    "opaqueness",
    "sparsity",
    "emptiness",
    "orientation",
    "z_variance",
    "normal_roughness",
    "exterior",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRegularize:
    """Weights of a field's regularizers, 0 or more, which may vary; 0 turns one off."""

    kind: Literal["field"] = "field"
    distortion: Varying = 0.0  # a ray's weights lie together
    opaqueness: Varying = 0.0  # every pixel is covered or empty
    sparsity: Varying = 0.0  # on the mean of alpha: what no view needs goes
    emptiness: Varying = 0.0  # SJC's: most samples of a ray are empty
    orientation: Varying = 0.0  # surfaces that are seen face the eye; needs normals
    z_variance: Varying = 0.0  # HiFA's: a ray meets matter at one distance
    normal_roughness: Varying = 0.0  # neighboring pixels have like normals
    exterior: Varying = 0.0  # on alpha around the object in the target, where that is white

    def __post_init__(self) -> None:
        for name in NAMES:
            check_range(name, getattr(self, name), 0)

    def needs_normals(self, progress: float) -> bool:
        """Whether pictures must have normals even where no lamp asks for them."""
        return bool(at(self.orientation, progress) or at(self.normal_roughness, progress))


def field_regularization(
    settings: FieldRegularize, picture: Picture, progress: float
) -> list[Float[Tensor, ""]]:
    """The weighted terms that the settings ask for, but `exterior`."""
    losses = {name: getattr(field_losses, name) for name in NAMES if name != "exterior"}
    weights = {name: at(getattr(settings, name), progress) for name in losses}
    return [weights[name] * loss(picture) for name, loss in losses.items() if weights[name]]
