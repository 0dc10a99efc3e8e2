"""Feature grids: against grid_sample, and the native kernels against the twin."""

import pytest
import torch
import torch.nn.functional as F

from splatsmith.errors import InputError
from splatsmith.render import fields_native
from splatsmith.render.hash_grid import Lattice, encode_reference, geometric

HASHED = Lattice.of(geometric(4, 40, 5), most_rows=2**10)
DENSE = Lattice.of([7])
RADIUS = 1.5


@pytest.fixture(params=fields_native.isas())
def isa(request, monkeypatch):
    monkeypatch.setenv("SPLATSMITH_ISA", request.param)
    return request.param


def points_and_table(gen, lattice, count, dtype=torch.float32):
    points = (2 * torch.rand(count, 3, generator=gen, dtype=dtype) - 1) * 1.1 * RADIUS
    table = torch.randn(lattice.rows, 2, generator=gen, dtype=dtype)
    return points.requires_grad_(), table.requires_grad_()


def test_kernels_were_built():
    assert fields_native.available()
    assert fields_native.isas()[-1] == "baseline"


def test_levels_hash_where_they_have_more_corners_than_rows():
    assert geometric(4, 40, 5) == [4, 7, 12, 22, 40]
    assert [level.hashed for level in HASHED.levels] == [False, False, True, True, True]
    assert [level.rows for level in HASHED.levels] == [125, 512, 1024, 1024, 1024]
    assert HASHED.levels[4].first == 125 + 512 + 2 * 1024
    assert HASHED.rows == HASHED.levels[4].first + 1024


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_a_dense_level_is_what_grid_sample_makes_of_a_voxel_grid(gen, backend):
    points, table = points_and_table(gen, DENSE, 300)
    encode = encode_reference if backend == "reference" else fields_native.encode
    ours = encode(points, table, DENSE, RADIUS, 1)
    voxels = table.reshape(8, 8, 8, 2).permute(3, 0, 1, 2)[None]  # z, y, x: as grid_sample
    places = (points / RADIUS)[None, None, None]
    options = {"mode": "bilinear", "align_corners": True, "padding_mode": "border"}
    theirs = F.grid_sample(voxels, places, **options)[0, :, 0, 0].T
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    weight = torch.randn(300, 2, generator=gen)
    mine = torch.autograd.grad(ours, (points, table), weight)
    other = torch.autograd.grad(theirs, (points, table), weight)
    for a, b in zip(mine, other, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("count", [1, 63, 64, 1000])
@pytest.mark.parametrize("active", [5, 2])
def test_native_features_and_gradients_are_those_of_the_twin(gen, isa, count, active):
    points, table = points_and_table(gen, HASHED, count)
    weight = torch.randn(count, HASHED.features, generator=gen)
    results = []
    for encode in (fields_native.encode, encode_reference):
        features = encode(points, table, HASHED, RADIUS, active)
        results.append([features, *torch.autograd.grad(features, (points, table), weight)])
    for name, ours, twin in zip(("features", "points", "table"), *results, strict=True):
        error = (ours - twin).norm() / (twin.norm() + 1e-9)
        assert error < 1e-5, name
    assert not results[0][0][:, 2 * active :].any()


@pytest.mark.parametrize("used", [1, 4, 5])
def test_the_fused_network_is_the_twin_followed_by_torch(gen, isa, used):
    hidden, outputs, count = 12, 5, 777
    points, table = points_and_table(gen, HASHED, count)
    sizes = [hidden * HASHED.features, hidden, outputs * hidden, outputs]
    parameters = torch.randn(sum(sizes), generator=gen).requires_grad_()
    ours = fields_native.network(
        points, table, parameters, HASHED, RADIUS, 4, hidden=hidden, outputs=outputs, used=used
    )
    first, first_bias, second, second_bias = parameters.split(sizes)
    features = encode_reference(points, table, HASHED, RADIUS, 4)
    inner = F.relu(F.linear(features, first.reshape(hidden, -1), first_bias))
    twin = F.linear(inner, second.reshape(outputs, hidden), second_bias)[:, :used]
    torch.testing.assert_close(ours, twin, atol=2e-4, rtol=1e-4)
    weight = torch.randn(count, used, generator=gen)
    inputs = points, table, parameters
    mine = torch.autograd.grad(ours, inputs, weight)
    other = torch.autograd.grad(twin, inputs, weight)
    for name, a, b in zip(("points", "table", "network"), mine, other, strict=True):
        assert (a - b).norm() / b.norm() < 1e-4, name


def test_a_gradient_of_the_points_gradient_is_that_of_the_twin(gen):
    points, table = points_and_table(gen, HASHED, 50)
    weight = torch.randn(50, HASHED.features, generator=gen)
    found = []
    for encode in (fields_native.encode, encode_reference):
        features = encode(points, table, HASHED, RADIUS, 5)
        slope = torch.autograd.grad(features, points, weight, create_graph=True)[0]
        found.append(torch.autograd.grad(slope.square().sum(), (points, table)))
    for ours, twin in zip(*found, strict=True):
        torch.testing.assert_close(ours, twin, rtol=1e-4, atol=1e-4)


def test_twin_gradients_match_central_differences(gen):
    lattice = Lattice.of([1, 4], most_rows=2**4)  # a dense level and a hashed one
    points, table = points_and_table(gen, lattice, 4, torch.float64)
    function = lambda p, t: encode_reference(p, t, lattice, RADIUS, 2)  # noqa: E731
    assert torch.autograd.gradcheck(function, (points, table))


def test_tables_and_networks_of_another_size_are_refused(gen):
    points, table = points_and_table(gen, HASHED, 5)
    with pytest.raises(InputError, match="rows, got a table of 100"):
        fields_native.encode(points, table[:100], HASHED, RADIUS, 5)
    given = points, table, torch.zeros(7), HASHED, RADIUS, 5
    with pytest.raises(InputError, match="has 124 parameters"):
        fields_native.network(*given, hidden=8, outputs=4, used=4)
    with pytest.raises(InputError, match="float32 on the CPU"):
        fields_native.encode(points.double(), table.double(), HASHED, RADIUS, 5)


def test_bits_do_not_depend_on_the_number_of_threads(gen):
    points, table = points_and_table(gen, HASHED, 5000)
    parameters = torch.randn(8 * 10 + 8 + 3 * 8 + 3, generator=gen).requires_grad_()
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            out = fields_native.network(
                points, table, parameters, HASHED, RADIUS, 5, hidden=8, outputs=3, used=3
            )
            grads = torch.autograd.grad(out.square().sum(), (points, table, parameters))
            results.append([out, *grads])
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))
