"""The work behind `splatsmith compare`: every recipe's runs, their worth and their cost."""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from splatsmith.cli.evaluation_jobs import (
    Bench,
    Request,
    bench_of,
    carry_out,
    claim,
    missing_runs,
)
from splatsmith.cli.evaluation_report import controls_line, controls_of
from splatsmith.cli.pages import check_page, put_section
from splatsmith.cli.plugins import load_plugins
from splatsmith.errors import InputError
from splatsmith.evaluate.lists import Job, Tier, prompt_lists
from splatsmith.evaluate.record import Record
from splatsmith.evaluate.report import CAVEAT
from splatsmith.evaluate.sheets import views_of
from splatsmith.evaluate.table import check_hashes, titled, told
from splatsmith.evaluate.wanted import wanted as asked_of
from splatsmith.export import read_ply, save_png
from splatsmith.export.sheet import labeled_grid
from splatsmith.files import replace_file
from splatsmith.memory import keep_memory
from splatsmith.optimize.folder import begin_folder
from splatsmith.optimize.lock import locked

CONTROLS = 12  # objects of each kind that the evaluators are tested with
DEFAULT_LIST, DEFAULT_COUNT = "P-dev", 8
TITLES = ("PR@1 (E1)", "PRview (E1)", "Janus rate", "IoU*", "PSNR*, dB", "Float", "Haze, %")
SHOWN = (0, 2)  # of the views of a sheet: front and back
MOST_COLUMNS = 8  # prompts of a sheet


@dataclass(frozen=True)
class Comparison:
    """What was asked for at the command line."""

    recipes: tuple[str, ...]
    prompts: tuple[str, ...]  # none: eight of P-dev
    seeds: int
    overrides: tuple[str, ...]
    prior: str | None
    out: Path
    plugins: tuple[Path, ...] = ()

    @property
    def jobs(self) -> list[Job]:
        """Every run of one recipe, all prompts of a seed together."""
        prompts = self.prompts or prompt_lists()[DEFAULT_LIST].prompts[:DEFAULT_COUNT]
        unlike = dict.fromkeys(prompts)
        return [Job(prompt, seed) for seed in range(self.seeds) for prompt in unlike]


@dataclass(frozen=True)
class Costs:
    """What a recipe's runs took; means over its runs, but the peak is the highest."""

    seconds: float
    peak_mib: int
    parameters: float
    views_per_second: float  # drawn while optimizing, at the recipe's own size, forward only


def run_comparison(wanted: Comparison, page: Path | None) -> None:
    """Check everything, make what is missing, write the table and the sheet."""
    console = Console(stderr=True, highlight=False)
    check_page(page, "compare")
    for job in wanted.jobs:
        asked_of(job.prompt)  # a later prompt must not end a comparison that has begun
    benches = [bench_for(wanted, recipe) for recipe in wanted.recipes]
    begin_folder(wanted.out)
    with locked(wanted.out):
        console.print("testing the evaluators on objects whose faults are known")
        notes = [controls_line(one) for one in controls_of(benches[0])]
        for recipe, bench in zip(wanted.recipes, benches, strict=True):
            if missing_runs(bench):
                _apart(wanted, recipe)
        text = table(wanted, benches, notes)
        replace_file(wanted.out / "table.md", text.encode())
        save_png(wanted.out / "sheet.png", sheet(wanted, benches))
        if page is not None:
            put_section(page, "compare", f"## Methods side by side\n\n{text}")
    print(text)
    print(wanted.out / "sheet.png")


def bench_for(wanted: Comparison, recipe: str) -> Bench:
    """One recipe's runs, opened and checked."""
    folder = wanted.out / Path(recipe).stem
    request = Request("compare", recipe, wanted.overrides, wanted.prior, None, folder, None)
    tier = Tier("compare", "", 1.0, CONTROLS, (), words=False, image=None)
    bench = bench_of(request, tier, wanted.jobs)
    claim(bench)
    return bench


def make_runs(wanted: Comparison, recipe: str) -> None:
    """Make every run of a recipe that has no line yet; this is what the other process does."""
    keep_memory()
    load_plugins(wanted.plugins)
    bench = bench_for(wanted, recipe)
    bench.out.mkdir(exist_ok=True)
    for number, job in enumerate(todo := missing_runs(bench), start=1):
        record = carry_out(bench, job)
        said = record.failure or f"{record.seconds:.1f} s"
        print(
            f"{recipe} {number}/{len(todo)}: {job.prompt}, seed {job.seed}: {said}", flush=True
        )


def _apart(wanted: Comparison, recipe: str) -> None:
    """`make_runs` in a fresh process: only so is the peak of memory the recipe's own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        other.submit(make_runs, wanted, recipe).result()


def runs_of(bench: Bench) -> list[Record]:
    """The records of the runs that are asked for; the folder may hold more, of other calls."""
    asked = {(job.prompt, job.seed) for job in bench.jobs}
    return [r for r in bench.records() if r.kind == "run" and (r.prompt, r.seed) in asked]


def table(wanted: Comparison, benches: Sequence[Bench], notes: Sequence[str]) -> str:
    """Quality with intervals, then what it cost."""
    runs = [runs_of(bench) for bench in benches]
    check_hashes([record for each in runs for record in each])
    columns = titled(TITLES)
    costs = [costs_of(bench, each) for bench, each in zip(benches, runs, strict=True)]
    names = [Path(recipe).stem for recipe in wanted.recipes]
    lines = [CAVEAT, "", f"{len(runs[0])} runs of each recipe: {_asked(wanted)}.", ""]
    lines += _grid(
        ["recipe", *(c.title for c in columns), "failed"],
        [
            [name, *(told(c, each) for c in columns), str(sum(bool(r.failure) for r in each))]
            for name, each in zip(names, runs, strict=True)
        ],
    )
    titles = ["recipe", "seconds", "peak, MiB", "parameters", "views drawn a second"]
    rows = [
        [
            name,
            f"{cost.seconds:.1f}",
            f"{cost.peak_mib}",
            f"{cost.parameters:,.0f}",
            f"{cost.views_per_second:.0f}",
        ]
        for name, cost in zip(names, costs, strict=True)
    ]
    lines += ["", *_grid(titles, rows), "", *origin_of(names, runs), *(f"- {n}" for n in notes)]
    return "\n".join(lines) + "\n"


def costs_of(bench: Bench, records: Sequence[Record]) -> Costs:
    """Means over the runs that did not fail, from their records and reports."""
    reports = [_report(bench.folder(Job(r.prompt, r.seed))) for r in records if not r.failure]
    drawn = sum(stage.steps * stage.views for stage in bench.recipe.stage)
    render = [report["parts_seconds"]["render"] for report in reports]
    return Costs(
        seconds=_mean([r.seconds for r in records]),
        peak_mib=max((r.peak_mib for r in records), default=0),
        parameters=_mean([report["metrics"]["parameters"] for report in reports]),
        views_per_second=drawn / _mean(render) if render else 0.0,
    )


def sheet(wanted: Comparison, benches: Sequence[Bench]) -> Any:
    """Seed 0 of the first prompts: a row for each recipe, front and back of each object."""
    prompts = list(dict.fromkeys(job.prompt for job in wanted.jobs))[:MOST_COLUMNS]
    rows = []
    for bench in benches:
        views = [_views(bench, Job(prompt, 0)) for prompt in prompts]
        rows.append(torch.cat(views))
    labels = [Path(recipe).stem for recipe in wanted.recipes]
    columns = [prompt if view == SHOWN[0] else "" for prompt in prompts for view in SHOWN]
    return labeled_grid(rows, labels, columns=columns)


def _views(bench: Bench, job: Job) -> torch.Tensor:
    path = bench.folder(job) / "scene.ply"
    views = views_of(read_ply(path) if path.is_file() else None)
    return views[list(SHOWN)]


def _report(folder: Path) -> dict[str, Any]:
    path = folder / "report.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        return {"metrics": report["metrics"], "parts_seconds": report["parts_seconds"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is missing or damaged ({error}); remove {folder.parent.parent} and "
            f"compare again."
        ) from error


def _asked(wanted: Comparison) -> str:
    prompts = len(dict.fromkeys(job.prompt for job in wanted.jobs))
    which = "given" if wanted.prompts else f"of {DEFAULT_LIST}"
    changed = f", with {', '.join(wanted.overrides)}" if wanted.overrides else ""
    return f"{prompts} prompts {which}, {wanted.seeds} seed(s) each{changed}"


def origin_of(names: Sequence[str], runs: Sequence[Sequence[Record]]) -> list[str]:
    """Where the runs came from; what another prior was asked about is named."""
    first = runs[0][0].origin
    others: dict[str, list[str]] = {}
    for name, each in zip(names, runs, strict=True):
        others.setdefault(each[0].origin.prior, []).append(name)
    del others[first.prior]
    told = "".join(f", and of {', '.join(them)} {prior}" for prior, them in others.items())
    commits = dict.fromkeys(record.origin.commit for each in runs for record in each)
    return [
        f"- prior {first.prior}{told}; evaluators {', '.join(first.evaluators)}; lists "
        f"{first.lists_sha256[:12]}; version {first.version}, commit {' and '.join(commits)}"
    ]


def _grid(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
