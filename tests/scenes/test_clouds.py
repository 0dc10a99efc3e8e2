"""Noisy point growing against its plain definition, and thinning."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from splatsmith.errors import InputError
from splatsmith.scenes.clouds import Cloud, Growth, grown, thinned


def grown_plainly(cloud, growth, generator, most):
    """The definition: every trial against every point."""
    low, high = cloud.points.amin(dim=0), cloud.points.amax(dim=0)
    trial = low + torch.rand(growth.trials, 3, generator=generator) * (high - low)
    noise = torch.rand(growth.trials, 3, generator=generator)
    points, colors = list(cloud.points), list(cloud.colors)
    for place, shade in zip(trial, noise, strict=True):
        distance = (cloud.points - place).square().sum(dim=1).sqrt()
        if float(distance.min()) < growth.reach and len(points) < most:
            points.append(place)
            fresh = cloud.colors[int(distance.argmin())] + growth.color * shade
            colors.append(fresh.clamp(0, 1))
    return torch.stack(points), torch.stack(colors)


@settings(max_examples=12, deadline=None)
@given(
    count=st.integers(1, 40),
    reach=st.sampled_from([1e-6, 0.05, 0.3, 5.0]),
    most=st.integers(1, 90),
    seed=st.integers(0, 1000),
)
def test_growth_is_what_it_says(count, reach, most, seed):
    draw = torch.Generator().manual_seed(seed)
    cloud = Cloud(torch.randn(count, 3, generator=draw), torch.rand(count, 3, generator=draw))
    growth = Growth(trials=40, reach=reach, color=0.2)
    found = grown(cloud, growth, torch.Generator().manual_seed(1), most)
    points, colors = grown_plainly(cloud, growth, torch.Generator().manual_seed(1), most)
    assert torch.equal(found.points, points)
    torch.testing.assert_close(found.colors, colors)


def test_growth_fills_the_reach_of_a_point(gen):
    """Of a box that holds a ball of the reach around its middle, its share of the volume."""
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3) * 100
    cloud = Cloud(torch.cat([torch.zeros(1, 3), corners]))
    found = grown(cloud, Growth(trials=20_000, reach=50.0), gen, 10**6)
    inside = found.points[len(cloud) :].norm(dim=1) < 50
    ball = 4 / 3 * torch.pi * 50**3 / 200**3  # the eight corners' eighths together are another
    assert float(inside.sum()) / 20_000 == pytest.approx(ball, rel=0.08)
    assert float((~inside).sum()) / 20_000 == pytest.approx(ball, rel=0.08)
    assert found.colors is None


def test_colors_grow_brighter_by_at_most_their_noise(gen):
    cloud = Cloud(torch.randn(50, 3, generator=gen), torch.full((50, 3), 0.5))
    found = grown(cloud, Growth(trials=5000, reach=0.5, color=0.2), gen, 4000)
    fresh = found.colors[50:]
    assert len(found) > 500
    assert 0.5 <= float(fresh.min()) < 0.51
    assert 0.69 < float(fresh.max()) <= 0.7
    assert float(fresh.mean()) == pytest.approx(0.6, abs=0.01)


def test_thinning_keeps_the_order_and_prefers_nobody():
    cloud = Cloud(torch.arange(300.0).reshape(100, 3))
    counts = torch.zeros(100)
    for seed in range(200):
        kept = thinned(cloud, 20, torch.Generator().manual_seed(seed)).points[:, 0]
        assert (kept.diff() > 0).all()
        counts[(kept / 3).long()] += 1
    assert counts.sum() == 4000
    assert counts.std() < 2 * (200 * 0.2 * 0.8) ** 0.5
    assert thinned(cloud, 100, torch.Generator()) is cloud


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cloud(torch.zeros(0, 3)), "at least one point"),
        (lambda: Cloud(torch.zeros(2, 3), torch.zeros(1, 3)), "as many colors"),
        (lambda: Cloud(torch.full((2, 3), torch.nan)), "finite"),
        (lambda: Growth(trials=0), "trials"),
        (lambda: Growth(reach=0.0), "reach"),
        (lambda: Growth(color=1.5), "color"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_impossible_clouds_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
