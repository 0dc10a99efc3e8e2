"""Words that are nearly other words: inflections, typos and the closest known word."""

import difflib
import functools
import math
from collections.abc import Collection, Iterator

from PIL import ImageColor

from splatsmith.prompts.english import NOT_TYPOS

SHORTEST_TYPO = 4  # letters; below that everything is one edit from something


def inflections(word: str) -> Iterator[str]:
    """Singulars and plurals that `word` might be a form of, the likeliest first."""
    if word.endswith("ies"):
        yield word[:-3] + "y"
    if word.endswith("ves"):
        yield word[:-3] + "f"
        yield word[:-3] + "fe"
    if word.endswith("es"):
        yield word[:-2]
    if word.endswith("men"):
        yield word[:-3] + "man"
    if word.endswith("ti"):
        yield word[:-1] + "us"
    if word.endswith("s"):
        yield word[:-1]
    yield word + "s"
    yield word + "es"


def one_edit_apart(a: str, b: str) -> bool:
    """Whether one letter more, less, other, or swapped with its neighbor makes `a` into `b`."""
    if a == b or abs(len(a) - len(b)) > 1:
        return False
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) == len(b):
        swapped = a[start : start + 2] == b[start : start + 2][::-1]
        return a[start + 1 :] == b[start + 1 :] or (
            swapped and a[start + 2 :] == b[start + 2 :]
        )
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    return longer[start + 1 :] == shorter[start:]


def typo_of(word: str, known: Collection[str]) -> list[str]:
    """The known words that `word` is one edit away from; none if it is a real word itself."""
    real = word in NOT_TYPOS or any(form in NOT_TYPOS for form in inflections(word))
    if len(word) < SHORTEST_TYPO or real:
        return []
    return [other for other in known if one_edit_apart(word, other)]


def closest(word: str, known: Collection[str]) -> tuple[str, float]:
    """The known word that is spelled most alike, and how much so, 0 to 1.

    The first in the alphabet if several are.
    """

    def likeness(other: str) -> float:
        return difflib.SequenceMatcher(None, word, other).ratio()

    best = max(sorted(known), key=likeness)
    return best, likeness(best)


def closest_color(word: str, colors: Collection[str]) -> str | None:
    """The one of `colors` that looks most like the CSS color `word`; None if it is not one.

    Greys are compared with greys and hues with hues: in L*a*b* teal is as near to black as to
    green, and no one would say so.
    """
    if word not in ImageColor.colormap:
        return None
    grey, hue, lightness = _look(word)
    named = [color for color in sorted(colors) if color in ImageColor.colormap]
    alike = [color for color in named if _look(color)[0] == grey] or named

    def difference(color: str) -> float:
        _, other_hue, other_lightness = _look(color)
        turned = 0.0 if grey else 120 * math.sin((hue - other_hue) / 2)
        return math.hypot(turned, 0.5 * (lightness - other_lightness))

    return min(alike, key=difference, default=None)


@functools.cache
def _look(name: str) -> tuple[bool, float, float]:
    """Of a CSS color: whether it is a grey, its hue (radians) and its lightness (0 to 100)."""
    lightness, a, b = _lab(name)
    return math.hypot(a, b) < 15, math.atan2(b, a), lightness


def _lab(name: str) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of a CSS color, in which distance is about difference to the eye."""
    channels = [value / 255 for value in ImageColor.getrgb(name)[:3]]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (
            (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
            0.2126 * r + 0.7152 * g + 0.0722 * b,
            (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)
