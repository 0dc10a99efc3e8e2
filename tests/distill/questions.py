"""Questions with a known answer, for the tests of scores."""

import torch
import worlds
from torch import Tensor

from splatsmith.distill import SCORES, Question, answered
from splatsmith.priors import cosine, linear, rectified_flow, scaled_linear

SCHEDULES = {
    "cosine": cosine(),
    "stable-diffusion": scaled_linear(),
    "ddpm": linear(),
    "flow": rectified_flow(),
}


def question(gen, schedule=None, kind="x0", views=3, negative="", **changes) -> Question:
    """Random pictures between two targets, of which the prompt means mostly the second."""
    pictures = worlds.targets(gen, views=views)
    prior = worlds.prior_of(pictures, schedule=schedule, kind=kind, odds=worlds.ODDS)
    x = torch.randn(views, 3, 4, 4, generator=gen, dtype=torch.float64)
    asked = Question(
        prior=prior,
        condition=worlds.told(prior, pictures, "mostly second", negative),
        x=x,
        t=torch.linspace(0.3, 0.97, views, dtype=torch.float64),
        noise=torch.randn(x.shape, generator=gen, dtype=torch.float64),
        progress=0.5,
        generator=torch.Generator().manual_seed(3),
    )
    return changed(asked, **changes)


def changed(asked: Question, **changes) -> Question:
    """The question with other parts."""
    parts = {name: getattr(asked, name) for name in Question.__dataclass_fields__}
    return Question(**parts | changes)


def answer(settings, asked: Question):
    """What the score of these settings makes of the question."""
    return answered(settings, asked, SCORES[settings.kind])


def noise_of(asked: Question, condition=None, x_t=None, t=None) -> Tensor:
    """The noise that the prior sees in a noisy picture, by default in the question's own."""
    x_t = asked.x_t if x_t is None else x_t
    t = asked.t if t is None else t
    condition = asked.condition if condition is None else condition
    return asked.prior.predict(x_t, t, condition).eps
