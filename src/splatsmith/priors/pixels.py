"""Pictures to the x of pixel-space priors and back."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def encode_pixels(
    color: Float[Tensor, "views height width 3"], resolution: int
) -> Float[Tensor, "views 3 rows columns"]:
    """Pictures in 0..1 to -1..1 at `resolution`; differentiable, and smooth when it shrinks."""
    x = color.permute(0, 3, 1, 2) * 2 - 1
    size = (resolution, resolution)
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", antialias=True)


def decode_pixels(
    x: Float[Tensor, "views 3 rows columns"],
) -> Float[Tensor, "views rows columns 3"]:
    """-1..1 to pictures in 0..1; what lies outside is cut off."""
    return ((x + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1)
