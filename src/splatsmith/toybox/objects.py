"""Objects: a category, colors and shape parameters made into a tape of parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from splatsmith.errors import InputError
from splatsmith.toybox.catalog import CATEGORIES, Category
from splatsmith.toybox.sketch import Sketch
from splatsmith.toybox.split import Split, in_band, pairs
from splatsmith.toybox.tape import Tape
from splatsmith.toybox.words import COLORS, INKS, Color

DRAWS = 32  # uniform numbers that decide one object and its caption
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


def build(
    category: str,
    shape: Sequence[float] | None = None,
    color: str | None = None,
    colors: Mapping[str, str] | None = None,
    jitter: Sequence[float] = (),
) -> ToyObject:
    """The object with these shape parameters (middle ones if None) and colors.

    `color` is the main color, red if None. `colors` gives slots ("dots", "roof") a color by
    name; all others have their natural one, shifted by `jitter` (three numbers in 0..1 a slot).
    Raises InputError for names that the category does not have and shapes outside 0..1.
    """
    kind = category_named(category)
    shape = tuple(shape) if shape is not None else (0.5,) * len(kind.parameters)
    color, colors = color or "red", dict(colors or {})
    _check(kind, shape, color, colors)
    words = ("main", *(slot.word for slot in kind.slots))
    sketch = Sketch(_paints(kind, color, colors, jitter), {w: i for i, w in enumerate(words)})
    center = kind.draw(sketch, *shape)
    return ToyObject(category, color, colors, shape, sketch.finish(center), tuple(sketch.names))


def category_named(name: str) -> Category:
    """The category of this name; InputError if there is none."""
    if name not in CATEGORIES:
        raise InputError(f"There is no category {name!r}; known are {', '.join(CATEGORIES)}.")
    return CATEGORIES[name]


def draw_object(generator: torch.Generator, *, split: Split = "train") -> ToyObject:
    """A random object of a split: one of its pairs, shape parameters on its side."""
    return object_from(torch.rand(DRAWS, generator=generator).tolist(), split)


def object_from(draws: Sequence[float], split: Split) -> ToyObject:
    """The object that `DRAWS` uniform numbers stand for; only the first 24 are used."""
    chosen = _pairs(split)
    color, category = chosen[min(int(draws[0] * len(chosen)), len(chosen) - 1)]
    return _dressed(category, color, draws, split)


def object_with(category: str, generator: torch.Generator) -> ToyObject:
    """A random training object of one category."""
    category_named(category)
    draws = torch.rand(DRAWS, generator=generator).tolist()
    colors = [color for color, name in _pairs("train") if name == category]
    return _dressed(category, colors[int(draws[0] * len(colors))], draws, "train")


def _dressed(category: str, color: str, draws: Sequence[float], split: Split) -> ToyObject:
    kind = CATEGORIES[category]
    shape = tuple(in_band(value, split) for value in draws[1 : 1 + len(kind.parameters)])
    return build(category, shape, color, _choose_colors(kind, color, draws[7:12]), draws[12:24])


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


def _check(
    kind: Category, shape: Sequence[float], color: str, colors: Mapping[str, str]
) -> None:
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
