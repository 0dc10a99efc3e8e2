"""Captions say what is there, in words that the vocabulary knows."""

import re

import torch

from splatsmith.toybox import CATEGORIES, COLORS, caption_of, draw_object, parse, parse_pair
from splatsmith.toybox.objects import DRAWS
from splatsmith.toybox.relations import pair_from
from splatsmith.toybox.split import in_band
from splatsmith.toybox.words import PHRASES, SYNONYMS, part_words, toybox_vocabulary, words_in


def test_every_caption_reads_back(gen: torch.Generator) -> None:
    known, told = set(toybox_vocabulary()), 0
    for _ in range(3000):
        toy = draw_object(gen)
        text = caption_of(toy, torch.rand(5, generator=gen).tolist())
        said = parse(text)
        assert (said.category, said.color) == (toy.category, toy.color), text
        assert said.colors in ({}, dict(toy.colors)), text
        assert said.finish in ("", toy.finish), text
        assert said.tiny <= toy.tiny, text
        assert set(re.findall("[a-z]+", text)) <= known, text
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text), text
        told += bool(said.colors) == bool(toy.colors)
    assert told > 2700  # Chosen colors are nearly always named.


def test_captions_of_two_read_back(gen: torch.Generator) -> None:
    known, uncolored = set(toybox_vocabulary()), 0
    for _ in range(300):
        draws = torch.rand(2, DRAWS, generator=gen).tolist()
        pair = pair_from(draws[0], draws[1], "train")
        text = caption_of(pair, torch.rand(5, generator=gen).tolist())
        said = parse_pair(text)
        assert said is not None, text
        first, relation, second = said
        assert relation == pair.relation, text
        for told, toy in ((first, pair.first), (second, pair.second)):
            assert told.category == toy.category, text
            assert told.color in (toy.color, None), text
            uncolored += told.color is None
        assert set(re.findall("[a-z]+", text)) <= known, text
    assert 50 < uncolored < 130  # So that "a duck wearing a red hat" is understood.
    assert parse_pair("a red mushroom") is None


def test_about_half_of_the_objects_are_natural(gen: torch.Generator) -> None:
    plain = sum(not draw_object(gen).colors for _ in range(1000))
    assert 430 < plain < 570


def test_adjectives_of_shape_are_true(gen: torch.Generator) -> None:
    found = 0
    for _ in range(1500):
        toy = draw_object(gen)
        words = words_in(caption_of(toy, torch.rand(5, generator=gen).tolist()))
        for parameter, value in zip(
            CATEGORIES[toy.category].parameters, toy.shape, strict=True
        ):
            if parameter.high and parameter.high in words:
                shared = [p.high for p in CATEGORIES[toy.category].parameters]
                assert value > 0.78 or shared.count(parameter.high) > 1
                found += 1
    assert found > 50


def test_all_words_are_used() -> None:
    said: set[str] = set()
    for k in range(60):
        for toy in [draw_object(torch.Generator().manual_seed(k * 40 + i)) for i in range(40)]:
            draws = torch.rand(5, generator=torch.Generator().manual_seed(len(said) + k * 977))
            said |= set(words_in(caption_of(toy, draws.tolist())))
    assert set(COLORS) | set(CATEGORIES) <= said


def test_the_protocols_phrasings_are_understood() -> None:
    text = "A white HOUSE with a blue roof"
    assert parse(text).color == "white"
    assert parse(text).colors == {"roof": "blue"}
    assert parse("a duck, yellow").color == "yellow"
    assert parse("crimson toadstool") == parse("red mushroom")
    assert parse("a pink ice cream with a brown cone").category == "icecream"
    assert parse("a red violin").category is None


def test_words_lead_somewhere() -> None:
    known = set(toybox_vocabulary())
    assert len(known) == len(toybox_vocabulary())
    assert set(SYNONYMS.values()) <= known
    assert not set(SYNONYMS) & known
    assert set(PHRASES.values()) <= known
    names = set(CATEGORIES) | set(COLORS)
    # A snowman's hat and a cactus' flower are things of their own, too.
    for category, words in part_words().items():
        assert names & set(words) <= {"hat", "flower"}, category


def test_the_band_keeps_extreme_adjectives_to_training() -> None:
    assert in_band(0.0, "held") > 0.22
    assert in_band(1.0, "held") < 0.78
