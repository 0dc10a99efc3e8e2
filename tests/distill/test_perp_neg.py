import pytest
import torch
import worlds

from splatsmith.cameras import orbit
from splatsmith.distill.guidance import guided
from splatsmith.distill.perp_neg import FRONT, SIDE, Repelled, repelled, view_weights
from splatsmith.priors import cosine
from splatsmith.prompts import Prompt

KINDS = ("eps", "x0", "v", "flow")


def question(gen, kind="x0"):
    pictures = worlds.targets(gen, count=3)
    odds = {"a": (0.8, 0.1, 0.1), "b": (0.1, 0.8, 0.1), "c": (0.1, 0.1, 0.8)}
    prior = worlds.prior_of(pictures, odds=odds, kind=kind, schedule=cosine())
    told = [worlds.told(prior, pictures, text) for text in "abc"]
    x_t = torch.randn(2, 3, 4, 4, generator=gen, dtype=torch.float64)
    return prior, x_t, torch.tensor([0.9, 0.97], dtype=torch.float64), told


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_formula_in_every_kind(gen, kind):
    prior, x_t, t, (positive, one, two) = question(gen, kind)
    weights = torch.tensor([-1.0, -0.5]), torch.tensor([-0.2, -2.0])
    told = Repelled(positive, ((one, weights[0]), (two, weights[1])))
    answer = guided(prior, x_t, t, told, 3.0)
    e = [prior.predict(x_t, t, c).eps for c in (positive, positive.negative(), one, two)]
    for view in range(2):
        p = e[0][view] - e[1][view]
        total = p
        for negative, weight in zip(e[2:], weights, strict=True):
            q = negative[view] - e[1][view]
            total = total + weight[view] * (q - (q * p).sum() / (p * p).sum() * p)
        torch.testing.assert_close(answer.eps[view], e[1][view] + 3.0 * total)


def test_without_weights_it_is_plain_guidance(gen):
    prior, x_t, t, (positive, one, _) = question(gen)
    told = Repelled(positive, ((one, torch.zeros(2)),))
    plain = guided(prior, x_t, t, positive, 3.0)
    torch.testing.assert_close(guided(prior, x_t, t, told, 3.0).x0, plain.x0)


def test_weights_at_the_corners_are_those_of_threestudio():
    azimuth = torch.tensor([0.0, 90.0, 180.0, -90.0, 450.0])
    front, side = view_weights(azimuth, torch.zeros(5))
    expected_front = torch.tensor([0.0, -1.574, -1.967, -1.574, -1.574])
    expected_side = torch.tensor([-1.574, 0.0, -0.394, 0.0, 0.0])
    torch.testing.assert_close(front, expected_front, atol=2e-3, rtol=0)
    torch.testing.assert_close(side, expected_side, atol=2e-3, rtol=0)


def test_weights_are_continuous_and_never_pull():
    azimuth = torch.linspace(-180, 180, 7201)
    for weight in view_weights(azimuth, torch.zeros(7201)):
        assert weight.max() <= 0
        assert weight.diff().abs().max() < 5e-3
    high = view_weights(azimuth, torch.full((7201,), 80.0))
    assert not high[0].any()
    assert not high[1].any()


def test_views_are_told_apart_by_their_words(gen):
    words = []

    class Listening:
        def condition(self, prompt, cameras):
            words.append(prompt.for_views(cameras.azimuth, cameras.elevation))
            return worlds.told(prior, pictures)

    pictures = worlds.targets(gen)
    prior = worlds.prior_of(pictures)
    cameras = orbit([0.0, 180.0], 0.0, width=4, height=4)
    told = repelled(Listening(), Prompt(text="a dog"), cameras)
    assert len(told.others) == 2
    assert ["a dog, front view"] * 2 in words
    assert ["a dog, side view"] * 2 in words
    assert ["a dog, front view", "a dog, back view"] in words
    assert FRONT != SIDE
