"""Muon: momentum whose step has all its singular values near one.

Jordan et al. 2024 (Muon), with the scale of Liu et al. 2025 (Muon is scalable for LLM training,
equation 4), so that one learning rate serves both this and AdamW. A convolution counts as the
matrix of its outputs by all of its inputs. Measured on the embedded prior: the loss that AdamW
has after 12,000 pictures comes after 7,000.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.priors.precision import fast_type

SMALLEST_SIDE = 48  # matrices narrower than this, and all vectors, are left to AdamW
QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024: a x + b x^3 + c x^5, five times over


class Muon(torch.optim.Optimizer):
    """For parameters of two dimensions or more; the learning rate is as for AdamW."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step with the gradients as they are; `closure` is not supported."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        gradient = parameter.grad.reshape(len(parameter), -1)  # type: ignore[union-attr]
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        state["momentum"].lerp_(gradient, 1 - group["momentum"])
        ahead = torch.lerp(gradient, state["momentum"], group["momentum"])  # Nesterov's
        change = orthogonalized(ahead) * (0.2 * max(ahead.shape) ** 0.5)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(change.reshape(parameter.shape), alpha=-group["lr"])


def orthogonalized(
    matrix: Float[Tensor, "rows columns"], steps: int = 5
) -> Float[Tensor, "rows columns"]:
    """The matrix with its singular values brought near one, 0.7 to 1.2, by Newton-Schulz."""
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalized(matrix.T, steps).T
    wide = matrix.shape[1] > 2 * matrix.shape[0]
    return _by_gram(matrix, steps) if wide else _directly(matrix, steps)


def _directly(
    matrix: Float[Tensor, "rows columns"], steps: int
) -> Float[Tensor, "rows columns"]:
    """The iteration as published, in bfloat16 where that is fast."""
    a, b, c = QUINTIC
    x = (matrix / (matrix.norm() + 1e-7)).to(fast_type(matrix.device))
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.float()


def _by_gram(
    matrix: Float[Tensor, "rows columns"], steps: int
) -> Float[Tensor, "rows columns"]:
    """The same for wide matrices, with less work.

    Each step multiplies by a polynomial of the Gram matrix, and those polynomials commute. So
    the iteration runs on the small Gram matrix alone, and the wide one is multiplied once. The
    squares that a Gram matrix holds need float32.
    """
    a, b, c = QUINTIC
    gram = matrix @ matrix.T
    size = gram.trace() + 1e-14
    gram = gram / size
    factor = torch.eye(len(gram), device=gram.device)
    for step in range(steps):
        polynomial = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        polynomial.diagonal().add_(a)
        factor = polynomial @ factor if step else polynomial
        if step < steps - 1:
            gram = polynomial @ gram @ polynomial
    return (factor @ matrix) / size.sqrt()


def suits_muon(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter is a matrix of some width; tables of words and places are not."""
    if parameter.ndim < 2 or name.endswith(("table.weight", "position", "nothing")):
        return False
    return min(len(parameter), parameter[0].numel()) >= SMALLEST_SIDE
