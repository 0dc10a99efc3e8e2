"""The frozen prompt lists and tiers of the protocol, read from `lists.toml` beside this file.

Every table prints `lists_hash()`, so that numbers of different lists are never set side by
side. A run is a prompt and a seed; a run that several lists share is made once.
"""

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from splatsmith.errors import InputError
from splatsmith.prompts import Vocabulary, parse_prompt

PATH = Path(__file__).with_name("lists.toml")


@dataclass(frozen=True)
class PromptList:
    """Prompts that are reported together."""

    name: str
    about: str
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class Tier:
    """How much is run: seeds 0 to n - 1 of every prompt of each of its lists."""

    name: str
    about: str
    steps: float  # share of the recipe's steps, over 0 and at most 1
    controls: int  # objects of each kind that the evaluators are tested with first
    runs: tuple[tuple[str, int], ...]  # (list, seeds)
    words: bool  # whether P-words is read, too
    image: tuple[float, float] | None  # (azimuth, elevation) of the picture that runs are given


@dataclass(frozen=True)
class WordsCase:
    """A text of P-words, and the canonical prompt it means; "" if it can only be refused."""

    text: str
    meant: str


@dataclass(frozen=True)
class Job:
    """One run."""

    prompt: str
    seed: int


@cache
def lists_hash() -> str:
    """SHA-256 of the file of lists and tiers."""
    return hashlib.sha256(PATH.read_bytes()).hexdigest()


@cache
def prompt_lists() -> dict[str, PromptList]:
    """All lists by name."""
    tables = _read()["lists"]
    return {
        name: PromptList(
            name,
            table["about"],
            tuple(tables[table.get("prompts_of", name)]["prompts"]),
        )
        for name, table in tables.items()
    }


@cache
def tiers() -> dict[str, Tier]:
    """All tiers by name."""
    return {
        name: Tier(
            name=name,
            about=table["about"],
            steps=float(table["steps"]),
            controls=int(table["controls"]),
            runs=tuple((run["list"], int(run["seeds"])) for run in table["runs"]),
            words=bool(table["words"]),
            image=tuple(table["image"]) if "image" in table else None,
        )
        for name, table in _read()["tiers"].items()
    }


def tier_named(name: str) -> Tier:
    """The tier of this name; InputError if there is none."""
    if name not in tiers():
        raise InputError(f"There is no tier {name!r}; known are {', '.join(tiers())}.")
    return tiers()[name]


def jobs(tier: Tier) -> list[Job]:
    """Every run of a tier once, in the order of its lists, all prompts of a seed together."""
    found = [
        Job(prompt, seed)
        for name, seeds in tier.runs
        for seed in range(seeds)
        for prompt in prompt_lists()[name].prompts
    ]
    return list(dict.fromkeys(found))


def lists_of(job: Job, tier: Tier) -> list[str]:
    """The lists of a tier that a run counts for."""
    return [
        name
        for name, seeds in tier.runs
        if job.seed < seeds and job.prompt in prompt_lists()[name].prompts
    ]


@cache
def words_cases() -> tuple[WordsCase, ...]:
    """P-words: paraphrases and traps."""
    return tuple(
        WordsCase(case["text"] * case.get("times", 1), case.get("meant", ""))
        for case in _read()["words"]
    )


def understood(cases: Sequence[WordsCase], vocabulary: Vocabulary) -> list[bool]:
    """For each text whether it is read as what it means, or refused; a guess is a failure."""
    return [_understood(case, vocabulary) for case in cases]


def _understood(case: WordsCase, vocabulary: Vocabulary) -> bool:
    try:
        return parse_prompt(case.text, vocabulary).text == case.meant
    except InputError:
        return True


@cache
def _read() -> dict[str, Any]:
    return tomllib.loads(PATH.read_text(encoding="utf-8"))
