"""Perp-Neg: guidance that also pushes away what the other views look like.

Armandpour et al. 2023 (Re-imagine the negative prompt algorithm). Only the part of a negative
that is perpendicular to the positive counts, so that "not the front" cannot cancel "a dog".
Weights follow the azimuth as in threestudio, whose curves are continuous at the side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras.convention import Cameras
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.protocol import Condition, Prior
from splatsmith.prompts import Prompt
from splatsmith.prompts.views import ViewWords

# The same words from all around.
FRONT = ViewWords(side=ViewWords().front, back=ViewWords().front)
SIDE = ViewWords(front=ViewWords().side, back=ViewWords().side)


@dataclass(frozen=True)
class Repelled:
    """A condition, and others to be pushed away from; a `Condition` itself."""

    condition: Condition
    others: tuple[tuple[Condition, Float[Tensor, "views"]], ...]  # weights are 0 or negative

    def negative(self) -> Condition:
        """The other side of guidance, as without the others."""
        return self.condition.negative()

    def nothing(self) -> Condition:
        """What the prior is told when nothing is said, as without the others."""
        return self.condition.nothing()

    def joined(self, other: Any) -> Condition:
        """The rows of the condition, then those of `other`."""
        return self.condition.joined(other)

    def __len__(self) -> int:
        return len(self.condition)


def repelled(prior: Prior, prompt: Prompt, cameras: Cameras) -> Repelled:
    """What the prior is told of each view, pushed away from the words of front and side."""
    front, side = view_weights(cameras.azimuth, cameras.elevation)
    # What is hidden from the back is just what the front looks like: here it is said.
    others = [
        (prior.condition(replace(prompt, views=words, hidden=()), cameras), weight)
        for words, weight in ((FRONT, front), (SIDE, side))
    ]
    return Repelled(prior.condition(prompt, cameras), tuple(others))


def view_weights(
    azimuth: Float[Tensor, "views"], elevation: Float[Tensor, "views"]
) -> tuple[Float[Tensor, "views"], Float[Tensor, "views"]]:
    """Weights of "front view" and "side view" as negatives, 0 or below; degrees.

    None from overhead; at the front none against the front, at the side none against the side.
    """
    turned = (torch.remainder(azimuth + 180, 360) - 180).abs() / 90
    near = 1 - turned  # 1 at the front, 0 at the side
    far = 2 - turned  # 1 at the side, 0 at the back
    in_front = turned < 1
    front = torch.where(in_front, -_push(near), -(torch.exp(-0.5 * far) + 0.967))
    side = torch.where(in_front, -_push(1 - near), -(torch.exp(-0.5 * far) - 0.606))
    below = elevation <= ViewWords().overhead_above
    return front.clamp(max=0) * below, side.clamp(max=0) * below


def _push(share: Tensor) -> Tensor:
    return 4 * torch.exp(-0.5 * share) - 2.426


def perpendicular(
    positive: Prediction,
    unconditional: Prediction,
    negatives: Sequence[tuple[Prediction, Float[Tensor, "views"]]],
    scale: float,
) -> Prediction:
    """e_u + s (p + sum_i w_i (q_i - <q_i, p> / |p|^2 p)), p and q_i seen from e_u.

    All predictions must be about the same x_t. As eps, x0, v and flow are affine in each other,
    it does not matter in which of them this is said.
    """
    base = unconditional.converted(positive.kind).value
    p = positive.value - base
    total, size = p, p.square().sum(dim=(1, 2, 3), keepdim=True).clamp(min=1e-20)
    for negative, weight in negatives:
        q = negative.converted(positive.kind).value - base
        along = (q * p).sum(dim=(1, 2, 3), keepdim=True) / size
        total = total + weight.to(q)[:, None, None, None] * (q - along * p)
    return positive.with_value(positive.kind, base + scale * total)
