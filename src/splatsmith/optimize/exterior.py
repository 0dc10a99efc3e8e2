"""What lies around the object in the prior's picture should be empty in ours.

A prior that was trained on white draws its objects on white, and a white splat in front of
white gets no gradient: so haze gathers that only another background would show. But the
picture that a step is pulled toward says where the object ends. Where it is white and connected
with its border, opacity is pushed down. White things keep their inside: their shaded edge
separates it from the border. Ours.
"""

import numpy as np
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
    open_ = F.max_pool2d(inked, 2 * margin + 1, stride=1, padding=margin)[:, 0] == 0
    return spread(open_) if open_.device.type == "cpu" else swept(open_)


def spread(open_: Bool[Tensor, "views height width"]) -> Bool[Tensor, "views height width"]:
    """What of the open pixels is connected with the border, by integers of a bit a pixel.

    A picture of 64 x 64 is so small that shifts of one long integer flood it in a tenth of a
    millisecond; `swept` says the same by whole tensors, as a GPU wants it.
    """
    _, height, width = open_.shape
    # A closed column after the last: a shift by one does not run on into the next row.
    padded = F.pad(open_, (0, 1)).numpy()
    row = width + 1
    border = np.zeros((height, row), dtype=bool)
    border[[0, -1]] = border[:, [0, width - 1]] = True
    edge, found = _as_bits(border), np.empty_like(padded)
    for view, pixels in enumerate(padded):
        free = _as_bits(pixels)
        reached, wider = 0, free & edge
        while wider != reached:
            reached = wider
            wider |= (wider << 1 | wider >> 1) & free
            wider |= (wider << row | wider >> row) & free
        raw = np.frombuffer(reached.to_bytes((height * row + 7) // 8, "little"), dtype=np.uint8)
        bits = np.unpackbits(raw, count=height * row, bitorder="little")
        found[view] = bits.reshape(height, row)
    return torch.from_numpy(found[..., :width])


def swept(open_: Bool[Tensor, "views height width"]) -> Bool[Tensor, "views height width"]:
    """The same as `spread`, by sweeps along rows and columns until nothing changes."""
    reached = torch.zeros_like(open_)
    reached[..., [0, -1], :] = open_[..., [0, -1], :]
    reached[..., :, [0, -1]] = open_[..., :, [0, -1]]
    # Along a line, what was met last decides: a reached pixel, or one that is not open.
    walls = [[_last_met(wall, dim) for wall in (~open_, (~open_).flip(dim))] for dim in (1, 2)]
    while True:
        wider = reached
        for dim, (before, behind) in zip((1, 2), walls, strict=True):
            onward = _last_met(wider, dim) > before
            back = _last_met(wider.flip(dim), dim) > behind
            wider = onward | back.flip(dim)
        if torch.equal(wider, reached):
            return reached
        reached = wider


def uncovered(
    alpha: Float[Tensor, "views height width 1"],
    target: Float[Tensor, "views height width 3"],
) -> Float[Tensor, ""]:
    """Sum of alpha over the exterior of the targets, mean over views."""
    return (alpha[..., 0] * exterior(target)).sum() / len(alpha)


def _as_bits(pixels: np.ndarray) -> int:
    """A mask as an integer, its first pixel the lowest bit."""
    return int.from_bytes(np.packbits(pixels, bitorder="little").tobytes(), "little")


def _last_met(
    mask: Bool[Tensor, "views height width"], dim: int
) -> Int[Tensor, "views height width"]:
    """The place along `dim`, from 1 on, of the mask's last pixel up to here; 0 if none is."""
    place = torch.arange(1, mask.shape[dim] + 1, dtype=torch.int16, device=mask.device)
    return (mask * (place[:, None] if dim == 1 else place)).cummax(dim).values
