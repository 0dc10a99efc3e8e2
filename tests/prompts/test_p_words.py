"""The prompts P-words, P-held, P-dev and P-seen: the canonical scene, or a clear refusal.

Silent nonsense is the one thing that must not happen.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatsmith.errors import InputError
from splatsmith.prompts import parse_prompt
from splatsmith.toybox.words import CATEGORIES, COLORS, SYNONYMS
from splatsmith.train.words import embedded_vocabulary

VOCABULARY = embedded_vocabulary()
PAIRS = [(color, thing) for color in COLORS for thing in CATEGORIES]

SAME_SCENE = {
    "crimson toadstool": "a red mushroom",
    "a duck, yellow": "a yellow duck",
    "A Red MUSHROOM": "a red mushroom",
    "a red mushrom": "a red mushroom",
    "red mushrooms": "a red mushroom",
    "  a   red\n\tmushroom. ": "a red mushroom",
    "a duck that is yellow": "a yellow duck",
    "a picture of a nice duck in yellow": "a yellow duck",
    "an ice cream, pink": "a pink icecream",
    "pink ice-creams": "a pink icecream",
    "orange duck": "an orange duck",
    "an airplane": "an airplane",
    "Donuts!": "a donut",
    "a red fishes": "a red fish",
    "a green cacti": "a green cactus",
    "a red snow man": "a red snowman",
    "a balck dog": "a black dog",
    "a ｒｅｄ mushroom": "a red mushroom",
    "a violet doughnut": "a purple donut",
    "a red chair, front view": "a red chair",
    "a red mushroom with white dots": "a red mushroom with white dots",
    "a red mushroom with a white dot": "a red mushroom with a white dots",
    "a dog on top of a table": "a dog on a table",
    "a duck next to the barrel": "a duck beside the barrel",
    "a car in front of a house, side view": "a car in front of a house",
    "a stripy teal mug": "a striped turquoise mug",
    "a white house with a blue roof and a red door": (
        "a white house with a blue roof and a red door"
    ),
}

REFUSED = {
    "a dog that is not red": 'cannot follow "not"',
    "a dog without a collar": 'cannot follow "without"',
    "no dogs": 'cannot follow "no"',
    "a dog that isn't red": 'cannot follow "isn\'t"',
    "a dog that isn’t red": 'cannot follow "isn’t"',
    "": "is empty",
    " \n": "is empty",
    "a red mushroom " * 134: "has 2009 characters, and 200 are the most",
    "a red mushroom 🍄": 'does not know "🍄"',
    "🍄": 'does not know "🍄"',
    "a red violin": 'does not know "violin"',
    "a maroon chair": 'does not know "maroon"',
    "una silla roja": 'does not know "una", "silla" or "roja"',
    "ein gelber Stuhl": 'does not know "ein", "gelber" or "stuhl"',
    "a brown zebra": 'does not know "zebra"',
    "brown foxes": 'does not know "foxes"',
    "a red tractor": 'does not know "tractor"',
    "a blue planet": 'does not know "planet"',
    "a green lizard": 'does not know "lizard"',
    "a red cube": 'does not know "cube"',
    "a red rose": 'does not know "rose"',
    "a brown mouse": 'does not know "mouse"',
    "2 dogs": 'does not know "2"',
    "a red dgo": 'does not know "dgo"',
    "red": "names no object",
    "white dots": "names no object",
    "a\x00 red dog": "a character that is no text at place 2 (U+0000)",
    "a red \u202edog": "a character that is no text at place 7 (U+202E)",
}


@pytest.mark.parametrize(("text", "canonical"), SAME_SCENE.items(), ids=repr)
def test_other_ways_to_say_it_give_the_same_scene(text, canonical):
    assert parse_prompt(text, VOCABULARY).text == canonical


@pytest.mark.parametrize(("text", "says"), REFUSED.items(), ids=lambda text: repr(text[:30]))
def test_what_cannot_be_made_is_refused(text, says):
    with pytest.raises(InputError) as caught:
        parse_prompt(text, VOCABULARY)
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["a red violin", "red", "a maroon chair"])
def test_a_refusal_names_what_is_known(text):
    with pytest.raises(InputError) as caught:
        parse_prompt(text, VOCABULARY)
    for word in (*CATEGORIES, *COLORS):
        assert word in str(caught.value)


@given(pair=st.sampled_from(PAIRS), upper=st.booleans(), plural=st.booleans())
def test_every_pair_is_understood(pair, upper, plural):
    color, thing = pair
    text = f"{color} {thing}{'s' if plural else ''}"
    article = "an" if color[0] in "aeiou" else "a"
    said = parse_prompt(text.upper() if upper else text, VOCABULARY).text
    assert said == f"{article} {color} {thing}"


@given(pair=st.sampled_from(PAIRS), data=st.data())
def test_one_slip_of_the_finger_is_mended_or_refused_and_never_silent(pair, data):
    """Whatever one slip makes of a noun: the same noun, said so, another whole word, or no."""
    color, thing = pair
    place = data.draw(st.integers(0, len(thing) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    slips = [
        thing[:place] + thing[place + 1 :],
        thing[:place] + letter + thing[place:],
        thing[:place] + letter + thing[place + 1 :],
        thing[:place] + thing[place : place + 2][::-1] + thing[place + 2 :],
    ]
    typed = data.draw(st.sampled_from(slips))
    try:
        prompt = parse_prompt(f"a {color} {typed}", VOCABULARY)
    except InputError:
        return
    noun = prompt.text.split()[-1]
    assert typed == noun or any(f'"{typed}"' in note for note in prompt.notes)


ANY_WORD = st.one_of(
    st.sampled_from(sorted(VOCABULARY.words | set(SYNONYMS))),
    st.sampled_from(["zebra", "maroon", "2", "mushrom", "🍄", "roja", "ice cream", "light"]),
    st.text(max_size=12),
)


@given(words=st.lists(ANY_WORD, max_size=8), nearest=st.booleans())
def test_any_text_gives_known_words_or_a_refusal(words, nearest):
    try:
        prompt = parse_prompt(" ".join(words), VOCABULARY, nearest=nearest)
    except InputError:
        return
    known = set(prompt.text.split())
    assert known <= VOCABULARY.words
    assert known & set(CATEGORIES)
    # A resumed run reads its own prompt again and must find the same.
    assert parse_prompt(prompt.text, VOCABULARY).text == prompt.text


def test_the_plural_of_a_view_word_is_left_out_as_well():
    assert parse_prompt("views duck", VOCABULARY).text == "a duck"


@given(words=st.lists(st.sampled_from(sorted(VOCABULARY.words)), min_size=1, max_size=8))
def test_reading_twice_changes_nothing(words):
    text = " ".join(words)
    if not set(words) & set(CATEGORIES):
        return
    once = parse_prompt(text, VOCABULARY).text
    assert parse_prompt(once, VOCABULARY).text == once


def test_every_synonym_leads_to_a_known_word():
    for said, meant in SYNONYMS.items():
        assert meant in VOCABULARY.words
        assert meant in parse_prompt(f"tall {said} duck", VOCABULARY).text.split()
