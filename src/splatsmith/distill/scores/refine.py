"""Refinement: the picture is noised a part of the way and denoised over several steps."""

from dataclasses import dataclass, field, replace
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.curves import Varying, check_range
from splatsmith.distill.inversion import moved
from splatsmith.distill.question import Question
from splatsmith.distill.settings import Guided, check_guided
from splatsmith.distill.times import FallingTimes, Times
from splatsmith.distill.weights import WeightName
from splatsmith.errors import InputError

MOST_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Refine(Guided):
    """SDEdit (Meng et al. 2021) as a target, as in DreamGaussian's second stage (Tang et al.
    2023, section 3.3).

    `times` are where the way back begins: 0.2 keeps nearly everything, 1 nothing. The loop
    pulls the render by `image_loss` only, so no gradient passes a latent prior's encoder; with
    this weight it is half the plain squared error to the refined picture.
    """

    kind: Literal["refine"] = "refine"
    weight: WeightName = "sigma_over_alpha"  # beta = 1: all times count alike
    image_loss: Varying = 1.0  # over 0; the only loss
    # In the released code, a share of its 50-step schedule that falls from about 0.2 to 0.05.
    times: Times = field(
        default_factory=lambda: FallingTimes(start=0.2, stop=0.05, draw="shared")
    )
    steps: int = 5  # of deterministic DDIM, evenly spread from the time to 0; 1 to 100

    def __post_init__(self) -> None:
        check_guided(self)
        check_range("image_loss", self.image_loss, 1e-9)
        if not 1 <= self.steps <= MOST_STEPS:
            raise InputError(f"steps must lie in 1 to {MOST_STEPS}, got {self.steps}.")
        if min(self.times.window(progress)[0] for progress in (0.0, 1.0)) <= 0:
            raise InputError("times must stay over 0: where there is no noise, none is taken.")


def refine(
    settings: Refine, question: Question
) -> Float[Tensor, "views channels height width"]:
    """(alpha / sigma) (x - x_hat), x_hat what DDIM (eta 0) makes of x_t in so many steps.

    With `clamp` every predicted clean picture on the way is kept in the range of pictures, not
    only the last one. In one step this is SDS.
    """
    schedule, x_t, clean = question.prior.schedule, question.x_t, question.x
    for step in range(settings.steps):
        now, after = (question.t * (1 - (step + ahead) / settings.steps) for ahead in (0, 1))
        said = replace(question, t=now).guided(settings, x_t)
        if settings.clamp:
            said = said.with_value("x0", said.x0.clamp(-1, 1))
        clean, x_t = said.x0, moved(said, after, schedule)
    alpha, sigma = question.shares(question.t)
    return alpha / sigma * (question.x - clean)
