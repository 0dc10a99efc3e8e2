"""Objects: a category, colors and shape parameters made into a tape of parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

import torch

from splatsmith.errors import InputError
from splatsmith.toybox.catalog import CATEGORIES, Category
from splatsmith.toybox.finishes import FINISHES
from splatsmith.toybox.sketch import FILL, Anchor, Sketch
from splatsmith.toybox.split import Split, in_band, pairs
from splatsmith.toybox.tape import Tape
from splatsmith.toybox.words import COLORS, INKS, Color

DRAWS = 32  # uniform numbers that decide one object and its caption
TINY = 0.55  # size of a tiny object, against an ordinary one
FINISHED_SHARE, TINY_SHARE = 0.26, 0.07  # of the drawn objects
T = TypeVar("T")

JITTER = 0.03  # of natural colors, per channel
SPARES = (
    "white",
    "black",
    "yellow",
    "red",
    "blue",
)  # for a natural color too close to the main


@dataclass(frozen=True, eq=False)
class ToyObject:
    """One object. `colors` holds the slots whose color was chosen, not the natural ones."""

    category: str
    color: str  # the main color, the one that captions name first
    colors: Mapping[str, str]  # slot word -> color name
    shape: tuple[float, ...]  # shape parameters in 0..1, in the category's order
    tape: Tape
    paints: tuple[str, ...]  # of each part: "main", a slot word or an ink
    finish: str = ""  # one of FINISHES, on all parts that have the main color
    tiny: bool = False
    anchors: Mapping[str, Anchor] = field(default_factory=dict)  # "head", "top", "below"


@dataclass(frozen=True, eq=False)
class ToyPair:
    """Two objects that stand together (`relations.py`); they fill the unit ball as one does."""

    first: ToyObject
    relation: str
    second: ToyObject
    tape: Tape
    paints: tuple[str, ...]  # "main", a slot word or an ink; a mirrored part may be there twice


Toy = ToyObject | ToyPair


def build(
    category: str,
    shape: Sequence[float] | None = None,
    color: str | None = None,
    colors: Mapping[str, str] | None = None,
    jitter: Sequence[float] = (),
    finish: str = "",
    tiny: bool = False,
) -> ToyObject:
    """The object with these shape parameters (middle ones if None) and colors.

    `color` is the main color, red if None. `colors` gives slots ("dots", "roof") a color by
    name; all others have their natural one, shifted by `jitter` (three numbers in 0..1 a slot).
    `finish` is one of FINISHES, on everything of the main color; a tiny object has about half
    the size. Raises InputError for names that do not exist and shapes outside 0..1.
    """
    kind = category_named(category)
    shape = tuple(shape) if shape is not None else (0.5,) * len(kind.parameters)
    color, colors = color or "red", dict(colors or {})
    _check(kind, shape, color, colors, finish)
    finished = {"main", *(s.word for s in kind.slots if s.natural == "main")} - set(colors)
    second = COLORS["black" if _light(COLORS[color]) else "white"]
    sketch = Sketch(
        _paints(kind, color, colors, jitter), finished, FINISHES.index(finish), second
    )
    center = kind.draw(sketch, *shape)
    tape, anchors = sketch.finish(center, FILL * (TINY if tiny else 1))
    paints = tuple(sketch.names)
    return ToyObject(category, color, colors, shape, tape, paints, finish, tiny, anchors)


def category_named(name: str) -> Category:
    """The category of this name; InputError if there is none."""
    if name not in CATEGORIES:
        raise InputError(f"There is no category {name!r}; known are {', '.join(CATEGORIES)}.")
    return CATEGORIES[name]


def draw_object(generator: torch.Generator, *, split: Split = "train") -> ToyObject:
    """A random object of a split: one of its pairs, shape parameters on its side."""
    return object_from(torch.rand(DRAWS, generator=generator).tolist(), split)


def object_from(draws: Sequence[float], split: Split) -> ToyObject:
    """The object that `DRAWS` uniform numbers stand for; 24 to 29 are left to its caption."""
    color, category = pick(_pairs(split), draws[0])
    return dressed(category, color, draws, split)


def object_with(
    category: str, generator: torch.Generator, *, split: Split = "train"
) -> ToyObject:
    """A random object of one category."""
    draws = torch.rand(DRAWS, generator=generator).tolist()
    return dressed(category, pick(colors_of(category, split), draws[0]), draws, split)


def colors_of(category: str, split: Split) -> list[str]:
    """The main colors that a category has in a split."""
    category_named(category)
    return [color for color, name in _pairs(split) if name == category]


def dressed(
    category: str, color: str, draws: Sequence[float], split: Split, *, plain: bool = False
) -> ToyObject:
    """An object of this category and color, the rest by `draws`.

    `plain`: neither tiny nor finished, all parts in their natural colors.
    """
    kind = CATEGORIES[category]
    shape = tuple(in_band(value, split) for value in draws[1 : 1 + len(kind.parameters)])
    jitter = draws[12:24]
    if plain:
        return build(category, shape, color, None, jitter)
    colors = _choose_colors(kind, color, draws[7:12])
    share = draws[-1] / FINISHED_SHARE
    finish = pick(FINISHES[1:], share) if share < 1 else ""
    tiny = draws[-2] < TINY_SHARE
    return build(category, shape, color, colors, jitter, finish, tiny)


def pick(options: Sequence[T], draw: float) -> T:
    """The option that a number in 0..1 stands for."""
    return options[min(int(draw * len(options)), len(options) - 1)]


@lru_cache
def _pairs(split: Split) -> list[tuple[str, str]]:
    return pairs(split)


def _choose_colors(kind: Category, color: str, draws: Sequence[float]) -> dict[str, str]:
    """Half of the objects are natural; the others have one colored slot, or sometimes two."""
    if draws[0] < 0.5:
        return {}
    count = 2 if draws[0] > 0.87 and len(kind.slots) > 1 else 1
    first = min(int(draws[1] * len(kind.slots)), len(kind.slots) - 1)
    chosen: dict[str, str] = {}
    for i in range(count):
        slot = kind.slots[(first + i) % len(kind.slots)]
        names = [name for name in COLORS if name != color]
        # Its natural color, where that is one of the ten, is named as often as all the others.
        usual = slot.natural if slot.natural in names else None
        draw = draws[2 + i]
        chosen[slot.word] = (
            usual if usual and draw < 0.4 else names[int(draw * 7919) % len(names)]
        )
    return chosen


def _paints(
    kind: Category, color: str, colors: Mapping[str, str], jitter: Sequence[float]
) -> dict[str, Color]:
    main = COLORS[color]
    paints = {**INKS, "main": main, "eyes": INKS["light" if sum(main) < 0.6 else "dark"]}
    for i, slot in enumerate(kind.slots):
        if slot.word in colors:
            paints[slot.word] = COLORS[colors[slot.word]]
        elif slot.natural == "main":
            paints[slot.word] = main
        else:
            natural = _apart(COLORS.get(slot.natural) or INKS[slot.natural], main)
            paints[slot.word] = _shifted(natural, jitter[3 * i : 3 * i + 3])
    return paints


def _apart(natural: Color, main: Color) -> Color:
    """A natural color, or the first spare one if it can hardly be told from the main color."""

    def far(color: Color) -> bool:
        return sum(abs(a - b) for a, b in zip(color, main, strict=True)) > 0.36

    return natural if far(natural) else next(COLORS[n] for n in SPARES if far(COLORS[n]))


def _shifted(color: Color, jitter: Sequence[float]) -> Color:
    if len(jitter) < 3:
        return color
    a, b, c = (
        min(max(v + JITTER * (2 * j - 1), 0.0), 1.0) for v, j in zip(color, jitter, strict=True)
    )
    return (a, b, c)


def _light(color: Color) -> bool:
    """Whether black shows better on it than white."""
    return 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2] > 0.78


def _check(
    kind: Category, shape: Sequence[float], color: str, colors: Mapping[str, str], finish: str
) -> None:
    if finish not in FINISHES:
        raise InputError(f"There is no finish {finish!r}; known are {', '.join(FINISHES[1:])}.")
    if len(shape) != len(kind.parameters) or not all(0 <= value <= 1 for value in shape):
        names = ", ".join(parameter.name for parameter in kind.parameters)
        raise InputError(
            f"A {kind.name} takes {len(kind.parameters)} shape parameters in 0..1 ({names}), "
            f"got {list(shape)}."
        )
    for name in (color, *colors.values()):
        if name not in COLORS:
            raise InputError(f"There is no color {name!r}; known are {', '.join(COLORS)}.")
    words = [slot.word for slot in kind.slots]
    for word in colors:
        if word not in words:
            raise InputError(
                f"A {kind.name} has no {word!r} to color, only {', '.join(words)}."
            )
