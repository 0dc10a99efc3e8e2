import pytest
import torch
import worlds
from hypothesis import given
from hypothesis import strategies as st

from splatsmith.distill.guidance import combine, guided
from splatsmith.errors import InputError
from splatsmith.priors import cosine, rectified_flow, scaled_linear

KINDS = ("eps", "x0", "v", "flow")


def question(gen, **more):
    pictures = worlds.targets(gen)
    prior = worlds.prior_of(pictures, odds=worlds.ODDS, **more)
    condition = worlds.told(prior, pictures, "mostly second")
    x_t = torch.randn(2, 3, 4, 4, generator=gen, dtype=torch.float64)
    t = torch.tensor([0.9, 0.97], dtype=torch.float64)
    return prior, x_t, t, condition


def test_scale_1_is_conditional_and_scale_0_unconditional(gen):
    prior, x_t, t, condition = question(gen)
    conditional = prior.predict(x_t, t, condition).eps
    unconditional = prior.predict(x_t, t, condition.negative()).eps
    assert (conditional - unconditional).abs().max() > 0.05  # else nothing is tested
    torch.testing.assert_close(guided(prior, x_t, t, condition, 1).eps, conditional)
    torch.testing.assert_close(guided(prior, x_t, t, condition, 0).eps, unconditional)


@given(scale=st.floats(-2, 150), kind=st.sampled_from(KINDS), seed=st.integers(0, 999))
def test_standard_form_in_every_kind(scale, kind, seed):
    gen = torch.Generator().manual_seed(seed)
    schedule = [cosine(), scaled_linear(), rectified_flow()][seed % 3]
    prior, x_t, t, condition = question(gen, kind=kind, schedule=schedule)
    conditional = prior.predict(x_t, t, condition)
    unconditional = prior.predict(x_t, t, condition.negative())
    answer = guided(prior, x_t, t, condition, scale)
    for asked in KINDS:
        c, u = getattr(conditional, asked), getattr(unconditional, asked)
        torch.testing.assert_close(
            getattr(answer, asked), u + scale * (c - u), rtol=1e-8, atol=1e-8
        )


def test_it_is_not_the_other_form_in_use(gen):
    """Some published code computes e_c + s (e_c - e_u), the standard form's scale s + 1."""
    prior, x_t, t, condition = question(gen)
    c = prior.predict(x_t, t, condition).eps
    u = prior.predict(x_t, t, condition.negative()).eps
    other = c + 7 * (c - u)
    assert (guided(prior, x_t, t, condition, 7).eps - other).abs().max() > 0.05
    torch.testing.assert_close(guided(prior, x_t, t, condition, 8).eps, other)


def test_predictions_of_different_kinds_combine(gen):
    prior, x_t, t, condition = question(gen)
    c = prior.predict(x_t, t, condition)
    u = prior.predict(x_t, t, condition.negative())
    mixed = combine(c.converted("v"), u.converted("eps"), 5.0)
    torch.testing.assert_close(mixed.eps, u.eps + 5 * (c.eps - u.eps))


@pytest.mark.parametrize(("scale", "batches"), [(0, [2]), (1, [2]), (7.5, [4])])
def test_the_prior_is_asked_once_and_about_no_more_than_needed(gen, scale, batches):
    prior, x_t, t, condition = question(gen)
    counting = worlds.CountingPrior(prior)
    guided(counting, x_t, t, condition, scale)
    assert counting.batches == batches


def test_full_rescale_restores_the_deviation_of_the_conditional_picture(gen):
    prior, x_t, t, condition = question(gen)
    conditional = prior.predict(x_t, t, condition).x0
    plain = guided(prior, x_t, t, condition, 7).x0
    full = guided(prior, x_t, t, condition, 7, rescale=1.0).x0
    half = guided(prior, x_t, t, condition, 7, rescale=0.5).x0
    spread = conditional.std(dim=(1, 2, 3))
    torch.testing.assert_close(full.std(dim=(1, 2, 3)), spread)
    assert ((plain.std(dim=(1, 2, 3)) - spread).abs() > 1e-3).all()
    torch.testing.assert_close(half, (plain + full) / 2)


def test_rescale_outside_its_range_is_refused(gen):
    with pytest.raises(InputError, match="rescale must lie in 0 to 1, got 2"):
        guided(*question(gen), 7, rescale=2.0)
