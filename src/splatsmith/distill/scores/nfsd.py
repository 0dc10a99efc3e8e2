"""Noise-free score distillation: the prediction taken apart, and its noise left out."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.curves import Varying, at, check_range
from splatsmith.distill.guidance import asked
from splatsmith.distill.question import Question
from splatsmith.distill.settings import Common, check_common
from splatsmith.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class NFSD(Common):
    """Noise-free score distillation (Katzir et al. 2023).

    It lives on its negative prompt ("unrealistic, blurry, low quality, ..." in the paper): from
    `below` on, the way to real pictures is what that prompt leads away from. Without one, only
    the condition's direction is left there.
    """

    kind: Literal["nfsd"] = "nfsd"
    guidance: Varying = 7.5  # weight of the condition's direction, 0 to 1000
    below: float = 0.2  # time below which the prediction is taken to be free of noise

    def __post_init__(self) -> None:
        check_common(self)
        check_range("guidance", self.guidance, 0, 1000)
        if not 0 <= self.below <= 1:
            raise InputError(f"below must lie in 0 to 1, got {self.below}.")


def nfsd(settings: NFSD, question: Question) -> Float[Tensor, "views channels height width"]:
    """d_D + s d_C: the condition's direction d_C = e_c - e_u, and the domain's.

    d_D = e_u where t < `below`, else e_u - e_negative, in which the noise cancels.
    """
    condition, t = question.condition, question.t
    told = [condition, condition.nothing(), condition.negative()]
    wanted, plain, unwanted = asked(question.prior, question.x_t, t, told)
    clean = (t < settings.below)[:, None, None, None]
    domain = torch.where(clean, plain.eps, plain.eps - unwanted.eps)
    scale = at(settings.guidance, question.progress)
    return domain + scale * (wanted.eps - plain.eps)
