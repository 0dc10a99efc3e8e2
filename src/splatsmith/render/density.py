"""The density of Gaussians at the points of a regular grid, with a kernel and its torch twin.

density(x) = sum over splats of opacity * exp(-d^2 / 2), with d the distance from the splat's
center in standard deviations. Terms under `SMALLEST` are left out, point by point and exactly,
so the answer does not depend on how the work is cut up. Not differentiable: it is for turning
one scene into another.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.render import raster_native
from splatsmith.render.raster_native import bare
from splatsmith.render.reference import rotation_matrices

SMALLEST = 1e-3  # a term below adds nothing that a surface could be found by
CHUNK = 4_000_000  # pairs of splat and grid point that the twin looks at at once


@dataclass(frozen=True)
class Lattice:
    """A regular grid of points, `size` of them along x, y, z; ends at `low` and `high`."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    size: tuple[int, int, int]

    def __post_init__(self) -> None:
        if min(self.size) < 2:
            raise InputError(f"A grid needs at least two points a side, got {self.size}.")
        if not all(a < b for a, b in zip(self.low, self.high, strict=True)):
            raise InputError(f"A grid must have an extent, got {self.low} to {self.high}.")

    @staticmethod
    def cube(resolution: int, bound: float = 1.0) -> "Lattice":
        """The cube from -bound to bound with `resolution` cells a side."""
        if not 2 <= resolution <= 1024:
            raise InputError(f"The resolution of a grid must lie in 2..1024, got {resolution}.")
        return Lattice((-bound,) * 3, (bound,) * 3, (resolution + 1,) * 3)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighboring points along x, y, z."""
        x, y, z = (
            (high - low) / (size - 1)
            for low, high, size in zip(self.low, self.high, self.size, strict=True)
        )
        return x, y, z

    def axes(self, like: Tensor) -> list[Tensor]:
        """Coordinates along x, y, z, with the dtype and device of a tensor."""
        ranges = zip(self.low, self.high, self.size, strict=True)
        return [torch.linspace(*each, dtype=like.dtype, device=like.device) for each in ranges]


@dataclass(frozen=True, eq=False)
class Blobs:
    """Splats as a grid meets them; u = rows (x - mean) has length 1 at a standard deviation."""

    means: Float[Tensor, "splats 3"]
    rows: Float[Tensor, "splats 3 3"]
    opacities: Float[Tensor, "splats"]
    limits: Float[Tensor, "splats"]  # largest u . u that counts
    low: Int[Tensor, "splats 3"]  # the grid points that a splat may reach,
    high: Int[Tensor, "splats 3"]  # ends included


@torch.no_grad()
def density(
    means: Float[Tensor, "splats 3"],
    quats: Float[Tensor, "splats 4"],
    scales: Float[Tensor, "splats 3"],
    opacities: Float[Tensor, "splats"],
    lattice: Lattice,
    *,
    colors: Float[Tensor, "splats 3"] | None = None,
    backend: str = "auto",
) -> tuple[Float[Tensor, "x y z"], Float[Tensor, "x y z 3"] | None]:
    """Density on a grid and, if splats have `colors`, the mean color of what is there.

    Scales are linear standard deviations in world units, quats wxyz of any length, opacities
    0..1. The mean color weighs splats by their terms; it is 0 where the density is.

    Raises InputError if a value is not finite, or a scale is not positive.
    """
    given = {"means": means, "quats": quats, "scales": scales, "opacities": opacities}
    for name, tensor in given.items():
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{name} must be finite to have a density.")
    if not bool((scales > 0).all()):
        raise InputError(f"Scales must be positive, the smallest is {float(scales.min())}.")
    blobs = _blobs(means, quats, scales, opacities, lattice)
    fits = means.dtype == torch.float32 and means.device.type == "cpu"
    if backend == "native" and not (fits and raster_native.available()):
        raise InputError('The native kernel needs float32 on the CPU; choose backend="auto".')
    native = backend != "reference" and fits and raster_native.available()
    total, color = (_native if native else _reference)(blobs, lattice, colors)
    if color is not None:
        color = color / torch.where(total > 0, total, 1)[..., None]
    return total, color


def _blobs(
    means: Tensor, quats: Tensor, scales: Tensor, opacities: Tensor, lattice: Lattice
) -> Blobs:
    axes = rotation_matrices(quats)
    rows = axes.mT / scales[:, :, None]
    limits = 2 * torch.log((opacities / SMALLEST).clamp_min(1e-30))
    # The ellipsoid's box: the root of the covariance's diagonal, at the limit.
    reach = ((axes * scales[:, None, :]).square().sum(-1) * limits.clamp_min(0)[:, None]).sqrt()
    spacing, start = means.new_tensor(lattice.spacing), means.new_tensor(lattice.low)
    most = means.new_tensor(lattice.size) - 1
    slack = 1e-3  # grid cells, against rounding
    low = ((means - reach - start) / spacing - slack).ceil().clamp_min(0)
    high = torch.minimum(((means + reach - start) / spacing + slack).floor(), most)
    low, high = torch.minimum(low, most + 1), high.clamp_min(-1)
    none = (limits <= 0)[:, None]
    low, high = torch.where(none, 0, low).long(), torch.where(none, -1, high).long()
    return Blobs(means, rows, opacities, limits, low, high)


def _native(
    blobs: Blobs, lattice: Lattice, colors: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    total = torch.zeros(lattice.size)
    color = None if colors is None else torch.zeros(*lattice.size, 3)
    origin, spacing = torch.tensor(lattice.low), torch.tensor(lattice.spacing)
    inputs = (blobs.means, blobs.rows, blobs.opacities, blobs.limits, blobs.low, blobs.high)
    arrays = map(bare, (*inputs, colors, origin, spacing, total, color))
    raster_native.kernels.density(*arrays, torch.get_num_threads())
    return total, color


def _reference(
    blobs: Blobs, lattice: Lattice, colors: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    device = blobs.means.device
    spans = (blobs.high - blobs.low + 1).clamp_min(0)
    counts = spans.prod(dim=1)
    totals = counts.cumsum(0)
    x, y, z = lattice.axes(blobs.means)
    total = blobs.means.new_zeros(len(x) * len(y) * len(z))
    color = None if colors is None else blobs.means.new_zeros(len(total), 3)
    start = 0
    while start < len(counts):
        base = int(totals[start - 1]) if start else 0
        stop = max(start + 1, int(torch.searchsorted(totals, base + CHUNK, right=True)))
        of = torch.arange(start, stop, device=device).repeat_interleave(counts[start:stop])
        inside = torch.arange(len(of), device=device) - (totals - counts - base)[of]
        rest = torch.div(inside, spans[of, 2], rounding_mode="floor")
        k = blobs.low[of, 2] + inside - rest * spans[of, 2]
        i_ = torch.div(rest, spans[of, 1], rounding_mode="floor")
        j = blobs.low[of, 1] + rest - i_ * spans[of, 1]
        i = blobs.low[of, 0] + i_
        away = torch.stack([x[i], y[j], z[k]], dim=1) - blobs.means[of]
        square = torch.einsum("pij,pj->pi", blobs.rows[of], away).square().sum(dim=1)
        term = blobs.opacities[of] * torch.exp(-0.5 * square)
        term = torch.where(square <= blobs.limits[of], term, 0)
        place = (i * len(y) + j) * len(z) + k
        total.index_add_(0, place, term)
        if color is not None and colors is not None:
            color.index_add_(0, place, term[:, None] * colors[of])
        start = stop
    shaped = None if color is None else color.reshape(*lattice.size, 3)
    return total.reshape(lattice.size), shaped
