"""Pictures straight from a prior: what noise they begin with, and how guidance is asked."""

from dataclasses import dataclass, field

import torch

from splatsmith.cameras import orbit
from splatsmith.distill.sampling import sample_pictures
from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.prompts import Prompt

TARGETS = torch.stack([torch.full((3, 4, 4), 0.6), torch.full((3, 4, 4), -0.8)])


@dataclass(frozen=True, kw_only=True)
class OnePass(AnalyticPrior):
    """Says guided what it says unguided, and remembers that it was asked."""

    scales: list = field(default_factory=list)

    def guides(self, condition, scale):
        return True

    def predict_guided(self, x_t, t, condition, scale):
        self.scales.append(scale)
        return self.predict(x_t, t, condition)


def prior_of(kind=AnalyticPrior):
    return kind(
        targets=lambda cameras: TARGETS.expand(len(cameras), -1, -1, -1, -1), resolution=4
    )


def sampled(prior, **told):
    cameras = orbit([0.0, 90.0, 180.0], 0.0, width=4, height=4)
    condition = prior.condition(Prompt(text="x"), cameras)
    draws = torch.Generator().manual_seed(0)
    return sample_pictures(prior, condition, draws, steps=6, guidance=1.0, **told)


def test_the_noise_decides_which_target_comes_out():
    """From a noise near one of two targets, DDIM ends at that target."""
    for sign, target in ((1, 0.8), (-1, 0.1)):
        noise = torch.full((3, 3, 4, 4), 2.0 * sign)
        found = sampled(prior_of(), noise=noise)
        torch.testing.assert_close(found, torch.full_like(found, target), atol=1e-3, rtol=0)


def test_without_a_noise_it_is_drawn():
    draws = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 3, 4, 4, generator=draws)
    assert torch.equal(sampled(prior_of()), sampled(prior_of(), noise=noise))


def test_a_prior_that_knows_guidance_is_asked_for_it():
    prior = prior_of(OnePass)
    cameras = orbit([0.0], 0.0, width=4, height=4)
    told = (prior, prior.condition(Prompt(text="x"), cameras))
    sample_pictures(*told, torch.Generator(), steps=3, guidance=4.0)
    assert prior.scales == []
    sample_pictures(*told, torch.Generator(), steps=3, guidance=4.0, one_pass=True)
    assert prior.scales == [4.0] * 3
