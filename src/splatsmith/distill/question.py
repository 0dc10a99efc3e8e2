"""One step's question to a prior, and the answer as a gradient on the picture.

A score is a pure function `(settings, question) -> surprise`: how the prior's prediction
differs from what the picture would have it be, in units of noise. Everything else is the same
for all: the weight, the clamp, the clip, and the picture that the step pulls toward,
x_hat = x - (sigma / alpha) g / w.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.curves import at
from splatsmith.distill.guidance import guided
from splatsmith.distill.settings import Common, Guided
from splatsmith.distill.weights import weight
from splatsmith.errors import InputError
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.protocol import Prior

# What a model of the scene's own renders says about a noisy one: (x_t, t) -> prediction.
Own = Callable[[Tensor, Tensor], Prediction]


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """What a prior is asked in one step; `x` is read and not differentiated."""

    prior: Prior
    condition: Any
    x: Float[Tensor, "views channels height width"]
    t: Float[Tensor, "views"]
    noise: Float[Tensor, "views channels height width"]
    progress: float = 0.0  # 0 to 1 over the stage
    generator: torch.Generator | None = None  # for scores that draw more than one noise
    own: Own | None = None  # for scores that compare with a model of the scene itself

    @property
    def x_t(self) -> Float[Tensor, "views channels height width"]:
        """The noisy picture, alpha x + sigma noise."""
        alpha, sigma = self.shares(self.t)
        return alpha * self.x + sigma * self.noise

    def shares(self, t: Float[Tensor, "views"]) -> tuple[Tensor, Tensor]:
        """alpha(t) and sigma(t), ready to multiply pictures with."""
        schedule = self.prior.schedule
        alpha, sigma = (
            share(t).to(self.x)[:, None, None, None]
            for share in (schedule.alpha, schedule.sigma)
        )
        return alpha, sigma

    def guided(
        self,
        settings: Guided,
        x_t: Float[Tensor, "views channels height width"] | None = None,
    ) -> Prediction:
        """The guided prediction about `x_t`, by default the noisy picture, at time t."""
        until = settings.one_pass_until
        return guided(
            self.prior,
            self.x_t if x_t is None else x_t,
            self.t,
            self.condition,
            at(settings.guidance, self.progress),
            settings.rescale,
            one_pass=self.progress < until or until == 1,
        )

    def with_fresh_noise(self) -> "Question":
        """The same question with another noise from the generator."""
        return replace(self, noise=self.draw())

    def draw(self) -> Float[Tensor, "views channels height width"]:
        """A noise of the shape of x, from the generator."""
        assert self.generator is not None, "this score draws noise and needs a generator"
        return drawn(self.x, self.generator)


Score = Callable[[Any, Question], Tensor]


@dataclass(frozen=True)
class Distilled:
    """What one step learned from the prior; nothing in it carries gradients."""

    gradient: Float[Tensor, "views channels height width"]  # on x, with w(t) in it
    pseudo_ground_truth: Float[Tensor, "views channels height width"]  # x_hat; prior.decode it
    weight: Float[Tensor, "views"]  # w(t)
    t: Float[Tensor, "views"]  # the times that were asked about


@torch.no_grad()
def answered(settings: Common, question: Question, score: Score) -> Distilled:
    """The gradient g = w(t) surprise, and the picture that it pulls toward.

    With `settings.clamp` x_hat is cut to -1..1 and g = beta(t) (x - x_hat): guided predictions
    overshoot at high noise, and no picture can follow them there. With `settings.clip` no
    element of g is larger than that, and x_hat is what the cut gradient pulls toward.
    """
    prior, x, t = question.prior, question.x, question.t
    if settings.clamp and prior.space != "pixel":
        raise InputError(
            f"clamp is for pixel priors, and this prior works in {prior.space} space; "
            f"set score.clamp = false."
        )
    w = weight(settings.weight, prior.schedule, t)
    alpha, sigma = question.shares(t)
    surprise = score(settings, question)
    target = x - (sigma / alpha) * surprise
    if settings.clamp:
        target = target.clamp(-1, 1)
        surprise = (alpha / sigma) * (x - target)
    column = w.to(x)[:, None, None, None]
    gradient = column * surprise
    largest = at(settings.clip, question.progress)
    if largest < math.inf:
        gradient = gradient.clamp(-largest, largest)
        target = x - (sigma / alpha) * gradient / column
    return Distilled(gradient, target, w, t)


def drawn(x: Tensor, generator: torch.Generator) -> Tensor:
    """Noise of the shape, type and device of `x`."""
    noise = torch.randn(x.shape, generator=generator, device=generator.device, dtype=x.dtype)
    return noise.to(x.device)
