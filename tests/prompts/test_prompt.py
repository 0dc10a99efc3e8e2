import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from splatsmith.errors import InputError
from splatsmith.prompts import Prompt, ViewWords


def worded(azimuth, elevation=0.0, **more):
    prompt = Prompt(text="a chair", **more)
    return prompt.for_views(torch.tensor([azimuth]), torch.tensor([elevation]))[0]


@pytest.mark.parametrize(
    ("azimuth", "elevation", "words"),
    [
        (0.0, 0.0, "a chair, front view"),
        (44.9, 0.0, "a chair, front view"),
        (-44.9, 0.0, "a chair, front view"),
        (45.1, 0.0, "a chair, side view"),
        (-90.0, 59.9, "a chair, side view"),
        (134.9, 0.0, "a chair, side view"),
        (135.1, 0.0, "a chair, back view"),
        (180.0, 0.0, "a chair, back view"),
        (-180.0, -80.0, "a chair, back view"),
        (0.0, 60.1, "a chair, overhead view"),
        (180.0, 90.0, "a chair, overhead view"),
        (315.1, 0.0, "a chair, front view"),
        (725.0, 0.0, "a chair, front view"),
    ],
)
def test_wording_by_the_view(azimuth, elevation, words):
    assert worded(azimuth, elevation) == words


@given(
    azimuth=st.floats(-180, 180, width=32),
    turns=st.integers(-3, 3),
    side=st.sampled_from([-1, 1]),
)
def test_whole_turns_and_mirror_images_change_nothing(azimuth, turns, side):
    if min(abs(abs(azimuth) - edge) for edge in (45, 135)) < 1e-3:
        return  # on the edge, rounding may decide
    assert worded(azimuth) == worded(side * azimuth + 360.0 * turns)


def test_each_view_has_its_own_words():
    azimuth = torch.tensor([0.0, 90.0, 180.0, 0.0])
    elevation = torch.tensor([0.0, 0.0, 0.0, 80.0])
    suffixes = ViewWords().suffixes(azimuth, elevation)
    assert suffixes == [", front view", ", side view", ", back view", ", overhead view"]


def test_wording_can_be_the_same_for_all_views():
    prompt = Prompt(text="a chair", views=None)
    assert prompt.for_views(torch.zeros(3), torch.zeros(3)) == ["a chair"] * 3


def test_thresholds_are_settings():
    """ProlificDreamer's front and back are 30 degrees wide to each side."""
    narrow = ViewWords(front_within=30.0, back_beyond=150.0)
    assert worded(40.0, views=narrow) == "a chair, side view"
    assert worded(140.0, views=narrow) == "a chair, side view"


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"front_within": 140.0}, "front_within <= back_beyond <= 180 degrees, got 140.0"),
        ({"overhead_above": 91.0}, "overhead_above must lie in 0 to 90 degrees, got 91.0"),
    ],
)
def test_impossible_thresholds_are_refused(given_, says):
    with pytest.raises(InputError, match=says):
        ViewWords(**given_)


def test_blanks_are_tidied_and_case_is_kept():
    prompt = Prompt(text="  A  red\n chair ", negative=" \t")
    assert (prompt.text, prompt.negative) == ("A red chair", "")


def test_a_negative_prompt_is_checked_by_name():
    with pytest.raises(InputError, match="The negative prompt has 300 characters"):
        Prompt(text="a chair", negative="x" * 300)
