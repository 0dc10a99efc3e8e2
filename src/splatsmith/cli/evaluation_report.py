"""What an evaluation leaves besides its lines: controls, tables, sheets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console

from splatsmith.cli.evaluation_jobs import Bench
from splatsmith.cli.evaluation_sets import Pictures, pictures_of, remarks_of
from splatsmith.evaluate.controls import Controls, check_controls
from splatsmith.evaluate.lists import Job, PromptList, prompt_lists, understood, words_cases
from splatsmith.evaluate.record import Record, to_csv
from splatsmith.evaluate.report import markdown, terminal_tables
from splatsmith.evaluate.sheets import list_sheet
from splatsmith.evaluate.table import roll_up
from splatsmith.evaluate.wanted import wanted
from splatsmith.export import save_png
from splatsmith.files import replace_file


def controls_of(bench: Bench) -> list[Controls]:
    """Every evaluator tested; ControlsFailed if one of them does not see what it must."""
    found = []
    pairs = any(not wanted(job.prompt).alone for job in bench.jobs)
    for evaluator in bench.evaluators:
        generator = torch.Generator().manual_seed(0)
        found.append(check_controls(evaluator, generator, bench.tier.controls, pairs=pairs))
        found[-1].demand()
    return found


def controls_line(controls: Controls) -> str:
    """How an evaluator did, in a sentence."""
    parts = [
        ("AUROC of T, whole against two faces", controls.turning_auroc),
        ("two faces seen", controls.two_faces),
        ("false alarms", controls.false_alarms),
        ("color right", controls.color_accuracy),
        ("wrong color seen", controls.wrong_color_seen),
        ("AUROC of floating mass", controls.floater_auroc),
        ("two true things found", controls.pairs_found),
    ]
    said = ", ".join(f"{name} {value:.3f}" for name, value in parts if value is not None)
    gated = ", ".join(controls.gated)
    return f"controls of {controls.evaluator}, {controls.count} of each kind: {said}" + (
        f"; fronts seen well enough: {gated}" if gated else ""
    )


def write_report(
    bench: Bench, controls: Sequence[Controls], again: str, console: Console
) -> list[Path]:
    """The tables and the sheets of everything that is written down; returns their paths.

    `again` says what came of making some runs a second time.
    """
    records = bench.records()
    roll = roll_up(records, bench.tier)
    pictures = pictures_of(bench, records)
    notes = [controls_line(one) for one in controls]
    notes += [*words_lines(bench), again]
    text = markdown(roll, remarks=remarks_of(bench, roll, pictures), notes=notes)
    path = bench.out / "table.md"
    replace_file(path, text.encode())
    lines = bench.out / "records.csv"
    replace_file(lines, to_csv(records).encode())
    for table in terminal_tables(roll):
        console.print(table)
    return [path, lines, *write_sheets(bench, records, pictures)]


def words_lines(bench: Bench) -> list[str]:
    """P-words: how many texts are understood or refused, and which are neither."""
    vocabulary = getattr(bench.plan.prior.prior, "vocabulary", None)
    if not bench.tier.words or vocabulary is None:
        return []
    good = understood(words_cases(), vocabulary)
    bad = [repr(c.text[:40]) for c, g in zip(words_cases(), good, strict=True) if not g]
    line = f"P-words: {sum(good)} of {len(good)} texts are understood or refused"
    return [f"{line}; silent nonsense: {', '.join(bad)}" if bad else line]


def write_sheets(bench: Bench, records: Sequence[Record], pictures: Pictures) -> list[Path]:
    """A sheet for each list of the tier."""
    folder = bench.out / "sheets"
    folder.mkdir(exist_ok=True)
    captions = {Job(r.prompt, r.seed): _caption(r) for r in records if r.kind == "run"}
    paths = [
        _write_sheet(folder, prompt_lists()[name], seeds, pictures, captions)
        for name, seeds in bench.tier.runs
    ]
    return [path for path in paths if path is not None]


def _write_sheet(
    folder: Path,
    prompts: PromptList,
    seeds: int,
    pictures: Pictures,
    captions: Mapping[Job, str],
) -> Path | None:
    sheet = list_sheet(prompts, seeds, pictures, captions)
    if sheet is None:
        return None
    path = folder / f"{prompts.name}.png"
    save_png(path, sheet)
    return path


def _caption(record: Record) -> str:
    """Such as "rank 1, T 0.93, IoU 0.88"; short enough for a row of four views."""
    if record.failure:
        return "failed"
    known = {"rank": "E1 Rank", "T": "E1 T", "IoU": "IoU*"}
    parts = [
        f"{name} {value:.0f}" if name == "rank" else f"{name} {value:.2f}"
        for name, metric in known.items()
        if (value := record.metrics.get(metric)) is not None
    ]
    return ", ".join(parts)
