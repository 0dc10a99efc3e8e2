"""Vehicles: truck, bus, train, helicopter, submarine."""

from splatsmith.toybox.category import Category, category  # noqa: F401

ROWS: tuple[Category, ...] = ()
