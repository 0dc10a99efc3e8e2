"""E2's eyes and its judgement: gradients, color histograms, and a logistic regression on them.

Histograms of oriented gradients (Dalal and Triggs 2005) say what shape there is, a histogram in
CIE Lab which colors; nothing here is learned but the regression's weights, so E2 errs otherwise
than E1 does.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from splatsmith.evaluate.color import lab_from_rgb

CELL = 12  # pixels a side of the squares whose gradients are counted together
ORIENTATIONS = (
    9  # bins of the gradient's direction, 20 degrees each; opposite ones count as one
)
CLIP = 0.2  # of a normalized block's entries (Dalal and Triggs 2005, L2-Hys)
LAB_BINS = (5, 9, 9)  # of L, a, b
LAB_LOW, LAB_HIGH = (0.0, -60.0, -60.0), (100.0, 80.0, 80.0)
APART = 6.0  # Lab distance from the border's color at which a pixel belongs to the object


def hog(
    pictures: Float[Tensor, "views height width 3"],
) -> Float[Tensor, "views features"]:
    """Histograms of oriented gradients of the luma, blocks of 2 x 2 cells; pictures 0 to 1."""
    luma = pictures @ pictures.new_tensor([0.299, 0.587, 0.114])
    padded = F.pad(luma[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    strength = torch.hypot(across, down)
    turn = (torch.atan2(down, across) / torch.pi % 1) * ORIENTATIONS  # 0 to 9 in half a circle
    bins = torch.arange(ORIENTATIONS, device=turn.device)[:, None, None]
    gap = (turn[:, None] - bins).abs()
    gap = torch.minimum(gap, ORIENTATIONS - gap)
    votes = strength[:, None] * (1 - gap).clamp(min=0)
    cells = F.avg_pool2d(votes, CELL)
    corners = [
        cells[:, :, i : cells.shape[2] - 1 + i, j : cells.shape[3] - 1 + j]
        for i in (0, 1)
        for j in (0, 1)
    ]
    blocks = torch.cat(corners, dim=1)
    clipped = F.normalize(blocks, dim=1, eps=1e-2).clamp(max=CLIP)
    return F.normalize(clipped, dim=1, eps=1e-2).flatten(1)


def foreground(
    pictures: Float[Tensor, "views height width 3"],
) -> Bool[Tensor, "views height width"]:
    """Pixels that differ from the border's color (its median), which is the background's."""
    lab = lab_from_rgb(pictures)
    sides = (lab[:, 0], lab[:, -1], lab[:, :, 0], lab[:, :, -1])
    ground = torch.cat(sides, dim=1).median(dim=1).values
    return (lab - ground[:, None, None]).norm(dim=-1) > APART


def lab_histogram(
    pictures: Float[Tensor, "views height width 3"],
) -> Float[Tensor, "views features"]:
    """Square roots of the shares of the object's pixels in each of 5 x 9 x 9 Lab bins.

    A pixel counts in the eight bins around it by its nearness to their centers. The root makes
    a straight line's distance a Hellinger one. The last feature is the object's share of the
    picture.
    """
    views = len(pictures)
    lab, mask = (
        lab_from_rgb(pictures).reshape(views, -1, 3),
        foreground(pictures).reshape(views, -1),
    )
    sizes = lab.new_tensor(LAB_BINS)
    low, high = lab.new_tensor(LAB_LOW), lab.new_tensor(LAB_HIGH)
    place = ((lab - low) / (high - low)).clamp(0, 1) * (sizes - 1)
    floor = torch.minimum(place.floor(), sizes - 2)
    near = place - floor
    counts = lab.new_zeros(views, int(sizes.prod()))
    for corner in range(8):
        step = floor.new_tensor([corner >> 2 & 1, corner >> 1 & 1, corner & 1])
        share = torch.where(step > 0, near, 1 - near).prod(-1) * mask
        at = floor + step
        index = (at[..., 0] * LAB_BINS[1] + at[..., 1]) * LAB_BINS[2] + at[..., 2]
        counts.scatter_add_(1, index.long(), share)
    total = mask.sum(1, keepdim=True)
    shares = counts / total.clamp(min=1)
    return torch.cat([shares.sqrt(), total / mask.shape[1]], dim=1)


@dataclass(frozen=True, eq=False)
class Regression:
    """Multinomial logistic regression on standardized features."""

    mean: Float[Tensor, "features"]
    scale: Float[Tensor, "features"]  # features are (given - mean) * scale
    weight: Float[Tensor, "classes features"]
    bias: Float[Tensor, "classes"]

    def log_probabilities(
        self, features: Float[Tensor, "views features"]
    ) -> Float[Tensor, "views classes"]:
        """Of the classes, for each row of features."""
        standard = (features - self.mean) * self.scale
        return F.log_softmax(standard @ self.weight.T + self.bias, dim=-1)
