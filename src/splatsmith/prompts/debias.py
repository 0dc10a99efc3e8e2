"""Words that contradict a view are hidden from it: "smiling" is nothing to say of a back.

Hong et al. 2023 (Debiasing scores and prompts of 2D diffusion for view-consistent text-to-3D).
They ask a language model which words and views exclude each other. Here whoever writes the
prompt says so, or a short list of words does that belong to a face.
"""

import re
from dataclasses import dataclass

from splatsmith.errors import InputError

VIEWS = ("front", "side", "back", "overhead")

_FACE = (
    "face faces smile smiles grin frown eye eyes nose mouth lips teeth tongue beak snout "
    "muzzle beard mustache moustache whiskers glasses sunglasses smiling grinning frowning "
    "winking laughing crying staring"
)
# "with a big smile" goes as a whole, and "smiling" alone.
_OF_A_FACE = re.compile(rf"\b(?:with (?:\w+ ){{0,3}}?)?(?:{'|'.join(_FACE.split())})\b", re.I)


@dataclass(frozen=True, slots=True)
class Hidden:
    """A phrase of the prompt, and the views that are not told of it."""

    phrase: str
    views: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.phrase.strip():
            raise InputError("A hidden phrase is empty; name words of the prompt.")
        strange = [view for view in self.views if view not in VIEWS]
        if strange or not self.views:
            raise InputError(
                f'"{self.phrase}" can be hidden from the views {", ".join(VIEWS)}, '
                f"got {', '.join(strange) or 'none'}."
            )

    def __str__(self) -> str:
        return f"{self.phrase}={','.join(self.views)}"


def parse_hidden(text: str) -> Hidden:
    """From "a smile=back,side"; without views it is hidden from the back."""
    phrase, equals, views = text.partition("=")
    names = tuple(name.strip() for name in views.split(",")) if equals else ("back",)
    return Hidden(" ".join(phrase.split()), names)


def suggested(text: str) -> tuple[Hidden, ...]:
    """What speaks of a face in a prompt, hidden from the back."""
    found = dict.fromkeys(match.group() for match in _OF_A_FACE.finditer(text))
    return tuple(Hidden(phrase, ("back",)) for phrase in found)


def without(text: str, phrases: list[str]) -> str:
    """`text` without the phrases, its blanks and commas in order; "" if nothing is left.

    Raises InputError for a phrase that is not in the text.
    """
    places = {phrase: re.compile(rf"\b{re.escape(phrase)}\b", re.I) for phrase in phrases}
    for phrase, place in places.items():
        if not place.search(text):
            raise InputError(f'The prompt "{" ".join(text.split())}" does not say "{phrase}".')
    for phrase in sorted(places, key=len, reverse=True):  # one may be a part of another
        text = places[phrase].sub("", text)
    text = re.sub(r"\s+,", ",", " ".join(text.split()))
    return re.sub(r"(?:,\s*)+", ", ", text).strip(" ,")
