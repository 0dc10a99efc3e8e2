"""Training never sees what is held out, and the prompt lists are those of the protocol."""

import torch

from splatsmith.toybox import CATEGORIES, COLORS, draw_object, parse_pair
from splatsmith.toybox.relations import RELATIONS, meetings
from splatsmith.toybox.split import (
    BAND,
    BASE_COLORS,
    P_PAIR,
    allowed,
    dev_prompts,
    held_prompts,
    in_band,
    janus_prompts,
    may_meet,
    pairs,
    seen_prompts,
    split_of,
)


def test_pairs_are_divided_as_the_protocol_says() -> None:
    assert len(held_prompts()) == len(set(held_prompts())) == 40
    assert len(dev_prompts()) == 20
    assert len(seen_prompts()) == 40
    assert len(janus_prompts()) == 12
    assert {"a red mushroom", "an orange mushroom", "a yellow tree", "a blue candle"} <= set(
        held_prompts()
    )
    assert {"a blue mushroom", "an orange snowman", "a brown candle"} <= set(dev_prompts())
    assert janus_prompts()[:4] == [
        "a yellow snowman",
        "a black snowman",
        "a purple chair",
        "a brown chair",
    ]


def test_every_word_is_trained_and_every_pair_in_one_split() -> None:
    splits = [set(pairs(split)) for split in ("train", "dev", "held")]
    assert sum(len(split) for split in splits) == len(set.union(*splits))
    assert len(set.union(*splits)) == len(COLORS) * len(CATEGORIES)
    for words in zip(*splits[0], strict=True):
        assert set(words) in (set(COLORS), set(CATEGORIES))
    for name in CATEGORIES:
        found = [split_of(color, name) for color in COLORS]
        base = found[:BASE_COLORS]
        assert (base.count("held"), base.count("dev"), base.count("train")) == (2, 1, 7)
        assert found.count("train") >= 8


def test_no_training_object_lies_in_a_held_pair_or_band(gen: torch.Generator) -> None:
    for split in ("train", "dev", "held"):
        for _ in range(300):
            toy = draw_object(gen, split=split)
            assert split_of(toy.color, toy.category) == split
            assert allowed(toy.shape, split)
            others = {"train", "dev", "held"} - {split}
            if split == "train":
                assert not any(allowed(toy.shape, other) for other in others)


def test_the_band_is_left_out_and_the_rest_is_reached() -> None:
    values = [i / 1000 for i in range(1000)]
    train = [in_band(value, "train") for value in values]
    held = [in_band(value, "held") for value in values]
    assert not any(BAND[0] <= value < BAND[1] for value in train)
    assert all(BAND[0] <= value < BAND[1] for value in held)
    assert min(train) == 0
    assert max(train) > 0.99


def test_things_that_meet_in_the_protocols_prompts_never_meet_in_training() -> None:
    for text in P_PAIR:
        said = parse_pair(text)
        assert said is not None
        first, relation, second = said
        assert first.category is not None
        assert second.category is not None
        assert not may_meet(first.category, second.category, "train")
        assert (first.category, second.category) in meetings(relation, "held")
    for relation in RELATIONS:
        train, held = set(meetings(relation, "train")), set(meetings(relation, "held"))
        assert not train & held
        assert len(train) > len(held) > 0
