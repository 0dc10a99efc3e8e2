"""Models distilled to few steps: the noise levels that they know, and what they answer.

Such a model was trained at a handful of times only, and knows nothing of those in between
(Sauer et al. 2023: four; Luo et al. 2023: fifty). Distillation may ask at any time, so the
schedule itself is made of steps: the noise that is added is that of the nearest time that the
model knows. A consistency model answers with the clean picture at the end of its path, not with
the mean of all that are possible, so its pseudo-ground-truth is sharp at any noise.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.priors.prediction import Prediction
from splatsmith.priors.pretrained.family import Question
from splatsmith.priors.schedule import NoiseSchedule

LEARNED_TIMES = 50  # of latent consistency models
LEARNED_SCALES = (3.0, 15.0)  # standard scales; the paper's w of 2 to 14 is one less
SIGMA_DATA = 0.5  # of the boundary condition
TIME_SCALE = 10.0  # of the boundary condition, in the form that was published with the weights


@dataclass(frozen=True, eq=False)
class FewSteps:
    """A schedule that knows `count` times, evenly spread; others are moved to the nearest.

    In a table of `steps` these are steps k - 1, 2 k - 1, ... with k = steps / count; on
    straight lines (`steps` 0) the times 1 / count, 2 / count, ..., 1.
    """

    inner: NoiseSchedule
    steps: int
    count: int

    def known(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """The nearest known time."""
        last = 1 / self.steps if self.steps else 0.0
        return ((t + last) * self.count).round().clamp(1, self.count) / self.count - last

    def log_snr(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Of the nearest known time."""
        return self.inner.log_snr(self.known(t))

    def alpha(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Of the nearest known time."""
        return self.inner.alpha(self.known(t))

    def sigma(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Of the nearest known time."""
        return self.inner.sigma(self.known(t))


def scale_features(
    network: nn.Module, question: Question
) -> Float[Tensor, "views features"] | None:
    """Sines and cosines of 1000 (scale - 1), for networks that take the guidance scale.

    Luo et al. 2023, section 4.2, in the form of Kingma et al. 2021 (VDM). Without guidance the
    scale is 1. None for networks that do not take it.
    """
    config: Any = network.config
    width = int(config.time_cond_proj_dim or 0)
    if not width:
        return None
    scale = torch.ones_like(question.t) if question.guidance is None else question.guidance
    half = width // 2
    place = torch.arange(half, device=scale.device, dtype=torch.float32) / (half - 1)
    angles = 1000 * (scale.float() - 1)[:, None] * torch.exp(-math.log(10000.0) * place)
    both = torch.cat([angles.sin(), angles.cos()], dim=1)
    return torch.nn.functional.pad(both, (0, width - 2 * half)).to(question.x_t)


def consistent(
    question: Question, value: Float[Tensor, "views channels rows columns"]
) -> Float[Tensor, "views channels rows columns"]:
    """The clean picture of a consistency model: c_skip x_t + c_out x0, in float32.

    Song et al. 2023 (Consistency models), equation 5, with the constants that were published
    with the latent ones.
    """
    facts = question.facts
    assert facts.consistency is not None, "only consistency models come here"
    x_t = question.x_t.float()
    said = Prediction.of(facts.consistency, value.float(), x_t, question.t, facts.schedule)
    scaled = (question.steps * TIME_SCALE)[:, None, None, None]
    c_skip = SIGMA_DATA**2 / (scaled**2 + SIGMA_DATA**2)
    c_out = scaled / (scaled**2 + SIGMA_DATA**2).sqrt()
    return c_skip * x_t + c_out * said.x0
