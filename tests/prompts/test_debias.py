"""Hidden phrases: which views are told what."""

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.prompts import Prompt, Vocabulary, parse_prompt
from splatsmith.prompts.debias import Hidden, parse_hidden, suggested, without

AZIMUTH = torch.tensor([0.0, 90.0, 180.0, 30.0])
ELEVATION = torch.tensor([0.0, 0.0, 0.0, 80.0])


def test_a_hidden_phrase_is_not_said_of_its_views():
    hidden = (Hidden("with a smile", ("back", "side")), Hidden("big", ("overhead",)))
    prompt = Prompt(text="a big dog with a smile", hidden=hidden)
    assert prompt.for_views(AZIMUTH, ELEVATION) == [
        "a big dog with a smile, front view",
        "a big dog, side view",
        "a big dog, back view",
        "a dog with a smile, overhead view",
    ]


def test_without_view_words_the_views_are_told_apart_all_the_same():
    prompt = Prompt(text="a smiling dog", views=None, hidden=(Hidden("smiling", ("back",)),))
    smiling, plain = "a smiling dog", "a dog"
    assert prompt.for_views(AZIMUTH, ELEVATION) == [smiling, smiling, plain, smiling]
    assert Prompt(text="a dog", views=None).for_views(AZIMUTH, ELEVATION) == ["a dog"] * 4


@pytest.mark.parametrize(
    ("text", "phrase", "left"),
    [
        ("a red dog, smiling, in the rain", "smiling", "a red dog, in the rain"),
        ("a red dog, smiling", "Smiling", "a red dog"),
        ("smiling, a red dog", "smiling", "a red dog"),
        ("an eyed potato with an eye", "with an eye", "an eyed potato"),
        ("a dog", "a dog", ""),
    ],
)
def test_what_is_left_of_a_text(text, phrase, left):
    assert without(text, [phrase]) == left


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("a dog with a big smile", ["with a big smile"]),
        ("a smiling dog with blue eyes and a hat", ["smiling", "with blue eyes"]),
        ("a red mushroom with white dots", []),
        ("a facet", []),
    ],
)
def test_what_speaks_of_a_face_is_found(text, phrases):
    assert suggested(text) == tuple(Hidden(phrase, ("back",)) for phrase in phrases)


def test_phrases_with_their_views_read_and_write():
    assert parse_hidden("a  smile=back, side") == Hidden("a smile", ("back", "side"))
    assert parse_hidden("smiling") == Hidden("smiling", ("back",))
    for hidden in (Hidden("a smile", ("back", "side")), Hidden("x", ("front",))):
        assert parse_hidden(str(hidden)) == hidden


def test_a_prompt_is_parsed_with_what_it_hides():
    vocabulary = Vocabulary(
        {"object": ("dog",), "part": ("eyes",), "color": ("blue",), "filler": ("a", "with")},
        {"hound": "dog"},
    )
    prompt = parse_prompt("a hound with blue eyes", vocabulary, hide=["auto"])
    assert prompt.hidden == (Hidden("with blue eyes", ("back",)),)
    assert '"with blue eyes" is not said of the back view.' in prompt.notes
    chosen = parse_prompt("a dog with blue eyes", vocabulary, hide=["blue=side", "auto"])
    assert [str(one) for one in chosen.hidden] == ["blue=side", "with blue eyes=back"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: parse_prompt("a dog", None, hide=["cat=back"]), 'does not say "cat"'),
        (lambda: parse_prompt("a dog", None, hide=["a dog"]), "left in the back view"),
        (lambda: parse_hidden("dog=behind"), "hidden from the views front, side, back, overh"),
        (lambda: parse_hidden("dog="), "hidden from the views"),
        (lambda: parse_hidden("=back"), "A hidden phrase is empty"),
    ],
)
def test_nonsense_is_refused(make, says):
    with pytest.raises(InputError, match=says):
        make()


def test_a_phrase_may_be_part_of_another():
    text = "wide open eyes, a dog with blue eyes"
    assert without(text, ["eyes", "with blue eyes"]) == "wide open, a dog"
    phrases = [hidden.phrase for hidden in suggested(text)]
    assert without(text, phrases) == "wide open, a dog"
