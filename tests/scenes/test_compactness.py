"""Gaps between splats in closed form, against a plain twin, and with an optimizer."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from splatsmith.errors import InputError
from splatsmith.scenes import Gaussians, Upkeep, UpkeepState
from splatsmith.scenes.compactness import deviation, fill, gaps
from splatsmith.scenes.surgery import rotate
from splatsmith.scenes.upkeep import apply


def make(means, scales, quats=None):
    count = len(means)
    means = torch.as_tensor(means, dtype=torch.float32)
    scales = torch.as_tensor(scales, dtype=torch.float32).reshape(count, -1).expand(count, 3)
    quats = torch.tensor([1.0, 0, 0, 0]).expand(count, 4) if quats is None else quats
    logits, sh = torch.arange(count) * 1.0, torch.arange(count * 3.0).reshape(count, 1, 3)
    return Gaussians(means, scales.log(), quats, logits, sh)


def optimizer_of(scene):
    optimizer = torch.optim.Adam(
        [
            {"params": [value], "name": name, "lr": 1e-9}
            for name, value in scene.parameters_by_name().items()
        ]
    )
    sum(value.sum() for value in scene.parameters_by_name().values()).backward()
    optimizer.step()
    return optimizer


def test_the_gap_of_two_round_splats():
    """Centers 2 apart with radii 0.3 and 0.5: a gap of 1.2, from 0.3 to 1.5."""
    scene = make([[0.0, 0, 0], [0, 2, 0]], [0.3, 0.5])
    found = gaps(scene, 3)
    assert (found.first.tolist(), found.second.tolist()) == ([0], [1])
    torch.testing.assert_close(found.widths, torch.tensor([1.2]))
    torch.testing.assert_close(found.places, torch.tensor([[0.0, 0.9, 0.0]]))
    optimizer = optimizer_of(scene)
    assert fill(scene, optimizer, 3, 10) == 1
    assert scene.count == 3
    torch.testing.assert_close(scene.means[2], torch.tensor([0.0, 0.9, 0.0]))
    torch.testing.assert_close(scene.scales[2], torch.full((3,), 0.2))
    assert scene.logit_opacities[2].item() == 0.5
    assert scene.sh[2, 0].tolist() == [1.5, 2.5, 3.5]
    fresh = optimizer.state[scene.means]["exp_avg"].abs().sum(dim=1) == 0
    assert fresh.tolist() == [False, False, True]


def test_splats_that_touch_leave_no_gap():
    scene = make([[0.0, 0, 0], [0, 1, 0], [0, 1, 0]], [0.5, 0.5, 0.1])
    found = gaps(scene, 2)
    assert (found.first.tolist(), found.second.tolist()) == ([0], [2])
    assert fill(make([[0.0, 0, 0]], [0.1]), None, 3, 10) == 0


def test_a_splat_is_as_wide_as_its_marginal(gen):
    """The standard deviation along a line, by many draws."""
    quat = torch.randn(1, 4, generator=gen)
    scene = make([[0.0, 0, 0]], [[0.1, 0.4, 0.9]], quat)
    draws = torch.randn(200_000, 3, generator=gen) * scene.scales.detach()
    draws = rotate(quat.expand(len(draws), 4), draws)
    way = torch.nn.functional.normalize(torch.randn(1, 3, generator=gen), dim=1)
    found = deviation(scene, torch.tensor([0]), way)
    assert float(found) == pytest.approx(float((draws @ way[0]).std()), rel=0.01)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 25), neighbors=st.integers(1, 4), seed=st.integers(0, 1000))
def test_gaps_are_those_of_the_definition(count, neighbors, seed):
    draw = torch.Generator().manual_seed(seed)
    means = torch.rand(count, 3, generator=draw)
    scales = torch.rand(count, 3, generator=draw) * 0.15 + 1e-3
    quats = torch.randn(count, 4, generator=draw)
    scene = make(means, scales, quats)
    axes = torch.stack([rotate(quats, axis.expand(count, 3)) for axis in torch.eye(3)], dim=2)
    covariance = axes @ torch.diag_embed(scales**2) @ axes.mT
    expected = {}
    for one in range(count):
        distance = (means - means[one]).norm(dim=1)
        distance[one] = torch.inf
        for two in distance.argsort()[: min(neighbors, count - 1)].tolist():
            n = (means[two] - means[one]) / distance[two]
            own, other = (float((n @ covariance[k] @ n).sqrt()) for k in (one, two))
            width = float(distance[two]) - own - other
            if width > 1e-6:
                expected[min(one, two), max(one, two)] = (
                    width,
                    means[one] + n * (own + width / 2),
                )
    found = gaps(scene, neighbors)
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    wide = {pair: k for k, pair in enumerate(pairs) if found.widths[k] > 1e-6}
    assert set(wide) == set(expected)
    for pair, k in wide.items():
        assert float(found.widths[k]) == pytest.approx(expected[pair][0], abs=1e-5)
        torch.testing.assert_close(found.places[k], expected[pair][1], atol=1e-5, rtol=0)


def test_the_widest_gaps_are_filled_first():
    scene = make([[0.0, 0, 0], [1, 0, 0], [3, 0, 0], [6, 0, 0]], [0.01] * 4)
    assert fill(scene, optimizer_of(scene), 1, 2) == 2
    torch.testing.assert_close(scene.means[4:, 0].detach(), torch.tensor([2.0, 4.5]))
    assert fill(scene, optimizer_of(scene), 1, 0) == 0
    assert scene.count == 6


def test_upkeep_fills_gaps_within_its_cap_and_tells(gen):
    numbers = {"start": 0, "stop": 10, "every": 5, "grow_gradient": math.inf, "least": 1}
    for cap, expected in ((100, 2), (4, 1), (3, 0)):
        scene = make([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]], [0.01] * 3)
        state, optimizer = UpkeepState.empty(scene), optimizer_of(scene)
        upkeep = Upkeep(**numbers, compactness=1, cap=cap)
        report = apply(upkeep, state, scene, optimizer, 5, gen)
        assert (report.filled, report.count, scene.count) == (
            expected,
            3 + expected,
            3 + expected,
        )
        assert len(state.seen) == scene.count
        assert apply(upkeep, state, scene, optimizer, 6, gen).filled == 0


def test_a_row_closes_up(gen):
    """Each visit leaves a third of a gap on either side of the new splat."""
    scene = make([[0.0, 0, 0], [1, 0, 0]], [0.1, 0.1])
    for visit in range(4):
        found = gaps(scene, 1)
        assert found.widths.max().item() == pytest.approx(0.8 / 3**visit, rel=1e-4)
        fill(scene, optimizer_of(scene), 2, 1000)
    assert scene.means.detach()[:, 0].max() == 1.0


def test_impossible_numbers_are_refused():
    for wrong in (-1, 17):
        with pytest.raises(InputError, match="compactness"):
            Upkeep(compactness=wrong)
