"""Interval score matching: two predictions along one way from the picture into the noise."""

from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.curves import Varying, at, check_range
from splatsmith.distill.inversion import inverted, moved
from splatsmith.distill.question import Question
from splatsmith.distill.settings import Guided, check_guided
from splatsmith.distill.times import Times, UniformTimes
from splatsmith.distill.weights import WeightName
from splatsmith.errors import InputError
from splatsmith.priors.prediction import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class ISM(Guided):
    """Interval score matching (Liang et al. 2023, LucidDreamer, algorithm 1).

    As the interval goes to 0, it becomes s times CSD at the noise that inversion finds.
    """

    kind: Literal["ism"] = "ism"
    guidance: Varying = 7.5
    weight: WeightName = "sigma_over_alpha"  # as the released code
    times: Times = field(default_factory=lambda: UniformTimes(low=0.02, high=0.5))
    interval: Varying = 0.1  # delta_T, from s to t; a share of the schedule, 0 to 1
    stride: float = 0.2  # delta_S, the longest step of the inversion up to s
    start: float = 0.02  # where the inversion begins, see `inverted`

    def __post_init__(self) -> None:
        check_guided(self)
        check_range("interval", self.interval, 0, 1)
        if not 0.01 <= self.stride <= 1:
            raise InputError(f"stride must lie in 0.01 to 1, got {self.stride}.")
        if not 0 <= self.start <= 1:
            raise InputError(f"start must lie in 0 to 1, got {self.start}.")


def ism(settings: ISM, question: Question) -> Float[Tensor, "views channels height width"]:
    """e_guided(x_t; t) - e_u(x_s; s), s an interval before t, both by DDIM inversion."""
    prior, nothing = question.prior, question.condition.nothing()

    def says(x_s: Tensor, s: Tensor) -> Prediction:
        return prior.predict(x_s, s, nothing)

    interval = at(settings.interval, question.progress)
    s = (question.t - interval).clamp(min=0)
    x_s = inverted(question, says, s, start=settings.start, stride=settings.stride)
    plain = says(x_s, s)
    x_t = moved(plain, question.t, prior.schedule)
    return question.guided(settings, x_t).eps - plain.eps
