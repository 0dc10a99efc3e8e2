"""How E2 is fitted: multinomial logistic regression, all pictures at once."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.evaluate.features import Regression

ITERATIONS = 120  # of L-BFGS; the loss then falls by less than a thousandth in ten
PENALTY = 0.02  # on half the squared weights, for a mean loss over the pictures
SMALLEST = 1e-3  # standard deviation of a feature, below which it counts as constant


def fit(
    features: Float[Tensor, "views features"],
    classes: Int[Tensor, "views"],
    count: int,
    *,
    penalty: float = PENALTY,
    iterations: int = ITERATIONS,
) -> Regression:
    """The regression of `count` classes that explains `classes` best.

    The loss is the mean cross-entropy plus `penalty` / `count` times half the squared weights;
    it is convex, so neither seed nor start matter.
    """
    mean, spread = features.mean(0), features.std(0)
    scale = torch.where(spread > SMALLEST, 1 / spread.clamp(min=SMALLEST), 0.0)
    standard = (features - mean) * scale
    weight = features.new_zeros(count, features.shape[1]).requires_grad_()
    bias = features.new_zeros(count).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=iterations, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(standard @ weight.T + bias, classes)
        loss = loss + 0.5 * penalty / count * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return Regression(mean, scale, weight.detach(), bias.detach())
