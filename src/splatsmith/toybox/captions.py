"""The grammar of captions: an object put into words, and words taken apart again."""

from collections.abc import Sequence
from dataclasses import dataclass

from splatsmith.toybox.catalog import CATEGORIES, Category, Slot
from splatsmith.toybox.finishes import FINISHES
from splatsmith.toybox.objects import Toy, ToyObject, ToyPair
from splatsmith.toybox.relations import RELATIONS
from splatsmith.toybox.split import article, prompt_of
from splatsmith.toybox.words import COLORS, words_in

NEUTRAL = ("cute", "little", "nice", "simple", "toy", "cartoon")
SAID = 0.95  # how often a finish, a tiny size or a colored part is named
PAIR_COLOR_SAID = 0.85  # how often the color of one of two things is named


def caption_of(toy: Toy, draws: Sequence[float]) -> str:
    """One of many ways to say it, decided by five uniform numbers.

    What was chosen (parts' colors, finish, size) is nearly always named, natural colors never.
    """
    if isinstance(toy, ToyPair):
        return _framed(_pair_phrase(toy, draws), "", draws)
    kind, noun = CATEGORIES[toy.category], toy.category
    adjectives = _adjectives(kind, toy, draws)
    parts = [s for s in kind.slots if s.word in toy.colors] if draws[2] < SAID else []
    phrase = " and ".join(_part_phrase(slot, toy.colors[slot.word]) for slot in parts)
    tail = f" with {phrase}" if phrase else ""
    described = " ".join([*adjectives, noun])
    plain = " ".join([w for w in adjectives if w != toy.color] + [noun])
    if draws[3] < 0.78 or draws[3] >= 0.98:
        return _framed(f"{article(described)} {described}{tail}", described + tail, draws)
    if draws[3] < 0.88:
        return f"{article(plain)} {plain}, {toy.color}{',' if tail else ''}{tail}"
    joint = "that is" if draws[4] < 0.5 else "in"
    return f"{article(plain)} {plain} {joint} {toy.color}{tail}"


def _framed(one: str, bare: str, draws: Sequence[float]) -> str:
    """Mostly the phrase itself; now and then without an article, or as a picture of it."""
    if bare and 0.55 < draws[3] < 0.68:
        return bare
    if 0.68 <= draws[3] < 0.78:
        kind_of = ("picture", "photo", "render", "drawing")[min(int(draws[4] * 4), 3)]
        return f"a {kind_of} of {one}"
    return f"the {bare}" if bare and draws[3] >= 0.98 else one


def _pair_phrase(pair: ToyPair, draws: Sequence[float]) -> str:
    """Each of the two with its color, or now and then without."""
    first, second = (
        prompt_of(toy.color, toy.category)
        if draw < PAIR_COLOR_SAID
        else f"{article(toy.category)} {toy.category}"
        for toy, draw in zip((pair.first, pair.second), draws, strict=False)
    )
    return f"{first} {pair.relation} {second}"


def _adjectives(kind: Category, toy: ToyObject, draws: Sequence[float]) -> list[str]:
    """Size or shape, then finish and color in either order."""
    words = [toy.finish, toy.color] if toy.finish and draws[2] < SAID else [toy.color]
    if draws[1] < 0.35:
        words.reverse()
    if toy.finish == "wooden" and toy.color == "brown" and draws[2] < 0.5:
        words = ["wooden"]
    shape = _adjective(kind, toy, draws[0], draws[1])
    words = [shape, *words] if shape else words
    return ["tiny", *words] if toy.tiny and draws[2] < SAID else words


def _adjective(kind: Category, toy: ToyObject, draw: float, other: float) -> str:
    """A true adjective where a parameter is near its end, else now and then an empty one."""
    if draw < 0.35:
        true = [
            p.low if value < 0.22 else p.high
            for p, value in zip(kind.parameters, toy.shape, strict=True)
            if p.low and (value < 0.22 or value > 0.78)
        ]
        return true[int(other * len(true))] if true else ""
    return NEUTRAL[min(int(other * len(NEUTRAL)), len(NEUTRAL) - 1)] if draw > 0.9 else ""


def _part_phrase(slot: Slot, color: str) -> str:
    named = f"{color} {slot.word}"
    return named if slot.plural else f"{article(color)} {named}"


@dataclass(frozen=True)
class Described:
    """What a text says about one object; None where it says nothing."""

    category: str | None
    color: str | None
    colors: dict[str, str]
    finish: str = ""
    tiny: bool = False


def parse(text: str) -> Described:
    """Read a caption of one object back; for two, see `parse_pair`.

    A color right before a part's word is that part's color.
    """
    tokens = words_in(text)
    category = next((token for token in tokens if token in CATEGORIES), None)
    slots = {slot.word for slot in CATEGORIES[category].slots} if category else set()
    color, colors = None, {}
    for token, following in zip(tokens, [*tokens[1:], ""], strict=False):
        if token not in COLORS:
            continue
        if following in slots:
            colors[following] = token
        elif color is None:
            color = token
    finish = next((token for token in tokens if token in FINISHES), "")
    if finish == "wooden":
        color = color or "brown"
    return Described(category, color, colors, finish, "tiny" in tokens)


def parse_pair(text: str) -> tuple[Described, str, Described] | None:
    """The two things of a caption and how they stand; None if it has no relation."""
    plain = " ".join(words_in(text))
    for relation in RELATIONS:
        first, found, second = f" {plain} ".partition(f" {relation} ")
        one, other = parse(first), parse(second)
        if found and one.category and other.category:
            return one, relation, other
    return None
