"""Training batches that stream out of the toybox: captioned pictures, nothing stored.

Batch number k of a seed is always the same batch: every draw comes from a generator seeded by
(seed, k), so a resumed training needs to remember only k.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras.convention import orbit
from splatsmith.errors import InputError
from splatsmith.toybox.captions import caption_of
from splatsmith.toybox.drawing import camera_light, render_tape
from splatsmith.toybox.objects import DRAWS, Toy, object_from
from splatsmith.toybox.relations import pair_from
from splatsmith.toybox.split import Split
from splatsmith.toybox.tape import joined
from splatsmith.toybox.words import Color


@dataclass(frozen=True)
class Batch:
    """Captioned pictures; angles in degrees, azimuth in -180..180."""

    color: Float[Tensor, "views height width 3"]  # 0..1, background blended in
    alpha: Float[Tensor, "views height width 1"]
    captions: tuple[str, ...]
    azimuth: Float[Tensor, "views"]
    elevation: Float[Tensor, "views"]
    toys: tuple[Toy, ...]


@dataclass(kw_only=True)
class BatchSampler:
    """An endless stream of batches; `counter` is its whole state."""

    size: int  # pixels a side
    batch: int  # pictures
    seed: int
    split: Split = "train"
    background: Color = (1.0, 1.0, 1.0)
    radius: float = 3.2
    radius_jitter: float = 0.04  # share of the radius, either way
    fovy: float = 40.0
    light_jitter: float = 0.25  # in camera axes, against a light vector of length 1.3
    samples: int = 2  # a side of each pixel
    threads: int = 1
    pairs: float = 0.22  # share of scenes with two objects
    front_share: float | None = (
        None  # of pictures within 45 degrees of the front; None: uniform
    )
    counter: int = 0

    def __post_init__(self) -> None:
        if self.size < 1 or self.batch < 1:
            raise InputError(
                f"size and batch must be positive, got {self.size} and {self.batch}."
            )
        if self.split not in ("train", "dev", "held"):
            raise InputError(f"split must be train, dev or held, got {self.split!r}.")

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        self.counter += 1
        return self.batch_at(self.counter - 1)

    def batch_at(self, index: int) -> Batch:
        """Batch number `index`, whatever was drawn before."""
        words = np.random.SeedSequence([self.seed, index]).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(words[0]) >> 1)
        draws = torch.rand(self.batch, 2 * DRAWS + 8, generator=generator)
        rows = draws[:, : 2 * DRAWS].tolist()
        toys = tuple(self._toy(row[:DRAWS], row[DRAWS:]) for row in rows)
        captions = tuple(
            caption_of(toy, row[24:29]) for toy, row in zip(toys, rows, strict=True)
        )
        return self._picture(toys, captions, draws[:, 2 * DRAWS :])

    def _toy(self, row: Sequence[float], other: Sequence[float]) -> Toy:
        """One object, or two; the last of the other's numbers decides which."""
        if other[-1] < self.pairs:
            return pair_from(row, other, self.split)
        return object_from(row, self.split)

    def _picture(
        self,
        toys: tuple[Toy, ...],
        captions: tuple[str, ...],
        draws: Float[Tensor, "views 8"],
    ) -> Batch:
        azimuth = azimuths(draws[:, 0], self.front_share)
        elevation = elevations(draws[:, 1], draws[:, 2])
        radius = self.radius * (1 + self.radius_jitter * (2 * draws[:, 3] - 1))
        cameras = orbit(
            azimuth,
            elevation,
            radius=radius,
            fovy=self.fovy,
            width=self.size,
            height=self.size,
        )
        light = camera_light(cameras, (2 * draws[:, 4:7] - 1) * self.light_jitter)
        ground = torch.tensor(self.background).expand(self.batch, 3)
        tape, starts = joined([toy.tape for toy in toys])
        which = np.arange(self.batch, dtype=np.int32)
        drawn = render_tape(
            tape, starts, which, cameras, light, ground, self.samples, self.threads
        )
        return Batch(drawn.color, drawn.alpha, captions, azimuth, elevation, toys)


def azimuths(
    place: Float[Tensor, "views"], front_share: float | None = None
) -> Float[Tensor, "views"]:
    """Degrees in -180..180: all alike, or a share within 45 of the front, the rest beyond."""
    if front_share is None:
        return place * 360 - 180
    front = 90 * (place / front_share) - 45
    rest = 45 + 270 * (place - front_share) / (1 - front_share)
    return torch.where(place < front_share, front, torch.remainder(rest + 180, 360) - 180)


def elevations(
    kind: Float[Tensor, "views"], place: Float[Tensor, "views"]
) -> Float[Tensor, "views"]:
    """Degrees: mostly -10 to 40, some -15 to 60, a few from above up to 85."""
    middle, wide, above = -10 + 50 * place, -15 + 75 * place, 55 + 30 * place
    return torch.where(kind < 0.65, middle, torch.where(kind < 0.92, wide, above))
