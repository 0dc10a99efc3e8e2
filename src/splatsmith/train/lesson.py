"""What a prior is taught in one step: noised toybox pictures, words, cameras, answers.

A lesson depends on (seed, step) alone, so a resumed training sees what it would have seen.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splatsmith.optimize.streams import stream
from splatsmith.priors.across import REFERENCE, relation_features
from splatsmith.priors.autoencoder import Autoencoder
from splatsmith.priors.denoiser import Denoiser, camera_features
from splatsmith.priors.embedded import schedule_for
from splatsmith.priors.precision import fast_precision
from splatsmith.priors.text import WordTable
from splatsmith.prompts.views import ViewWords
from splatsmith.toybox.sampler import Batch, BatchSampler
from splatsmith.toybox.split import Split
from splatsmith.train.settings import PriorTraining


@dataclass(frozen=True)
class Lesson:
    """One batch as the network is asked about it; `answer` is v.

    Views that are denoised together follow each other, and are told alike.
    """

    x_t: Float[Tensor, "views channels height width"]
    log_snr: Float[Tensor, "views"]
    tokens: Int[Tensor, "views words"]
    camera: Float[Tensor, "views 7"]
    answer: Float[Tensor, "views channels height width"]
    guidance: Float[Tensor, "views"]  # 1 is none
    picture: Float[Tensor, "views 4 64 64"] | None = None  # of the same object
    relation: Float[Tensor, "views 5"] | None = None  # to that picture
    taken: Float[Tensor, "views 6"] | None = None  # what the picture's camera would say
    caption: Int[Tensor, "views words"] | None = None  # its whole caption, told or not

    def to(self, device: str) -> "Lesson":
        """The same lesson on another device."""
        return self._mapped(lambda part: part.to(device))

    def of(self, rows: Int[Tensor, "rows"] | Bool[Tensor, "views"]) -> "Lesson":
        """Some of its views, by their numbers or by a mask."""
        return self._mapped(lambda part: part[rows])

    def untold(self) -> "Lesson":
        """The same pictures without a word, a camera or a reference."""
        relation = None if self.relation is None else torch.zeros_like(self.relation)
        return replace(
            self,
            tokens=torch.zeros_like(self.tokens),
            camera=torch.zeros_like(self.camera),
            relation=relation,
        )

    def answered(
        self, net: Denoiser, guidance: Float[Tensor, "views"] | None = None
    ) -> Float[Tensor, "views channels height width"]:
        """What a network answers, in float32; `guidance` as `Denoiser.forward` takes it."""
        x_t = self.x_t.contiguous(memory_format=torch.channels_last)
        with fast_precision(x_t.device):
            reading = None
            if net.looking is not None and self.picture is not None:
                assert self.relation is not None
                reading = net.looking.look(self.picture, self.relation)
            asked = (x_t, self.log_snr, self.tokens, self.camera, guidance, None, reading)
            return net(*asked).float()

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> "Lesson":
        given: dict[str, Any] = {
            field.name: getattr(self, field.name) for field in fields(self)
        }
        changed: dict[str, Any] = {
            name: None if part is None else change(part) for name, part in given.items()
        }
        return Lesson(**changed)


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
    batch = sampler_for(settings, size, split, autoencoder).batch_at(step)
    generator = stream(settings.seed, f"lesson {size}", step)
    together = settings.shape.views

    def each(draw: Tensor) -> Tensor:
        """One draw for an object is that of all its views."""
        return draw if together == 1 else draw.repeat_interleave(together)

    def uniform() -> Tensor:
        return each(torch.rand(settings.objects, generator=generator))

    def happens(share: float) -> Tensor:
        return uniform() < share

    nothing = happens(settings.nothing)
    worded, silent = happens(settings.view_words), happens(settings.no_caption) | nothing
    known = ~(happens(settings.no_camera) | nothing)
    suffixes = ViewWords().suffixes(batch.azimuth, batch.elevation)
    captions = [
        "" if silent[i] else batch.captions[i] + (suffixes[i] if worded[i] else "")
        for i in range(settings.batch)
    ]
    place, low = uniform(), happens(settings.low_noise)
    middle = settings.middle_noise
    t = torch.where(low, place * middle, middle + (1 - middle) * place**settings.noise_power)
    x0 = batch.color.permute(0, 3, 1, 2) * 2 - 1
    if autoencoder is not None:
        x0 = _latents(autoencoder, x0)
    noise = torch.randn(x0.shape, generator=generator)
    least, most = (math.log(scale) for scale in settings.guidance)
    scales = torch.exp(least + (most - least) * uniform())
    shown = ~(happens(settings.no_reference) | nothing) if batch.reference else silent & False
    scales = torch.where(happens(guided) & (~silent | shown), scales, 1.0)
    schedule = schedule_for(size)
    alpha, sigma = (f(t)[:, None, None, None] for f in (schedule.alpha, schedule.sigma))
    return Lesson(
        x_t=(alpha * x0 + sigma * noise).contiguous(memory_format=torch.channels_last),
        log_snr=schedule.log_snr(t),
        tokens=table.encode(captions),
        camera=camera_features(batch.azimuth, batch.elevation, known.float()),
        answer=alpha * noise - sigma * x0,
        guidance=scales,
        picture=_shown(batch, together),
        relation=_relation(batch, together, shown),
        taken=_taken(batch, together),
        caption=table.encode(batch.captions) if batch.reference else None,
    )


def sampler_for(
    settings: PriorTraining, size: int, split: Split, autoencoder: Autoencoder | None = None
) -> BatchSampler:
    """Where the pictures of a training come from."""
    plain = BatchSampler(
        size=autoencoder.shape.resolution if autoencoder else size,
        batch=settings.batch,
        seed=settings.seed,
        split=split,
        front_share=settings.front_share,
        pairs=settings.pairs,
        views=settings.shape.views,
    )
    if not settings.shape.reference:
        return plain
    zoom, shift = settings.reference_zoom, settings.reference_shift
    return replace(plain, reference=REFERENCE, radius_jitter=zoom, shift=shift)


def _shown(batch: Batch, together: int) -> Float[Tensor, "views 4 64 64"] | None:
    """The reference of each picture, as the network is shown it."""
    if batch.reference is None:
        return None
    rgba = torch.cat([batch.reference.color, batch.reference.alpha], dim=-1)
    return (rgba.permute(0, 3, 1, 2) * 2 - 1).repeat_interleave(together, dim=0)


def _taken(batch: Batch, together: int) -> Float[Tensor, "views 6"] | None:
    """Where each reference was taken from."""
    if batch.reference is None:
        return None
    azimuth, elevation = batch.reference.azimuth, batch.reference.elevation
    features = camera_features(azimuth, elevation, torch.ones_like(azimuth))[:, :6]
    return features.repeat_interleave(together, dim=0)


def _relation(
    batch: Batch, together: int, shown: Bool[Tensor, "views"]
) -> Float[Tensor, "views 5"] | None:
    seen = batch.reference
    if seen is None:
        return None
    elevation, azimuth, radius = (
        own - other.repeat_interleave(together)
        for own, other in (
            (batch.elevation, seen.elevation),
            (batch.azimuth, seen.azimuth),
            (batch.radius, seen.radius),
        )
    )
    return relation_features(elevation, azimuth, radius, shown.float())


@torch.no_grad()
def _latents(
    autoencoder: Autoencoder, x: Tensor
) -> Float[Tensor, "views channels height width"]:
    device = autoencoder.scale.device
    x = x.to(device).contiguous(memory_format=torch.channels_last)
    with fast_precision(device):
        return autoencoder.encode(x).float().cpu()
