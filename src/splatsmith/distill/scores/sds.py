"""Score distillation sampling: the guided prediction against the noise that was added."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.question import Question
from splatsmith.distill.settings import Guided, check_guided


@dataclass(frozen=True, slots=True, kw_only=True)
class SDS(Guided):
    """Score distillation sampling (Poole et al. 2022, DreamFusion, equation 3).

    With weight "sigma_over_alpha" and a rescale it is MVDream's x0-reconstruction loss (Shi et
    al. 2023): g = x - x_hat, x_hat guided and rescaled.
    """

    kind: Literal["sds"] = "sds"

    def __post_init__(self) -> None:
        check_guided(self)


def sds(settings: SDS, question: Question) -> Float[Tensor, "views channels height width"]:
    """e_guided - noise; the pseudo-ground-truth is the guided x0."""
    return question.guided(settings).eps - question.noise
