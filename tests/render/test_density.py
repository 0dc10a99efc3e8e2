"""The density of Gaussians on a grid: all pairs in float64, the twin and the kernel."""

import math

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.render import raster_native
from splatsmith.render.density import SMALLEST, Lattice, density
from splatsmith.render.reference import rotation_matrices


@pytest.fixture(params=raster_native.isas())
def isa(request, monkeypatch):
    monkeypatch.setenv("SPLATSMITH_ISA", request.param)
    return request.param


def splats(gen, count, thin=1.0):
    means = torch.rand(count, 3, generator=gen) * 2.6 - 1.3
    scales = 0.02 + 0.15 * torch.rand(count, 3, generator=gen)
    scales[:, 2] *= thin
    opacities = torch.rand(count, generator=gen)
    opacities[::7] = 0.5 * SMALLEST
    return means, torch.randn(count, 4, generator=gen), scales, opacities


LATTICE = Lattice((-1.0, -0.9, -0.8), (1.0, 0.7, 1.1), (21, 18, 37))


def by_all_pairs(means, quats, scales, opacities, colors):
    """Every splat at every point, with the same least term, in float64."""
    x, y, z = LATTICE.axes(means.double())
    points = torch.stack(torch.meshgrid(x, y, z, indexing="ij"), dim=-1)[..., None, :]
    away = points - means.double()
    rotation = rotation_matrices(quats.double())
    local = torch.einsum("xyzsi,sij->xyzsj", away, rotation) / scales.double()
    term = opacities.double() * torch.exp(-0.5 * local.square().sum(-1))
    term = torch.where(term >= SMALLEST, term, 0)
    total = term.sum(-1)
    mean = term @ colors.double() / total.clamp_min(1e-12)[..., None]
    return total, mean


@pytest.mark.parametrize("thin", [1.0, 0.01])
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_density_is_the_sum_over_all_splats(gen, isa, backend, thin):
    scene, colors = splats(gen, 40, thin), torch.rand(40, 3, generator=gen)
    total, color = density(*scene, LATTICE, colors=colors, backend=backend)
    expected, mean = by_all_pairs(*scene, colors)
    error = (total - expected).abs()
    assert (error > 2e-4).sum() <= 2  # rounding decides about a term at the least that counts
    assert error.max() < 2 * SMALLEST
    full = expected > 0.1
    torch.testing.assert_close(color[full].double(), mean[full], atol=5e-3, rtol=0.0)
    assert color[expected == 0].abs().max() == 0


def test_kernel_and_twin_agree_and_threads_change_nothing(gen):
    scene = splats(gen, 300)
    before, totals = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            totals.append(density(*scene, LATTICE, backend="native")[0])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*totals)
    twin = density(*scene, LATTICE, backend="reference")[0]
    assert ((totals[0] - twin).abs() > 1e-4).float().mean() < 1e-4


def test_one_splat_in_closed_form():
    lattice = Lattice.cube(4)
    scene = (
        torch.tensor([[0.5, 0.0, 0.0]]),
        torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        torch.tensor([[0.5, 1.0, 1.0]]),
        torch.tensor([0.8]),
    )
    total, color = density(*scene, lattice)
    assert color is None
    assert abs(total[3, 2, 2] - 0.8) < 1e-6
    assert abs(total[2, 2, 2] - 0.8 * math.exp(-0.5)) < 1e-6
    assert abs(total[3, 2, 4] - 0.8 * math.exp(-0.5)) < 1e-6


def test_what_has_no_density_is_refused(gen):
    means, quats, scales, opacities = splats(gen, 3)
    with pytest.raises(InputError, match="means must be finite"):
        density(means / 0, quats, scales, opacities, LATTICE)
    with pytest.raises(InputError, match="Scales must be positive"):
        density(means, quats, 0 * scales, opacities, LATTICE)
    with pytest.raises(InputError, match=r"2\.\.1024"):
        Lattice.cube(1)
