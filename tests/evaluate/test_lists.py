"""The committed lists are those of the split rule; tiers run what they say."""

import hashlib

import pytest

from splatsmith.errors import InputError
from splatsmith.evaluate.lists import (
    PATH,
    Job,
    WordsCase,
    jobs,
    lists_hash,
    lists_of,
    prompt_lists,
    tier_named,
    tiers,
    understood,
    words_cases,
)
from splatsmith.evaluate.wanted import Wanted, wanted
from splatsmith.toybox.captions import parse
from splatsmith.toybox.split import (
    dev_prompts,
    held_prompts,
    janus_prompts,
    may_meet,
    pair_prompts,
    seen_prompts,
    split_of,
)
from splatsmith.train.words import embedded_vocabulary


def test_the_lists_follow_the_rule_of_the_split():
    lists = {name: list(found.prompts) for name, found in prompt_lists().items()}
    assert lists["P-held"] == held_prompts()
    assert lists["P-dev"] == dev_prompts()
    assert lists["P-seen"] == seen_prompts()
    assert lists["P-janus"] == janus_prompts()
    assert lists["P-pair"] == pair_prompts()
    assert lists["P-image"] == held_prompts()
    assert len(lists["P-smoke"]) == 6
    assert set(lists["P-smoke"]) <= set(dev_prompts())


@pytest.mark.parametrize(
    ("name", "split"), [("P-held", "held"), ("P-dev", "dev"), ("P-seen", "train")]
)
def test_every_pair_belongs_to_its_split(name, split):
    for prompt in prompt_lists()[name].prompts:
        asked = wanted(prompt)
        assert split_of(asked.color, asked.category) == split


def test_pairs_of_things_never_met_in_training():
    for prompt in prompt_lists()["P-pair"].prompts:
        asked = wanted(prompt)
        assert not may_meet(asked.category, asked.second_category, "train")


def test_every_prompt_reads_back_as_itself():
    for found in prompt_lists().values():
        assert len(set(found.prompts)) == len(found.prompts)
        for prompt in found.prompts:
            asked = wanted(prompt)
            assert asked.prompt == prompt
            said = parse(prompt)
            assert asked.category == said.category


def test_what_is_wanted_is_read_from_canonical_prompts_only():
    assert wanted("an orange robot") == Wanted("orange", "robot")
    found = wanted("a yellow duck in front of a green barrel")
    assert found == Wanted("yellow", "duck", "in front of", "green", "barrel")
    for text in ("a duck", "a orange robot", "a yellow violin", "yellow duck", "", "a b c d"):
        with pytest.raises(InputError, match="canonical"):
            wanted(text)


def test_runs_that_lists_share_are_made_once():
    for tier in tiers().values():
        found = jobs(tier)
        assert len(set(found)) == len(found)
        for name, seeds in tier.runs:
            mine = [job for job in found if name in lists_of(job, tier)]
            assert len(mine) == seeds * len(prompt_lists()[name].prompts)
    assert len(jobs(tier_named("smoke"))) == 6
    assert len(jobs(tier_named("standard"))) == 72
    assert len(jobs(tier_named("full"))) == 328
    assert lists_of(Job("a red dog", 1), tier_named("standard")) == ["P-janus"]
    with pytest.raises(InputError, match="no tier 'huge'"):
        tier_named("huge")


def test_every_text_of_p_words_is_understood_or_refused():
    cases = words_cases()
    assert len(cases) == 16
    assert all(understood(cases, embedded_vocabulary()))
    assert max(len(case.text) for case in cases) > 2000


def test_silent_nonsense_is_seen():
    cases = [
        WordsCase("a red dog", "a blue dog"),
        WordsCase("a red dog", ""),
        WordsCase("a violin", "a red dog"),
    ]
    assert understood(cases, embedded_vocabulary()) == [False, False, True]


def test_the_hash_is_that_of_the_file():
    assert lists_hash() == hashlib.sha256(PATH.read_bytes()).hexdigest()
