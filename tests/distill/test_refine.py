"""Refinement by the analytic prior: what several steps of denoising must come to."""

import itertools

import pytest
import torch
import worlds
from questions import SCHEDULES, answer, changed, question

from splatsmith.distill import SDS, Refine, distillation_loss, guided, picture_loss
from splatsmith.distill.inversion import moved

EXACT = {"guidance": 1.0}


def opposites(gen, schedule="cosine", **changes):
    """A world of two pictures, y and -y, both as likely from everywhere."""
    one = worlds.targets(gen, views=3, count=1)
    pictures = torch.cat([one, -one], dim=1)
    prior = worlds.prior_of(pictures, schedule=SCHEDULES[schedule])
    asked = question(gen, prior=prior, condition=worlds.told(prior, pictures), **changes)
    return asked, one[:, 0]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 4])
def test_a_single_picture_is_the_target_from_any_time_in_any_number_of_steps(gen, name, steps):
    one = worlds.targets(gen, views=3, count=1)
    prior = worlds.prior_of(one, schedule=SCHEDULES[name], kind="v")
    asked = question(gen, prior=prior, condition=worlds.told(prior, one))
    distilled = answer(Refine(steps=steps, **EXACT), asked)
    torch.testing.assert_close(distilled.pseudo_ground_truth, one[:, 0])
    torch.testing.assert_close(distilled.gradient, asked.x - one[:, 0])


@pytest.mark.parametrize("name", ["cosine", "stable-diffusion"])
def test_of_two_opposite_pictures_it_is_the_one_on_whose_side_the_noisy_one_lies(gen, name):
    """The posterior mean is y tanh(a alpha / sigma^2), a = <x_t, y>: the way back never changes
    sides and ends in the picture on its own, while one step stops at the mean."""
    asked, y = opposites(gen, name)
    side = (asked.x_t * y).sum(dim=(1, 2, 3))
    expected = side.sign()[:, None, None, None] * y
    found = answer(Refine(steps=100, **EXACT), asked).pseudo_ground_truth
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
    alpha, sigma = asked.shares(asked.t)
    mean = torch.tanh(side[:, None, None, None] * alpha / sigma**2) * y
    once = answer(Refine(steps=1, **EXACT), asked).pseudo_ground_truth
    torch.testing.assert_close(once, mean)


@pytest.mark.parametrize("weight", ["sigma2", "sigma_over_alpha"])
def test_in_one_step_it_is_sds(gen, weight):
    asked = question(gen)
    same = {"guidance": 5.0, "weight": weight}
    torch.testing.assert_close(
        answer(Refine(steps=1, **same), asked).gradient, answer(SDS(**same), asked).gradient
    )


def by_hand(asked, times, guidance, clamp):
    """Every clean picture on the way."""
    x, cleans = asked.x_t, []
    for now, after in itertools.pairwise((*times, 0.0)):
        t, to = (torch.full((3,), time, dtype=torch.float64) for time in (now, after))
        said = guided(asked.prior, x, t, asked.condition, guidance)
        cleans.append(said.x0)
        if clamp:
            said = said.with_value("x0", said.x0.clamp(-1, 1))
        x = moved(said, to, asked.prior.schedule)
    return cleans


def test_the_way_back_step_by_step(gen):
    asked = question(gen, t=torch.full((3,), 0.8, dtype=torch.float64))
    expected = by_hand(asked, (0.8, 0.6, 0.4, 0.2), 3.0, clamp=False)[-1]
    found = answer(Refine(steps=4, guidance=3.0), asked).pseudo_ground_truth
    torch.testing.assert_close(found, expected)


def test_with_clamp_every_picture_on_the_way_is_kept_in_range(gen):
    """Guidance overshoots at each step; clamped only in the end, the way leads elsewhere."""
    asked = question(gen, t=torch.full((3,), 0.96, dtype=torch.float64))
    free = by_hand(asked, (0.96, 0.72, 0.48, 0.24), 60.0, clamp=False)
    kept = by_hand(asked, (0.96, 0.72, 0.48, 0.24), 60.0, clamp=True)
    assert kept[0].abs().max() > 1.5
    assert not torch.allclose(free[1], kept[1], atol=1e-2)
    found = answer(Refine(clamp=True, guidance=60.0, steps=4), asked).pseudo_ground_truth
    torch.testing.assert_close(found, kept[-1].clamp(-1, 1))


def test_less_noise_keeps_more_of_the_picture(gen):
    """Among many pictures, what is near stays where little noise was added."""
    pictures = worlds.targets(gen, views=3, count=1)
    crowd = pictures + 0.3 * torch.randn(3, 40, 3, 4, 4, generator=gen, dtype=torch.float64)
    prior = worlds.prior_of(crowd)
    asked = question(gen, prior=prior, condition=worlds.told(prior, crowd), x=crowd[:, 7])

    def kept(time):
        at = changed(asked, t=torch.full((3,), time, dtype=torch.float64))
        found = answer(Refine(steps=20, **EXACT), at).pseudo_ground_truth
        return float((found - asked.x).square().mean())

    assert kept(0.05) < 1e-6
    assert kept(0.9) > 0.05


def test_its_loss_is_half_the_squared_error_of_pictures(gen):
    asked = question(gen)
    distilled = answer(Refine(**EXACT), asked)
    color = torch.rand(3, 4, 4, 3, generator=gen, dtype=torch.float64, requires_grad=True)
    loss = picture_loss(color, asked.prior, distilled)
    target = asked.prior.decode(distilled.pseudo_ground_truth)
    torch.testing.assert_close(loss, 0.5 * (color - target).square().sum() / 3)
    x = asked.x.clone().requires_grad_()
    pull = torch.autograd.grad(distillation_loss(x, distilled), x)[0]
    torch.testing.assert_close(3 * pull, asked.x - distilled.pseudo_ground_truth)
    assert not distilled.pseudo_ground_truth.requires_grad
