"""Some runs made a second time: a table whose runs cannot be made again says nothing."""

import math

from splatsmith.cli.evaluation_jobs import Bench, make
from splatsmith.evaluate.lists import Job
from splatsmith.optimize.folder import RunFolder

SHARE = 0.05  # of the runs, spread evenly over them


def made_again(bench: Bench) -> str:
    """Make a twentieth of the runs once more, and say whether every byte came out as before."""
    chosen = chosen_runs(bench)
    if not chosen:
        return "no run was made a second time: none has a scene"
    different = [job for job in chosen if not _same_again(bench, job)]
    said = f"made a second time: {len(chosen)} of {len(bench.jobs)} runs"
    if not different:
        return f"{said}, the same to the last byte"
    names = ", ".join(f"{job.prompt} (seed {job.seed})" for job in different)
    return f"{said}; **void**, for they came out different: {names}"


def chosen_runs(bench: Bench) -> list[Job]:
    """The runs to make again, of those that have a scene."""
    there = [job for job in bench.jobs if RunFolder(bench.folder(job)).scene.is_file()]
    return there[:: max(1, len(there) // math.ceil(SHARE * len(there)))] if there else []


def _same_again(bench: Bench, job: Job) -> bool:
    """One of them; what is there from an earlier call is not made a third time."""
    first = RunFolder(bench.folder(job))
    second = RunFolder(bench.out / "again" / first.root.name)
    if not second.finished():
        make(bench, job, second.root, threads=first.read_report().get("threads"))
    return first.scene.read_bytes() == second.scene.read_bytes()
