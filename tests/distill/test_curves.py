import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatsmith.distill import Ramp, at
from splatsmith.errors import InputError

share = st.floats(0, 1)
value = st.floats(1e-3, 1e3)


@given(value, value, st.sampled_from(("linear", "cosine", "log")), share, share, share, share)
def test_a_ramp_goes_one_way_from_start_to_end(start, end, shape, a, b, p, q):
    since, until = sorted((a, b))
    ramp = Ramp(start=start, end=end, shape=shape, since=since, until=until)
    low, high = sorted((start, end))
    first, second = (ramp.at(progress) for progress in sorted((p, q)))
    for reached in (first, second):
        assert low * (1 - 1e-12) <= reached <= high * (1 + 1e-12)
    assert (second - first) * (end - start) >= -1e-9
    assert ramp.at(1.0) == end
    if since > 0:
        assert ramp.at(0.0) == start


@pytest.mark.parametrize(
    ("shape", "expected"), [("linear", 5.5), ("cosine", 5.5), ("log", 10**0.5)]
)
def test_the_middle_of_each_shape(shape, expected):
    ramp = Ramp(start=1.0, end=10.0, shape=shape, since=0.2, until=0.6)
    assert ramp.at(0.4) == pytest.approx(expected)
    assert ramp.at(0.2) == 1.0
    assert ramp.at(0.6) == 10.0
    quarter = {"linear": 3.25, "cosine": 1 + 9 * 0.146447, "log": 10**0.25}[shape]
    assert ramp.at(0.3) == pytest.approx(quarter, rel=1e-5)


def test_a_ramp_of_no_length_is_a_jump():
    jump = Ramp(start=0.98, end=0.5, since=0.2, until=0.2)
    assert (jump.at(0.19), jump.at(0.2), jump.at(1.0)) == (0.98, 0.5, 0.5)


def test_plain_numbers_stay_what_they_are():
    assert at(7.0, 0.3) == 7.0
    assert at(Ramp(start=0.0, end=1.0), 0.3) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"shape": "steep"}, "A ramp is linear, cosine or log, got 'steep'"),
        ({"since": 0.7, "until": 0.2}, "0 <= since <= until <= 1, got 0.7 and 0.2"),
        ({"end": float("inf")}, "must be finite"),
        ({"start": 0.0, "shape": "log"}, "needs positive values"),
    ],
)
def test_impossible_ramps_are_refused(wrong, says):
    with pytest.raises(InputError, match=says):
        Ramp(**{"start": 1.0, "end": 2.0} | wrong)
