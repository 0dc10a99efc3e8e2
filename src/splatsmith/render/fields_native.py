"""The C++ kernels of radiance fields as differentiable functions of torch.

`hash_grid.py` and `volume_reference.py` say what they compute. Results have the same bits for
any number of threads.
"""

from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from splatsmith.errors import InputError
from splatsmith.render.hash_grid import Lattice, encode_reference
from splatsmith.render.samples import Rays, Samples
from splatsmith.render.volume_reference import STOP, Sums, slots, starts_of


def _load() -> Any:
    try:
        return import_module("splatsmith._fields")
    except ImportError:  # installed without a C++ compiler
        return None


_fields = _load()


def available() -> bool:
    """Whether the kernels were built."""
    return _fields is not None


def isas() -> list[str]:
    """Instruction sets that this machine has kernels for, the fastest (and default) first.

    The environment variable SPLATSMITH_ISA chooses another of them.
    """
    return [] if _fields is None else _fields.isas()


def serves(tensor: Tensor) -> bool:
    """Whether the kernels can work on this tensor: they do float32 on the CPU."""
    return available() and tensor.dtype == torch.float32 and tensor.device.type == "cpu"


def fits(features: int, hidden: int, outputs: int) -> bool:
    """Whether `network` takes these sizes."""
    return available() and (
        features <= _fields.most_width
        and hidden <= _fields.most_width
        and hidden % 4 == 0
        and outputs <= _fields.most_outputs
    )


def encode(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "rows 2"],
    lattice: Lattice,
    radius: float,
    active: int,
) -> Float[Tensor, "points features"]:
    """As `encode_reference`; can be differentiated twice, the second time through the twin."""
    _require(table)
    _check(table, lattice)
    return _Encode.apply(points, table, lattice, radius, active)


def network(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "rows 2"],
    parameters: Float[Tensor, "parameters"],
    lattice: Lattice,
    radius: float,
    active: int,
    *,
    hidden: int,
    outputs: int,
    used: int,
) -> Float[Tensor, "points used"]:
    """The first `used` outputs of a network of one hidden layer on the features of `encode`.

    `parameters` holds first weights [hidden, features] and biases, then second weights
    [outputs, hidden] and biases. Differentiable once.
    """
    _require(table)
    _check(table, lattice)
    shape = (hidden, outputs, used)
    count = hidden * (lattice.features + 1) + outputs * (hidden + 1)
    if len(parameters) != count or not 1 <= used <= outputs:
        raise InputError(
            f"A network of {lattice.features}, {hidden} and {outputs} has {count} parameters "
            f"and up to {outputs} outputs, got {len(parameters)} and {used}."
        )
    return _Network.apply(points, table, parameters, lattice, radius, active, shape)


def march(
    rays: Rays,
    jitter: Float[Tensor, "rays"],
    occupied: Bool[Tensor, "cells cells cells"],
    radius: float,
    step: float,
) -> tuple[Samples, "Steps"]:
    """As the twin; beside the samples, the steps from which `shorten` can make fewer."""
    _require(rays.near)
    most = slots(radius, step)
    bits = torch.empty(len(jitter), (most + 63) // 64, dtype=torch.int64)
    counts = torch.empty(len(jitter), dtype=torch.int32)
    lines = rays.origins, rays.directions, rays.near, rays.far, jitter
    cells = occupied.contiguous().view(torch.uint8)
    _fields.march(
        *map(_bare, lines), cells.numpy(), most, radius, step, _bare(bits), _bare(counts),
        torch.get_num_threads(),
    )  # fmt: skip
    steps = Steps(rays, jitter, bits, step, 2 * radius)
    return steps.samples(starts_of(counts)), steps


def shorten(steps: "Steps", samples: Samples, density: Float[Tensor, "samples"]) -> Samples:
    """Only the samples that come before their ray has ended, given the density at all."""
    counts = torch.empty(len(samples.directions), dtype=torch.int64)
    arrays = _bare(density), _bare(samples.starts)
    _fields.visible(*arrays, samples.step, STOP, _bare(counts), torch.get_num_threads())
    return steps.samples(starts_of(counts))


class Steps:
    """Which steps of each ray are to be looked at, as bits."""

    def __init__(
        self, rays: Rays, jitter: Tensor, bits: Tensor, step: float, extent: float
    ) -> None:
        self.rays, self.jitter, self.bits = rays, jitter, bits
        self.step, self.extent = step, extent

    def samples(self, starts: Tensor) -> Samples:
        """The samples at the first steps of each ray, as many as lie between its starts."""
        count = int(starts[-1])
        index = torch.empty(count, dtype=torch.int64)
        distances, points = torch.empty(count), torch.empty(count, 3)
        given = self.rays.origins, self.rays.directions, self.rays.near, self.jitter
        out = index, distances, points
        _fields.expand(
            *map(_bare, given), _bare(self.bits), _bare(starts), self.step, *map(_bare, out),
            torch.get_num_threads(),
        )  # fmt: skip
        return Samples(
            rays=index,
            starts=starts,
            distances=distances,
            points=points,
            directions=self.rays.directions,
            step=self.step,
            extent=self.extent,
        )


def composite(
    samples: Samples,
    density: Float[Tensor, "samples"],
    values: Float[Tensor, "samples width"],
) -> Sums:
    """As the twin."""
    _require(density)
    count = len(samples.distances)
    if len(density) != count or len(values) != count:
        raise InputError(
            f"{count} samples need as many densities and values, "
            f"got {len(density)} and {len(values)}."
        )
    return Sums(*_Composite.apply(density, values, samples))


def _require(tensor: Tensor) -> None:
    if not available():
        raise InputError(
            "The native kernels of radiance fields were not built; install splatsmith where a "
            'C++ compiler is found, or choose backend="reference".'
        )
    if not serves(tensor):
        raise InputError(
            f"The native kernels work on float32 on the CPU, got {tensor.dtype} on "
            f'{tensor.device}; choose backend="auto".'
        )


def _check(table: Tensor, lattice: Lattice) -> None:
    """The kernels trust the rows that a lattice names."""
    if len(table) != lattice.rows:
        raise InputError(f"This grid has {lattice.rows} rows, got a table of {len(table)}.")


def _bare(tensor: Tensor | None) -> Any:
    """The same memory as an array, which nanobind takes over faster than a tensor."""
    return None if tensor is None else tensor.detach().contiguous().numpy()


def _levels(lattice: Lattice) -> Any:
    rows = [(v.resolution, v.first, v.rows - 1 if v.hashed else 0) for v in lattice.levels]
    return torch.tensor(rows, dtype=torch.int64).numpy()


def _blocks(count: int) -> int:
    return -(-count // _fields.block_size)


def _to_rows(blocked: Tensor, count: int) -> Tensor:
    """[blocks, width, block] as [count, width]."""
    return blocked.transpose(1, 2).reshape(-1, blocked.shape[1])[:count]


def _to_blocks(rows: Tensor) -> Tensor:
    """[count, width] as [blocks, width, block], filled up with zeros."""
    size = _fields.block_size
    missing = _blocks(len(rows)) * size - len(rows)
    return F.pad(rows, (0, 0, 0, missing)).reshape(-1, size, rows.shape[1]).transpose(1, 2)


def _table_gradient(ctx: Any, units: Tensor, features_grad: Tensor, table: Tensor) -> Tensor:
    grad = torch.empty_like(table)
    _fields.scatter(
        _bare(units), _bare(features_grad), ctx.count, _levels(ctx.lattice), ctx.active,
        _bare(grad), torch.get_num_threads(),
    )  # fmt: skip
    return grad


def _points_gradient(ctx: Any, units: Tensor, features_grad: Tensor, table: Tensor) -> Tensor:
    grad = torch.empty_like(units)
    _fields.turn_back(
        _bare(units), _bare(table), _bare(features_grad), ctx.count, _levels(ctx.lattice),
        ctx.active, _bare(grad), torch.get_num_threads(),
    )  # fmt: skip
    inside = (units > 0) & (units < 1)
    return _to_rows(torch.where(inside, grad * (0.5 / ctx.radius), 0.0), ctx.count)


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        points, table, ctx.lattice, ctx.radius, ctx.active = inputs
        ctx.count = len(points)
        blocks, size = _blocks(ctx.count), _fields.block_size
        ctx.units = torch.empty(blocks, 3, size)
        features = torch.empty(blocks, ctx.lattice.features, size)
        _fields.forward(
            _bare(points), _bare(table), _levels(ctx.lattice), ctx.active, ctx.radius,
            None, 0, 0, _bare(ctx.units), _bare(features), None, torch.get_num_threads(),
        )  # fmt: skip
        ctx.save_for_backward(points, table)
        return _to_rows(features, ctx.count).contiguous()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        points, table = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():  # a gradient of this gradient is wanted
            inputs = [t for t, need in zip((points, table), wanted, strict=True) if need]
            features = encode_reference(points, table, ctx.lattice, ctx.radius, ctx.active)
            found = iter(torch.autograd.grad(features, inputs, grads[0], create_graph=True))
            return *(next(found) if need else None for need in wanted), None, None, None
        blocked = _to_blocks(grads[0]).contiguous()
        given = ctx, ctx.units, blocked, table
        points_grad = _points_gradient(*given) if ctx.needs_input_grad[0] else None
        table_grad = _table_gradient(*given) if ctx.needs_input_grad[1] else None
        return points_grad, table_grad, None, None, None


class _Network(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        points, table, parameters, ctx.lattice, ctx.radius, ctx.active, ctx.shape = inputs
        hidden, outputs, used = ctx.shape
        ctx.count = len(points)
        blocks, size = _blocks(ctx.count), _fields.block_size
        units = features = None
        if any(ctx.needs_input_grad):
            units = torch.empty(blocks, 3, size)
            features = torch.empty(blocks, ctx.lattice.features, size)
        out = torch.empty(ctx.count, used)
        _fields.forward(
            _bare(points), _bare(table), _levels(ctx.lattice), ctx.active, ctx.radius,
            _bare(parameters), hidden, outputs, _bare(units), _bare(features), _bare(out),
            torch.get_num_threads(),
        )  # fmt: skip
        ctx.save_for_backward(table, parameters)
        ctx.units, ctx.features = units, features
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        table, parameters = ctx.saved_tensors
        hidden, outputs, _ = ctx.shape
        parameters_grad = torch.empty_like(parameters)
        features_grad = torch.empty_like(ctx.features)
        _fields.backward(
            _bare(ctx.features), _bare(grads[0]), _bare(parameters), hidden, outputs,
            _bare(parameters_grad), _bare(features_grad), torch.get_num_threads(),
        )  # fmt: skip
        given = ctx, ctx.units, features_grad, table
        points_grad = _points_gradient(*given) if ctx.needs_input_grad[0] else None
        table_grad = _table_gradient(*given) if ctx.needs_input_grad[1] else None
        return points_grad, table_grad, parameters_grad, None, None, None, None


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        density, values, samples = inputs
        rays, width = len(samples.directions), values.shape[1]
        weights, left = torch.empty_like(density), torch.empty_like(density)
        alpha, distance, totals = torch.empty(rays), torch.empty(rays), torch.empty(rays, width)
        arrays = density, values, samples.distances, samples.starts
        results = weights, left, alpha, distance, totals
        _fields.composite(
            *map(_bare, arrays), samples.step, STOP, *map(_bare, results),
            torch.get_num_threads(),
        )  # fmt: skip
        ctx.samples, ctx.left = samples, left
        ctx.save_for_backward(values, weights)
        ctx.set_materialize_grads(False)
        return weights, alpha, distance, totals

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        values, weights = ctx.saved_tensors
        density_grad, values_grad = torch.empty_like(weights), torch.empty(values.shape)
        given = values, ctx.samples.distances, ctx.samples.starts
        _fields.composite_backward(
            *map(_bare, given), ctx.samples.step, _bare(weights), _bare(ctx.left),
            *map(_bare, grads), _bare(density_grad), _bare(values_grad),
            torch.get_num_threads(),
        )  # fmt: skip
        return density_grad, values_grad, None
