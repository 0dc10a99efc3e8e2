"""The table of categories: name, shape, what varies, which parts have a color of their own."""

from collections.abc import Callable
from dataclasses import dataclass

from splatsmith.toybox.shapes import creatures, food, home, travel
from splatsmith.toybox.sketch import Vector


@dataclass(frozen=True, slots=True)
class Parameter:
    """A shape parameter in 0..1, and the adjectives for its low and high ends (or none)."""

    name: str
    low: str = ""
    high: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A part with a color of its own, which captions may name.

    `natural` is the paint it has when nothing is said: a color, an ink, or "main" for the
    object's own color. `plural` decides between "with a blue roof" and "with blue wheels".
    """

    word: str
    natural: str
    plural: bool = False


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of object. `front`: its front and back cannot be mistaken for each other."""

    name: str
    draw: Callable[..., Vector]
    parameters: tuple[Parameter, ...]
    slots: tuple[Slot, ...]
    front: bool = False


def _category(
    draw: Callable[..., Vector], parameters: str, slots: str, *, front: bool = False
) -> Category:
    """Parameters as "name:low/high", slots as "word=paint" with a * after a plural word."""
    known: list[Parameter] = []
    for item in parameters.split():
        name, _, ends = item.partition(":")
        low, _, high = ends.partition("/")
        known.append(Parameter(name, low, high))
    parts: list[Slot] = []
    for item in slots.split():
        word, _, paint = item.partition("=")
        parts.append(Slot(word.rstrip("*"), paint, word.endswith("*")))
    return Category(draw.__name__, draw, tuple(known), tuple(parts), front)


# The order is part of the split rule: never change it, only append.
_ROWS = (
    _category(
        food.mushroom, "height:short/tall girth:slim/fat dome dots", "dots*=white stem=cream"
    ),
    _category(
        food.snowman, "body:slim/fat head hat", "hat=black nose=orange scarf=red", front=True
    ),
    _category(
        home.table, "width:narrow/wide height:low/tall top:thin/thick legs", "legs*=main"
    ),
    _category(
        home.chair,
        "width:narrow/wide back:low/tall seat legs:thin/thick",
        "legs*=main cushion=main",
        front=True,
    ),
    _category(
        home.mug, "height:short/tall width:narrow/wide handle", "handle=main stripe=main"
    ),
    _category(
        travel.house,
        "width:narrow/wide depth walls:low/tall roof",
        "roof=brick door=wood",
        front=True,
    ),
    _category(food.tree, "height:short/tall crown:slim/fat lumps", "trunk=wood"),
    _category(
        travel.car,
        "length:short/long cabin wheels height:low/tall",
        "wheels*=dark windows*=sky",
        front=True,
    ),
    _category(
        travel.rocket,
        "height:short/tall girth:slim/fat fins",
        "nose=red fins*=red window=sky",
        front=True,
    ),
    _category(
        creatures.robot,
        "height:short/tall head limbs:thin/thick",
        "arms*=gray legs*=gray eyes*=yellow antenna=red",
        front=True,
    ),
    _category(
        creatures.dog,
        "length:short/long legs:low/tall head ears",
        "ears*=main collar=red",
        front=True,
    ),
    _category(
        creatures.duck, "body:short/long head bill", "bill=orange wings*=main", front=True
    ),
    _category(food.donut, "ring:thin/thick icing sprinkles", "sprinkles*=white dough=tan"),
    _category(food.icecream, "cone:short/long scoop:small/big second", "cone=tan cherry=red"),
    _category(food.cactus, "height:short/tall girth:slim/fat arms", "pot=brick flower=pink"),
    _category(
        travel.airplane,
        "length:short/long girth:slim/fat wings:short/wide sweep",
        "stripes*=main tail=main propeller=gray",
        front=True,
    ),
    _category(home.lamp, "height:short/tall shade:small/big flare base", "stand=gray"),
    _category(home.barrel, "height:short/tall bulge:slim/fat bands", "bands*=gray"),
    _category(
        creatures.fish,
        "length:short/long height:slim/fat fins",
        "fins*=main stripes*=main",
        front=True,
    ),
    _category(
        home.candle, "height:short/tall girth:slim/fat flame holder", "flame=glow holder=amber"
    ),
    _category(home.teapot, "body:low/tall spout handle", "lid=main handle=main", front=True),
    _category(creatures.cat, "body:short/tall head ears tail", "belly=cream", front=True),
    _category(
        creatures.bird,
        "body:short/long wings tail head",
        "wings*=main beak=orange belly=cream",
        front=True,
    ),
    _category(
        travel.boat, "length:short/long hull:low/tall sail", "sail=white flag=red", front=True
    ),
    _category(home.guitar, "body:small/big waist neck:short/long", "neck=wood", front=True),
    _category(
        travel.lighthouse,
        "height:short/tall girth:slim/fat stripes",
        "stripes*=white roof=red door=wood",
        front=True,
    ),
)
CATEGORIES: dict[str, Category] = {row.name: row for row in _ROWS}
