"""Variational score distillation: the prior against a model of the scene's own renders."""

from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.curves import Varying
from splatsmith.distill.question import Question
from splatsmith.distill.settings import Guided, check_guided
from splatsmith.errors import InputError

MOST_PARTICLES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnModel:
    """The model of the scene's own renders: the prior with a low-rank update, trained along."""

    rank: int = 4  # of the update of each weight, 1 to 64
    rate: float = 1e-4  # AdamW's, per step, over 0 and at most 1
    camera_dropped: float = 0.1  # share of views whose camera it is not told, 0 to 1
    particles: int = 1  # scenes that the run makes at once and that share it, 1 to 8

    def __post_init__(self) -> None:
        if not 1 <= self.particles <= MOST_PARTICLES:
            raise InputError(
                f"particles must lie in 1 to {MOST_PARTICLES}, got {self.particles}."
            )
        if not 1 <= self.rank <= 64:
            raise InputError(f"rank must lie in 1 to 64, got {self.rank}.")
        if not 0 < self.rate <= 1:
            raise InputError(f"rate must be over 0 and at most 1, got {self.rate}.")
        if not 0 <= self.camera_dropped <= 1:
            raise InputError(f"camera_dropped must lie in 0 to 1, got {self.camera_dropped}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class VSD(Guided):
    """Variational score distillation (Wang et al. 2023, ProlificDreamer).

    A scene is a particle; with `own.particles` several are moved at a time, as in the paper.
    """

    kind: Literal["vsd"] = "vsd"
    guidance: Varying = 7.5
    own: OwnModel = field(default_factory=OwnModel)

    def __post_init__(self) -> None:
        check_guided(self)


def vsd(settings: VSD, question: Question) -> Float[Tensor, "views channels height width"]:
    """e_guided(x_t; t) - e_own(x_t; t).

    If the own model knows this render and nothing else, e_own is the noise and this is SDS; if
    it is still the prior, this is (s - 1) (e_c - e_u).
    """
    if question.own is None:
        raise InputError("The score vsd needs a model of the scene's own renders, got none.")
    x_t = question.x_t
    return question.guided(settings, x_t).eps - question.own(x_t, question.t).eps
