"""The words of the toybox, as the embedded prior's word table and vocabulary."""

from splatsmith.priors.denoiser import DenoiserShape
from splatsmith.priors.text import WordTable
from splatsmith.prompts.vocabulary import Vocabulary
from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.words import (
    COLORS,
    FILLERS,
    PHRASES,
    RELATION_WORDS,
    SYNONYMS,
    VIEWS,
    part_words,
    toybox_vocabulary,
)


def word_table() -> WordTable:
    """A row for every word that captions may contain."""
    return WordTable(toybox_vocabulary(), DenoiserShape().words)


def embedded_vocabulary() -> Vocabulary:
    """What a user may say to the embedded prior."""
    parts = dict.fromkeys(word for words in part_words().values() for word in words)
    taken = {*CATEGORIES, *COLORS, *FILLERS, *VIEWS, *RELATION_WORDS, *parts}
    adjectives = tuple(word for word in toybox_vocabulary() if word not in taken)
    kinds = {
        "object": tuple(CATEGORIES),
        "color": tuple(COLORS),
        "part": tuple(word for word in parts if word not in CATEGORIES),
        "adjective": adjectives,
        "relation": RELATION_WORDS,
        "filler": FILLERS,
        "view": VIEWS,
    }
    return Vocabulary(kinds=kinds, synonyms=SYNONYMS | PHRASES)
