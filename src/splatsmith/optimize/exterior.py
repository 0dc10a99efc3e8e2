"""What lies around the object in the prior's picture should be empty in ours.

A prior that was trained on white draws its objects on white, and a white splat in front of
white gets no gradient: so haze gathers that only another background would show. But the
picture that a step is pulled toward says where the object ends. Where it is white and connected
with its border, opacity is pushed down. White things keep their inside: their shaded edge
separates it from the border. Ours.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

WHITE = 0.97  # least value of every channel, 0..1, in a pixel that may be background


@torch.no_grad()
def exterior(
    target: Float[Tensor, "views height width 3"], *, white: float = WHITE, margin: int = 1
) -> Bool[Tensor, "views height width"]:
    """The white pixels that are connected with the picture's border, side by side.

    `margin` pixels beside anything that is not white are left out: edges are soft.
    """
    inked = (target.amin(dim=-1, keepdim=True) < white).permute(0, 3, 1, 2).float()
    open_ = F.max_pool2d(inked, 2 * margin + 1, stride=1, padding=margin) == 0
    reached = torch.zeros_like(open_)
    reached[..., [0, -1], :] = open_[..., [0, -1], :]
    reached[..., :, [0, -1]] = open_[..., :, [0, -1]]
    while True:
        wider = _beside(reached) & open_
        if torch.equal(wider, reached):
            return reached[:, 0]
        reached = wider


def uncovered(
    alpha: Float[Tensor, "views height width 1"],
    target: Float[Tensor, "views height width 3"],
) -> Float[Tensor, ""]:
    """Sum of alpha over the exterior of the targets, mean over views."""
    return (alpha[..., 0] * exterior(target)).sum() / len(alpha)


def _beside(mask: Bool[Tensor, "views 1 height width"]) -> Bool[Tensor, "views 1 height width"]:
    """The mask and the pixels above, below, left and right of it."""
    step = mask.float()
    upright, level = (
        F.max_pool2d(step, (3, 1), 1, (1, 0)),
        F.max_pool2d(step, (1, 3), 1, (0, 1)),
    )
    return torch.maximum(upright, level) > 0
