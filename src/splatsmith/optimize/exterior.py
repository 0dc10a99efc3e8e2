"""What lies around the object in the prior's picture should be empty in ours.

A prior that was trained on white draws its objects on white, and a white splat in front of
white gets no gradient: so haze gathers that only another background would show. But the
picture that a step is pulled toward says where the object ends. Where it is white and connected
with its border, opacity is pushed down. White things keep their inside: their shaded edge
separates it from the border. Ours.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
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
    # Along a line, what was met last decides: a reached pixel, or one that is not open.
    walls = [[_last_met(wall, dim) for wall in (~open_, (~open_).flip(dim))] for dim in (2, 3)]
    while True:
        wider = reached
        for dim, (before, behind) in zip((2, 3), walls, strict=True):
            onward = _last_met(wider, dim) > before
            back = _last_met(wider.flip(dim), dim) > behind
            wider = onward | back.flip(dim)
        if torch.equal(wider, reached):
            return reached[:, 0]
        reached = wider


def uncovered(
    alpha: Float[Tensor, "views height width 1"],
    target: Float[Tensor, "views height width 3"],
) -> Float[Tensor, ""]:
    """Sum of alpha over the exterior of the targets, mean over views."""
    return (alpha[..., 0] * exterior(target)).sum() / len(alpha)


def _last_met(
    mask: Bool[Tensor, "views 1 height width"], dim: int
) -> Int[Tensor, "views 1 height width"]:
    """The place along `dim`, from 1 on, of the mask's last pixel up to here; 0 if none is."""
    place = torch.arange(1, mask.shape[dim] + 1, dtype=torch.int16, device=mask.device)
    return (mask * (place[:, None] if dim == 2 else place)).cummax(dim).values
