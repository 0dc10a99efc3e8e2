"""How the evaluators are made: `splatsmith train evaluator --minutes N [--resume]`.

First a pool of pictures is drawn (`evaluator_pool.py`) and kept in the folder of the training;
then E1's network learns from it, each picture spoiled in a new way each time; then E2 is fitted
to a part of it. Both go into one file. The minutes are those of E1's learning alone.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.evaluate.evaluators import SHIPPED, save_evaluators
from splatsmith.evaluate.features import Regression, hog, lab_histogram
from splatsmith.evaluate.network import BINS, Answers, NetworkShape
from splatsmith.optimize.streams import stream
from splatsmith.priors.precision import fast_precision
from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.words import COLORS
from splatsmith.train.average import decay_at
from splatsmith.train.degradations import degrade
from splatsmith.train.evaluator_exam import Exams, exams
from splatsmith.train.evaluator_pool import NOTHING, Pool, draw_pool
from splatsmith.train.evaluator_report import EvaluatorReporter
from splatsmith.train.evaluator_state import EvaluatorState, Pupil, load_pupil, save_pupil
from splatsmith.train.regression import fit

SAVE_EVERY = 120.0  # seconds of learning between two checkpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorTraining:
    """The numbers of one training."""

    minutes: float = 12.0  # of E1's learning; the pool and E2 come on top
    seed: int = 1_000  # far from those of priors and runs
    pictures: int = 24_000  # of the pool, at 27 KiB each
    held: int = 1_800  # pictures of the examination
    batch: int = 64
    rate: float = 4e-3  # after warm-up and before the fall
    warm_up: int = 100  # steps
    fall_from: float = 0.4  # share of the time after which the rate falls, in a straight line
    weight_decay: float = 0.02
    averaging: float = 0.998  # decay per step of the moving average of the weights
    color_weight: float = 1.0  # of its loss, against 1 of the category's
    azimuth_weight: float = 1.5  # the slowest to learn
    regression_pictures: int = 9_000  # that E2 is fitted to
    widths: tuple[int, ...] = (32, 48, 64, 96, 160)  # of E1's stages

    def rate_at(self, progress: float, step: int) -> float:
        """Learning rate after a share `progress` (0 to 1) of the time."""
        warm = min(1.0, (step + 1) / self.warm_up)
        return warm * self.rate * min(1.0, max(0.01, (1 - progress) / (1 - self.fall_from)))

    @property
    def shape(self) -> NetworkShape:
        """The shape of E1's network for the toybox as it is."""
        return NetworkShape(categories=len(CATEGORIES), colors=len(COLORS), widths=self.widths)


def train_evaluator(
    settings: EvaluatorTraining, out: Path, *, resume: bool = False, device: str = "cpu"
) -> Path:
    """Train, or go on training; returns the path of both evaluators' file in `out`.

    `out` also receives the pool, a checkpoint every two minutes, `log.jsonl` and a sheet of
    pictures with what E1 reads. It can be interrupted at any time; with `resume`, and more
    minutes if wished, it goes on.
    """
    out.mkdir(parents=True, exist_ok=True)
    state, pupil = (
        load_pupil(out, settings.shape, device)
        if resume
        else (EvaluatorState(), Pupil(settings.shape, settings.seed, device))
    )
    if state.seed not in (None, settings.seed):
        raise InputError(f"{out} was begun with another --seed; resume it with that one.")
    state.seed = settings.seed
    reporter = EvaluatorReporter(out, settings.minutes * 60)
    with reporter.line:
        pool = draw_pool(out, settings.seed, settings.pictures, reporter.drawing)
        held = exams(settings.seed, settings.held)
        _learn(settings, out, state, pupil, pool, held, reporter)
        save_pupil(out, state, pupil)
        category, color = _regressions(settings, pool)
        figures = reporter.finish(pupil.average, category, color, state, held)
    made = {
        "command": f"splatsmith train evaluator --minutes {settings.minutes:g}",
        "seed": settings.seed,
        "minutes": round(state.seconds / 60, 1),
        "pictures": state.step * settings.batch,
        "pool": len(pool),
        "figures": figures,
    }
    path = out / SHIPPED
    save_evaluators(path, pupil.average, category, color, made)
    return path


def _learn(
    settings: EvaluatorTraining,
    out: Path,
    state: EvaluatorState,
    pupil: Pupil,
    pool: Pool,
    held: Exams,
    reporter: EvaluatorReporter,
) -> None:
    begun, saved = time.perf_counter() - state.seconds, state.seconds
    while (progress := state.seconds / (settings.minutes * 60)) < 1:
        lesson = _lesson(settings, pool, state.step)
        rate = settings.rate_at(progress, state.step)
        loss = _step(pupil, lesson, settings, rate, state.step)
        state.step += 1
        pause = time.perf_counter()
        reporter.step(pupil.average, state, loss, held)
        if state.seconds - saved > SAVE_EVERY:
            save_pupil(out, state, pupil)
            saved = state.seconds
        begun += time.perf_counter() - pause
        state.seconds = time.perf_counter() - begun


@dataclass(frozen=True, eq=False)
class Lesson:
    """One batch; targets as in `Pool`."""

    pictures: Float[Tensor, "views 3 height width"]
    category: Int[Tensor, "views 2"]
    color: Int[Tensor, "views 2"]
    azimuth: Float[Tensor, "views"]


def _lesson(settings: EvaluatorTraining, pool: Pool, step: int) -> Lesson:
    """The lesson of a step: it depends on the arguments alone."""
    generator = stream(settings.seed, "evaluator lesson", step)
    index = torch.randint(len(pool), (settings.batch,), generator=generator)
    pictures = degrade(pool.shown(index), generator)
    return Lesson(pictures, pool.category[index], pool.color[index], pool.azimuth[index])


def _step(
    pupil: Pupil, lesson: Lesson, settings: EvaluatorTraining, rate: float, step: int
) -> float:
    device = next(pupil.net.parameters()).device
    with fast_precision(device):
        answers = pupil.net(lesson.pictures.to(device))
    category, color, azimuth = losses(answers, lesson)
    loss = category + settings.color_weight * color + settings.azimuth_weight * azimuth
    loss.backward()
    pupil.move(rate, settings.weight_decay, decay_at(settings.averaging, step))
    return float(loss.detach())


def losses(answers: Answers, lesson: Lesson) -> tuple[Tensor, Tensor, Tensor]:
    """Mean cross-entropies of category, color and azimuth, each where it is asked for.

    Two things in a picture share the category's probability; color is asked of each of them,
    given its category. An azimuth between two bins belongs to both, the nearer the more.
    """
    device = answers.category.device
    asked, colors = lesson.category.to(device), lesson.color.to(device)
    there = asked != NOTHING
    wanted = torch.zeros_like(answers.category, dtype=torch.float32)
    wanted.scatter_add_(1, asked.clamp(min=0), there / there.sum(1, keepdim=True))
    category = F.cross_entropy(answers.category.float(), wanted)
    row, slot = (there & (colors != NOTHING)).nonzero(as_tuple=True)
    given = answers.color[row, asked[row, slot]].float()
    color = F.cross_entropy(given, colors[row, slot])
    turned = (lesson.azimuth != NOTHING).nonzero()[:, 0].to(device)
    read = answers.azimuth[turned, asked[turned, 0]].float()
    azimuth = F.cross_entropy(read, azimuth_target(lesson.azimuth.to(device)[turned]))
    return category, color, azimuth


def azimuth_target(azimuth: Float[Tensor, "views"]) -> Float[Tensor, "views bins"]:
    """Shares of the two bins (30 degrees, the first centered on 0) around an azimuth."""
    place = (azimuth / (360 / BINS)) % BINS
    gap = (place[:, None] - torch.arange(BINS, device=azimuth.device)).abs()
    return (1 - torch.minimum(gap, BINS - gap)).clamp(min=0)


def _regressions(settings: EvaluatorTraining, pool: Pool) -> tuple[Regression, Regression]:
    """E2's two halves, fitted to pictures of single things."""
    alone = (pool.category[:, 1] == NOTHING).nonzero()[:, 0]
    generator = stream(settings.seed, "evaluator regression", 0)
    chosen = alone[torch.randperm(len(alone), generator=generator)]
    chosen = chosen[: settings.regression_pictures].sort().values
    shapes, colors = [], []
    for part in chosen.split(64):
        pictures = degrade(pool.shown(part), generator).permute(0, 2, 3, 1)
        lab = lab_histogram(pictures)
        shapes.append(torch.cat([hog(pictures), lab], dim=1))
        colors.append(lab)
    category, color = pool.category[chosen, 0], pool.color[chosen, 0]
    dyed = color != NOTHING
    return (
        fit(torch.cat(shapes), category, len(CATEGORIES)),
        fit(torch.cat(colors)[dyed], color[dyed], len(COLORS)),
    )
