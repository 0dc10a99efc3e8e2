"""How the embedded priors are made: `splatsmith train prior --minutes N [--resume]`.

Pictures stream out of the toybox; nothing is stored but the network. The first part of the time
goes to pictures of 32 x 32 pixels, then the network grows and goes on at 64 x 64. Captions,
view words and camera are each left out at random, so that every combination works later.
Toward the end, half of the lessons teach guidance: the network's own average, as it was then,
answers with and without the caption, and the network learns in one pass what follows from both.
What is drawn depends on (seed, step) alone, so a resumed training sees what it would have seen.

The photo prior is the same network shown pictures as the web has them: mostly from the front,
the viewpoint never given and seldom worded. The latent prior works on an autoencoder's latents.
"""

import math
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.optimize.streams import stream
from splatsmith.priors.autoencoder import Autoencoder
from splatsmith.priors.denoiser import (
    Denoiser,
    DenoiserShape,
    camera_features,
    channels_last,
    grow,
    with_weights_of,
)
from splatsmith.priors.embedded import EmbeddedPrior, Nature, load_embedded, schedule_for
from splatsmith.priors.text import WordTable
from splatsmith.prompts.views import ViewWords
from splatsmith.toybox.sampler import BatchSampler
from splatsmith.toybox.split import Split
from splatsmith.train.average import decay_at, follow, twin_of
from splatsmith.train.muon import Muon, suits_muon
from splatsmith.train.progress import Reporter
from splatsmith.train.state import TrainingState, first_weights, load_state, save_state
from splatsmith.train.words import embedded_vocabulary, word_table

SAVE_EVERY = 120.0  # seconds of training between two checkpoints
SMALL = DenoiserShape(resolution=32, guided=True)


LATENT = DenoiserShape(resolution=32, channels=4, guided=True)
Kind = Literal["pixel", "photo", "latent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorTraining:
    """The numbers of one training."""

    kind: Kind = "pixel"

    minutes: float = 100.0  # of training proper; checkpoints and sheets are not counted
    seed: int = 0
    batch: int = 32  # pictures a step; at 16, Muon would cost as much as the network
    small_share: float = 0.5  # of the time, at 32 x 32
    rate: float = 2e-3  # of both optimizers, after warm-up and before the fall
    warm_up: int = 100  # steps, at the start and after growing
    fall_from: float = 0.6  # share of the time after which the rate falls, as a cosine
    final_rate: float = 2e-5
    weight_decay: float = 0.01
    averaging: float = 0.998  # decay per step of the moving average of the weights
    nothing: float = 0.06  # share of the pictures shown without caption and camera
    no_caption: float = 0.08  # share of the others shown without a caption
    view_words: float = 0.5  # share of the captions that end in "front view" or the like
    no_camera: float = 0.18  # share of the others shown without their camera
    front_share: float | None = (
        None  # of pictures within 45 degrees of the front; None: uniform
    )
    guided_from: float = 0.88  # share of the time after which guidance is learned
    guided_share: float = 0.5  # of the pictures of a lesson, from then on
    guidance: tuple[float, float] = (1.2, 10.0)  # scales that are learned
    shape: DenoiserShape = SMALL  # of the first network
    low_noise: float = 0.1  # share of the times below `middle_noise`
    middle_noise: float = 0.15  # distillation lives above this time
    noise_power: float = 0.6  # of a uniform draw: below 1, high noise is drawn more often

    @property
    def nature(self) -> Nature:
        """What the trained prior will say of itself."""
        return Nature(
            sees_cameras=self.no_camera < 1,
            guidance=self.guidance if self.shape.guided else None,
        )

    def rate_at(self, progress: float, steps_since_growth: int) -> float:
        """Learning rate after a share `progress` (0 to 1) of the time."""
        warm = min(1.0, (steps_since_growth + 1) / self.warm_up)
        fallen = min(1.0, max(0.0, (progress - self.fall_from) / (1 - self.fall_from)))
        share = 0.5 * (1 + math.cos(math.pi * fallen))
        return warm * (self.final_rate + (self.rate - self.final_rate) * share)


PHOTO = PriorTraining(
    kind="photo", minutes=30.0, small_share=0.0, no_camera=1.0, view_words=0.08, front_share=0.7
)
LATENT_TRAINING = PriorTraining(kind="latent", minutes=60.0, shape=LATENT)


@dataclass(frozen=True)
class Lesson:
    """One batch as the network is asked about it; `answer` is v."""

    x_t: Float[Tensor, "views channels height width"]
    log_snr: Float[Tensor, "views"]
    tokens: Int[Tensor, "views words"]
    camera: Float[Tensor, "views 7"]
    answer: Float[Tensor, "views channels height width"]
    guidance: Float[Tensor, "views"]  # 1 is none

    def to(self, device: str) -> "Lesson":
        """The same lesson on another device."""
        return Lesson(*(getattr(self, field.name).to(device) for field in fields(self)))


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

    def learn(self, lesson: Lesson, settings: PriorTraining, rate: float, steps: int) -> float:
        """One step; returns the loss, which is the mean squared error of v without guidance."""
        for group in (g for o in self.optimizers for g in o.param_groups):
            group["lr"], group["weight_decay"] = rate, settings.weight_decay
        loss = _error(self.net, lesson)
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
        x_t, log_snr, tokens, camera = (
            torch.cat([part[rows], other])
            for part, other in (
                (lesson.x_t, lesson.x_t[rows]),
                (lesson.log_snr, lesson.log_snr[rows]),
                (lesson.tokens, torch.zeros_like(lesson.tokens[rows])),
                (lesson.camera, torch.zeros_like(lesson.camera[rows])),
            )
        )
        x_t = x_t.contiguous(memory_format=torch.channels_last)
        with torch.autocast(lesson.x_t.device.type, torch.bfloat16):
            told, untold = self.teacher(x_t, log_snr, tokens, camera).float().chunk(2)
        scale = lesson.guidance[rows][:, None, None, None]
        answer = lesson.answer.clone()
        answer[rows] = untold + scale * (told - untold)
        return replace(lesson, answer=answer)

    @torch.no_grad()
    def examined(self, lessons: list[Lesson]) -> float:
        """Mean squared error of v by the averaged weights."""
        return sum(float(_error(self.average, lesson)) for lesson in lessons) / len(lessons)


def _error(net: Denoiser, lesson: Lesson) -> Float[Tensor, ""]:
    with torch.autocast(lesson.x_t.device.type, torch.bfloat16):
        scale = lesson.guidance if net.shape.guided else None
        v = net(lesson.x_t, lesson.log_snr, lesson.tokens, lesson.camera, scale)
    off = (v.float() - lesson.answer).square().mean(dim=(1, 2, 3))
    # A guided answer is about as many times larger as its scale, and would drown the others.
    return (off / lesson.guidance.square()).mean()


def train_prior(
    settings: PriorTraining,
    out: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    start: Path | None = None,
    autoencoder: Autoencoder | None = None,
) -> Path:
    """Train, or go on training; returns the path of the weights, `out`/prior.safetensors.

    `out` also receives a checkpoint every two minutes, `log.jsonl` and sheets of samples. It
    can be interrupted at any time; with `resume`, and more minutes if wished, it goes on.
    `start` gives the first weights, those of another embedded prior of 64 x 64 pixels; a latent
    prior takes from it what does not touch the pictures themselves. A latent prior needs its
    `autoencoder`.
    """
    out.mkdir(parents=True, exist_ok=True)
    class_ = Classroom(settings, word_table(), device, autoencoder)
    reporter = Reporter(out, class_.finished, settings.minutes * 60)
    state = load_state(out) if resume else class_.begin(start)
    student = state.student(settings.seed, device)
    held = class_.held_lessons(student.net.shape.resolution)
    begun, saved = time.perf_counter() - state.seconds, state.seconds
    with reporter.line:
        while (progress := state.seconds / (settings.minutes * 60)) < 1:
            if class_.outgrown(student.net.shape, progress):
                student = Student(grow(student.average), device)
                state.grown_at = state.step
                held = class_.held_lessons(64)
            size, steps = student.net.shape.resolution, state.step - state.grown_at
            lesson = student.guided(class_.lesson(size, state.step, progress))
            rate = settings.rate_at(progress, steps)
            loss = student.learn(lesson, settings, rate, steps)
            state.step += 1
            pause = time.perf_counter()
            reporter.step(student, state, loss, held)
            if state.seconds - saved > SAVE_EVERY:
                save_state(out, state, student)
                saved = state.seconds
            begun += time.perf_counter() - pause
            state.seconds = time.perf_counter() - begun
    save_state(out, state, student)
    made = {"seed": settings.seed, "pictures": state.step * settings.batch}
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
        if given.words.words != self.table.words or given.space != "pixel":
            raise InputError(f"{start} cannot be a start: it knows other words or pictures.")
        net = given.net
        if self.settings.kind == "latent":
            net = with_weights_of(first_weights(shape, self.settings.seed), net)
        elif net.shape.channels != shape.channels:
            raise InputError(f"{start} cannot be a start: its pictures have other channels.")
        tensors = net.state_dict()
        named = {f"{part}.{k}": t for part in ("net", "average") for k, t in tensors.items()}
        return TrainingState(net.shape, tensors=named)

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
        """The prior that a network makes."""
        return EmbeddedPrior(
            net,
            embedded_vocabulary(),
            self.table,
            name,
            self.settings.nature,
            self.autoencoder,
        )


def draw_lesson(
    settings: PriorTraining,
    size: int,
    step: int,
    table: WordTable,
    split: Split = "train",
    guided: float = 0.0,
    autoencoder: Autoencoder | None = None,
) -> Lesson:
    """The lesson of a step: it depends on the arguments alone.

    A share `guided` of its pictures have a scale of guidance; their answers are still the
    plain ones. With an autoencoder the lesson is about latents.
    """
    sampler = BatchSampler(
        size=autoencoder.shape.resolution if autoencoder else size,
        batch=settings.batch,
        seed=settings.seed,
        split=split,
        front_share=settings.front_share,
    )
    batch = sampler.batch_at(step)
    generator = stream(settings.seed, f"lesson {size}", step)
    views = settings.batch

    def happens(share: float) -> Tensor:
        return torch.rand(views, generator=generator) < share

    nothing = happens(settings.nothing)
    worded, silent = happens(settings.view_words), happens(settings.no_caption) | nothing
    known = ~(happens(settings.no_camera) | nothing)
    suffixes = ViewWords().suffixes(batch.azimuth, batch.elevation)
    captions = [
        "" if silent[i] else batch.captions[i] + (suffixes[i] if worded[i] else "")
        for i in range(views)
    ]
    place, low = torch.rand(views, generator=generator), happens(settings.low_noise)
    middle = settings.middle_noise
    t = torch.where(low, place * middle, middle + (1 - middle) * place**settings.noise_power)
    x0 = batch.color.permute(0, 3, 1, 2) * 2 - 1
    if autoencoder is not None:
        x0 = _latents(autoencoder, x0)
    noise = torch.randn(x0.shape, generator=generator)
    least, most = (math.log(scale) for scale in settings.guidance)
    scales = torch.exp(least + (most - least) * torch.rand(views, generator=generator))
    scales = torch.where(happens(guided) & ~silent, scales, 1.0)
    schedule = schedule_for(size)
    alpha, sigma = (f(t)[:, None, None, None] for f in (schedule.alpha, schedule.sigma))
    return Lesson(
        x_t=(alpha * x0 + sigma * noise).contiguous(memory_format=torch.channels_last),
        log_snr=schedule.log_snr(t),
        tokens=table.encode(captions),
        camera=camera_features(batch.azimuth, batch.elevation, known.float()),
        answer=alpha * noise - sigma * x0,
        guidance=scales,
    )


@torch.no_grad()
def _latents(
    autoencoder: Autoencoder, x: Tensor
) -> Float[Tensor, "views channels height width"]:
    device = autoencoder.scale.device
    x = x.to(device).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16):
        return autoencoder.encode(x).float().cpu()
