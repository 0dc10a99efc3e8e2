"""Small worlds with a known answer, for the tests of distillation."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from splatsmith.cameras import Cameras, orbit
from splatsmith.priors import AnalyticPrior, Kind, NoiseSchedule, cosine, nearest_azimuth
from splatsmith.prompts import Prompt

ODDS = {"first": (1.0, 0.0), "mostly second": (0.2, 0.8)}


def targets(gen: torch.Generator, views: int = 2, count: int = 2, size: int = 4) -> Tensor:
    """Random pictures in -1..1, [views targets 3 height width], float64."""
    shape = (views, count, 3, size, size)
    return torch.rand(shape, generator=gen, dtype=torch.float64) * 2 - 1


def prior_of(
    pictures: Tensor,
    *,
    schedule: NoiseSchedule | None = None,
    kind: Kind = "x0",
    odds: Mapping[str, Sequence[float]] | None = None,
) -> AnalyticPrior:
    """The optimal denoiser of these pictures, one set for each azimuth of a full turn."""
    azimuth = torch.arange(len(pictures), dtype=torch.float64) * 360 / len(pictures)
    return AnalyticPrior(
        targets=nearest_azimuth(pictures, azimuth),
        resolution=pictures.shape[-1],
        odds=odds,
        schedule=cosine() if schedule is None else schedule,
        answers_in=kind,
    )


def cameras_of(pictures: Tensor) -> Cameras:
    """One camera for each set of pictures."""
    azimuth = torch.arange(len(pictures), dtype=torch.float64) * 360 / len(pictures)
    return orbit(azimuth, 0.0, width=pictures.shape[-1], height=pictures.shape[-1])


def told(
    prior: AnalyticPrior, pictures: Tensor, text: str = "anything", negative: str = ""
) -> object:
    """The prior's condition for one camera a set."""
    return prior.condition(Prompt(text=text, negative=negative), cameras_of(pictures))


class CountingPrior:
    """Another prior that also counts how often it is asked, and about how many pictures."""

    def __init__(self, prior: AnalyticPrior) -> None:
        self.prior = prior
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.prior, name)

    def predict(self, x_t: Tensor, t: Tensor, condition: object) -> object:
        self.batches.append(len(x_t))
        return self.prior.predict(x_t, t, condition)
