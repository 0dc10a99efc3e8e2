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
        wider = _along(_along(reached, open_, dim=2), open_, dim=3)
        if torch.equal(wider, reached):
            return reached[:, 0]
        reached = wider


def uncovered(
    alpha: Float[Tensor, "views height width 1"],
    target: Float[Tensor, "views height width 3"],
) -> Float[Tensor, ""]:
    """Sum of alpha over the exterior of the targets, mean over views."""
    return (alpha[..., 0] * exterior(target)).sum() / len(alpha)


def _along(
    reached: Bool[Tensor, "views 1 height width"],
    free: Bool[Tensor, "views 1 height width"],
    dim: int,
) -> Bool[Tensor, "views 1 height width"]:
    """The free pixels that a free line along `dim` joins with a reached one, both ways."""

    def onward(reached: Tensor, free: Tensor) -> Tensor:
        """Whether what was met last is a reached pixel, and not one that is not free."""
        return (reached * place).cummax(dim).values > (~free * place).cummax(dim).values

    place = torch.arange(1, free.shape[dim] + 1, dtype=torch.int16, device=free.device)
    place = place[:, None] if dim == 2 else place
    back = onward(reached.flip(dim), free.flip(dim)).flip(dim)
    return onward(reached, free) | back
