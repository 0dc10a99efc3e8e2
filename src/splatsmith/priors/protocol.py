"""What a prior is to the rest of the house: a frozen denoiser that can be told what to see.

`distill` knows priors only through these two protocols, and priors never hear of scenes: they
see pictures. Anything with these members is a prior; nothing has to be inherited.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.cameras.convention import Cameras
from splatsmith.priors.prediction import Kind, Prediction
from splatsmith.priors.schedule import NoiseSchedule
from splatsmith.prompts.prompt import Prompt

__all__ = [
    "Adaptable",
    "Adapter",
    "Condition",
    "Kind",
    "LargePrior",
    "NoiseSchedule",
    "OnePassPrior",
    "Prediction",
    "Prior",
    "SeeingPrior",
    "Sight",
    "knows_cameras",
    "sees_image",
]


@runtime_checkable
class Condition(Protocol):
    """What the prior is told, one row per view; only the prior that made it can read it."""

    def negative(self) -> "Condition":
        """The twin for the other side of guidance: nothing, or the negative prompt."""
        ...

    def nothing(self) -> "Condition":
        """The twin that says nothing at all, whether or not there is a negative prompt."""
        ...

    def joined(self, other: Any) -> "Condition":
        """The rows of this condition, then those of `other` (of the same prior)."""
        ...

    def __len__(self) -> int: ...


@runtime_checkable
class Prior(Protocol):
    """A frozen diffusion model of pictures.

    Attributes:
        space: "pixel" if `encode` only rescales pictures, to -1..1; "latent" if it compresses.
        channels: of x, 3 for pixels.
        resolution: height and width of x.
        views: how many views are denoised together; 1 if each is on its own.
        schedule: alpha(t) and sigma(t).
        default_guidance: scale of classifier-free guidance in the standard form.
    """

    space: Literal["pixel", "latent"]
    channels: int
    resolution: int
    views: int
    schedule: NoiseSchedule
    default_guidance: float

    def condition(self, prompt: Prompt, cameras: Cameras) -> Condition:
        """What the prior will be told about each view; InputError if it cannot be told."""
        ...

    def encode(
        self, color: Float[Tensor, "views height width 3"]
    ) -> Float[Tensor, "views channels rows columns"]:
        """Pictures (0..1) to x; differentiable, because the gradient must reach the scene."""
        ...

    def decode(
        self, x: Float[Tensor, "views channels rows columns"]
    ) -> Float[Tensor, "views height width 3"]:
        """Pictures in 0..1 out of x."""
        ...

    def predict(
        self,
        x_t: Float[Tensor, "views channels rows columns"],
        t: Float[Tensor, "views"],
        condition: Any,
    ) -> Prediction:
        """What the denoiser says about `x_t` at time `t`, without gradients."""
        ...


@runtime_checkable
class OnePassPrior(Protocol):
    """A prior that has learned what guidance would say, and says it in one pass.

    Meng et al. 2023 (On distillation of guided diffusion models), stage one.
    """

    def guides(self, condition: Any, scale: float) -> bool:
        """Whether it has learned this scale, for such a condition."""
        ...

    def predict_guided(
        self,
        x_t: Float[Tensor, "views channels rows columns"],
        t: Float[Tensor, "views"],
        condition: Any,
        scale: float,
    ) -> Prediction:
        """The prediction guided by `scale` (standard form), as learned from two passes."""
        ...


@runtime_checkable
class Adapter(Protocol):
    """A few weights beside a frozen prior that make another prior of it, for one scene.

    Untrained it must say exactly what the prior says.
    """

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """What is trained; no name begins with another one and a dot."""
        ...

    def condition(self, prompt: Prompt, cameras: Cameras, known: Float[Tensor, "views"]) -> Any:
        """What it will be told of each view, without the camera where `known` is 0."""
        ...

    def predict(
        self,
        x_t: Float[Tensor, "views channels rows columns"],
        t: Float[Tensor, "views"],
        condition: Any,
    ) -> Prediction:
        """What it says about `x_t`, in the prior's own way; differentiable in its weights."""
        ...


@runtime_checkable
class Adaptable(Protocol):
    """A prior that can be adapted to a scene while its own weights stay as they are."""

    def adapted(self, rank: int, generator: torch.Generator) -> Adapter:
        """An untrained adapter whose updates of weights have at most this rank."""
        ...


@dataclass(frozen=True, eq=False)
class Sight:
    """What there is to see of a render, for priors that want to see it; as in `Picture`."""

    color: Float[Tensor, "views height width 3"]
    alpha: Float[Tensor, "views height width 1"]
    depth: Float[Tensor, "views height width 1"]
    normal: Float[Tensor, "views height width 3"] | None
    cameras: Cameras


@runtime_checkable
class HearingPrior(Protocol):
    """A prior that hears only so many words."""

    def check_words(self, prompt: Prompt) -> None:
        """InputError if the prompt is longer than what it hears."""
        ...


@runtime_checkable
class SeeingPrior(Protocol):
    """A prior that is also shown the render: its depth, its normals, or itself in small."""

    def shown(self, condition: Any, sight: Sight, generator: torch.Generator) -> Condition:
        """The condition with what the prior wants to see; no gradient goes through it."""
        ...


@runtime_checkable
class LargePrior(Protocol):
    """A prior so large that its memory is spoken of before it is used, and freed after it."""

    def check_room(self, views: int, sides: int) -> str:
        """What a step of so many views and sides of guidance needs, in a line for the user.

        InputError with a remedy if there is not enough.
        """
        ...

    def release(self) -> None:
        """Free its weights; they are loaded again if it is asked once more."""
        ...


def sees_image(prior: Prior) -> bool:
    """Whether a picture in the prompt is part of what a prior is told."""
    return bool(getattr(prior, "sees_image", False))


def knows_cameras(prior: Prior) -> bool:
    """Whether a prior is told from where a picture is seen, in angles and not in words alone.

    Priors that are have an attribute of this name.
    """
    return bool(getattr(prior, "knows_cameras", False))
