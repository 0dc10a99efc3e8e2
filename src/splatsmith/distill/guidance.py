"""Classifier-free guidance, in its standard form only: e_u + s (e_c - e_u).

Ho and Salimans 2022. A scale of 1 is the conditional prediction as it is, 0 the unconditional
one. Much published code computes e_c + s (e_c - e_u) instead, which is the standard scale
s + 1: recipes here hold the standard scale.
"""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.perp_neg import Repelled, perpendicular
from splatsmith.errors import InputError
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.protocol import OnePassPrior, Prior


def guided(
    prior: Prior,
    x_t: Float[Tensor, "views channels height width"],
    t: Float[Tensor, "views"],
    condition: Any,
    scale: float,
    rescale: float = 0.0,
    *,
    one_pass: bool = False,
) -> Prediction:
    """The prior's prediction, guided; one call of the prior, with both conditions in one batch.

    At scales 1 and 0 only the side that counts is computed. `rescale` (MVDream's phi, 0 to 1)
    draws the spread of the guided picture back toward that of the conditional one. With
    `one_pass`, a prior that has learned this guidance is asked for it directly: half the work.
    """
    if not 0 <= rescale <= 1:
        raise InputError(f"rescale must lie in 0 to 1, got {rescale}.")
    if isinstance(condition, Repelled):
        return _pushed(prior, x_t, t, condition, scale)
    if scale == 1:
        return prior.predict(x_t, t, condition)
    if scale == 0 and rescale == 0:
        return prior.predict(x_t, t, condition.negative())
    knowing = prior if one_pass and rescale == 0 and isinstance(prior, OnePassPrior) else None
    if knowing is not None and knowing.guides(condition, scale):
        return knowing.predict_guided(x_t, t, condition, scale)
    conditional, unconditional = asked(prior, x_t, t, [condition, condition.negative()])
    combined = combine(conditional, unconditional, scale)
    return rescaled(combined, conditional, rescale, prior.views) if rescale else combined


def asked(
    prior: Prior,
    x_t: Float[Tensor, "views channels height width"],
    t: Float[Tensor, "views"],
    conditions: Sequence[Any],
) -> list[Prediction]:
    """What the prior says under each of the conditions: one call, all of them in one batch."""
    told, count, views = conditions[0], len(conditions), len(x_t)
    for other in conditions[1:]:
        told = told.joined(other)
    answer = prior.predict(x_t.repeat(count, 1, 1, 1), t.repeat(count), told)
    return [answer[i * views : (i + 1) * views] for i in range(count)]


def _pushed(
    prior: Prior, x_t: Tensor, t: Tensor, condition: Repelled, scale: float
) -> Prediction:
    """All sides of Perp-Neg in one batch; rescale does not apply."""
    others = [other for other, _ in condition.others]
    told = [condition.condition, condition.negative(), *others]
    sides = asked(prior, x_t, t, told)
    weights = [weight for _, weight in condition.others]
    return perpendicular(sides[0], sides[1], list(zip(sides[2:], weights, strict=True)), scale)


def combine(conditional: Prediction, unconditional: Prediction, scale: float) -> Prediction:
    """Both predictions must be about the same x_t.

    Then eps, x0, v and flow are affine in each other, so guidance in any one of them is
    guidance in all.
    """
    other = unconditional.converted(conditional.kind).value
    value = other + scale * (conditional.value - other)
    return conditional.with_value(conditional.kind, value)


def rescaled(
    combined: Prediction, conditional: Prediction, phi: float, group: int = 1
) -> Prediction:
    """The clean picture brought a share `phi` of the way to the conditional one's deviation.

    Lin et al. 2023 (Common diffusion noise schedules and sample steps are flawed), equations
    15 and 16, on x0 and over each `group` of views as in MVDream (Shi et al. 2023).
    """
    x0 = combined.x0
    wanted = conditional.x0.reshape(len(x0) // group, -1).std(dim=1)
    got = x0.reshape(len(x0) // group, -1).std(dim=1)
    factor = phi * wanted / got.clamp(min=1e-12) + (1 - phi)
    return combined.with_value("x0", x0 * factor.repeat_interleave(group)[:, None, None, None])
