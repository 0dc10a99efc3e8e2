"""The one loss of all distillation: 0.5 |x - stop_grad(x - g)|^2, summed, over the views.

Reduction: the sum over channels and pixels, and the mean over views, as in DreamFusion's
descendants. So the gradient on x is exactly g / views, and thresholds of density control do not
move when a recipe takes more views per step.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.question import Distilled
from splatsmith.priors.protocol import Prior


def distillation_loss(
    x: Float[Tensor, "views channels height width"], distilled: Distilled
) -> Float[Tensor, ""]:
    """The loss whose gradient on `x` is `distilled.gradient` / views, to the last bit.

    `x` is what the prior's `encode` made of the picture, with its graph. The value is the
    weighted squared distance to the pseudo-ground-truth: 0.5 |g|^2 / views.
    """
    # x - stop_grad(x - g), in an order that keeps small g from being rounded away beside x.
    distance = (x - x.detach()) + distilled.gradient.detach()
    return 0.5 * distance.square().sum() / len(x)


def picture_loss(
    color: Float[Tensor, "views height width 3"],
    prior: Prior,
    distilled: Distilled,
) -> Float[Tensor, ""]:
    """The same pull on the picture itself: 0.5 beta(t) |color - decode(x_hat)|^2 / views.

    HiFA (Zhu et al. 2023), the second term of its loss. `color` is the render in 0..1 with its
    graph, brought to the size of what the prior decodes; no gradient passes the encoder.
    """
    with torch.no_grad():
        target = prior.decode(distilled.pseudo_ground_truth).to(color)
        alpha, sigma = prior.schedule.alpha(distilled.t), prior.schedule.sigma(distilled.t)
        beta = (distilled.weight * alpha / sigma).to(color)
    if color.shape[1:3] != target.shape[1:3]:
        x, size = color.permute(0, 3, 1, 2), target.shape[1:3]
        x = F.interpolate(x, size=size, mode="bilinear", antialias=True)
        color = x.permute(0, 2, 3, 1)
    squares = (color - target).square().sum(dim=(1, 2, 3))
    return 0.5 * (beta * squares).sum() / len(color)


def reconstruction_loss(
    x: Float[Tensor, "views channels height width"],
    pseudo_ground_truth: Float[Tensor, "views channels height width"],
    beta: Float[Tensor, "views"],
) -> Float[Tensor, ""]:
    """The same step as a plain weighted regression onto a picture that one can look at.

    0.5 beta(t) |x - x_hat|^2, with the reduction of `distillation_loss` and the same gradient
    (StableDreamer, Guo et al. 2023, Proposition 1). The engine uses the form above; this one is
    for tests and teaching.
    """
    squares = (x - pseudo_ground_truth.detach()).square().sum(dim=(1, 2, 3))
    return 0.5 * (beta.detach() * squares).sum() / len(x)
