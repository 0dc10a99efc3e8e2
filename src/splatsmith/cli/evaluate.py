"""`splatsmith evaluate`: how good what it makes is, by a world that is known exactly."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from splatsmith.cli.options import MaybePath, Overrides, Plugins
from splatsmith.cli.plugins import load_plugins
from splatsmith.errors import InputError


def evaluate(
    *,
    out: Path,
    tier: Literal["smoke", "standard", "janus", "dev", "image", "pair", "full"] = "standard",
    recipe: str = "quick",
    overrides: Overrides = [],  # noqa: B006 (tyro reads the default, nobody writes to it)
    prior: Annotated[str | None, tyro.conf.arg(metavar="NAME|PATH")] = None,
    evaluator: MaybePath = None,
    limit: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None,
    controls_only: bool = False,
    page: MaybePath = None,
    plugins: Plugins = [],  # noqa: B006
) -> None:
    """Make the objects of a frozen list of prompts, weigh each, and write tables and sheets.

    What is in the folder already is not made again, so the same command goes on after a stop.

    Args:
        out: folder for records.jsonl, table.md, sheets and the runs.
        tier: how many prompts and seeds (see docs/evaluation.md).
        recipe: name of a recipe (see `splatsmith recipes`) or a TOML file.
        overrides: change one value of the recipe, such as shape.steps=100.
        prior: another embedded prior, by its name or its file.
        evaluator: other evaluators than those that ship.
        limit: only the first so many runs of the tier.
        controls_only: test the evaluators with objects whose faults are known, and stop.
        page: a Markdown page into which the table is also written, under the tier's name.
        plugins: run this Python file first; it may add scores that the recipe names.
    """
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be 1 or more, got {limit}.")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; --out must be a folder.")
    from splatsmith.cli.evaluation import run_evaluation
    from splatsmith.cli.evaluation_jobs import Request

    load_plugins(plugins)
    request = Request(tier, recipe, tuple(overrides), prior, evaluator, out, limit)
    run_evaluation(request, controls_only=controls_only, page=page)
