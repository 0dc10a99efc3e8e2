"""Values that are not finite never reach the scene.

The render, the score's gradient, the parameters' gradients and the parameters after the step
are looked at. A step with a bad value is undone, counted and reported; many in a row end the
run.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from splatsmith.errors import InputError

MOST_IN_A_ROW = 20
# Adam squares gradients; the square of anything larger would not be finite in float32.
LARGEST = 1e18

# Which key of a recipe's stage to look at when a tensor has gone bad.
REMEDIES = {
    "render": "rates.log_scales",
    "prediction": "score.guidance",
    "loss": "regularize",
    "own model": "score.own.rate",
}


class RunFailed(InputError):
    """The run cannot go on; the message says at which step, why, and what to change."""


class BadValue(Exception):
    """A tensor of this step holds something that must not reach the scene."""

    def __init__(self, tensor: str) -> None:
        super().__init__(tensor)
        self.tensor = tensor


def check(name: str, tensor: Tensor, largest: float = LARGEST) -> None:
    """Raise BadValue(name) unless every magnitude is below `largest`; NaN is not."""
    if tensor.numel() and not bool(tensor.detach().abs().amax() < largest):
        raise BadValue(name)


def check_gradients(parameters: Mapping[str, nn.Parameter]) -> None:
    """Raise BadValue for the first parameter whose gradient must not be used."""
    for name, parameter in parameters.items():
        if parameter.grad is not None:
            check(f"gradient of {name}", parameter.grad)


@dataclass(frozen=True, slots=True)
class Undo:
    """Copies of the parameters and of Adam's moments, to take back a step."""

    copies: list[tuple[Tensor, Tensor]]
    fresh: list[Tensor]  # parameters that had no moments yet

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer) -> "Undo":
        """Remember everything that a step changes."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        moments = [m for p in parameters for m in optimizer.state.get(p, {}).values()]
        tensors = [*parameters, *(m for m in moments if isinstance(m, Tensor))]
        fresh = [p for p in parameters if not optimizer.state.get(p)]
        return cls([(tensor, tensor.detach().clone()) for tensor in tensors], fresh)

    @torch.no_grad()
    def take_back(self, optimizer: torch.optim.Optimizer) -> None:
        """Put everything back to where it was."""
        for tensor, copy in self.copies:
            tensor.copy_(copy)
        for parameter in self.fresh:
            optimizer.state.pop(parameter, None)


def step_or_undo(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]
) -> None:
    """Let the optimizer step; if that ruins a parameter, take it back and raise BadValue."""
    before = Undo.of(optimizer)
    optimizer.step()
    try:
        for name, parameter in parameters.items():
            check(name, parameter)
    except BadValue:
        before.take_back(optimizer)
        raise


def too_many(in_a_row: int, tensor: str, step: int, stage: str) -> RunFailed:
    """The error that ends a run in which nothing works any more."""
    name = tensor.removeprefix("gradient of ")
    key = REMEDIES.get(name, f"rates.{name}")
    return RunFailed(
        f"Step {step} of stage {stage!r}: {tensor} was not finite, nor were {in_a_row} steps "
        f"in a row up to here; they changed nothing. Look at {key} of that stage, for example "
        f"--set {stage}.{key}=VALUE with a smaller value."
    )
