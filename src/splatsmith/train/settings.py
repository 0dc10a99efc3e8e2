"""The numbers of a prior's training, and those of every kind of prior."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from splatsmith.priors.denoiser import DenoiserShape
from splatsmith.priors.embedded import Nature

SMALL = DenoiserShape(resolution=32, guided=True)


# What the first priors were made with.
FEWER_PAIRS = 0.22
LATENT = DenoiserShape(resolution=32, channels=4, guided=True)
Kind = Literal[
    "pixel", "photo", "latent", "multiview", "photo-multiview", "zero123", "imagedream"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorTraining:
    """The numbers of one training."""

    kind: Kind = "pixel"
    minutes: float = 100.0  # of training proper; checkpoints and sheets are not counted
    seed: int = 0
    batch: int = 32  # pictures a step; at 16, Muon would cost as much as the network
    small_share: float = 0.5  # of the time, at 32 x 32
    reading_share: float = 0.0  # of the time, first of all, in which pictures are only read
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
    pairs: float = 0.4  # share of the scenes with two things: they take longest to learn
    no_reference: float = 0.1  # share of the others shown no picture, where there is one
    reference_zoom: float = 0.15  # share of the distance, either way, where there is one
    reference_shift: float = 0.05  # world units, what a centered photo may be off the origin
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

    @property
    def objects(self) -> int:
        """Objects a lesson; each is seen in as many pictures as are denoised together."""
        return self.batch // self.shape.views

    def rate_at(self, progress: float, steps_since_growth: int) -> float:
        """Learning rate after a share `progress` (0 to 1) of the time."""
        warm = min(1.0, (steps_since_growth + 1) / self.warm_up)
        fallen = min(1.0, max(0.0, (progress - self.fall_from) / (1 - self.fall_from)))
        share = 0.5 * (1 + math.cos(math.pi * fallen))
        return warm * (self.final_rate + (self.rate - self.final_rate) * share)


PHOTO = PriorTraining(
    kind="photo",
    minutes=60.0,
    pairs=FEWER_PAIRS,
    small_share=0.0,
    no_camera=1.0,
    view_words=0.08,
    front_share=0.7,
)
MULTIVIEW = PriorTraining(
    kind="multiview",
    minutes=85.0,
    pairs=FEWER_PAIRS,
    small_share=0.0,
    shape=replace(SMALL, views=4),
)
# What turns a photo prior into one for four views: their order around, and nothing absolute.
PHOTO_MULTIVIEW = replace(
    MULTIVIEW, kind="photo-multiview", no_camera=1.0, view_words=0.0, no_caption=0.1
)
ZERO123 = PriorTraining(
    kind="zero123",
    minutes=75.0,
    pairs=FEWER_PAIRS,
    small_share=0.0,
    reading_share=0.2,
    no_camera=1.0,  # absolute ones: a photo's azimuth is unknown
    view_words=0.0,
    no_caption=0.5,
    shape=replace(SMALL, reference=True),
)
IMAGEDREAM = replace(
    ZERO123, kind="imagedream", shape=replace(SMALL, views=4, reference=True), no_caption=0.3
)
LATENT_TRAINING = PriorTraining(kind="latent", minutes=110.0, pairs=FEWER_PAIRS, shape=LATENT)
TRAININGS = {
    "prior": PriorTraining(),
    "photo": PHOTO,
    "latent": LATENT_TRAINING,
    "multiview": MULTIVIEW,
    "photo-multiview": PHOTO_MULTIVIEW,
    "zero123": ZERO123,
    "imagedream": IMAGEDREAM,
}
