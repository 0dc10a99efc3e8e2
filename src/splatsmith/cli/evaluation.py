"""An evaluation from its first control to its last sheet, with a live line on stderr."""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from splatsmith.cli.evaluation_again import made_again
from splatsmith.cli.evaluation_jobs import (
    Bench,
    Request,
    carry_out,
    claim,
    missing_references,
    missing_runs,
    prepare,
    weigh_reference,
)
from splatsmith.cli.evaluation_report import controls_line, controls_of, write_report
from splatsmith.cli.pages import check_page, put_section
from splatsmith.evaluate.record import Record
from splatsmith.optimize.folder import begin_folder
from splatsmith.optimize.lock import locked

T = TypeVar("T")


class Stopped(KeyboardInterrupt):
    """Ctrl-C or SIGTERM in the middle; `number` is the signal's."""

    def __init__(self, number: int, message: str) -> None:
        self.number = number
        super().__init__(message)


def run_evaluation(
    request: Request, *, controls_only: bool = False, page: Path | None = None
) -> None:
    """Controls, runs, references, then table and sheets; what is there is not made again.

    The table also goes into a `page`, as a section of the tier's name.
    """
    console = Console(stderr=True, highlight=False)
    check_page(page, request.tier)
    bench = prepare(request)
    if controls_only:
        for controls in controls_of(bench):
            print(controls_line(controls))
        return
    begin_folder(bench.out)
    with locked(bench.out):
        try:
            table = _work(bench, console)
            if page is not None:
                put_section(page, request.tier, section_of(request, table))
        except KeyboardInterrupt as interrupt:
            done = len(bench.jobs) - len(missing_runs(bench))
            raise Stopped(
                getattr(interrupt, "number", 2),
                f"stopped; {done} of {len(bench.jobs)} runs are in {bench.lines}; "
                "go on with the same command",
            ) from interrupt


def _work(bench: Bench, console: Console) -> str:
    """All of it; returns the table as Markdown."""
    if said := claim(bench):
        console.print(f"note: {said}")
    console.print("testing the evaluators on objects whose faults are known")
    controls = controls_of(bench)
    for one in controls:
        console.print(controls_line(one))
    with _progress(console) as progress:
        _each("runs", missing_runs(bench), lambda job: carry_out(bench, job), progress)
        references = missing_references(bench)
        _each("ends", references, lambda item: weigh_reference(bench, *item), progress)
    again = made_again(bench)
    console.print(again)
    paths = write_report(bench, controls, again, Console(file=sys.stdout, highlight=False))
    for path in paths:
        print(path)
    return paths[0].read_text(encoding="utf-8")


def section_of(request: Request, table: str) -> str:
    """A table's section of a page of several: its headings are one level deeper."""
    command = f"splatsmith evaluate --tier {request.tier} --recipe {request.recipe}"
    command += f" --prior {request.prior}" if request.prior else ""
    command += "".join(f" --set {change}" for change in request.overrides)
    command += f" --limit {request.limit}" if request.limit else ""
    title = f"## Tier {request.tier}, recipe {Path(request.recipe).stem}"
    deeper = re.sub("^#", "##", table, flags=re.MULTILINE).rstrip()
    return f"{title}\n\n{deeper}\n\n`{command}`\n"


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _each(
    name: str, items: Iterable[T], work: Callable[[T], Record], progress: Progress
) -> None:
    """Do them all; a line is said about each."""
    todo = list(items)
    task = progress.add_task(name, total=len(todo))
    for number, item in enumerate(todo, start=1):
        record = work(item)
        progress.console.print(f"{name} {number}/{len(todo)}: {_told(record)}")
        progress.advance(task)


def _told(record: Record) -> str:
    metrics = record.metrics
    known = [("E1 Rank", "rank {:.0f}"), ("E1 T", "T {:.2f}"), ("IoU*", "IoU {:.2f}")]
    parts = [
        form.format(value) for name, form in known if (value := metrics.get(name)) is not None
    ]
    if record.kind == "run":
        parts.insert(0, f"{record.seconds:.1f} s")
    what = f"{record.prompt}, " + (
        f"seed {record.seed}" if record.kind == "run" else record.kind
    )
    return f"{what}: {record.failure or ', '.join(parts)}"
