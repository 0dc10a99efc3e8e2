"""The C++ kernels as one differentiable function; `reference.py` says what they compute.

One call draws all views, one call brings all gradients back. Nothing is copied: tensors that
are already contiguous are handed over where they lie.
"""

from importlib import import_module
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError


def _load() -> Any:
    try:
        return import_module("splatsmith._splat")
    except ImportError:  # installed without a C++ compiler
        return None


_splat = _load()

Drawn = tuple[Tensor, Tensor, Tensor, Tensor]


def available() -> bool:
    """Whether the kernels were built."""
    return _splat is not None


def isas() -> list[str]:
    """Instruction sets that this machine has kernels for, the fastest (and default) first.

    The environment variable SPLATSMITH_ISA chooses another of them.
    """
    return [] if _splat is None else _splat.isas()


def peak() -> float:
    """Measured operations a second of one thread that does nothing but multiply and add."""
    _require()
    return _splat.peak()


def work(color: Float[Tensor, "views height width 3"]) -> tuple[int, int]:
    """How much was blended for a native picture that can still be differentiated.

    Returns the number of pairs of splat and 16 x 16-pixel tile, and of their 4 x 4-pixel cells.
    """
    _require()
    node: Any = color.grad_fn
    return _splat.work(node.state)


def draw(
    means: Float[Tensor, "splats 3"],
    quats: Float[Tensor, "splats 4"],
    scales: Float[Tensor, "splats 3"],
    opacities: Float[Tensor, "splats"],
    sh: Float[Tensor, "splats coefficients 3"],
    cameras: Cameras,
    background: Float[Tensor, "views 3"] | Float[Tensor, "views height width 3"],
    screen_offset: Float[Tensor, "views splats 2"] | None,
) -> Drawn | None:
    """Color, alpha, depth and radii as in `Picture`; None if an input is not finite.

    Arguments as for `splat`, float32 on the CPU. Uses as many threads as torch does.
    """
    _require()
    if means.dtype != torch.float32 or means.device.type != "cpu":
        raise InputError(
            f"The native back end draws float32 on the CPU, got {means.dtype} on "
            f'{means.device}; choose backend="auto".'
        )
    inputs = (means, quats, scales, opacities, sh, background, screen_offset)
    drawn = _Splat.apply(*inputs, cameras)
    return None if drawn[0] is None else drawn


def _require() -> None:
    if _splat is None:
        raise InputError(
            "The native splat kernels were not built; install splatsmith where a C++ compiler "
            'is found, or choose backend="reference".'
        )


def _bare(tensor: Tensor | None) -> Any:
    """The same memory as an array, which nanobind takes over faster than a tensor."""
    return None if tensor is None else tensor.detach().contiguous().numpy()


class _Splat(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        *tensors, cameras = inputs
        means = tensors[0]
        bare = [_bare(tensor) for tensor in tensors]
        views, height, width = len(cameras), cameras.height, cameras.width
        color = means.new_empty((views, height, width, 3))
        alpha = means.new_empty((views, height, width, 1))
        depth = means.new_empty((views, height, width, 1))
        radii = means.new_empty((views, means.shape[0]))
        matrices = _bare(cameras.viewmat), _bare(cameras.K)
        outputs = color, alpha, depth, radii
        threads = torch.get_num_threads()
        try:
            pictures = map(_bare, outputs)
            state = _splat.forward(*bare[:5], *matrices, *bare[5:], *pictures, threads)
        except ValueError as error:
            raise InputError(str(error)) from None
        if state is None:
            return None, None, None, None
        ctx.state = state
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(radii)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        tensors = ctx.saved_tensors
        inputs = map(_bare, tensors[:6])
        wanted = (True,) * 5 + ctx.needs_input_grad[5:7]
        outputs = [
            torch.empty(tensor.shape) if tensor is not None and needed else None
            for tensor, needed in zip(tensors, wanted, strict=True)
        ]
        if grads[0] is None and outputs[5] is not None:
            outputs[5].zero_()  # only color shows the background, and nobody asks about it
        arrays = (*map(_bare, grads[:3]), *map(_bare, outputs))
        _splat.backward(ctx.state, *inputs, *arrays, torch.get_num_threads())
        return *outputs, None
