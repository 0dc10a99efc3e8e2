"""What a category is: name, shape, what varies, which parts have a color of their own."""

from collections.abc import Callable
from dataclasses import dataclass

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
    """One kind of object. `front`: its front and back cannot be mistaken for each other.

    `dress` is the color of its middle instance in sheets. `roles` matter in scenes of two: the
    "large" are never put on or under something, the "worn" can be worn on a head.
    """

    name: str
    draw: Callable[..., Vector]
    parameters: tuple[Parameter, ...]
    slots: tuple[Slot, ...]
    dress: str
    front: bool = False
    roles: frozenset[str] = frozenset()


def category(
    draw: Callable[..., Vector],
    parameters: str,
    slots: str,
    dress: str,
    *,
    front: bool = False,
    roles: str = "",
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
    roles_known = frozenset(roles.split())
    return Category(draw.__name__, draw, tuple(known), tuple(parts), dress, front, roles_known)
