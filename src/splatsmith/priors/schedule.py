"""Noise schedules: how much picture and how much noise there is at each time.

x_t = alpha(t) x0 + sigma(t) noise, with t = 0 clean and t = 1 noise. A schedule is a frozen
dataclass that follows the dtype and device of `t`. It stops just short of pure picture and of
pure noise, so that alpha and sigma are never 0 and every conversion of predictions exists.
"""

import functools
import math
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError

MOST_LOG_SNR = 15.0  # Keeps alpha and sigma below 1 in float32 too: 1 - 1.5e-7 is still less.
FLOW_MARGIN = 1e-4  # The closest that rectified flow comes to t = 0 and t = 1.


@runtime_checkable
class NoiseSchedule(Protocol):
    """What every schedule answers; `t` is a fraction, 0 clean to 1 noise."""

    def alpha(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Share of the picture, strictly between 0 and 1."""
        ...

    def sigma(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Share of the noise, strictly between 0 and 1."""
        ...

    def log_snr(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """log(alpha^2 / sigma^2), falling in t."""
        ...


@dataclass(frozen=True)
class Cosine:
    """alpha = cos(pi t / 2), sigma = sin(pi t / 2), moved by `shift` in log-SNR.

    Nichol and Dhariwal 2021; the shift is Hoogeboom et al. 2023 (simple diffusion).
    """

    shift: float = 0.0  # added to log(alpha^2 / sigma^2); negative means more noise

    def __post_init__(self) -> None:
        if not math.isfinite(self.shift):
            raise InputError(
                f"The shift of a cosine schedule must be finite, got {self.shift}."
            )

    @classmethod
    def for_resolution(cls, resolution: int, base: int = 32) -> "Cosine":
        """Shifted by 2 log(base / resolution): large pictures hide their shapes less easily."""
        if resolution < 1 or base < 1:
            raise InputError(f"Resolutions must be positive, got {resolution} and base {base}.")
        return cls(shift=2 * math.log(base / resolution))

    def log_snr(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """log(alpha^2 / sigma^2) = -2 log tan(pi t / 2) + shift, kept within +-15."""
        # Not by tan or cos, which are wrong, even in sign, where float32 rounds pi / 2.
        quarter, t = math.pi / 2, t.clamp(0, 1)
        sigma, alpha = torch.sin(t * quarter), torch.sin((1 - t) * quarter)
        plain = 2 * (alpha.clamp(min=1e-30).log() - sigma.clamp(min=1e-30).log())
        return (plain + self.shift).clamp(-MOST_LOG_SNR, MOST_LOG_SNR)

    def alpha(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Share of the picture."""
        return _alpha_of(self.log_snr(t))

    def sigma(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Share of the noise."""
        return _alpha_of(-self.log_snr(t))


@dataclass(frozen=True)
class BetaTable:
    """A table of DDPM steps: abar is the running product of (1 - beta), alpha = sqrt(abar).

    Step i of the table lies at t = i / steps, so that the "0.02 to 0.98" of the papers are
    steps 20 to 980 of 1000. Between steps log-SNR is interpolated; after the last it is flat.
    """

    spacing: Literal["linear", "scaled-linear"]  # of beta, or of its square root
    first: float  # beta of step 0
    last: float  # beta of the last step
    steps: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.last < 1 or self.steps < 2:
            raise InputError(
                f"A table of betas needs 0 < first <= last < 1 and at least 2 steps, "
                f"got first={self.first}, last={self.last}, steps={self.steps}."
            )

    def log_snr(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """log(abar / (1 - abar)), linear between the steps of the table."""
        return between_steps(_log_snr_table(self), t)

    def alpha(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Square root of abar."""
        return _alpha_of(self.log_snr(t))

    def sigma(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Square root of 1 - abar."""
        return _alpha_of(-self.log_snr(t))


@dataclass(frozen=True)
class RectifiedFlow:
    """alpha = 1 - t, sigma = t: straight lines from picture to noise (Liu et al. 2022).

    The one schedule here that does not preserve variance. `t` is kept 1e-4 off both ends.
    """

    def alpha(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """1 - t."""
        return 1 - self.sigma(t)

    def sigma(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """The time itself."""
        return t.clamp(FLOW_MARGIN, 1 - FLOW_MARGIN)

    def log_snr(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """2 log((1 - t) / t)."""
        return 2 * torch.log(self.alpha(t) / self.sigma(t))


def cosine(shift: float = 0.0) -> Cosine:
    """The cosine schedule with its log-SNR moved by `shift`."""
    return Cosine(shift)


def scaled_linear() -> BetaTable:
    """Stable Diffusion 1 and 2: 1000 steps, sqrt(beta) linear, 0.00085 to 0.012."""
    return BetaTable("scaled-linear", 0.00085, 0.012)


def linear() -> BetaTable:
    """Ho et al. 2020 (DDPM): 1000 steps, beta linear, 0.0001 to 0.02."""
    return BetaTable("linear", 1e-4, 0.02)


def rectified_flow() -> RectifiedFlow:
    """Straight lines."""
    return RectifiedFlow()


def between_steps(
    table: Float[Tensor, "steps"], t: Float[Tensor, "*times"]
) -> Float[Tensor, "*times"]:
    """Values of a table whose step i lies at t = i / steps, linear between, flat at the end."""
    table, steps = table.to(t), len(table)
    place = (t * steps).clamp(0, steps - 1)
    below = place.floor().long().clamp(max=steps - 2)
    return torch.lerp(table[below], table[below + 1], place - below)


def _alpha_of(log_snr: Tensor) -> Tensor:
    """Square root of sigmoid(log_snr), without losing digits where it is tiny."""
    return torch.exp(0.5 * F.logsigmoid(log_snr))


@functools.cache
def _log_snr_table(table: BetaTable) -> Tensor:
    """log-SNR of each step, float64 on the CPU."""
    power = 2 if table.spacing == "scaled-linear" else 1
    ends = table.first ** (1 / power), table.last ** (1 / power)
    betas = torch.linspace(*ends, table.steps, dtype=torch.float64) ** power
    log_abar = torch.log1p(-betas).cumsum(0)
    return log_abar - torch.log(-torch.expm1(log_abar))
