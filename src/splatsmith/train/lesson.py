"""What a prior is taught in one step: noised toybox pictures, words, cameras, answers.

A lesson depends on (seed, step) alone, so a resumed training sees what it would have seen.
"""

import math
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.optimize.streams import stream
from splatsmith.priors.autoencoder import Autoencoder
from splatsmith.priors.denoiser import camera_features
from splatsmith.priors.embedded import schedule_for
from splatsmith.priors.precision import fast_precision
from splatsmith.priors.text import WordTable
from splatsmith.prompts.views import ViewWords
from splatsmith.toybox.sampler import BatchSampler
from splatsmith.toybox.split import Split
from splatsmith.train.settings import PriorTraining


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
    with fast_precision(device):
        return autoencoder.encode(x).float().cpu()
