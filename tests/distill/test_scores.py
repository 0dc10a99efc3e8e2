import itertools
from dataclasses import replace

import pytest
import torch
import worlds
from questions import SCHEDULES, answer, changed, question

from splatsmith.distill import (
    SDS,
    WEIGHTS,
    Distilled,
    UniformTimes,
    beta,
    distill,
    distillation_loss,
    guided,
)
from splatsmith.distill.loss import reconstruction_loss
from splatsmith.errors import InputError

KINDS = ("eps", "x0", "v", "flow")


def parts(asked):
    return asked.prior, asked.condition, asked.x, asked.t, asked.noise


def gradient(loss, x):
    return torch.autograd.grad(loss, x)[0]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("weight", "kind"), list(itertools.product(WEIGHTS, KINDS)))
@pytest.mark.parametrize("guidance", [0.0, 1.0, 7.5, 100.0])
@pytest.mark.parametrize("rescale", [0.0, 0.5])
def test_sds_and_reconstruction_pull_alike(gen, name, weight, kind, guidance, rescale):
    """StableDreamer, Proposition 1, for any kind of prediction, weight and guidance."""
    asked = question(gen, SCHEDULES[name], kind)
    prior, _, x, t, _ = parts(asked)
    settings = SDS(guidance=guidance, weight=weight, rescale=rescale)
    distilled = answer(settings, asked)
    x = x.requires_grad_()
    by_score = gradient(distillation_loss(x, distilled), x)
    scale = beta(weight, prior.schedule, t)
    by_picture = gradient(reconstruction_loss(x, distilled.pseudo_ground_truth, scale), x)
    torch.testing.assert_close(by_score, by_picture, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_gradient_is_dreamfusions_and_the_target_the_guided_picture(gen, name):
    asked = question(gen, SCHEDULES[name])
    prior, condition, x, t, noise = parts(asked)
    distilled = answer(SDS(guidance=5.0, weight="sigma2"), asked)
    alpha, sigma = (
        f(t)[:, None, None, None] for f in (prior.schedule.alpha, prior.schedule.sigma)
    )
    said = guided(prior, alpha * x + sigma * noise, t, condition, 5.0)
    torch.testing.assert_close(distilled.gradient, sigma**2 * (said.eps - noise))
    torch.testing.assert_close(distilled.pseudo_ground_truth, said.x0)
    torch.testing.assert_close(distilled.weight, sigma.flatten() ** 2)
    assert torch.equal(distilled.t, t)


def test_a_clamped_target_is_a_picture_and_pulls_by_beta(gen):
    asked = question(gen)
    plain = SDS(guidance=50.0, weight="sigma2")
    wild = answer(plain, asked).pseudo_ground_truth
    assert wild.abs().max() > 1.5  # guidance overshoots, else nothing is tested
    distilled = answer(replace(plain, clamp=True), asked)
    torch.testing.assert_close(distilled.pseudo_ground_truth, wild.clamp(-1, 1))
    pull = beta("sigma2", asked.prior.schedule, asked.t)[:, None, None, None]
    expected = pull * (asked.x - wild.clamp(-1, 1))
    torch.testing.assert_close(distilled.gradient, expected)


def test_clamp_changes_nothing_within_the_range(gen):
    pictures = worlds.targets(gen, views=3, count=1)
    prior = worlds.prior_of(pictures)
    asked = question(gen, prior=prior, condition=worlds.told(prior, pictures))
    loose, tight = answer(SDS(), asked), answer(SDS(clamp=True), asked)
    torch.testing.assert_close(loose.gradient, tight.gradient)


def test_clamp_is_refused_in_latent_space(gen):
    asked = question(gen)
    latent = changed(asked, prior=replace(asked.prior, space="latent"))
    with pytest.raises(InputError, match="clamp is for pixel priors"):
        answer(SDS(clamp=True), latent)


def test_the_loss_gives_exactly_g_over_views_even_when_g_is_tiny(gen):
    """In float32, x - (x - g) would round such a g away."""
    x = (torch.rand(4, 3, 8, 8, generator=gen) + 1).requires_grad_()
    g = torch.randn(4, 3, 8, 8, generator=gen) * 1e-9
    distilled = Distilled(g, x.detach(), torch.ones(4), torch.ones(4))
    loss = distillation_loss(x, distilled)
    assert torch.equal(gradient(loss, x), g / 4)
    assert float(loss.detach()) == pytest.approx(0.5 * float(g.double().square().sum()) / 4)


def test_more_views_of_the_same_do_not_pull_harder(gen):
    """Thresholds of density control depend on this: sum over pixels, mean over views."""
    g = torch.randn(2, 3, 4, 4, generator=gen)
    x = torch.randn(2, 3, 4, 4, generator=gen)

    def total(times):
        wide = x.repeat(times, 1, 1, 1).requires_grad_()
        ones = torch.ones(2 * times)
        distilled = Distilled(g.repeat(times, 1, 1, 1), wide.detach(), ones, ones)
        return gradient(distillation_loss(wide, distilled), wide).sum(0)

    torch.testing.assert_close(total(1), total(3))


def test_the_gradient_reaches_the_picture_through_encode(gen):
    """The founding mistake: a render encoded without a graph learns nothing."""
    prior, condition, _, _, _ = parts(question(gen))
    color = torch.rand(3, 8, 8, 3, generator=gen, dtype=torch.float64, requires_grad=True)
    x = prior.encode(color)
    distilled = distill(SDS(), prior, condition, x, 0.5, gen)
    assert not distilled.gradient.requires_grad
    distillation_loss(x, distilled).backward()
    assert (color.grad != 0).all()


def test_distill_draws_times_and_noise_from_the_generator_alone(gen):
    asked = question(gen)
    prior, condition, x, _, _ = parts(asked)
    settings = SDS(times=UniformTimes(low=0.4, high=0.5))

    def once(seed):
        return distill(settings, prior, condition, x, 0.0, torch.Generator().manual_seed(seed))

    first, again, other = once(1), once(1), once(2)
    assert torch.equal(first.gradient, again.gradient)
    assert not torch.equal(first.gradient, other.gradient)
    assert ((first.t >= 0.4) & (first.t <= 0.5)).all()
    t = settings.times.sample(0.0, 3, replay := torch.Generator().manual_seed(1))
    noise = torch.randn(x.shape, generator=replay, dtype=x.dtype)
    by_hand = answer(settings, changed(asked, t=t, noise=noise))
    assert torch.equal(first.gradient, by_hand.gradient)


def test_float32_pictures_stay_float32(gen):
    prior, condition, x, _, _ = parts(question(gen))
    distilled = distill(SDS(), prior, condition, x.float(), 0.0, gen)
    assert distilled.gradient.dtype == distilled.weight.dtype == torch.float32
    assert distilled.pseudo_ground_truth.dtype == torch.float32


def test_views_of_a_multi_view_prior_share_a_time(gen):
    prior, condition, x, _, _ = parts(question(gen, views=4))
    together = replace(prior, views=2)
    t = distill(SDS(), together, condition, x, 0.0, gen).t
    assert t[0] == t[1] != t[2] == t[3]
    with pytest.raises(InputError, match="denoises 3 views together; 4 is no multiple"):
        distill(SDS(), replace(prior, views=3), condition, x, 0.0, gen)


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"guidance": -1.0}, "guidance must lie in 0 to 1000, got -1.0"),
        ({"rescale": 1.5}, "rescale must lie in 0 to 1, got 1.5"),
    ],
)
def test_impossible_settings_are_refused(given_, says):
    with pytest.raises(InputError, match=says):
        SDS(**given_)
