"""The table of categories; each shape's own row stands below its function, in `shapes/`."""

from splatsmith.toybox.category import Category, Parameter, Slot
from splatsmith.toybox.shapes import creatures, food, home, travel

__all__ = ["CATEGORIES", "Category", "Parameter", "Slot"]

# The order is part of the split rule: never change it, only append.
ORDER = """
mushroom snowman table chair mug house tree car rocket robot
dog duck donut icecream cactus airplane lamp barrel fish candle
teapot cat bird boat guitar lighthouse
"""
_ROWS = {row.name: row for module in (creatures, food, home, travel) for row in module.ROWS}
CATEGORIES: dict[str, Category] = {name: _ROWS[name] for name in ORDER.split()}
