import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from splatsmith.errors import InputError
from splatsmith.priors import (
    BetaTable,
    Cosine,
    NoiseSchedule,
    cosine,
    linear,
    rectified_flow,
    scaled_linear,
)

SCHEDULES = {
    "cosine": cosine(),
    "cosine-64": Cosine.for_resolution(64),
    "scaled-linear": scaled_linear(),
    "linear": linear(),
    "flow": rectified_flow(),
}
everyone = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
times = st.lists(st.floats(0, 1), min_size=1, max_size=8).map(
    lambda t: torch.tensor(t, dtype=torch.float64)
)

# Step, abar, alpha, sigma, sigma / alpha of Stable Diffusion 1 and 2.
STABLE_DIFFUSION = [
    (20, 0.9813, 0.9906, 0.1367, 0.138),
    (50, 0.9516, 0.9755, 0.2201, 0.226),
    (100, 0.8942, 0.9456, 0.3252, 0.344),
    (200, 0.7537, 0.8682, 0.4963, 0.572),
    (300, 0.5905, 0.7684, 0.6399, 0.833),
    (500, 0.2763, 0.5257, 0.8507, 1.618),
    (700, 0.0825, 0.2873, 0.9579, 3.334),
    (800, 0.0369, 0.1920, 0.9814, 5.111),
    (980, 0.0058, 0.0764, 0.9971, 13.04),
]


@pytest.mark.parametrize(("step", "abar", "alpha", "sigma", "ratio"), STABLE_DIFFUSION)
def test_stable_diffusion_table(step, abar, alpha, sigma, ratio):
    t = torch.tensor(step / 1000, dtype=torch.float64)
    schedule = scaled_linear()
    assert float(schedule.alpha(t) ** 2) == pytest.approx(abar, abs=5e-5)
    assert float(schedule.alpha(t)) == pytest.approx(alpha, abs=5e-5)
    assert float(schedule.sigma(t)) == pytest.approx(sigma, abs=5e-5)
    last_digit = 5e-3 if ratio > 10 else 5e-4
    assert float(schedule.sigma(t) / schedule.alpha(t)) == pytest.approx(ratio, abs=last_digit)


@pytest.mark.parametrize("table", [scaled_linear(), linear()])
def test_every_step_of_a_table_is_the_product_of_its_betas(table):
    power = 2 if table.spacing == "scaled-linear" else 1
    first, last = table.first ** (1 / power), table.last ** (1 / power)
    abar = 1.0
    t = torch.arange(1000, dtype=torch.float64) / 1000
    got = table.alpha(t) ** 2
    for step in range(1000):
        abar *= 1 - (first + (last - first) * step / 999) ** power
        assert float(got[step]) == pytest.approx(abar, rel=1e-11)


def test_cosine_is_a_quarter_turn():
    t = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    torch.testing.assert_close(
        cosine().alpha(t), torch.cos(t * math.pi / 2), rtol=1e-13, atol=0
    )
    torch.testing.assert_close(
        cosine().sigma(t), torch.sin(t * math.pi / 2), rtol=1e-13, atol=0
    )


def test_shift_for_resolution_is_the_one_of_simple_diffusion():
    t = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    moved = Cosine.for_resolution(64).log_snr(t) - cosine().log_snr(t)
    expected = torch.full_like(moved, 2 * math.log(32 / 64))
    torch.testing.assert_close(moved, expected, rtol=1e-12, atol=0)
    # Twice the resolution at the same time has half the ratio of alpha to sigma.
    large, small = Cosine.for_resolution(64), Cosine.for_resolution(32)
    ratio = (large.alpha(t) / large.sigma(t)) / (small.alpha(t) / small.sigma(t))
    torch.testing.assert_close(ratio, torch.full_like(t, 0.5), rtol=1e-12, atol=0)


@everyone
@given(t=times)
def test_alpha_sigma_and_log_snr_agree(schedule, t):
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    expected = 2 * (alpha.log() - sigma.log())
    torch.testing.assert_close(schedule.log_snr(t), expected, rtol=1e-9, atol=1e-9)
    whole = alpha + sigma if schedule == rectified_flow() else alpha**2 + sigma**2
    torch.testing.assert_close(whole, torch.ones_like(t), rtol=1e-14, atol=0)


@everyone
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_alpha_and_sigma_lie_strictly_between_0_and_1(schedule, dtype):
    t = torch.tensor([-0.1, 0.0, 1e-30, 1e-6, 0.5, 1 - 1e-6, 1.0, 1.1], dtype=dtype)
    for share in (schedule.alpha(t), schedule.sigma(t)):
        assert share.dtype == dtype
        assert (share > 0).all()
        assert (share < 1).all()


@everyone
def test_noise_grows_with_time(schedule):
    t = torch.linspace(0.001, 0.999, 400, dtype=torch.float64)
    assert (schedule.log_snr(t).diff() < 0).all()
    assert (schedule.sigma(t).diff() > 0).all()
    assert (schedule.alpha(t).diff() < 0).all()


@everyone
def test_float32_follows_float64_to_the_ends(schedule):
    t = torch.cat([torch.linspace(0.01, 0.99, 99), torch.tensor([0.001, 0.998, 0.9995])])
    for share in (schedule.alpha, schedule.sigma):
        torch.testing.assert_close(share(t).double(), share(t.double()), rtol=2e-5, atol=0)


@everyone
def test_shapes_follow_the_times(schedule):
    assert isinstance(schedule, NoiseSchedule)
    assert schedule.alpha(torch.rand(2, 3)).shape == (2, 3)
    assert schedule.sigma(torch.tensor(0.5)).shape == ()


def test_impossible_schedules_are_refused():
    with pytest.raises(InputError, match="0 < first <= last < 1"):
        BetaTable("linear", 0.02, 0.01)
    with pytest.raises(InputError, match="finite"):
        Cosine(float("nan"))
    with pytest.raises(InputError, match="positive"):
        Cosine.for_resolution(0)
