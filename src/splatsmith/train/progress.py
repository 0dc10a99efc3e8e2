"""What a training shows while it runs: a line, a log, a validation loss, sample sheets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from splatsmith.priors.denoiser import Denoiser
from splatsmith.priors.embedded import EmbeddedPrior, save_embedded
from splatsmith.train.samples import sample_sheet

if TYPE_CHECKING:
    from splatsmith.train.lesson import Lesson
    from splatsmith.train.prior import Student
    from splatsmith.train.state import TrainingState

VALIDATE_EVERY = 180.0  # seconds of training
SHEET_EVERY = 1500.0
WEIGHTS = "prior.safetensors"
LOG = "log.jsonl"


class Reporter:
    """Everything that leaves a training for people to look at; `line` is to be entered."""

    def __init__(
        self, out: Path, finished: Callable[[Denoiser, str], EmbeddedPrior], seconds: float
    ) -> None:
        self.out = out
        self.finished = finished  # makes a prior of a network
        self.validated = self.sheeted = 0.0
        self.line = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
        )
        self.task = self.line.add_task("training", total=seconds)

    def step(
        self, student: "Student", state: "TrainingState", loss: float, held: "list[Lesson]"
    ) -> None:
        """After every step: the line; now and then the validation loss, more seldom a sheet."""
        size = student.net.shape.resolution
        shown = f"step {state.step}, {size} px, loss {loss:.4f}"
        self.line.update(self.task, completed=state.seconds, description=shown)
        if state.seconds - self.validated >= VALIDATE_EVERY:
            self.validated = state.seconds
            self._log(
                step=state.step,
                seconds=round(state.seconds),
                resolution=size,
                loss=round(loss, 5),
                held=round(student.examined(held), 5),
            )
        if state.seconds - self.sheeted >= SHEET_EVERY:
            self.sheeted = state.seconds
            self._sheet(student, state)

    def finish(self, student: "Student", state: "TrainingState", made: dict[str, Any]) -> Path:
        """Write the averaged weights, with `made` (how they were made) in their header."""
        path = self.out / WEIGHTS
        save_embedded(path, self.finished(student.average, "in training"), made)
        self._sheet(student, state)
        return path

    def _log(self, **figures: float) -> None:
        with (self.out / LOG).open("a") as file:
            file.write(json.dumps(figures) + "\n")

    def _sheet(self, student: "Student", state: "TrainingState") -> None:
        """What the averaged weights make of the development prompts, with no scene at all."""
        prior = self.finished(student.average, "in training")
        sample_sheet(prior, self.out / f"samples-{state.step:06d}.png")
