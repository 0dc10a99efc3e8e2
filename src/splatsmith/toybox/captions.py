"""The grammar of captions: an object put into words, and words taken apart again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from splatsmith.toybox.catalog import CATEGORIES, Category, Slot
from splatsmith.toybox.objects import ToyObject
from splatsmith.toybox.split import article
from splatsmith.toybox.words import COLORS, SYNONYMS

NEUTRAL = ("cute", "little", "nice", "simple", "toy", "cartoon")


def caption_of(toy: ToyObject, draws: Sequence[float]) -> str:
    """One of many ways to say it, decided by five uniform numbers.

    Colors that were chosen for parts are nearly always named, natural ones never.
    """
    kind = CATEGORIES[toy.category]
    noun = toy.category
    adjective = _adjective(kind, toy, draws[0], draws[1])
    parts = [s for s in kind.slots if s.word in toy.colors] if draws[2] < 0.93 else []
    phrase = " and ".join(_part_phrase(slot, toy.colors[slot.word]) for slot in parts)
    tail = f" with {phrase}" if phrase else ""
    described = f"{adjective} {toy.color} {noun}" if adjective else f"{toy.color} {noun}"
    plain = f"{adjective} {noun}" if adjective else noun
    one = f"{article(described)} {described}"
    choice = draws[3]
    if choice < 0.55:
        return one + tail
    if choice < 0.68:
        return described + tail
    if choice < 0.78:
        return f"{article(plain)} {plain}, {toy.color}{',' if tail else ''}{tail}"
    if choice < 0.88:
        kind_of = ("picture", "photo", "render", "drawing")[min(int(draws[4] * 4), 3)]
        return f"a {kind_of} of {one}{tail}"
    if choice < 0.94:
        return f"the {described}{tail}"
    joint = "that is" if draws[4] < 0.5 else "in"
    return f"{article(plain)} {plain} {joint} {toy.color}{tail}"


def _adjective(kind: Category, toy: ToyObject, draw: float, other: float) -> str:
    """A true adjective where a parameter is near its end, else now and then an empty one."""
    if draw < 0.3:
        true = [
            p.low if value < 0.22 else p.high
            for p, value in zip(kind.parameters, toy.shape, strict=True)
            if p.low and (value < 0.22 or value > 0.78)
        ]
        return true[int(other * len(true))] if true else ""
    return NEUTRAL[min(int(other * len(NEUTRAL)), len(NEUTRAL) - 1)] if draw > 0.85 else ""


def _part_phrase(slot: Slot, color: str) -> str:
    named = f"{color} {slot.word}"
    return named if slot.plural else f"{article(color)} {named}"


@dataclass(frozen=True)
class Described:
    """What a text says about one object; None where it says nothing."""

    category: str | None
    color: str | None
    colors: dict[str, str]


def parse(text: str) -> Described:
    """Read a caption back; a color right before a part's word is that part's color."""
    tokens = words_in(text)
    category = next((token for token in tokens if token in CATEGORIES), None)
    slots = {slot.word for slot in CATEGORIES[category].slots} if category else set()
    color, colors = None, {}
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        if token not in COLORS:
            continue
        if following in slots:
            colors[following] = token
        elif color is None:
            color = token
    return Described(category, color, colors)


def words_in(text: str) -> list[str]:
    """Lower-case words, synonyms replaced: "An Ice Cream, crimson" -> an icecream red."""
    lowered = " ".join(re.findall(r"[a-z]+", text.lower())).replace("ice cream", "icecream")
    return [SYNONYMS.get(word, word) for word in lowered.split()]
