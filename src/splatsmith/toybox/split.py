"""What training may see: the split of evaluation, from the first day.

Three fences. Pairs: color j and category i (places in their lists) are held out when (j - 3 i)
mod 10 is 0 or 5, for tuning when it is 2, else for training. Instances: the middle fifth of
every shape parameter is withheld from training; held and tuning objects lie inside it.
Meetings: a fifth of the ordered pairs of categories never meet in one training scene, and
neither do those of the protocol's twelve relation prompts.
"""

from typing import Literal

from splatsmith.errors import InputError
from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.words import COLORS

Split = Literal["train", "dev", "held"]

BAND = (0.4, 0.6)  # of each shape parameter, upper end excluded; never seen in training
BASE = 20  # the categories of the prompt lists; those after them follow the same rule
BASE_COLORS = 10  # their colors; those after them count on, so that gray goes with red
JANUS = ("snowman", "chair", "dog", "duck", "fish", "airplane")


# (first, second) of the protocol's relation prompts.
P_PAIR = (
    "a red mushroom on a blue table",
    "a yellow duck on a green barrel",
    "a white mug on a brown table",
    "a black dog beside a white house",
    "a pink donut on a white table",
    "a blue car beside a red tree",
    "a green cactus beside a yellow chair",
    "a purple fish on a brown barrel",
    "an orange robot beside a blue rocket",
    "a brown dog beside a red chair",
    "a yellow lamp on a black table",
    "a white candle on a pink donut",
)
P_PAIR_MEETINGS = frozenset((text.split()[2], text.split()[-1]) for text in P_PAIR)


def remainder(color: str, category: str) -> int:
    """(j - 3 i) mod 10 of the split rule."""
    i, j = list(CATEGORIES).index(category), list(COLORS).index(color)
    return (j - 3 * i) % 10


def split_of(color: str, category: str) -> Split:
    """Which split a pair belongs to."""
    if color not in COLORS or category not in CATEGORIES:
        raise InputError(
            f"{color} {category} is not a pair of the toybox; `splatsmith words` lists them."
        )
    return {0: "held", 5: "held", 2: "dev"}.get(remainder(color, category), "train")  # type: ignore[return-value]


def pairs(split: Split, *, extra: bool = True) -> list[tuple[str, str]]:
    """All (color, category) of a split; without `extra`, of the first 20 by 10 only."""
    names, colors = list(CATEGORIES), list(COLORS)
    if not extra:
        names, colors = names[:BASE], colors[:BASE_COLORS]
    return [(c, name) for name in names for c in colors if split_of(c, name) == split]


def may_meet(first: str, second: str, split: Split) -> bool:
    """Whether two categories, in this order, may stand in one scene of a split."""
    names = list(CATEGORIES)
    place = names.index(first) + 3 * names.index(second)
    held = place % 5 == 0 or (first, second) in P_PAIR_MEETINGS
    return held == (split != "train")


def in_band(value: float, split: Split) -> float:
    """Take a uniform draw in 0..1 to where the split's shape parameters live."""
    low, high = BAND
    if split != "train":
        return low + (high - low) * value
    inner = value * (1 - (high - low))
    return inner if inner < low else inner + (high - low)


def allowed(shape: tuple[float, ...], split: Split) -> bool:
    """Whether an instance's shape parameters may occur in a split."""
    low, high = BAND
    inside = [low <= value < high for value in shape]
    return not any(inside) if split == "train" else all(inside)


def prompt_of(color: str, category: str) -> str:
    """The canonical prompt, "a blue mushroom"."""
    return f"{article(color)} {color} {category}"


def article(word: str) -> str:
    """The indefinite article of a word."""
    return "an" if word[0] in "aeiou" else "a"


def held_prompts() -> list[str]:
    """P-held: 40 prompts of pairs never trained on."""
    return [prompt_of(*pair) for pair in pairs("held", extra=False)]


def dev_prompts() -> list[str]:
    """P-dev: 20 prompts for tuning only."""
    return [prompt_of(*pair) for pair in pairs("dev", extra=False)]


def seen_prompts() -> list[str]:
    """P-seen: two trained colors of each of 20 categories."""
    found = [pair for pair in pairs("train", extra=False) if remainder(*pair) in (1, 6)]
    return [prompt_of(*pair) for pair in found]


def janus_prompts() -> list[str]:
    """P-janus: the six categories with a measurable front, in their held-out colors."""
    held = pairs("held", extra=False)
    return [prompt_of(*pair) for name in JANUS for pair in held if pair[1] == name]


def pair_prompts() -> list[str]:
    """P-pair: twelve prompts of two things that never meet in training."""
    return list(P_PAIR)
