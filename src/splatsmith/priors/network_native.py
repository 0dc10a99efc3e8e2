"""Convolution and normalization of a frozen network, by C++ kernels where they can serve.

The formulas are torch's own, which is also what runs while a network learns, in bfloat16, on
a GPU, or where the kernels were not built. The kernels convolve by Winograd's transforms (Lavin
and Gray 2016), with a quarter of the multiplications; results have the same bits for any number
of threads.
"""

from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary


def _load() -> Any:
    try:
        return import_module("splatsmith._network")
    except ImportError:  # installed without a C++ compiler
        return None


_network = _load()
MOST_ROWS = 8  # pictures that a thread goes through together (network_program.hpp)
_ready: Any = WeakTensorKeyDictionary()  # weight -> (its version and the lanes, packed)


def available() -> bool:
    """Whether the kernels were built."""
    return _network is not None


def isas() -> list[str]:
    """Instruction sets that this machine has kernels for, the fastest (and default) first.

    The environment variable SPLATSMITH_ISA chooses another of them.
    """
    return [] if _network is None else _network.isas()


def lanes() -> int:
    """Floats in a register of the kernels that are used; channels must be multiples of it."""
    return int(_network.lanes())


def program() -> Any:
    """An empty program, see `network_program`."""
    return _network.Program()


def convolved(
    conv: nn.Conv2d,
    x: Float[Tensor, "views inputs rows columns"],
    added: Float[Tensor, "views outputs lines cells"] | None = None,
) -> Float[Tensor, "views outputs lines cells"]:
    """`conv(x)`, plus `added`; as many lines and cells as the stride leaves."""
    if not (frozen(conv.weight) and serves(x) and fits(conv)):
        y = conv(x)
        return y if added is None else added + y
    size, stride, padding = sizes(conv)
    rows, columns = ((n + 2 * padding - size) // stride + 1 for n in x.shape[2:])
    y = x.new_empty(len(x), rows, columns, conv.out_channels)
    _network.convolve(
        x=_last(x),
        packed=packed(conv.weight, stride, padding),
        bias=conv.bias,
        added=None if added is None else _last(added),
        y=y,
        size=size,
        stride=stride,
        padding=padding,
        threads=torch.get_num_threads(),
    )
    return y.permute(0, 3, 1, 2)


def activated(
    norm: nn.GroupNorm,
    x: Float[Tensor, "views channels rows columns"],
    modulation: Float[Tensor, "views scale_and_shift"] | None = None,
) -> Float[Tensor, "views channels rows columns"]:
    """SiLU of the normalized cells, times 1 + scale and plus shift where they are given."""
    whole = available() and x.shape[1] % lanes() == 0
    if not (whole and frozen(norm.weight) and serves(x)):
        h = norm(x)
        if modulation is not None:
            scale, shift = modulation[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return F.silu(h)
    y = torch.empty_like(_last(x))
    _network.normalize(
        x=_last(x),
        groups=norm.num_groups,
        weight=norm.weight,
        bias=norm.bias,
        modulation=None if modulation is None else modulation.contiguous(),
        epsilon=norm.eps,
        y=y,
        threads=torch.get_num_threads(),
    )
    return y.permute(0, 3, 1, 2)


def frozen(weight: Tensor) -> bool:
    """Whether it is a weight that will stay as it is, and not one made up for a single pass."""
    return isinstance(weight, nn.Parameter) and not weight.requires_grad


def serves(x: Tensor) -> bool:
    """Whether the kernels are for such cells, and nobody asks for gradients."""
    return (
        available()
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    )


def fits(conv: nn.Conv2d) -> bool:
    """Whether it is a convolution that the kernels know."""
    return (
        all(len(set(pair)) == 1 for pair in (conv.kernel_size, conv.stride, conv.padding))
        and conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
    )


def sizes(conv: nn.Conv2d) -> tuple[int, int, int]:
    """Cells a side of what a cell depends on, from cell to cell, and around the picture."""
    assert not isinstance(conv.padding, str)
    return conv.kernel_size[0], conv.stride[0], conv.padding[0]


def _last(x: Tensor) -> Tensor:
    """With its channels last, also in memory; no copy if they are."""
    return x.permute(0, 2, 3, 1).contiguous()


def packed(weight: Tensor, stride: int = 1, padding: int = 0) -> Float[Tensor, "numbers"]:
    """The weight as the kernels want it, made once for as long as it lives unchanged.

    It is [outputs, inputs, size, size], or [outputs, inputs] for a linear layer.
    """
    kept = _ready.get(weight)
    state = (weight._version, weight.data_ptr(), lanes())
    if kept is None or kept[0] != state:
        outputs, inputs, size, *_ = *weight.shape, 1
        made = weight.new_empty(_network.packed_size(outputs, inputs, size, stride, padding))
        _network.pack(weight.detach().contiguous(), stride, padding, made)
        kept = _ready[weight] = (state, made)
    return kept[1]
