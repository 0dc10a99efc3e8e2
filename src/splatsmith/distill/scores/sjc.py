"""Score Jacobian chaining: the prior as a denoiser of perturbed pictures, averaged."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.question import Question
from splatsmith.distill.settings import Guided, check_guided
from splatsmith.distill.weights import WeightName
from splatsmith.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class SJC(Guided):
    """Score Jacobian chaining with perturb-and-average scoring (Wang et al. 2022).

    With one perturbation, centered and w = 1 it is SDS with w = 1.
    """

    kind: Literal["sjc"] = "sjc"
    weight: WeightName = "one"
    perturbations: int = (
        1  # noises that are averaged over, 1 to 16; each is a call of the prior
    )
    centered: bool = True  # the form of smaller variance: the noise's mean, zero, is taken out

    def __post_init__(self) -> None:
        check_guided(self)
        if not 1 <= self.perturbations <= 16:
            raise InputError(f"perturbations must lie in 1 to 16, got {self.perturbations}.")


def sjc(settings: SJC, question: Question) -> Float[Tensor, "views channels height width"]:
    """-(D(z) - x) / s, averaged over z = x + s n with s = sigma / alpha; D denoises.

    Not centered it is -(D(z) - z) / s, the same but for the noise, whose mean is zero.
    """
    first = _perturbed(settings, question)
    rest = [
        _perturbed(settings, question.with_fresh_noise())
        for _ in range(settings.perturbations - 1)
    ]
    return sum(rest, start=first) / settings.perturbations


def _perturbed(settings: SJC, question: Question) -> Tensor:
    alpha, sigma = question.shares(question.t)
    s = sigma / alpha
    denoised = question.guided(settings).x0
    if settings.centered:
        return (question.x - denoised) / s
    return (question.x + s * question.noise - denoised) / s
