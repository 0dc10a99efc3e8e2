"""Things to eat: apple, banana, cake, burger, pumpkin."""

from splatsmith.toybox.category import Category, category  # noqa: F401

ROWS: tuple[Category, ...] = ()
