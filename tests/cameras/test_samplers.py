import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from splatsmith.cameras import OrbitSampler, orbit, sheet_cameras, turntable
from splatsmith.errors import InputError


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(views=st.integers(1, 12), seed=st.integers(0, 2**31), low=st.floats(-180, 180))
def test_each_sector_holds_one_azimuth(views, seed, low):
    sampler = OrbitSampler(azimuth=(low, low + 90.0))
    azimuth = sampler.sample(views, 8, 8, seeded(seed)).azimuth.double().sort().values
    edges = low + 90.0 * torch.arange(views + 1, dtype=torch.float64) / views
    assert (azimuth >= edges[:-1] - 1e-4).all()  # 1e-4 degrees for rounding in float32
    assert (azimuth <= edges[1:] + 1e-4).all()


def test_sectors_come_in_random_order(gen):
    sampler = OrbitSampler()
    first = torch.stack([sampler.sample(4, 8, 8, gen).azimuth for _ in range(400)])
    sector = ((first + 180) / 90).floor().long()
    for view in range(4):
        counts = torch.bincount(sector[:, view], minlength=4)
        assert counts.min() > 60  # 100 expected, 9 the standard deviation


def test_uniform_on_the_sphere_covers_equal_areas_equally(gen):
    sampler = OrbitSampler(elevation=(-30.0, 90.0))
    elevation = sampler.sample(20_000, 8, 8, gen).elevation
    height = torch.sin(torch.deg2rad(elevation))  # uniform in -0.5 to 1, by Archimedes
    counts = torch.histc(height, bins=10, min=-0.5, max=1.0) / 20_000
    assert (counts - 0.1).abs().max() < 0.01
    assert elevation.min() >= -30
    assert elevation.max() <= 90


def test_without_it_equal_angles_come_equally_often(gen):
    sampler = OrbitSampler(elevation=(-30.0, 90.0), uniform_on_sphere=False)
    elevation = sampler.sample(20_000, 8, 8, gen).elevation
    counts = torch.histc(elevation, bins=10, min=-30.0, max=90.0) / 20_000
    assert (counts - 0.1).abs().max() < 0.01


@settings(max_examples=30)
@given(
    low=st.floats(-90, 90),
    span=st.floats(0, 180),
    seed=st.integers(0, 1000),
    sphere=st.booleans(),
)
def test_draws_stay_within_their_ranges(low, span, seed, sphere):
    elevation = (low, min(90.0, low + span))
    sampler = OrbitSampler(
        radius=(2.0, 4.0), fovy=(30.0, 60.0), elevation=elevation, uniform_on_sphere=sphere
    )
    cameras = sampler.sample(16, 20, 10, seeded(seed))
    assert (cameras.width, cameras.height, len(cameras)) == (20, 10, 16)
    ranges = [(cameras.elevation, elevation), (cameras.radius, (2.0, 4.0))]
    focal = cameras.K[:, 1, 1]
    fovy = torch.rad2deg(2 * torch.atan(10 / 2 / focal))
    for values, (lowest, highest) in [*ranges, (fovy, (30.0, 60.0))]:
        assert values.min() >= lowest - 1e-3
        assert values.max() <= highest + 1e-3
    torch.testing.assert_close(cameras.position.norm(dim=-1), cameras.radius)


def test_the_same_generator_gives_the_same_cameras_and_a_range_does_not_shift_later_draws():
    narrow, wide = OrbitSampler(), OrbitSampler(radius=(2.0, 4.0), jitter=0.1)
    one, two, other = seeded(5), seeded(5), seeded(5)
    first, again = narrow.sample(4, 8, 8, one), narrow.sample(4, 8, 8, two)
    assert torch.equal(first.viewmat, again.viewmat)
    shaken = wide.sample(4, 8, 8, other)
    assert torch.equal(shaken.azimuth, first.azimuth)
    assert torch.equal(one.get_state(), other.get_state())
    assert torch.equal(wide.sample(4, 8, 8, seeded(5)).viewmat, shaken.viewmat)
    assert not torch.equal(narrow.sample(4, 8, 8, one).viewmat, first.viewmat)


def test_jitter_carries_cameras_without_turning_them(gen):
    sampler = OrbitSampler(jitter=0.1)
    cameras = sampler.sample(2000, 8, 8, gen)
    straight = orbit(cameras.azimuth, cameras.elevation, width=8, height=8)
    torch.testing.assert_close(cameras.viewmat[:, :3, :3], straight.viewmat[:, :3, :3])
    shift = cameras.position - straight.position
    assert shift.std().item() == pytest.approx(0.1, rel=0.1)
    assert shift.mean().abs().item() < 0.01


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"radius": (0.0, 1.0)}, "radius must lie between"),
        ({"radius": (2.0, 1.0)}, "radius must be a finite range"),
        ({"fovy": (40.0, 180.0)}, "fovy must lie between"),
        ({"elevation": (-91.0, 0.0)}, "elevation must lie between"),
        ({"azimuth": (0.0, 361.0)}, "at most 360"),
        ({"azimuth": (0.0, math.nan)}, "azimuth must be a finite range"),
        ({"jitter": -1.0}, "jitter must be zero or more"),
    ],
)
def test_impossible_ranges_are_refused(keywords, said):
    with pytest.raises(InputError, match=said):
        OrbitSampler(**keywords)


def test_no_views_are_refused(gen):
    with pytest.raises(InputError, match="At least one view"):
        OrbitSampler().sample(0, 8, 8, gen)


def test_a_turntable_goes_round_once_and_closes():
    cameras = turntable(8, elevation=20.0, width=8, height=8)
    assert cameras.azimuth.tolist() == [0, 45, 90, 135, 180, 225, 270, 315]
    assert set(cameras.elevation.tolist()) == {20.0}
    with pytest.raises(InputError, match="at least one frame"):
        turntable(0, width=8, height=8)


def test_a_sheet_has_a_row_per_elevation_with_the_front_first():
    cameras = sheet_cameras(8, 8, azimuths=4, elevations=(0.0, 30.0))
    assert cameras.azimuth.tolist() == [0, 90, 180, 270] * 2
    assert cameras.elevation.tolist() == [0.0] * 4 + [30.0] * 4
    assert len(sheet_cameras(8, 8)) == 16
    with pytest.raises(InputError, match="at least one azimuth"):
        sheet_cameras(8, 8, elevations=())


def test_cameras_together_stand_evenly_around_at_one_height(gen):
    sampler = OrbitSampler(together=4, radius=(3.0, 3.4), fovy=(35.0, 45.0))
    cameras = sampler.sample(8, 16, 16, gen)
    azimuth = cameras.azimuth.view(2, 4)
    turns = torch.remainder(azimuth - azimuth[:, :1], 360)
    torch.testing.assert_close(turns, torch.tensor([[0.0, 90, 180, 270]] * 2))
    assert (azimuth[0, 0] - azimuth[1, 0]).abs() > 1
    for values in (cameras.elevation, cameras.radius, cameras.K[:, 0, 0]):
        groups = values.view(2, 4)
        assert (groups == groups[:, :1]).all()
        assert groups[0, 0] != groups[1, 0]
    with pytest.raises(InputError, match="4 together, and 6 is no multiple"):
        sampler.sample(6, 16, 16, gen)
    with pytest.raises(InputError, match="together must lie in 1 to 64"):
        OrbitSampler(together=0)


def test_cameras_on_their_own_are_drawn_as_before(gen):
    """What a seed gave before there were groups, it gives still."""
    cameras = OrbitSampler().sample(3, 8, 8, torch.Generator().manual_seed(3))
    draws = torch.rand(4, 3, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(cameras.radius, torch.full((3,), 3.2))
    sine = torch.sin(torch.deg2rad(cameras.elevation))
    low, high = (math.sin(math.radians(e)) for e in (-10.0, 60.0))
    torch.testing.assert_close((sine - low) / (high - low), draws[1], atol=1e-5, rtol=0)
