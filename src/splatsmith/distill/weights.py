"""How much each noise level counts: w(t) on the predicted noise, beta(t) on the picture.

SDS with w(t) is an L2 reconstruction of the pseudo-ground-truth with the weight
beta(t) = w(t) alpha(t) / sigma(t) (StableDreamer, Guo et al. 2023, Proposition 1).
"""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.priors.schedule import NoiseSchedule

WeightName = Literal["one", "sigma2", "sigma_over_alpha", "fantasia"]

WEIGHTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    # w = 1: Magic3D's and MVDream's; beta is large at small t.
    "one": lambda alpha, sigma: torch.ones_like(alpha),
    # w = 1 - abar: DreamFusion's, DreamGaussian's and most others'; beta = alpha sigma.
    "sigma2": lambda alpha, sigma: sigma**2,
    # beta = 1: every noise level's pseudo-ground-truth counts the same (LucidDreamer, MVDream).
    "sigma_over_alpha": lambda alpha, sigma: sigma / alpha,
    # w = sqrt(abar) (1 - abar): Fantasia3D's.
    "fantasia": lambda alpha, sigma: alpha * sigma**2,
}


def weight(
    name: str, schedule: NoiseSchedule, t: Float[Tensor, "views"]
) -> Float[Tensor, "views"]:
    """w(t), the factor on (predicted noise - true noise). `name` is a key of `WEIGHTS`."""
    if name not in WEIGHTS:
        raise InputError(f"There is no weight {name!r}; choose one of {', '.join(WEIGHTS)}.")
    return WEIGHTS[name](schedule.alpha(t), schedule.sigma(t))


def beta(
    name: str, schedule: NoiseSchedule, t: Float[Tensor, "views"]
) -> Float[Tensor, "views"]:
    """w(t) alpha(t) / sigma(t), the factor on (x - pseudo-ground-truth)."""
    return weight(name, schedule, t) * schedule.alpha(t) / schedule.sigma(t)
