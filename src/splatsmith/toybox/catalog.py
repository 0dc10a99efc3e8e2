"""The table of categories; each shape's own row stands below its function, in `shapes/`."""

from splatsmith.toybox.category import Category, Parameter, Slot
from splatsmith.toybox.shapes import (
    animals,
    buildings,
    creatures,
    food,
    furniture,
    gear,
    groceries,
    home,
    people,
    playroom,
    travel,
    vehicles,
)

__all__ = ["CATEGORIES", "Category", "Parameter", "Slot"]

# The order is part of the split rule: never change it, only append.
ORDER = """
mushroom snowman table chair mug house tree car rocket robot
dog duck donut icecream cactus airplane lamp barrel fish candle
teapot cat bird boat guitar lighthouse
horse truck sofa apple knight castle cow bed hammer hat
bus pig banana bookshelf astronaut sheep train cake stool ball
elephant windmill clock sword wizard rabbit vase burger helicopter crown
bear drum bottle penguin tent pumpkin turtle submarine bucket flower
snail ghost frog
"""
_MODULES = (
    *(creatures, food, home, travel, animals, furniture, gear, vehicles),
    *(buildings, groceries, people, playroom),
)
_ROWS = {row.name: row for module in _MODULES for row in module.ROWS}
CATEGORIES: dict[str, Category] = {name: _ROWS[name] for name in ORDER.split() if name in _ROWS}
