"""A reference picture as the vision towers of CLIP are shown it.

Before white, 224 pixels a side for the published towers, normalized by the mean and deviation
that CLIP was trained with. How the authors' own code resizes differs, and is followed.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from splatsmith.images import Reference

MEAN = (0.48145466, 0.4578275, 0.40821073)  # Radford et al. 2021 (CLIP), their code
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


def clip_picture(
    image: Reference, size: int, shown: int, *, smooth: bool
) -> Float[Tensor, "1 3 rows columns"]:
    """The picture, first at `shown` pixels a side, then at `size`.

    `smooth` averages over what a pixel covers, as PIL does (ImageDream); otherwise cubic
    interpolation with aligned corners, which may leave 0..1 a little (Zero-1-to-3).
    """
    color = image.over(torch.ones(3), shown).permute(2, 0, 1)[None]
    if smooth:
        color = F.interpolate(color, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
    else:
        color = F.interpolate(color, (size, size), mode="bicubic", align_corners=True)
    return normalized_for_clip(color.permute(0, 2, 3, 1))


def normalized_for_clip(
    color: Float[Tensor, "views rows columns 3"],
) -> Float[Tensor, "views 3 rows columns"]:
    """Pictures in 0..1 by the mean and deviation of CLIP's training."""
    return ((color - color.new_tensor(MEAN)) / color.new_tensor(DEVIATION)).permute(0, 3, 1, 2)
