"""What the settings of all scores have in common."""

import math
from dataclasses import dataclass, field

from splatsmith.distill.curves import Varying, check_range
from splatsmith.distill.times import Times, UniformTimes
from splatsmith.distill.weights import WEIGHTS, WeightName
from splatsmith.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Keys of every score."""

    kind: str
    weight: WeightName = "sigma2"  # w(t), see weights.py
    clamp: bool = False  # keep x_hat in the range of pictures; ours, for pixel priors only
    clip: Varying = math.inf  # largest magnitude of g; score debiasing (Hong et al. 2023)
    image_loss: Varying = 0.0  # weight of the same step on pictures (HiFA, Zhu et al. 2023)
    times: Times = field(default_factory=UniformTimes)  # which t at which progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Guided(Common):
    """Keys of every score that asks for a guided prediction."""

    guidance: Varying = (
        7.0  # standard classifier-free scale: 1 the prior's own answer, 0 to 1000
    )
    rescale: float = 0.0  # MVDream's phi, 0 to 1: less over-saturation
    perp_neg: bool = False  # push away what other views look like: four passes; no rescale
    # Share of the stage, from its start, in which a prior that has learned guidance is asked
    # once instead of twice.
    one_pass_until: float = 0.0


def check_common(settings: Common) -> None:
    """Raise InputError unless the common keys are in their ranges."""
    if settings.weight not in WEIGHTS:
        raise InputError(
            f"weight must be one of {', '.join(WEIGHTS)}, got {settings.weight!r}."
        )
    check_range("clip", settings.clip, 1e-9, math.inf)
    check_range("image_loss", settings.image_loss, 0)


def check_guided(settings: Guided) -> None:
    """Raise InputError unless all keys of a guided score are in their ranges."""
    check_common(settings)
    check_range("guidance", settings.guidance, 0, 1000)
    if not 0 <= settings.rescale <= 1:
        raise InputError(f"rescale must lie in 0 to 1, got {settings.rescale}.")
    if not 0 <= settings.one_pass_until <= 1:
        raise InputError(f"one_pass_until must lie in 0 to 1, got {settings.one_pass_until}.")
    if settings.perp_neg and (settings.one_pass_until or settings.rescale):
        raise InputError("perp_neg goes neither with one_pass_until nor with rescale.")
