"""What the evaluators' training shows: a line, a log of accuracies, a sheet of readings."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from splatsmith.evaluate.features import Regression
from splatsmith.evaluate.network import Network
from splatsmith.export.sheet import labeled_grid, save_png
from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.words import COLORS
from splatsmith.train.evaluator_exam import (
    Exams,
    accuracies,
    read_by_network,
    read_by_regression,
)
from splatsmith.train.evaluator_pool import Pool
from splatsmith.train.evaluator_state import EvaluatorState

EXAMINE_EVERY = 180.0  # seconds of learning
LOG, SHEET = "log.jsonl", "readings.png"
SHEET_ROWS, SHEET_COLUMNS = 8, 8


class EvaluatorReporter:
    """Everything that leaves a training for people to look at; `line` is to be entered."""

    def __init__(self, out: Path, seconds: float) -> None:
        self.out = out
        self.examined = 0.0
        self.line = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
        )
        self.task = self.line.add_task("waiting", total=seconds)
        self.drawn = self.line.add_task("pictures", total=1)

    def drawing(self, done: int, total: int) -> None:
        """After every chunk of the pool."""
        self.line.update(self.drawn, completed=done, total=total)

    def step(self, average: Network, state: EvaluatorState, loss: float, sets: Exams) -> None:
        """After every step: the line; now and then an examination of the averaged weights."""
        shown = f"step {state.step}, loss {loss:.3f}"
        self.line.update(self.task, completed=state.seconds, description=shown)
        if state.seconds - self.examined >= EXAMINE_EVERY:
            self.examined = state.seconds
            figures = accuracies(partial(read_by_network, average), sets)
            self._log(state, {"loss": round(loss, 4), **figures})

    def finish(
        self,
        average: Network,
        category: Regression,
        color: Regression,
        state: EvaluatorState,
        sets: Exams,
    ) -> dict[str, dict[str, float]]:
        """Log the accuracies of both evaluators, save a sheet; returns the accuracies."""
        read = partial(read_by_network, average)
        figures = {
            "E1": accuracies(read, sets),
            "E2": accuracies(partial(read_by_regression, category, color), sets),
        }
        self._log(state, figures)
        for name, exam in sets.items():
            chosen = torch.arange(
                0, len(exam), max(1, len(exam) // (SHEET_ROWS * SHEET_COLUMNS))
            )
            part = exam.taken(chosen[: SHEET_ROWS * SHEET_COLUMNS])
            sheet = readings_sheet(part, *read_by_network(average, part))
            save_png(self.out / f"{name}-{SHEET}", sheet)
        return figures

    def _log(self, state: EvaluatorState, figures: dict) -> None:
        line = {"step": state.step, "seconds": round(state.seconds)} | figures
        with (self.out / LOG).open("a") as file:
            file.write(json.dumps(line) + "\n")


def readings_sheet(
    exam: Pool, category: torch.Tensor, color: torch.Tensor, azimuth: torch.Tensor | None
) -> np.ndarray:
    """Pictures, each under what was read: color, category, azimuth; a ! after what is wrong."""
    names, words = list(CATEGORIES), list(COLORS)
    pictures = torch.from_numpy(exam.pictures.repeat(2, axis=1).repeat(2, axis=2)) / 255
    labels = []
    for k in range(len(exam)):
        wrong = ["", "!"]
        thing = names[category[k]] + wrong[bool(category[k] != exam.category[k, 0])]
        paint = words[color[k]] + wrong[bool(color[k] != exam.color[k, 0])]
        turn = "" if azimuth is None else f" {azimuth[k] % 360:.0f}° ({exam.azimuth[k]:.0f}°)"
        labels.append(f"{paint} {thing}{turn}")
    columns = [
        labeled_grid([p[None] for p in pictures[i::SHEET_COLUMNS]], labels[i::SHEET_COLUMNS])
        for i in range(min(SHEET_COLUMNS, len(exam)))
    ]
    tallest = max(len(column) for column in columns)
    padded = [
        np.pad(c, ((0, tallest - len(c)), (0, 2), (0, 0)), constant_values=255) for c in columns
    ]
    return np.concatenate(padded, axis=1)
