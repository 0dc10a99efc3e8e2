"""Things to hold or to wear: hammer, sword, hat, crown."""

from splatsmith.toybox.category import Category, category  # noqa: F401

ROWS: tuple[Category, ...] = ()
