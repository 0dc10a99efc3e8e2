"""`splatsmith compare`: the same prompts and seeds through several recipes, side by side."""

from pathlib import Path
from typing import Annotated

import tyro

from splatsmith.cli.options import MaybePath, Overrides, Plugins
from splatsmith.cli.plugins import load_plugins
from splatsmith.errors import InputError

MOST_SEEDS = 100


def compare(
    recipes: Annotated[list[str], tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE...")],
    *,
    out: Path,
    prompts: Annotated[list[str], tyro.conf.arg(metavar="PROMPT...")] = [],  # noqa: B006 (only read)
    seeds: int = 1,
    overrides: Overrides = [],  # noqa: B006 (only read)
    prior: Annotated[str | None, tyro.conf.arg(metavar="NAME|PATH")] = None,
    page: MaybePath = None,
    plugins: Plugins = [],  # noqa: B006
) -> None:
    """Make the same objects by several recipes; one table and one sheet of all of them.

    Each recipe works in a process of its own, so that its memory can be told. What is in the
    folder already is not made again, so the same command goes on after a stop.

    Args:
        recipes: names of recipes (see `splatsmith recipes`) or TOML files.
        out: folder for the table, the sheet and the runs.
        prompts: what to make; by default eight of P-dev, which recipes may be tuned on.
        seeds: seeds 0 to n - 1 of every prompt.
        overrides: change one value of every recipe, such as output.frames=8.
        prior: another prior for all of them, by its name or its file.
        page: a Markdown page into which the table is also written, under the name "compare".
        plugins: run this Python file first; it may add scores that the recipes name.
    """
    if not recipes:
        raise InputError("Name one recipe or more: splatsmith compare quick sjc …")
    names = [Path(recipe).stem for recipe in recipes]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(
            f"Recipes are told apart by their names, and {twice} is there twice; leave one out "
            "or rename its file."
        )
    if not 1 <= seeds <= MOST_SEEDS:
        raise InputError(f"--seeds must be 1 to {MOST_SEEDS}, got {seeds}.")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; --out must be a folder.")
    from splatsmith.cli.comparison import Comparison, run_comparison

    load_plugins(plugins)
    wanted = Comparison(
        recipes=tuple(recipes),
        prompts=tuple(prompts),
        seeds=seeds,
        overrides=tuple(overrides),
        prior=prior,
        out=out,
        plugins=tuple(plugins),
    )
    run_comparison(wanted, page)
