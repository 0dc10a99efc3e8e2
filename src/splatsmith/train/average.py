"""The moving average of a network's weights, which is what ships."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


def decay_at(decay: float, step: int) -> float:
    """`decay` (0 to 1), less of it in the first steps: first weights are soon forgotten."""
    return min(decay, (step + 1) / (step + 10))


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move every weight of `average` a share 1 - `decay` of the way to that of `net`."""
    averages: list[Tensor] = list(average.parameters())
    weights: list[Tensor] = list(net.parameters())
    torch._foreach_lerp_(averages, weights, 1 - decay)


def twin_of(net: Net) -> Net:
    """A copy that does not learn, with the same layout and on the same device."""
    return copy.deepcopy(net).requires_grad_(False)
