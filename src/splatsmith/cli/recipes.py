"""`splatsmith recipes`: the methods, and one of them in full."""

from typing import Annotated

import tyro

from splatsmith.cli.options import Plugins
from splatsmith.cli.plugins import load_plugins


def recipes(
    name: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = None,
    *,
    plugins: Plugins = [],  # noqa: B006 (tyro reads the default, nobody writes to it)
) -> None:
    """List the recipes, or print one with every value resolved.

    Args:
        name: name of a recipe or a TOML file.
        plugins: run this Python file first; it may add scores that the recipe names.
    """
    from splatsmith.recipes.load import load_recipe, recipe_names, recipe_toml

    load_plugins(plugins)
    if name is not None:
        print(recipe_toml(load_recipe(name)), end="")
        return
    for known in recipe_names():
        recipe = load_recipe(known)
        print(f"{known:16} {recipe.title} ({recipe.steps} steps)")
