"""The toybox: a procedural world of captioned objects with known geometry, colors and front."""

from splatsmith.toybox.captions import caption_of, parse, parse_pair
from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.drawing import ToyPicture, render
from splatsmith.toybox.objects import Toy, ToyObject, ToyPair, build, draw_object
from splatsmith.toybox.relations import together
from splatsmith.toybox.sampler import Batch, BatchSampler
from splatsmith.toybox.words import COLORS

__all__ = [
    "CATEGORIES",
    "COLORS",
    "Batch",
    "BatchSampler",
    "Toy",
    "ToyObject",
    "ToyPair",
    "ToyPicture",
    "build",
    "caption_of",
    "draw_object",
    "parse",
    "parse_pair",
    "render",
    "together",
]
