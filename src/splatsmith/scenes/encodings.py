"""What a network is told of a point, and the network: pure functions of flat parameters."""

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.render import fields_native
from splatsmith.render.hash_grid import Lattice, encode_reference


def on_lattice(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "rows 2"],
    lattice: Lattice,
    radius: float,
    active: int,
    *,
    native: bool,
) -> Float[Tensor, "points features"]:
    """Features of a hash or voxel grid, by the native kernels or by their twin."""
    encode = fields_native.encode if native else encode_reference
    return encode(points, table, lattice, radius, active)


def frequencies(
    points: Float[Tensor, "points 3"], octaves: int, radius: float
) -> Float[Tensor, "points features"]:
    """The point and sines and cosines of it, 3 + 6 * octaves features.

    Mildenhall et al. 2020 (NeRF), equation 4, of the point divided by the radius.
    """
    unit = points / radius
    scales = math.pi * 2.0 ** torch.arange(octaves, device=points.device, dtype=points.dtype)
    angles = (unit[:, None] * scales[:, None]).flatten(1)
    return torch.cat([unit, torch.sin(angles), torch.cos(angles)], dim=-1)


def triplane(
    points: Float[Tensor, "points 3"],
    planes: Float[Tensor, "3 side side features"],
    radius: float,
) -> Float[Tensor, "points features"]:
    """The sum of what the planes xy, xz and yz hold, blended from the four nearest corners.

    Written out, because `grid_sample` cannot be differentiated twice, as normals need.
    """
    cells = planes.shape[1] - 1
    place = (points * (0.5 / radius) + 0.5).clamp(0, 1) * cells
    cell = place.detach().long().clamp_max(cells - 1)
    inner = place - cell
    total = planes.new_zeros(len(points), planes.shape[3])
    for plane, (a, b) in zip(planes, ((0, 1), (0, 2), (1, 2)), strict=True):
        total = total + _bilinear(plane, cell[:, (a, b)], inner[:, (a, b)])
    return total


def _bilinear(
    plane: Float[Tensor, "side side features"],
    cell: Int[Tensor, "points 2"],
    inner: Float[Tensor, "points 2"],
) -> Float[Tensor, "points features"]:
    (i, j), (u, v) = cell.unbind(-1), inner[:, :, None].unbind(1)
    low = (1 - v) * plane[i, j] + v * plane[i, j + 1]
    high = (1 - v) * plane[i + 1, j] + v * plane[i + 1, j + 1]
    return (1 - u) * low + u * high


def parameter_count(widths: Sequence[int]) -> int:
    """How many numbers a network of layers of these widths has."""
    return sum((a + 1) * b for a, b in itertools.pairwise(widths))


def fresh_network(
    widths: Sequence[int], generator: torch.Generator
) -> Float[Tensor, "parameters"]:
    """Weights and biases uniform within 1 / sqrt(inputs), layer after layer."""
    parts = []
    for inputs, outputs in itertools.pairwise(widths):
        draw = torch.rand((inputs + 1) * outputs, generator=generator)
        parts.append((2 * draw - 1) / math.sqrt(inputs))
    return torch.cat(parts)


def apply_network(
    x: Float[Tensor, "points features"],
    parameters: Float[Tensor, "parameters"],
    widths: Sequence[int],
    used: int | None = None,
) -> Float[Tensor, "points outputs"]:
    """A network of rectified layers; of the last layer, the first `used` outputs."""
    start = 0
    last = len(widths) - 2
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        weight = parameters[start : start + inputs * outputs].reshape(outputs, inputs)
        bias = parameters[start + inputs * outputs : start + (inputs + 1) * outputs]
        start += (inputs + 1) * outputs
        if index == last:
            return F.linear(x, weight[:used], bias[:used])
        x = F.relu(F.linear(x, weight, bias))
    return x
