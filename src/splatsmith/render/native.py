"""Native kernels, in one autograd function."""

from torch import Tensor

from splatsmith.errors import InputError


def available() -> bool:
    """Whether the compiled module is there."""
    return False


def draw(*arguments: object) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    """Color, alpha, depth and radii, as `Picture` describes them."""
    raise InputError("The native splat kernels were not built; use the reference.")
