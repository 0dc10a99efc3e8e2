import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from splatsmith.priors import (
    Cosine,
    Prediction,
    cosine,
    linear,
    rectified_flow,
    scaled_linear,
)

KINDS = ("eps", "x0", "v", "flow")
SCHEDULES = [cosine(), Cosine.for_resolution(64), scaled_linear(), linear(), rectified_flow()]


def truth(schedule, t, seed):
    """A clean picture, its noise, and the mixture."""
    gen = torch.Generator().manual_seed(seed)
    shape = (len(t), 3, 4, 5)
    x0 = torch.rand(shape, generator=gen, dtype=torch.float64) * 2 - 1
    eps = torch.randn(shape, generator=gen, dtype=torch.float64)
    alpha, sigma = (f(t)[:, None, None, None] for f in (schedule.alpha, schedule.sigma))
    values = {"eps": eps, "x0": x0, "v": alpha * eps - sigma * x0, "flow": eps - x0}
    return values, alpha * x0 + sigma * eps


@given(
    schedule=st.sampled_from(SCHEDULES),
    kinds=st.permutations(KINDS),
    t=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    seed=st.integers(0, 2**31),
)
def test_every_round_trip_returns(schedule, kinds, t, seed):
    t = torch.tensor(t, dtype=torch.float64)
    values, x_t = truth(schedule, t, seed)
    start = Prediction.of(kinds[0], values[kinds[0]], x_t, t, schedule)
    trip = start
    for kind in (*kinds[1:], kinds[0]):
        trip = trip.converted(kind)
        assert trip.kind == kind
    torch.testing.assert_close(trip.value, start.value, rtol=0, atol=1e-10)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize(("given_", "asked"), list(itertools.product(KINDS, KINDS)))
def test_each_kind_gives_the_true_value_of_each_other(schedule, given_, asked):
    t = torch.tensor([0.02, 0.3, 0.7, 0.98], dtype=torch.float64)
    values, x_t = truth(schedule, t, 1)
    told = Prediction.of(given_, values[given_], x_t, t, schedule)
    torch.testing.assert_close(getattr(told, asked), values[asked], rtol=0, atol=1e-10)


def test_published_formulas_where_variance_is_preserved():
    t = torch.tensor([0.1, 0.6], dtype=torch.float64)
    schedule = scaled_linear()
    _, x_t = truth(schedule, t, 2)
    v = torch.randn(x_t.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    told = Prediction.of("v", v, x_t, t, schedule)
    alpha, sigma = told.alpha, told.sigma
    torch.testing.assert_close(told.eps, alpha * v + sigma * x_t)
    torch.testing.assert_close(told.x0, alpha * x_t - sigma * v)
    told = Prediction.of("eps", v, x_t, t, schedule)
    torch.testing.assert_close(told.x0, (x_t - sigma * v) / alpha)


def test_its_own_kind_comes_back_untouched():
    t = torch.tensor([0.5])
    x_t = torch.full((1, 3, 2, 2), 0.1)
    for kind in KINDS:
        value = torch.full_like(x_t, 0.3)
        assert getattr(Prediction.of(kind, value, x_t, t, cosine()), kind) is value


def test_views_can_be_taken_apart():
    t = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64)
    values, x_t = truth(cosine(), t, 4)
    whole = Prediction.of("v", values["v"], x_t, t, cosine())
    part = whole[1:]
    assert (len(whole), len(part)) == (3, 2)
    torch.testing.assert_close(part.x0, whole.x0[1:], rtol=0, atol=0)
