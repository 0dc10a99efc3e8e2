"""Figures on two legs, or none: astronaut, knight, wizard, ghost."""

from splatsmith.toybox.category import Category, category  # noqa: F401

ROWS: tuple[Category, ...] = ()
