"""Scores: how a prior's prediction becomes a gradient on the picture.

A score is a pure function of the prior, the picture x, a time and a noise per view. It says
only what the gradient g is; the loss is the same for all (`loss.py`). The picture that the step
pulls toward, x_hat = x - (sigma / alpha) g / w, falls out for free and always comes along.

A new score is one function, one settings dataclass, one line in `SCORES`, and a test against
the analytic prior.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.guidance import guided
from splatsmith.distill.times import Times, UniformTimes
from splatsmith.distill.weights import WEIGHTS, WeightName, weight
from splatsmith.errors import InputError
from splatsmith.priors.protocol import Prior


@dataclass(frozen=True)
class Distilled:
    """What one step learned from the prior; nothing in it carries gradients."""

    gradient: Float[Tensor, "views channels height width"]  # on x, with w(t) in it
    pseudo_ground_truth: Float[Tensor, "views channels height width"]  # x_hat; prior.decode it
    weight: Float[Tensor, "views"]  # w(t)
    t: Float[Tensor, "views"]  # the times that were asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class SDS:
    """Score distillation sampling (Poole et al. 2022, DreamFusion, equation 3)."""

    kind: Literal["sds"] = "sds"
    guidance: float = 7.0  # standard classifier-free scale: 1 the prior's own answer, 0 to 1000
    rescale: float = 0.0  # MVDream's phi, 0 to 1: less over-saturation
    perp_neg: bool = False  # push away what other views look like: four passes; no rescale
    one_pass: bool = False  # where the prior has learned guidance, ask it once instead of twice
    weight: WeightName = "sigma2"  # w(t), see weights.py
    clamp: bool = False  # keep x_hat in the range of pictures; ours, for pixel priors only
    times: Times = field(default_factory=UniformTimes)

    def __post_init__(self) -> None:
        if not 0 <= self.guidance <= 1000:
            raise InputError(f"guidance must lie in 0 to 1000, got {self.guidance}.")
        if not 0 <= self.rescale <= 1:
            raise InputError(f"rescale must lie in 0 to 1, got {self.rescale}.")
        if self.perp_neg and (self.one_pass or self.rescale):
            raise InputError("perp_neg goes neither with one_pass nor with rescale.")
        if self.weight not in WEIGHTS:
            raise InputError(
                f"weight must be one of {', '.join(WEIGHTS)}, got {self.weight!r}."
            )


@torch.no_grad()
def sds(
    settings: SDS,
    prior: Prior,
    condition: Any,
    x: Float[Tensor, "views channels height width"],
    t: Float[Tensor, "views"],
    noise: Float[Tensor, "views channels height width"],
) -> Distilled:
    """The gradient g = w(t) (eps_guided - noise); its pseudo-ground-truth is the guided x0.

    With `settings.clamp` x_hat is cut to -1..1 and g = beta(t) (x - x_hat): guided predictions
    overshoot at high noise, and no picture can follow them there.
    """
    if settings.clamp and prior.space != "pixel":
        raise InputError(
            f"clamp is for pixel priors, and this prior works in {prior.space} space; "
            f"set score.clamp = false."
        )
    w = weight(settings.weight, prior.schedule, t)
    alpha, sigma = (
        share(t).to(x)[:, None, None, None]
        for share in (prior.schedule.alpha, prior.schedule.sigma)
    )
    x_t = alpha * x + sigma * noise
    answer = guided(
        prior,
        x_t,
        t,
        condition,
        settings.guidance,
        settings.rescale,
        one_pass=settings.one_pass,
    )
    surprise = answer.eps - noise
    target = x - (sigma / alpha) * surprise
    if settings.clamp:
        target = target.clamp(-1, 1)
        surprise = (alpha / sigma) * (x - target)
    return Distilled(w.to(x)[:, None, None, None] * surprise, target, w, t)


ScoreSettings = SDS  # a union, told apart by `kind`, once there are more

SCORES: dict[str, Callable[..., Distilled]] = {"sds": sds}


def distill(
    settings: ScoreSettings,
    prior: Prior,
    condition: Any,
    x: Float[Tensor, "views channels height width"],
    progress: float,
    generator: torch.Generator,
) -> Distilled:
    """One step's question and answer: draw times and noise, ask the prior, apply the score.

    `x` is the encoded picture; it is read, not differentiated. `progress` runs from 0 to 1 over
    the stage. All chance comes from `generator`. Views that a multi-view prior denoises
    together share one time.
    """
    views = len(x)
    if views % prior.views:
        raise InputError(
            f"This prior denoises {prior.views} views together; {views} is no multiple of that."
        )
    t = settings.times.sample(progress, views // prior.views, generator)
    t = t.repeat_interleave(prior.views).to(x.device)
    noise = torch.randn(x.shape, generator=generator, device=generator.device, dtype=x.dtype)
    score = SCORES[settings.kind]
    return score(settings, prior, condition, x.detach(), t, noise.to(x.device))
