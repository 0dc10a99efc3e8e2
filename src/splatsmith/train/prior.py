"""How the embedded priors are made: `splatsmith train prior --minutes N [--resume]`.

Pictures stream out of the toybox; nothing is stored but the network. The first part of the time
goes to pictures of 32 x 32 pixels, then the network grows and goes on at 64 x 64. Captions,
view words and camera are each left out at random, so that every combination works later.
Toward the end, half of the lessons teach guidance: the network's own average, as it was then,
answers with and without the caption, and the network learns in one pass what follows from both.
What is drawn depends on (seed, step) alone, so a resumed training sees what it would have seen.

A prior that is shown pictures first learns to read them: to say what their captions and cameras
say, in the numbers by which the network that it begins with understands those.

The photo prior is the same network shown pictures as the web has them: mostly from the front,
the viewpoint never given and seldom worded. The latent prior works on an autoencoder's latents.
"""

import copy
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.priors.autoencoder import Autoencoder
from splatsmith.priors.denoiser import (
    Denoiser,
    DenoiserShape,
    channels_last,
    grow,
    with_weights_of,
)
from splatsmith.priors.embedded import EmbeddedPrior, load_embedded
from splatsmith.priors.precision import fast_precision
from splatsmith.priors.text import PAD, WordTable
from splatsmith.toybox.split import Split
from splatsmith.train.average import decay_at, follow, twin_of
from splatsmith.train.company import Company, together
from splatsmith.train.lesson import Lesson, draw_lesson
from splatsmith.train.muon import Muon, suits_muon
from splatsmith.train.progress import Reporter
from splatsmith.train.settings import PriorTraining
from splatsmith.train.state import (
    TrainingState,
    check_same,
    first_weights,
    load_state,
    save_state,
)
from splatsmith.train.words import embedded_vocabulary, word_table

SAVE_EVERY = 120.0  # seconds of training between two checkpoints


class Student:
    """The network, its moving average, and Muon for its matrices and AdamW for the rest."""

    def __init__(self, net: Denoiser, device: str) -> None:
        self.net = channels_last(net.to(device))
        self.average = twin_of(self.net)
        self.teacher: Denoiser | None = None  # of guidance: the average as it once was
        named = list(self.net.named_parameters())
        wide = [p for name, p in named if suits_muon(name, p)]
        rest = [p for name, p in named if not suits_muon(name, p)]
        self.optimizers: list[torch.optim.Optimizer] = [Muon(wide)] if wide else []
        self.optimizers.append(torch.optim.AdamW(rest, betas=(0.9, 0.99), fused=True))

    def learned(self) -> Iterator[Tensor]:
        """All that its lessons have changed: weights and their average."""
        yield from self.net.parameters()
        yield from self.average.parameters()

    def learn(
        self,
        lesson: Lesson,
        settings: PriorTraining,
        rate: float,
        steps: int,
        reading: bool = False,
    ) -> float:
        """One step; returns the loss, which is the mean squared error of v without guidance.

        With `reading` the lesson is only about its reference pictures.
        """
        for group in (g for o in self.optimizers for g in o.param_groups):
            group["lr"], group["weight_decay"] = rate, settings.weight_decay
        loss = _misread(self.net, lesson) if reading else _error(self.net, lesson)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        if torch.isfinite(norm):
            for optimizer in self.optimizers:
                optimizer.step()
        self.net.zero_grad(set_to_none=True)
        follow(self.average, self.net, decay_at(settings.averaging, steps))
        return float(loss.detach())

    @torch.no_grad()
    def guided(self, lesson: Lesson) -> Lesson:
        """The lesson with the answers that guidance would give, by the averaged weights.

        The first such lesson decides which: a teacher that goes on learning from its own pupil
        drifts away from all pictures.
        """
        rows = (lesson.guidance > 1).nonzero()[:, 0]
        if len(rows) == 0:
            return lesson
        if self.teacher is None:
            self.teacher = twin_of(self.average)
        asked = lesson.of(rows)
        told, untold = (each.answered(self.teacher) for each in (asked, asked.untold()))
        scale = lesson.guidance[rows][:, None, None, None]
        answer = lesson.answer.clone()
        answer[rows] = untold + scale * (told - untold)
        return replace(lesson, answer=answer)

    @torch.no_grad()
    def examined(self, lessons: list[Lesson]) -> float:
        """Mean squared error of v by the averaged weights."""
        return sum(float(_error(self.average, lesson)) for lesson in lessons) / len(lessons)


def _error(net: Denoiser, lesson: Lesson) -> Float[Tensor, ""]:
    v = lesson.answered(net, lesson.guidance if net.shape.guided else None)
    off = (v - lesson.answer).square().mean(dim=(1, 2, 3))
    # A guided answer is about as many times larger as its scale, and would drown the others.
    return (off / lesson.guidance.square()).mean()


def _misread(net: Denoiser, lesson: Lesson) -> Float[Tensor, ""]:
    """How far what is read in the pictures is from their captions and cameras."""
    picture, relation, caption = lesson.picture, lesson.relation, lesson.caption
    assert net.looking is not None
    assert picture is not None
    assert relation is not None
    assert caption is not None
    assert lesson.taken is not None
    with fast_precision(picture.device):
        read = net.looking.look(picture, relation)
        with torch.no_grad():
            said = net.text(caption).sentence
    words = (read.sentence.float() - said.float()).square().mean()
    return words + (read.camera.float() - lesson.taken).square().mean()


def train_prior(
    settings: PriorTraining,
    out: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    start: Path | None = None,
    autoencoder: Autoencoder | None = None,
    workers: int = 1,
) -> Path:
    """Train, or go on training; returns the path of the weights, `out`/prior.safetensors.

    `out` also receives a checkpoint every two minutes, `log.jsonl` and sheets of samples. It
    can be interrupted at any time; with `resume`, and more minutes if wished, it goes on.
    `start` gives the first weights, those of another embedded prior of 64 x 64 pixels, as far
    as they have a place: a broader world begins with the words that are known already, a latent
    prior with all that does not touch the pictures themselves. A latent prior needs its
    `autoencoder`. Each of the `workers` is a process with a share of the cores.
    """
    out.mkdir(parents=True, exist_ok=True)
    task = partial(_train, settings, out, resume, device, start, autoencoder)
    return together(workers, task)


def _train(
    settings: PriorTraining,
    out: Path,
    resume: bool,
    device: str,
    start: Path | None,
    autoencoder: Autoencoder | None,
    company: Company,
) -> Path:
    """What every worker does; the leading one also shows and saves."""
    class_ = Classroom(settings, word_table(), device, autoencoder)
    whole = settings.minutes * 60
    reporter = Reporter(out, class_.finished, whole) if company.leads else None
    state = load_state(out) if resume else class_.begin(start)
    check_same(out, state, settings.seed, settings.kind)
    state.seed, state.kind = settings.seed, settings.kind
    student = state.student(settings.seed, device)
    company.rejoin(state.seconds, state.step)
    held = class_.held_lessons(student.net.shape.resolution)
    begun, saved = time.perf_counter() - state.seconds, state.seconds
    with reporter.line if reporter else nullcontext():
        while state.seconds < whole:
            agreed = company.agreed(state.seconds) / whole
            if class_.outgrown(student.net.shape, agreed):
                student = Student(grow(student.average), device)
                state.grown_at = state.step
                held = class_.held_lessons(64)
            size, steps = student.net.shape.resolution, state.step - state.grown_at
            lesson = student.guided(class_.lesson(size, company.number(state.step), agreed))
            rate = settings.rate_at(state.seconds / whole, steps)
            reading = agreed < settings.reading_share
            loss = student.learn(lesson, settings, rate, steps, reading)
            state.step += 1
            pause = time.perf_counter()
            while company.due(state.seconds, whole):
                company.meet(student.learned(), state.step)
            if reporter:
                reporter.step(student, state, loss, held)
                if state.seconds - saved > SAVE_EVERY:
                    save_state(out, state, student)
                    saved = state.seconds
            begun += time.perf_counter() - pause
            state.seconds = time.perf_counter() - begun
    company.meet(student.learned(), state.step)
    pictures = company.total(state.step) * settings.batch
    if reporter is None:
        return out
    save_state(out, state, student)
    made = {"seed": settings.seed, "pictures": pictures, "workers": company.workers}
    return reporter.finish(student, state, made | {"minutes": round(state.seconds / 60, 1)})


class Classroom:
    """What a training is taught from: settings, words, a device and perhaps an autoencoder."""

    def __init__(
        self,
        settings: PriorTraining,
        table: WordTable,
        device: str,
        autoencoder: Autoencoder | None,
    ) -> None:
        assert (autoencoder is not None) == (settings.kind == "latent")
        self.settings, self.table, self.device = settings, table, device
        self.autoencoder = autoencoder.to(device) if autoencoder else None

    def begin(self, start: Path | None) -> TrainingState:
        """The state before the first step."""
        length = self.table.length
        shape = replace(self.settings.shape, vocabulary=len(self.table.words) + 1, words=length)
        if start is None:
            return TrainingState(shape)
        given = load_embedded(start)
        if given.space != "pixel":
            raise InputError(f"{start} cannot be a start: it knows no pictures, but latents.")
        if self.settings.kind != "latent":
            if given.net.shape.channels != shape.channels:
                raise InputError(
                    f"{start} cannot be a start: its pictures have other channels."
                )
            shape = replace(shape, resolution=given.net.shape.resolution)
        net = with_weights_of(first_weights(shape, self.settings.seed), given.net)
        _learn_words_of(net, self.table, given.net, given.words)
        tensors = net.state_dict()
        named = {f"{part}.{k}": t for part in ("net", "average") for k, t in tensors.items()}
        return TrainingState(shape, tensors=named)

    def outgrown(self, shape: DenoiserShape, progress: float) -> bool:
        """Whether it is time for the network to grow to 64 x 64."""
        small = shape.resolution == 32 and self.settings.kind != "latent"
        return small and progress >= self.settings.small_share

    def lesson(self, size: int, step: int, progress: float) -> Lesson:
        """The lesson of a step; late in the training some of its pictures teach guidance."""
        teaches = self.settings.shape.guided and progress >= self.settings.guided_from
        share = self.settings.guided_share if teaches else 0.0
        return self._drawn(size, step, "train", share)

    def held_lessons(self, size: int) -> list[Lesson]:
        """Lessons on pairs and instances that are never trained on, the same ones each time."""
        first = 1_000_000  # far from the steps of any training
        return [self._drawn(size, k, "held", 0.0) for k in range(first, first + 4)]

    def _drawn(self, size: int, step: int, split: Split, guided: float) -> Lesson:
        lesson = draw_lesson(
            self.settings, size, step, self.table, split, guided, self.autoencoder
        )
        return lesson.to(self.device)

    def finished(self, net: Denoiser, name: str) -> EmbeddedPrior:
        """The prior that a network makes, on the CPU wherever it learns."""
        autoencoder = self.autoencoder
        if self.device != "cpu":
            net, autoencoder = copy.deepcopy(net).cpu(), copy.deepcopy(autoencoder)
            autoencoder = autoencoder.cpu() if autoencoder else None
        return EmbeddedPrior(
            net,
            embedded_vocabulary(),
            self.table,
            name,
            self.settings.nature,
            autoencoder,
        )


@torch.no_grad()
def _learn_words_of(net: Denoiser, table: WordTable, other: Denoiser, words: WordTable) -> None:
    """Give each word of `table` that the other network knows the meaning that it has there."""
    known = [word for word in table.words if word in words.rows]
    own, theirs = ([t.rows[word] for word in known] for t in (table, words))
    net.text.table.weight[own] = other.text.table.weight[theirs]
    net.text.table.weight[PAD] = other.text.table.weight[PAD]
