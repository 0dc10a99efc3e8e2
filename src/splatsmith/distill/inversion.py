"""DDIM run backward: from a picture to the noisy picture that it would have come from.

Song et al. 2021 (DDIM), equation 14, solved from clean to noise. Every step keeps the predicted
noise and moves to the next noise level: x_b = alpha(b) x0 + sigma(b) eps.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.question import Question
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.schedule import NoiseSchedule

# What is said about a noisy picture at a time.
Says = Callable[[Tensor, Tensor], Prediction]


def moved(
    prediction: Prediction, to: Float[Tensor, "views"], schedule: NoiseSchedule
) -> Float[Tensor, "views channels height width"]:
    """The noisy picture at time `to` that has the same clean picture and the same noise."""
    x0, eps = prediction.x0, prediction.eps
    alpha, sigma = (
        share(to).to(x0)[:, None, None, None] for share in (schedule.alpha, schedule.sigma)
    )
    return alpha * x0 + sigma * eps


def inverted(
    question: Question,
    says: Says,
    to: Float[Tensor, "views"],
    *,
    start: float,
    stride: float,
    eta: float = 0.0,
) -> Float[Tensor, "views channels height width"]:
    """The picture of the question at time `to`, with the noise that `says` finds in it.

    The way begins at time `start` with the question's own noise, because a prior knows little
    of pictures without any (LucidDreamer's released code does so; its paper begins clean, which
    is `start` = 0). Its steps are no longer than `stride`. `eta` adds fresh noise in each, as
    a share of what an ancestral step has (SDI's released code).
    """
    schedule = question.prior.schedule
    first = to.clamp(max=start)
    alpha, sigma = question.shares(first)
    x = alpha * question.x + sigma * question.noise
    count = max(1, math.ceil(float((to - first).max()) / stride - 1e-6))
    now = first
    for step in range(1, count + 1):
        after = first + (to - first) * (step / count)
        x = moved(says(x, now), after, schedule)
        if eta:
            x = x + eta * _spread(schedule, now, after).to(x) * question.draw()
        now = after
    return x


def _spread(
    schedule: NoiseSchedule, now: Float[Tensor, "views"], after: Float[Tensor, "views"]
) -> Float[Tensor, "views 1 1 1"]:
    """Deviation of an ancestral step from `after` back to `now` (Song et al. 2021, eq. 16)."""
    ratio = torch.exp(schedule.log_snr(after) - schedule.log_snr(now)).clamp(max=1)
    # With alpha^2 + sigma^2 = 1 this is (s_now / s_after)^2 (1 - a_after^2 / a_now^2).
    return (schedule.sigma(now) * (1 - ratio).sqrt())[:, None, None, None]
