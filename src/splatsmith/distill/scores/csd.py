"""Classifier score distillation: what the prompt changes in the prediction, nothing else."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.curves import Varying, at, check_range
from splatsmith.distill.guidance import asked
from splatsmith.distill.question import Question
from splatsmith.distill.settings import Common, check_common


@dataclass(frozen=True, slots=True, kw_only=True)
class CSD(Common):
    """Classifier score distillation (Yu et al. 2023).

    The authors anneal the negative prompt: `negative` from 0 to 1 over the coarse stage, from
    1 to 0.5 over the fine one. Without a negative prompt that part is zero.
    """

    kind: Literal["csd"] = "csd"
    positive: Varying = 1.0  # weight of (e_c - e_u), 0 to 1000
    negative: Varying = 0.0  # weight of (e_negative - e_u), which is pushed away; 0 to 1000

    def __post_init__(self) -> None:
        check_common(self)
        check_range("positive", self.positive, 0, 1000)
        check_range("negative", self.negative, 0, 1000)


def csd(settings: CSD, question: Question) -> Float[Tensor, "views channels height width"]:
    """The difference p (e_c - e_u) - q (e_negative - e_u), where nothing is said in e_u.

    It has no noise in it that does not come from the prior, so it varies less than SDS does;
    and nothing in it holds the picture to what pictures are like.
    """
    condition = question.condition
    p = at(settings.positive, question.progress)
    q = at(settings.negative, question.progress)
    told = [condition, condition.nothing()]
    if not q:
        wanted, plain = asked(question.prior, question.x_t, question.t, told)
        return p * (wanted.eps - plain.eps)
    told.append(condition.negative())
    wanted, plain, unwanted = asked(question.prior, question.x_t, question.t, told)
    return p * (wanted.eps - plain.eps) - q * (unwanted.eps - plain.eps)
