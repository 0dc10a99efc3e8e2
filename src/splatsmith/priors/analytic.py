"""A prior without a network: the best possible denoiser for a handful of target pictures.

If the world consisted of K pictures with known odds, the mean of the clean picture given a
noisy one has a closed form: a softmax over the distances (Karras et al. 2022, EDM, appendix
B.3). With it every law of distillation can be tested exactly, and followed by hand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras.convention import Cameras
from splatsmith.errors import InputError
from splatsmith.priors.pixels import decode_pixels, encode_pixels
from splatsmith.priors.prediction import Kind, Prediction
from splatsmith.priors.schedule import NoiseSchedule, cosine
from splatsmith.prompts.prompt import Prompt

# Cameras -> target pictures in -1..1, [views targets channels height width].
TargetsOf = Callable[[Cameras], Tensor]

COSINE = cosine()


@dataclass(frozen=True)
class AnalyticCondition:
    """The targets of each view and the logarithms of their odds; -inf rules a target out."""

    targets: Float[Tensor, "views targets channels height width"]
    log_odds: Float[Tensor, "views targets"]
    negative_log_odds: Float[Tensor, "views targets"]

    def __len__(self) -> int:
        return len(self.targets)

    def negative(self) -> "AnalyticCondition":
        """The same targets with the odds that hold without the prompt."""
        return AnalyticCondition(self.targets, self.negative_log_odds, self.negative_log_odds)

    def nothing(self) -> "AnalyticCondition":
        """The same targets, all as likely."""
        level = torch.zeros_like(self.log_odds)
        return AnalyticCondition(self.targets, level, level)

    def joined(self, other: "AnalyticCondition") -> "AnalyticCondition":
        """The rows of both, these first."""
        return AnalyticCondition(
            torch.cat([self.targets, other.targets]),
            torch.cat([self.log_odds, other.log_odds]),
            torch.cat([self.negative_log_odds, other.negative_log_odds]),
        )


@dataclass(frozen=True, kw_only=True)
class AnalyticPrior:
    """The closed-form denoiser of the pictures that `targets` gives for each view.

    `odds` says how likely each target is under a caption, such as
    {"a red ball": (1, 0), "a blue ball": (0, 1)}. Without a caption all targets are equally
    likely; without `odds` they are so under every caption. Implements `Prior`.
    """

    targets: TargetsOf
    resolution: int
    odds: Mapping[str, Sequence[float]] | None = None
    schedule: NoiseSchedule = COSINE
    answers_in: Kind = "x0"  # the kind of prediction it makes, to exercise the conversions
    space: Literal["pixel", "latent"] = "pixel"
    channels: int = 3
    views: int = 1
    default_guidance: float = 1.0
    knows_cameras: bool = True

    def condition(self, prompt: Prompt, cameras: Cameras) -> AnalyticCondition:
        """The targets of these cameras, with their odds under the prompt and its negative."""
        targets = self.targets(cameras)
        views, count = targets.shape[:2]
        rows = [
            self._log_odds(text, count).to(targets) for text in (prompt.text, prompt.negative)
        ]
        return AnalyticCondition(targets, rows[0].repeat(views, 1), rows[1].repeat(views, 1))

    def encode(
        self, color: Float[Tensor, "views height width 3"]
    ) -> Float[Tensor, "views 3 rows columns"]:
        """Pictures in 0..1 to -1..1 at the prior's resolution; differentiable."""
        return encode_pixels(color, self.resolution)

    def decode(
        self, x: Float[Tensor, "views 3 rows columns"]
    ) -> Float[Tensor, "views rows columns 3"]:
        """-1..1 to pictures in 0..1."""
        return decode_pixels(x)

    @torch.no_grad()
    def predict(
        self,
        x_t: Float[Tensor, "views channels rows columns"],
        t: Float[Tensor, "views"],
        condition: AnalyticCondition,
    ) -> Prediction:
        """The posterior mean of the targets y_k, which have the odds w_k.

        x0 = sum over k of softmax_k(-|x_t - alpha y_k|^2 / (2 sigma^2) + log w_k) y_k.
        """
        alpha, sigma = self.schedule.alpha(t).to(x_t), self.schedule.sigma(t).to(x_t)
        targets, log_odds = condition.targets.to(x_t), condition.log_odds.to(x_t)
        away = x_t[:, None] - alpha[:, None, None, None, None] * targets
        distance = away.square().sum(dim=(2, 3, 4)) / (2 * sigma[:, None] ** 2)
        share = torch.softmax(log_odds - distance, dim=1)
        mean = torch.einsum("vk,vkchw->vchw", share, targets)
        answer = Prediction.of("x0", mean, x_t, t, self.schedule)
        return answer.converted(self.answers_in)

    def _log_odds(self, text: str, count: int) -> Float[Tensor, "targets"]:
        if not text or self.odds is None:
            return torch.zeros(count, dtype=torch.float64)
        if text not in self.odds:
            raise InputError(
                f'The analytic prior does not know "{text}"; it knows {", ".join(self.odds)}.'
            )
        odds = self.odds[text]
        if len(odds) != count or min(odds) < 0 or max(odds) <= 0:
            raise InputError(
                f'The odds of "{text}" must be {count} numbers of 0 or more, not all 0, '
                f"got {list(odds)}."
            )
        return torch.tensor(odds, dtype=torch.float64).log()


def nearest_azimuth(
    pictures: Float[Tensor, "angles targets channels height width"],
    azimuth: Float[Tensor, "angles"],
) -> TargetsOf:
    """Targets for any camera: those of the listed azimuth (degrees) that is nearest to it."""
    if len(pictures) != len(azimuth):
        raise InputError(
            f"There must be one azimuth for each set of target pictures, "
            f"got {len(azimuth)} azimuths and {len(pictures)} sets."
        )

    def targets_of(cameras: Cameras) -> Tensor:
        away = torch.deg2rad(cameras.azimuth[:, None].to(azimuth) - azimuth[None])
        return pictures[torch.cos(away).argmax(dim=1)]

    return targets_of
