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

from splatsmith.cameras.convention import Cameras, orbit, wrap_degrees
from splatsmith.cameras.samplers import shifted
from splatsmith.errors import InputError
from splatsmith.toybox.captions import caption_of
from splatsmith.toybox.drawing import ToyPicture, camera_light, render_tape
from splatsmith.toybox.objects import DRAWS, Toy, object_from
from splatsmith.toybox.relations import pair_from
from splatsmith.toybox.split import Split
from splatsmith.toybox.tape import joined
from splatsmith.toybox.words import Color


@dataclass(frozen=True)
class Seen:
    """One more picture of each object, from a place of its own, before white."""

    color: Float[Tensor, "objects rows columns 3"]  # 0..1
    alpha: Float[Tensor, "objects rows columns 1"]
    azimuth: Float[Tensor, "objects"]
    elevation: Float[Tensor, "objects"]
    radius: Float[Tensor, "objects"]


@dataclass(frozen=True)
class Batch:
    """Captioned pictures; angles in degrees, azimuth in -180..180, radius in world units.

    Pictures of one object follow each other.
    """

    color: Float[Tensor, "views height width 3"]  # 0..1, background blended in
    alpha: Float[Tensor, "views height width 1"]
    captions: tuple[str, ...]
    azimuth: Float[Tensor, "views"]
    elevation: Float[Tensor, "views"]
    toys: tuple[Toy, ...]
    radius: Float[Tensor, "views"]
    reference: Seen | None = None


@dataclass(kw_only=True)
class BatchSampler:
    """An endless stream of batches; `counter` is its whole state.

    With `views`, each object is seen that often, by cameras that stand evenly around it at one
    elevation. With `reference`, another picture of each object is drawn, from anywhere; then
    `shift` moves what all its cameras look at, as when a photo is centered by what it shows.
    """

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
    views: int = 1  # pictures of each object
    reference: int = 0  # pixels a side of one more picture; 0: none
    shift: float = 0.0  # standard deviation per axis, world units
    counter: int = 0

    def __post_init__(self) -> None:
        if self.views < 1 or self.batch % self.views:
            raise InputError(
                f"batch must be a multiple of views, got {self.batch} and {self.views}."
            )
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
        objects = self.batch // self.views
        draws = torch.rand(objects, 2 * DRAWS + 8, generator=generator)
        rows = draws[:, : 2 * DRAWS].tolist()
        toys = tuple(self._toy(row[:DRAWS], row[DRAWS:]) for row in rows)
        captions = tuple(
            caption_of(toy, row[24:29]) for toy, row in zip(toys, rows, strict=True)
        )
        return self._pictures(toys, captions, draws[:, 2 * DRAWS :], generator)

    def _toy(self, row: Sequence[float], other: Sequence[float]) -> Toy:
        """One object, or two; the last of the other's numbers decides which."""
        if other[-1] < self.pairs:
            return pair_from(row, other, self.split)
        return object_from(row, self.split)

    def _pictures(
        self,
        toys: tuple[Toy, ...],
        captions: tuple[str, ...],
        draws: Float[Tensor, "objects 8"],
        generator: torch.Generator,
    ) -> Batch:
        azimuth = azimuths(draws[:, 0], self.front_share)
        elevation = elevations(draws[:, 1], draws[:, 2])
        radius = self.radius * (1 + self.radius_jitter * (2 * draws[:, 3] - 1))
        more = torch.rand(len(toys), 8, generator=generator)
        moved = torch.randn(len(toys), 3, generator=generator) * self.shift
        reference = self._reference(toys, more, radius, moved) if self.reference else None
        if self.views > 1:
            around = torch.arange(self.batch) % self.views * (360.0 / self.views)
            azimuth = wrap_degrees(azimuth.repeat_interleave(self.views) + around)
            elevation, radius, draws, moved = (
                each.repeat_interleave(self.views, dim=0)
                for each in (elevation, radius, draws, moved)
            )
        drawn = self._drawn(toys, azimuth, elevation, radius, self.size, draws[:, 4:7], moved)
        return Batch(
            color=drawn.color,
            alpha=drawn.alpha,
            captions=tuple(text for text in captions for _ in range(self.views)),
            azimuth=azimuth,
            elevation=elevation,
            toys=tuple(toy for toy in toys for _ in range(self.views)),
            radius=radius,
            reference=reference,
        )

    def _reference(
        self,
        toys: tuple[Toy, ...],
        draws: Float[Tensor, "objects 8"],
        radius: Float[Tensor, "objects"],
        moved: Float[Tensor, "objects 3"],
    ) -> Seen:
        azimuth, elevation = azimuths(draws[:, 0]), elevations(draws[:, 1], draws[:, 2])
        radius = radius * (1 + 0.04 * (2 * draws[:, 3] - 1))
        drawn = self._drawn(
            toys, azimuth, elevation, radius, self.reference, draws[:, 4:7], moved, 1.0
        )
        return Seen(drawn.color, drawn.alpha, azimuth, elevation, radius)

    def _drawn(
        self,
        toys: tuple[Toy, ...],
        azimuth: Float[Tensor, "pictures"],
        elevation: Float[Tensor, "pictures"],
        radius: Float[Tensor, "pictures"],
        size: int,
        light_place: Float[Tensor, "pictures 3"],
        moved: Float[Tensor, "pictures 3"],
        background: float | None = None,
    ) -> ToyPicture:
        """Each object as often as there are pictures for it."""
        cameras: Cameras = orbit(
            azimuth, elevation, radius=radius, fovy=self.fovy, width=size, height=size
        )
        cameras = shifted(cameras, moved) if self.shift else cameras
        light = camera_light(cameras, (2 * light_place - 1) * self.light_jitter)
        color = self.background if background is None else (background,) * 3
        ground = torch.tensor(color).expand(len(cameras), 3)
        tape, starts = joined([toy.tape for toy in toys])
        times = len(cameras) // len(toys)
        which = np.repeat(np.arange(len(toys), dtype=np.int32), times)
        return render_tape(
            tape, starts, which, cameras, light, ground, self.samples, self.threads
        )


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
