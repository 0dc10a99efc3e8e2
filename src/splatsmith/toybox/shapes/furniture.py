"""Furniture and vessels: sofa, bed, bookshelf, stool, clock, vase, bottle, bucket."""

from splatsmith.toybox.category import Category, category  # noqa: F401

ROWS: tuple[Category, ...] = ()
