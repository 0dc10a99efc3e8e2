"""What holds a scene to the picture in the prompt: color and mask, from where it was taken.

Both are plain mean squared errors against the picture before the background of the step, as in
Zero-1-to-3's and DreamGaussian's recipes (Liu et al. 2023; Tang et al. 2023).
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.images import Reference
from splatsmith.scenes.kinds import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceView:
    """How strongly, how often and from how far the picture is compared with the scene.

    With both weights 0 the picture is only what a prior that sees pictures is told.
    """

    color: float = 10000.0  # weight on the mean squared error of color (0..1), 0 or more
    mask: float = 1000.0  # weight on that of alpha, 0 or more
    ramp: bool = False  # both weights grow from 0 over the stage (DreamGaussian)
    every: int = 1  # steps of the stage from one comparison to the next
    radius: float = 3.2  # world units from the origin to where the picture was taken
    fovy: float = 40.0  # its vertical field of view, degrees

    def __post_init__(self) -> None:
        for name in ("color", "mask"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} must be 0 or more, got {getattr(self, name)}.")
        if self.every < 1:
            raise InputError(f"every must be 1 or more, got {self.every}.")
        if not (0 < self.radius < float("inf") and 0 < self.fovy < 180):
            raise InputError(
                f"radius must be positive and fovy between 0 and 180, "
                f"got {self.radius} and {self.fovy}."
            )

    @property
    def holds(self) -> bool:
        """Whether the scene is compared with the picture at all."""
        return self.color > 0 or self.mask > 0


def reference_loss(
    settings: ReferenceView,
    image: Reference,
    scene: Scene,
    size: int,
    background: Float[Tensor, "3"],
    progress: float,
) -> Float[Tensor, ""]:
    """The weighted errors of the scene against the picture, both `size` pixels a side.

    `progress` runs from 0 to 1 over the stage. What the picture does not show of the scene,
    such as its back, gets no gradient from here.
    """
    picture = scene.render(image.camera(size), background)
    color = image.over(background, size)
    alpha = image.alpha(size)
    loss = settings.color * (picture.color[0] - color).square().mean()
    loss = loss + settings.mask * (picture.alpha[0] - alpha).square().mean()
    return loss * progress if settings.ramp else loss
