"""The toybox's words: colors, categories and everything else that its captions may contain."""

import re

from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.finishes import FINISHES

Color = tuple[float, float, float]

# Display-referred RGB in 0..1. The order is part of the split rule: only append to it.
COLORS: dict[str, Color] = {
    "red": (0.86, 0.10, 0.10),
    "green": (0.14, 0.62, 0.20),
    "blue": (0.12, 0.32, 0.88),
    "yellow": (0.98, 0.84, 0.10),
    "purple": (0.52, 0.17, 0.72),
    "orange": (0.98, 0.48, 0.05),
    "pink": (0.98, 0.56, 0.74),
    "white": (0.93, 0.93, 0.93),
    "black": (0.09, 0.09, 0.09),
    "brown": (0.45, 0.26, 0.12),
    "gray": (0.55, 0.56, 0.58),
    "turquoise": (0.14, 0.70, 0.70),
}

# Paints that captions never name.
INKS: dict[str, Color] = {
    "dark": (0.09, 0.09, 0.10),
    "gray": (0.55, 0.56, 0.58),
    "iron": (0.32, 0.33, 0.36),
    "light": (0.93, 0.93, 0.91),
    "cream": (0.96, 0.89, 0.74),
    "tan": (0.87, 0.66, 0.38),
    "wood": (0.50, 0.31, 0.16),
    "brick": (0.70, 0.25, 0.17),
    "sky": (0.60, 0.82, 0.96),
    "glow": (1.00, 0.86, 0.35),
    "amber": (0.97, 0.58, 0.10),
    "rose": (0.95, 0.55, 0.60),
    "leaf": (0.20, 0.55, 0.20),
    "crimson": (0.80, 0.08, 0.10),
}

# Other words for the same things; the vocabulary replaces them before anything else looks.
SYNONYMS: dict[str, str] = {
    synonym: word
    for word, synonyms in {
        "red": "crimson scarlet ruby",
        "green": "emerald lime",
        "blue": "azure navy",
        "yellow": "gold golden",
        "purple": "violet lilac",
        "pink": "magenta",
        "gray": "grey silver",
        "turquoise": "teal cyan aqua",
        "striped": "stripy stripey",
        "spotted": "spotty dotted speckled",
        "checkered": "chequered checked plaid",
        "wooden": "wood timber",
        "metal": "metallic steel chrome",
        "glass": "glassy transparent crystal",
        "tiny": "mini miniature teeny wee",
        "big": "large huge",
        "thin": "skinny",
        "fat": "chubby plump",
        "beside": "alongside",
        "on": "upon atop",
        "under": "beneath below underneath",
        "wearing": "wears",
        "mushroom": "toadstool",
        "table": "desk",
        "chair": "armchair",
        "mug": "cup",
        "house": "cottage home hut",
        "car": "automobile auto",
        "rocket": "spaceship spacecraft",
        "robot": "android",
        "dog": "puppy hound doggy",
        "duck": "duckling",
        "donut": "doughnut",
        "airplane": "plane aeroplane aircraft jet",
        "barrel": "cask keg",
        "cat": "kitten kitty",
        "boat": "ship sailboat",
        "teapot": "kettle",
        "horse": "pony",
        "cow": "bull calf",
        "pig": "piglet hog",
        "sheep": "lamb",
        "rabbit": "bunny hare",
        "turtle": "tortoise",
        "frog": "toad",
        "truck": "lorry pickup",
        "bus": "coach",
        "train": "locomotive",
        "helicopter": "chopper",
        "sofa": "couch settee",
        "bookshelf": "bookcase shelf",
        "bucket": "pail",
        "castle": "fortress",
        "burger": "hamburger cheeseburger",
        "astronaut": "spaceman cosmonaut",
        "wizard": "magician sorcerer",
        "ghost": "phantom spook",
        "crown": "tiara",
        "dots": "spots",
        "photo": "photograph",
        "picture": "image",
        "render": "rendering",
    }.items()
    for synonym in synonyms.split()
}

# The same for several words; longer ones first.
PHRASES: dict[str, str] = {
    "on top of": "on",
    "next to": "beside",
    "at the side of": "beside",
    "ice cream": "icecream",
    "light house": "lighthouse",
    "book shelf": "bookshelf",
    "steam engine": "train",
    "wind mill": "windmill",
}

# Everything else that captions contain, and a few words that prompts like to have.
FILLERS: tuple[str, ...] = (
    *("a", "an", "the", "of", "with", "and", "that", "is", "in"),
    *("picture", "photo", "render", "drawing"),
    *("cute", "little", "nice", "simple", "toy", "cartoon"),
)
RELATION_WORDS = ("on", "under", "beside", "wearing")  # and "in front of"
SIZES = ("tiny",)
VIEWS: tuple[str, ...] = ("front", "side", "back", "overhead", "view")


def toybox_vocabulary() -> tuple[str, ...]:
    """Every word of every caption, view words included, in a fixed order, each once."""
    shapes = (p for c in CATEGORIES.values() for p in c.parameters)
    adjectives = (word for p in shapes for word in (p.low, p.high) if word)
    parts = (slot.word for c in CATEGORIES.values() for slot in c.slots)
    described = (*FINISHES[1:], *SIZES, *RELATION_WORDS, *adjectives, *parts)
    return tuple(dict.fromkeys((*COLORS, *CATEGORIES, *FILLERS, *VIEWS, *described)))


def part_words() -> dict[str, tuple[str, ...]]:
    """The words of the parts of each category that can be given a color."""
    return {name: tuple(s.word for s in c.slots) for name, c in CATEGORIES.items()}


def words_in(text: str) -> list[str]:
    """Lower-case words, synonyms replaced: "An Ice Cream, crimson" -> an icecream red."""
    lowered = " ".join(re.findall(r"[a-z]+", text.lower()))
    for phrase, word in PHRASES.items():
        lowered = lowered.replace(phrase, word)
    return [SYNONYMS.get(word, word) for word in lowered.split()]


def names_two(caption: str) -> bool:
    """Whether a caption names two things and how they stand."""
    words = words_in(caption)
    stand = not {*words}.isdisjoint(RELATION_WORDS) or "in front of" in " ".join(words)
    return stand and sum(word in CATEGORIES for word in words) > 1
