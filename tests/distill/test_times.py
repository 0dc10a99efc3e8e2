import itertools

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from splatsmith.distill import TIMES, BandTimes, FallingTimes, UniformTimes
from splatsmith.errors import InputError

DRAWS = ("each", "stratified", "shared", "middle")
share = st.floats(0, 1)
pair = st.tuples(share, share).map(sorted)
any_times = st.one_of(
    st.builds(
        lambda ends, draw: UniformTimes(low=ends[0], high=ends[1], draw=draw),
        pair,
        st.sampled_from(DRAWS),
    ),
    st.builds(
        lambda kind, ends, width, draw: FallingTimes(
            kind=kind, stop=ends[0], start=ends[1], width=width, draw=draw
        ),
        st.sampled_from(("linear", "sqrt")),
        pair,
        share,
        st.sampled_from(DRAWS),
    ),
    st.builds(
        lambda first, last, draw: BandTimes(
            low=(first[0], last[0]), high=(first[1], last[1]), draw=draw
        ),
        pair,
        pair,
        st.sampled_from(DRAWS),
    ),
)


@given(times=any_times, progress=share, views=st.integers(1, 9), seed=st.integers(0, 2**31))
@example(
    times=BandTimes(low=(0.0, 2.6294530802875207e-37), high=(1.0, 2.6294530802875207e-37)),
    progress=1.0,
    views=1,
    seed=0,
)
def test_times_stay_in_their_window(times, progress, views, seed):
    low, high = times.window(progress)
    t = times.sample(progress, views, torch.Generator().manual_seed(seed))
    assert 0 <= low <= high <= 1
    assert t.shape == (views,)
    assert t.dtype == torch.float32
    assert (t >= torch.tensor(low)).all()
    assert (t <= torch.tensor(high)).all()
    again = times.sample(progress, views, torch.Generator().manual_seed(seed))
    assert torch.equal(t, again)


def test_uniform_times_fill_their_window(gen):
    t = UniformTimes(low=0.2, high=0.6).sample(0.5, 20_000, gen)
    counts = torch.histc(t, bins=10, min=0.2, max=0.6) / 20_000
    assert (counts - 0.1).abs().max() < 0.01


def test_linear_is_dreamgaussians():
    times = FallingTimes(kind="linear")
    assert times.window(0) == (0.98, 0.98)
    assert times.window(0.5) == pytest.approx((0.5, 0.5))
    assert times.window(1) == pytest.approx((0.02, 0.02))


def test_sqrt_is_hifas():
    """The steps of HiFA at every tenth of the way, of 1000."""
    times = FallingTimes(kind="sqrt", start=0.98, stop=0.3)
    steps = [round(1000 * times.window(tenth / 10)[0]) for tenth in range(11)]
    assert steps == [980, 765, 676, 608, 550, 499, 453, 411, 372, 335, 300]


def test_a_falling_window_keeps_its_width_until_the_edge():
    times = FallingTimes(start=0.9, stop=0.1, width=0.4)
    assert times.window(0) == pytest.approx((0.7, 1.0))
    assert times.window(0.5) == pytest.approx((0.3, 0.7))
    assert times.window(1) == pytest.approx((0.0, 0.3))


def test_a_narrowing_band_converges():
    times = BandTimes(low=(0.4, 0.2), high=(0.98, 0.25))
    widths = [high - low for low, high in (times.window(p / 10) for p in range(11))]
    assert all(a > b for a, b in itertools.pairwise(widths))
    assert times.window(0) == (0.4, 0.98)
    assert times.window(1) == pytest.approx((0.2, 0.25))


def test_a_band_bends_where_it_is_told_to():
    """MVDream: both ends start at 0.98 and fall to 0.02 and 0.5 in the first 7/10."""
    times = BandTimes(at=(0, 0.7, 1), low=(0.98, 0.02, 0.02), high=(0.98, 0.5, 0.5))
    assert times.window(0) == (0.98, 0.98)
    assert times.window(0.35) == pytest.approx((0.5, 0.74))
    assert times.window(0.7) == pytest.approx((0.02, 0.5))
    assert times.window(0.9) == pytest.approx((0.02, 0.5))


def test_stratified_times_have_one_in_each_part_in_random_order(gen):
    times = UniformTimes(low=0.0, high=1.0, draw="stratified")
    t = torch.stack([times.sample(0.0, 4, gen) for _ in range(400)])
    part = (t * 4).long()
    assert torch.equal(part.sort(dim=1).values, torch.arange(4).expand(400, 4))
    assert torch.bincount(part[:, 0], minlength=4).min() > 60


def test_shared_times_are_one_and_the_middle_is_certain(gen):
    shared = UniformTimes(draw="shared").sample(0.0, 5, gen)
    assert len(shared.unique()) == 1
    before = gen.get_state()
    middle = UniformTimes(low=0.2, high=0.6, draw="middle").sample(0.0, 3, gen)
    torch.testing.assert_close(middle, torch.full((3,), 0.4))
    assert torch.equal(before, gen.get_state())


def test_each_kind_has_its_class():
    for kind, made in TIMES.items():
        assert kind in str(made.__annotations__["kind"])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: UniformTimes(low=0.5, high=0.4), "0 <= low <= high <= 1, got 0.5 and 0.4"),
        (lambda: FallingTimes(start=0.2, stop=0.5), "0 <= stop <= start <= 1, got stop=0.5"),
        (lambda: FallingTimes(width=1.5), "width of the times must lie in 0 to 1, got 1.5"),
        (lambda: BandTimes(low=(0.1,)), "as many values"),
        (lambda: BandTimes(low=(0.99, 0.1)), "got low 0.99, high 0.98"),
        (lambda: BandTimes(at=(0.1, 1.0)), "rise from 0 to 1"),
    ],
)
def test_impossible_windows_are_refused(make, says):
    with pytest.raises(InputError, match=says.replace("(", r"\(")):
        make()
