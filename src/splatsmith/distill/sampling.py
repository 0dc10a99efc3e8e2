"""Pictures straight from a prior, with no scene: what it believes before any distillation."""

import itertools
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.guidance import guided
from splatsmith.errors import InputError
from splatsmith.priors.protocol import Prior


@torch.no_grad()
def sample_pictures(
    prior: Prior,
    condition: Any,
    generator: torch.Generator,
    *,
    steps: int = 30,
    guidance: float = 3.0,
    clamp: bool = True,
    one_pass: bool = False,
    noise: Float[Tensor, "views channels rows columns"] | None = None,
) -> Float[Tensor, "views height width 3"]:
    """One picture per row of `condition`, 0..1, by deterministic DDIM.

    Song et al. 2021, equation 12 with eta 0, at `steps` times spread evenly. `guidance` is the
    standard scale. `clamp` keeps every predicted clean picture in the range of pixels (Saharia
    et al. 2022, static thresholding); it is passed over for latent priors. With `one_pass`, a
    prior that has learned this guidance is asked for it directly. `noise` is what it begins
    with; without, it is drawn.
    """
    if steps < 1:
        raise InputError(f"Sampling needs at least one step, got {steps}.")
    shape = (len(condition), prior.channels, prior.resolution, prior.resolution)
    x = torch.randn(shape, generator=generator) if noise is None else noise
    times = torch.linspace(1, 0, steps + 1)
    for now, then in itertools.pairwise(times):
        t = now.expand(len(x))
        prediction = guided(prior, x, t, condition, guidance, one_pass=one_pass)
        if clamp and prior.space == "pixel":
            prediction = prediction.with_value("x0", prediction.x0.clamp(-1, 1))
        alpha, sigma = prior.schedule.alpha(then), prior.schedule.sigma(then)
        x = alpha * prediction.x0 + sigma * prediction.eps
    return prior.decode(x)
