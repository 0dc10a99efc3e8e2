"""The end of a run: its asset, its pictures and its report."""

import platform
import resource
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import torch
from safetensors.torch import save

import splatsmith
from splatsmith.errors import InputError
from splatsmith.export import (
    contact_sheet,
    progress_sheet,
    save_png,
    write_ply,
    write_turntable,
)
from splatsmith.files import replace_file, sha256_of
from splatsmith.optimize.book import Book
from splatsmith.optimize.folder import RunFolder
from splatsmith.optimize.plan import Plan
from splatsmith.optimize.result import Result
from splatsmith.optimize.state import RunState
from splatsmith.optimize.streams import stream
from splatsmith.optimize.texturing import is_textured, report_textured, write_textured
from splatsmith.optimize.timers import Timers
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.handover import handed_out
from splatsmith.scenes.kinds import Scene, kind_of

FILM_RATE = 24  # pictures per second of the turntable


def finish(plan: Plan, folder: RunFolder | None, state: RunState, book: Book) -> Result:
    """Write what a finished run has, and hand out the result."""
    if folder is not None:
        write_assets(plan, folder, state, book)
        progress_report(plan, folder, state, book.timers, done=True)
    return Result(
        prompt=plan.prompt.text,
        seed=plan.seed,
        scene=state.scene,
        particles=tuple(one.scene for one in state.particles),
        metrics=metrics(state, book.timers),
        paths={} if folder is None else folder.present(),
    )


def write_assets(plan: Plan, folder: RunFolder, state: RunState, book: Book) -> None:
    """The scene and its pictures; a signal is obeyed between any two of them."""
    output = plan.recipe.output
    work: list[Callable[[], object]] = []
    for number, one in enumerate(state.particles, start=1):
        its, draws = folder.of_particle(number), stream(plan.seed, "hand out", state.step)
        work.append(partial(write_scene, its, one.scene, draws))
        work.append(partial(write_contact, its, one.scene))
    work.append(partial(write_progress, folder.progress, state))
    work.append(
        lambda: write_turntable(
            folder.turntable, state.scene, frames=output.frames, size=output.size, fps=FILM_RATE
        )
    )
    for write in work:
        book.stop_if_asked(state)
        with book.timers("export"):
            write()


def write_scene(folder: RunFolder, scene: Scene, generator: torch.Generator) -> None:
    """The asset that every viewer reads; scenes of other kinds also as they are, textured ones
    as a mesh that an engine reads too.

    A scene without a surface has no asset; that is said by a warning, and the run is not lost.
    """
    if not isinstance(scene, Gaussians):
        tensors = {name: t.detach().contiguous() for name, t in scene.state().items()}
        replace_file(folder.tensors, save(tensors, metadata={"kind": str(kind_of(scene))}))
    if is_textured(scene):
        write_textured(folder.asset, scene)
    try:
        splats = handed_out(scene, generator)
    except InputError as error:
        warnings.warn(f"no scene.ply was written: {error}", UserWarning, stacklevel=2)
        return
    write_ply(folder.scene, splats)


def write_contact(folder: RunFolder, scene: Scene) -> None:
    """The scene from all around, on one picture."""
    save_png(folder.contact, contact_sheet(scene))


def write_progress(path: Path, state: RunState) -> None:
    """Renders and what they were pulled toward, over time; nothing if every step was undone."""
    pairs = [pair / 255 for pair in state.snapshots]
    if pairs:
        renders, targets = ([pair[row] for pair in pairs] for row in range(2))
        labels = [f"step {step}" for step in state.snapshot_steps]
        save_png(path, progress_sheet(renders, targets, labels))


def metrics(state: RunState, timers: Timers) -> dict[str, Any]:
    """The numbers of a run, so far or at its end."""
    return {
        "steps": state.step,
        "scene": kind_of(state.scene),
        "splats": state.scene.count if isinstance(state.scene, Gaussians) else 0,
        "parameters": sum(p.numel() for p in state.scene.parameters_by_name().values()),
        "skipped": state.counters.skipped,
        "loss": state.counters.loss,
        "distance": state.counters.distance,
        "seconds": round(sum(timers.seconds.values()), 3),
    }


def progress_report(
    plan: Plan,
    folder: RunFolder | None,
    state: RunState | None,
    timers: Timers,
    *,
    done: bool = False,
) -> None:
    """Bring report.json up to date; without a state, as it is before the first step."""
    if folder is None:
        return
    report: dict[str, Any] = {"status": "done" if done else "running", **plan.about()}
    report |= {
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "peak_memory_mib": peak_memory_mib(),
        "parts_seconds": timers.rounded(),
    }
    if state is not None:
        report["metrics"] = metrics(state, timers)
        if done and is_textured(state.scene):
            report["mesh"] = report_textured(state.scene)
    if done:
        files = [path for name, path in folder.present().items() if name != "report"]
        report["sha256"] = {path.name: sha256_of(path) for path in files}
    folder.write_report(report)


def versions() -> dict[str, str]:
    """What the bytes of a result depend on, besides seed, prompt, recipe and prior."""
    return {
        "splatsmith": splatsmith.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def peak_memory_mib() -> int:
    """Most memory that this process ever held, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1 << 20 if sys.platform == "darwin" else 1 << 10)
