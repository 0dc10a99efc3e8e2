"""DreamTime: the share of steps that each time gets."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from splatsmith.distill import DreamTimes
from splatsmith.errors import InputError

plateau = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)
deviation = st.floats(0.02, 2)


def free(**changes):
    return DreamTimes(low=0.0, high=1.0, **changes)


@given(plateau, deviation, deviation)
def test_the_allocation_is_the_integral_of_the_weight(ends, s1, s2):
    """Against a plain sum over a fine grid; so the shares of all times add up to 1."""
    times = free(m2=ends[0], m1=ends[1], s1=s1, s2=s2)
    count = 4000
    middles = [(i + 0.5) / count for i in range(count)]
    weights = torch.tensor([times.weight(t) for t in middles], dtype=torch.float64)
    shares = weights / weights.sum()
    assert times.above(0.0) == pytest.approx(1.0)
    assert times.above(1.0) == pytest.approx(0.0, abs=1e-12)
    for place in (0.1, 0.35, 0.6, 0.9):
        expected = float(shares[int(place * count) :].sum())
        assert times.above(place) == pytest.approx(expected, abs=2e-3)


@given(plateau, deviation, deviation)
def test_time_never_rises_and_undoes_the_allocation(ends, s1, s2):
    times = free(m2=ends[0], m1=ends[1], s1=s1, s2=s2)
    line = [times.window(i / 20)[0] for i in range(21)]
    assert line == sorted(line, reverse=True)
    for i in range(1, 20):
        assert times.above(line[i]) == pytest.approx(i / 20, abs=1e-6)


def test_the_papers_times():
    """At each tenth of a run, of 1000 steps; the end is where the jump is."""
    expected = [999, 929, 864, 803, 742, 681, 620, 558, 497, 431]
    found = [1000 * free().window(i / 10)[0] for i in range(10)]
    assert found == pytest.approx(expected, abs=1.5)


def test_the_ends_are_kept_to_and_a_width_opens_a_window(gen):
    times = DreamTimes(width=0.1)
    assert times.window(0.0) == pytest.approx((0.93, 0.98))
    assert times.window(1.0) == pytest.approx((0.02, 0.07))
    low, high = times.window(0.5)
    t = times.sample(0.5, 1000, gen)
    assert high - low == pytest.approx(0.1)
    assert low <= float(t.min()) < low + 0.01
    assert high - 0.01 < float(t.max()) <= high + 1e-6
    certain = DreamTimes().sample(0.5, 5, gen)
    assert (certain == certain[0]).all()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"m2": 0.9}, "0 <= m2 <= m1 <= 1, got 0.9, 0.8"),
        ({"s1": 0.0}, "s1 and s2 must be over 0"),
        ({"low": 0.9, "high": 0.1}, "0 <= low <= high <= 1"),
        ({"width": 2.0}, "width of the times must lie in 0 to 1"),
        ({"draw": "never"}, "each, stratified, shared and middle"),
    ],
)
def test_impossible_allocations_are_refused(wrong, says):
    with pytest.raises(InputError, match=says):
        DreamTimes(**wrong)
