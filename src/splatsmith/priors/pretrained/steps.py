"""Noise schedules of published models, read from the configuration of their scheduler.

A scheduler's file says how noise was added in training (a table of betas, or straight lines)
and in what form the network answers. How a sampler walks through the table does not matter
here: distillation asks at any time of its own choice.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.priors.prediction import Kind
from splatsmith.priors.schedule import (
    MOST_LOG_SNR,
    BetaTable,
    NoiseSchedule,
    RectifiedFlow,
    between_steps,
)

KINDS: dict[str, Kind] = {
    "epsilon": "eps",
    "v_prediction": "v",
    "sample": "x0",
    "flow_prediction": "flow",
}
MOST_STEPS = 100_000
LARGEST_BETA = 0.999  # where the squared cosine is cut off (Nichol and Dhariwal 2021)


@dataclass(frozen=True, eq=False)
class StepTable:
    """log-SNR of each step, for tables that two betas do not describe.

    Step i lies at t = i / steps, as in `BetaTable`.
    """

    log_snr_of_steps: Float[Tensor, "steps"]  # float64, falling

    @classmethod
    def of_betas(cls, betas: Float[Tensor, "steps"], *, zero_snr: bool = False) -> "StepTable":
        """From the betas of DDPM; `zero_snr` moves the last step to pure noise.

        Lin et al. 2023 (Common diffusion noise schedules are flawed), algorithm 1. Log-SNR is
        kept within +-15, so that nothing is ever divided by an alpha of 0.
        """
        alpha = torch.exp(0.5 * torch.log1p(-betas.double()).cumsum(0))
        if zero_snr:
            first, last = alpha[0].clone(), alpha[-1].clone()
            alpha = (alpha - last) * first / (first - last)
        abar = alpha.square()
        log_snr = torch.log(abar) - torch.log1p(-abar)
        return cls(log_snr.clamp(-MOST_LOG_SNR, MOST_LOG_SNR))

    def log_snr(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """log(abar / (1 - abar)), linear between the steps of the table."""
        return between_steps(self.log_snr_of_steps, t)

    def alpha(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Square root of abar."""
        return torch.exp(0.5 * F.logsigmoid(self.log_snr(t)))

    def sigma(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Square root of 1 - abar."""
        return torch.exp(0.5 * F.logsigmoid(-self.log_snr(t)))


def squared_cosine_betas(steps: int) -> Float[Tensor, "steps"]:
    """Nichol and Dhariwal 2021, equation 17 and the cut at 0.999 below it (DeepFloyd)."""
    place = torch.arange(steps + 1, dtype=torch.float64) / steps
    abar = torch.cos((place + 0.008) / 1.008 * math.pi / 2).square()
    return (1 - abar[1:] / abar[:-1]).clamp(max=LARGEST_BETA)


def schedule_of(config: Mapping[str, Any], where: str) -> NoiseSchedule:
    """The noise schedule that a scheduler's configuration describes.

    InputError if it describes one that is not known. `where` is its file, for messages.
    """
    if is_flow(config):
        return RectifiedFlow()
    count = config.get("num_train_timesteps", 1000)
    if not isinstance(count, int) or not 2 <= count <= MOST_STEPS:
        raise InputError(f"{where}: num_train_timesteps must be 2 to {MOST_STEPS}.")
    name = config.get("beta_schedule", "linear")
    first, last = config.get("beta_start", 1e-4), config.get("beta_end", 0.02)
    spacings = {"linear": "linear", "scaled_linear": "scaled-linear"}
    zero_snr = bool(config.get("rescale_betas_zero_snr"))
    if config.get("trained_betas"):
        betas = torch.tensor(config["trained_betas"], dtype=torch.float64)
        if betas.ndim != 1 or len(betas) < 2 or not bool(((betas > 0) & (betas < 1)).all()):
            raise InputError(f"{where}: trained_betas must be two or more of 0 to 1.")
        return StepTable.of_betas(betas, zero_snr=zero_snr)
    if name == "squaredcos_cap_v2":
        return StepTable.of_betas(squared_cosine_betas(count), zero_snr=zero_snr)
    if name not in spacings:
        raise InputError(
            f"{where}: beta_schedule is {name!r}, and only linear, scaled_linear and "
            f"squaredcos_cap_v2 are known; use weights whose scheduler has one of these."
        )
    table = BetaTable(spacings[name], float(first), float(last), count)  # type: ignore[arg-type]
    if not zero_snr:
        return table
    power = 2 if name == "scaled_linear" else 1
    ends = float(first) ** (1 / power), float(last) ** (1 / power)
    betas = torch.linspace(*ends, count, dtype=torch.float64) ** power
    return StepTable.of_betas(betas, zero_snr=True)


def kind_of(config: Mapping[str, Any], where: str) -> Kind:
    """In what form the network answers, by its scheduler's configuration."""
    if is_flow(config):
        return "flow"
    said = config.get("prediction_type", "epsilon")
    if said not in KINDS:
        raise InputError(
            f"{where}: prediction_type is {said!r}, which is none of {', '.join(KINDS)}; "
            f"say what it is with --prior-set prediction=eps (or v, x0, flow)."
        )
    return KINDS[said]


def is_flow(config: Mapping[str, Any]) -> bool:
    """Whether the scheduler is one of straight lines (rectified flow)."""
    return str(config.get("_class_name", "")).startswith("FlowMatch")
