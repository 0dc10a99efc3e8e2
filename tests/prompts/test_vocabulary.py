import json

import pytest

from splatsmith.errors import InputError
from splatsmith.prompts import Prompt, Vocabulary, parse_prompt

SMALL = Vocabulary(
    kinds={
        "object": ("mushroom", "chair", "house", "icecream", "lighthouse", "boat"),
        "color": ("red", "green", "blue", "white", "black", "purple"),
        "part": ("dots", "roof"),
        "adjective": ("tall",),
        "filler": ("a", "an", "the", "with", "and", "in"),
        "view": ("front", "side", "view"),
    },
    synonyms={"crimson": "red", "cottage": "house", "fly agaric": "mushroom"},
)

KNOWS = (
    "It knows 6 things: boat, chair, house, icecream, lighthouse, mushroom; "
    "and 6 colors: red, green, blue, white, black, purple.  (splatsmith words)"
)
SNAPSHOTS = {
    "a red violin": (
        f'The embedded prior does not know "violin".  {KNOWS}\n'
        "  Use --prior PATH for another prior, or --nearest to accept the closest words: "
        '"a red lighthouse".'
    ),
    "a teal chair": (
        f'The embedded prior does not know "teal".  {KNOWS}\n'
        "  Use --prior PATH for another prior, or --nearest to accept the closest words: "
        '"a green chair".'
    ),
    "three tiny red": (
        f'The embedded prior does not know "three" or "tiny".  {KNOWS}\n'
        "  Use --prior PATH for another prior, or --nearest to accept the closest words: "
        '"a red boat".'
    ),
    "a red chair that is not green": (
        'The embedded prior cannot follow "not"; say what the object is instead, '
        'such as "a blue chair".'
    ),
    "a tall red": f"The prompt names no object.  {KNOWS}",
    "": 'The prompt is empty; name an object, such as "a red mushroom".',
    "x" * 201: (
        "The prompt has 201 characters, and 200 are the most; "
        'shorten it to something like "a red mushroom".'
    ),
    "a red\x07 chair": (
        "The prompt has a character that is no text at place 6 (U+0007); take it out."
    ),
}


@pytest.mark.parametrize(("text", "message"), SNAPSHOTS.items(), ids=lambda t: repr(t[:20]))
def test_messages_word_for_word(text, message):
    with pytest.raises(InputError) as caught:
        SMALL.check(text)
    assert str(caught.value) == message


def test_notes_word_for_word():
    notes = {
        "a crimsom mushrooms": (
            'Read "crimsom" as "red".',
            'Read "mushrooms" as "mushroom".',
        ),
        "red fly agarics": ('Read "fly agarics" as "mushroom".',),
        "the light house": ('Read "light house" as "lighthouse".',),
        "a red chair, side view": ('Left out "side view": the object is made from all sides.',),
        "a red chair and a boat": (
            "The embedded prior has only seen one object at a time; "
            '"chair" and "boat" may come out wrong together.',
        ),
        "a red chair": (),
    }
    for text, expected in notes.items():
        assert SMALL.check(text).notes == expected


def test_the_message_promises_what_nearest_does():
    for text in (
        "a red violin",
        "a teal chair",
        "three tiny red",
        "a red chair on a gold horse",
    ):
        with pytest.raises(InputError) as caught:
            SMALL.check(text)
        assert f'"{SMALL.check(text, nearest=True).text}".' in str(caught.value)


def test_nearest_says_what_it_took():
    reading = SMALL.check("a navy charr with talll rof please", nearest=True)
    assert reading.text == "a blue chair with tall roof"
    assert reading.notes == (
        'Read "charr" as "chair".',
        'Read "talll" as "tall".',
        'Left out "please", which is unknown.',
        'Took "roof" for "rof", which is unknown.',
        'Took "blue" for "navy", which is unknown.',
    )


def test_a_slip_that_could_be_two_words_is_not_mended():
    two = Vocabulary(kinds={"object": ("chain", "chair")}, synonyms={})
    with pytest.raises(InputError, match='does not know "chait"'):
        two.check("chait")
    assert two.check("chairr").text == "a chair"


@pytest.mark.parametrize(
    ("said", "nearest"),
    [("navy", "blue"), ("maroon", "red"), ("silver", "white"), ("teal", "green")],
)
def test_colors_are_matched_by_eye(said, nearest):
    assert SMALL.check(f"a {said} chair", nearest=True).text == f"a {nearest} chair"


def test_it_comes_back_from_json():
    assert Vocabulary.from_json(SMALL.to_json()) == SMALL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"kinds": {}, "synonyms": {}}',
        '{"kinds": [], "synonyms": {}}',
        '{"kinds": {"object": "chair"}, "synonyms": {}}',
        '{"kinds": {"object": [1]}, "synonyms": {}}',
        '{"kinds": {"object": ["chair"]}, "synonyms": {"seat": 1}}',
        '{"kinds": {"object": ["chair"]}, "synonyms": {"sofa": "couch"}}',
        '{"kinds": {"object": ["chair"], "verb": ["sit"]}, "synonyms": {}}',
        json.dumps({"kinds": {"object": ["chair"]}, "synonyms": {}, "more": 1}),
    ],
)
def test_damaged_json_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the reader of weight files catches this
        Vocabulary.from_json(text)


def test_a_prompt_keeps_its_notes_and_checks_its_negative():
    prompt = parse_prompt("crimson chairs", SMALL, negative="talll dots")
    assert (prompt.text, prompt.negative) == ("a red chair", "tall dots")
    assert len(prompt.notes) == 3
    assert prompt == Prompt(text="a red chair", negative="tall dots")
    with pytest.raises(InputError, match='does not know "blurry"'):
        parse_prompt("a chair", SMALL, negative="blurry")


def test_without_a_vocabulary_any_words_will_do():
    prompt = parse_prompt("  A DSLR photo of   a violin ", None, negative="blurry")
    assert (prompt.text, prompt.negative) == ("A DSLR photo of a violin", "blurry")
