import math

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.priors import AnalyticPrior, Condition, Prior, cosine, nearest_azimuth
from splatsmith.prompts import Prompt


def pictures(gen, views=4, targets=2, size=4):
    """Targets in -1..1 for azimuths 0, 90, 180, ..."""
    shape = (views, targets, 3, size, size)
    return torch.rand(shape, generator=gen, dtype=torch.float64) * 2 - 1


def prior_of(targets, **more):
    azimuth = torch.arange(len(targets), dtype=torch.float64) * 360 / len(targets)
    find = nearest_azimuth(targets, azimuth)
    return AnalyticPrior(targets=find, resolution=targets.shape[-1], **more)


def cameras(*azimuth):
    return orbit(torch.tensor(azimuth, dtype=torch.float64), 0.0, width=8, height=8)


def test_it_is_a_prior(gen):
    prior = prior_of(pictures(gen))
    assert isinstance(prior, Prior)
    condition = prior.condition(Prompt(text="anything"), cameras(0.0, 90.0))
    assert isinstance(condition, Condition)
    assert len(condition) == 2
    assert len(condition.joined(condition.negative())) == 4


def test_posterior_mean_as_written_out_by_hand(gen):
    targets = pictures(gen, views=1, targets=3, size=2)
    odds = {"one": (0.2, 0.5, 0.3)}
    prior = prior_of(targets, odds=odds)
    condition = prior.condition(Prompt(text="one"), cameras(0.0))
    t = torch.tensor([0.6], dtype=torch.float64)
    alpha, sigma = float(cosine().alpha(t)), float(cosine().sigma(t))
    x_t = torch.randn(1, 3, 2, 2, dtype=torch.float64, generator=gen)
    shares = []
    for target, odd in zip(targets[0], odds["one"], strict=True):
        squared = sum(
            (a - alpha * b) ** 2
            for a, b in zip(x_t.flatten().tolist(), target.flatten().tolist(), strict=True)
        )
        shares.append(odd * math.exp(-squared / (2 * sigma**2)))
    mean = sum(s / sum(shares) * y for s, y in zip(shares, targets[0], strict=True))
    torch.testing.assert_close(prior.predict(x_t, t, condition).x0[0], mean)


def test_no_other_denoiser_errs_less(gen):
    """The posterior mean has the least mean squared error; moving it either way is worse."""
    targets = pictures(gen, views=1, size=2)
    prior = prior_of(targets)
    draws = 4000
    condition = prior.condition(Prompt(text="x"), cameras(*[0.0] * draws))
    which = torch.randint(0, 2, (draws,), generator=gen)
    x0 = targets[0][which]
    t = torch.full((draws,), 0.75, dtype=torch.float64)
    noise = torch.randn(x0.shape, generator=gen, dtype=torch.float64)
    x_t = cosine().alpha(t[:1]) * x0 + cosine().sigma(t[:1]) * noise
    answer = prior.predict(x_t, t, condition).x0
    least = (answer - x0).square().mean()
    middle = targets[0].mean(0)
    for step in (-0.2, 0.2):
        other = answer + step * (answer - middle)
        assert (other - x0).square().mean() > least


@pytest.mark.parametrize("kind", ["eps", "x0", "v", "flow"])
def test_one_target_is_always_the_answer(gen, kind):
    targets = pictures(gen, targets=1)
    prior = prior_of(targets, answers_in=kind)
    condition = prior.condition(Prompt(text="x"), cameras(0.0, 90.0, 180.0, 270.0))
    x_t = torch.randn(4, 3, 4, 4, dtype=torch.float64, generator=gen)
    t = torch.tensor([0.01, 0.3, 0.9, 0.999], dtype=torch.float64)
    answer = prior.predict(x_t, t, condition)
    assert answer.kind == kind
    torch.testing.assert_close(answer.x0, targets[:, 0], rtol=0, atol=1e-9)


def test_little_noise_gives_the_nearest_target_and_much_noise_the_mean(gen):
    targets = pictures(gen, views=1)
    prior = prior_of(targets)
    condition = prior.condition(Prompt(text="x"), cameras(0.0))
    near = targets[:, 1] + 0.01
    clean = prior.predict(near, torch.tensor([0.01], dtype=torch.float64), condition).x0
    torch.testing.assert_close(clean, targets[:, 1])
    noise = torch.zeros_like(near)
    vague = prior.predict(noise, torch.tensor([1.0], dtype=torch.float64), condition).x0
    torch.testing.assert_close(vague, targets.mean(1), rtol=0, atol=1e-4)


def test_a_caption_chooses_and_its_absence_does_not(gen):
    targets = pictures(gen, views=1)
    prior = prior_of(targets, odds={"first": (1, 0), "second": (0, 1)})
    condition = prior.condition(Prompt(text="first"), cameras(0.0))
    t = torch.tensor([0.99], dtype=torch.float64)
    x_t = torch.zeros(1, 3, 4, 4, dtype=torch.float64)
    told = prior.predict(x_t, t, condition).x0
    torch.testing.assert_close(told, targets[:, 0])
    untold = prior.predict(x_t, t, condition.negative()).x0
    torch.testing.assert_close(untold, targets.mean(1), rtol=0, atol=0.05)
    against = prior.condition(Prompt(text="first", negative="second"), cameras(0.0))
    torch.testing.assert_close(prior.predict(x_t, t, against.negative()).x0, targets[:, 1])


def test_targets_follow_the_nearest_azimuth_the_short_way_round(gen):
    targets = pictures(gen)
    chosen = nearest_azimuth(targets, torch.tensor([0.0, 90.0, 180.0, 270.0]))
    found = chosen(cameras(10.0, 100.0, -170.0, -80.0, 350.0))
    for view, row in enumerate([0, 1, 2, 3, 0]):
        torch.testing.assert_close(found[view], targets[row], rtol=0, atol=0)


@pytest.mark.parametrize("size", [4, 8])
def test_encode_lets_the_gradient_through_to_every_pixel(gen, size):
    prior = prior_of(pictures(gen))
    color = torch.rand(2, size, size, 3, generator=gen, requires_grad=True)
    x = prior.encode(color)
    assert x.shape == (2, 3, 4, 4)
    x.square().sum().backward()
    assert (color.grad != 0).all()


def test_decode_undoes_encode(gen):
    prior = prior_of(pictures(gen))
    color = torch.rand(2, 4, 4, 3, generator=gen)
    torch.testing.assert_close(prior.decode(prior.encode(color)), color)
    assert prior.decode(torch.full((1, 3, 4, 4), 9.0)).max() == 1


@pytest.mark.usefixtures("unchecked")
def test_mistakes_are_named(gen):
    targets = pictures(gen)
    prior = prior_of(targets, odds={"first": (1, 0), "bad": (0, 0), "short": (1,)})
    with pytest.raises(InputError, match='does not know "third"; it knows first'):
        prior.condition(Prompt(text="third"), cameras(0.0))
    for text in ("bad", "short"):
        with pytest.raises(InputError, match="must be 2 numbers"):
            prior.condition(Prompt(text=text), cameras(0.0))
    with pytest.raises(InputError, match="3 azimuths and 4 sets"):
        nearest_azimuth(targets, torch.zeros(3))
