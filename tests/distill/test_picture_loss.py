"""HiFA's term: the same pull on the picture itself."""

import pytest
import torch
from questions import answer, question

from splatsmith.distill import SDS, beta, picture_loss


def pull(asked, color):
    color = color.clone().requires_grad_()
    distilled = answer(SDS(), asked)
    picture_loss(color, asked.prior, distilled).backward()
    return color.grad, asked.prior.decode(distilled.pseudo_ground_truth)


def test_it_pulls_each_picture_by_beta_toward_the_decoded_target(gen):
    asked = question(gen)
    color = torch.rand(3, 4, 4, 3, generator=gen, dtype=torch.float64)
    gradient, target = pull(asked, color)
    strength = beta("sigma2", asked.prior.schedule, asked.t)[:, None, None, None]
    torch.testing.assert_close(gradient, strength * (color - target) / 3)
    assert target.min() >= 0
    assert target.max() <= 1


def test_a_larger_picture_is_compared_at_the_priors_size(gen):
    asked = question(gen)
    small = torch.rand(3, 4, 4, 3, generator=gen, dtype=torch.float64)
    large = small.repeat_interleave(3, 1).repeat_interleave(3, 2)
    gradient, _ = pull(asked, large)
    assert gradient.shape == (3, 12, 12, 3)
    assert (gradient != 0).any(dim=-1).all()
    # The sum over a picture's pixels does not depend on how many it is drawn with.
    flat = torch.full((3, 4, 4, 3), 0.3, dtype=torch.float64)
    for times in (2, 3):
        bigger = flat.repeat_interleave(times, 1).repeat_interleave(times, 2)
        torch.testing.assert_close(pull(asked, bigger)[0].sum(), pull(asked, flat)[0].sum())


def test_for_a_pixel_prior_it_is_a_quarter_of_the_first_term(gen):
    """Where the target is a picture: x is 2 c - 1, so distances on c are half as long."""
    asked = question(gen)
    distilled = answer(SDS(guidance=1.0), asked)
    assert distilled.pseudo_ground_truth.abs().max() <= 1
    loss = picture_loss(asked.prior.decode(asked.x.clamp(-1, 1)), asked.prior, distilled)
    strength = beta("sigma2", asked.prior.schedule, asked.t)
    squares = (asked.x.clamp(-1, 1) - distilled.pseudo_ground_truth).square().sum((1, 2, 3))
    assert float(loss) == pytest.approx(float((strength * squares).sum()) / 2 / 3 / 4)
