"""Animals: horse, cow, pig, sheep, elephant, rabbit, bear, penguin, turtle, snail, frog."""

from splatsmith.toybox.category import Category, category  # noqa: F401

ROWS: tuple[Category, ...] = ()
