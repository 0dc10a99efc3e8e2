"""How like the true objects a scene is: outline, picture, surface, and haze around it.

Everything is measured against the true instance that the scene resembles most (`matching.py`),
in that one's frame. Nothing here was trained.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splatsmith.evaluate.matching import Drawable, Match, look, overlap_of
from splatsmith.evaluate.views import GRAY, OPAQUE, SIZE, Seen, unproject
from splatsmith.toybox import ToyPicture, render
from splatsmith.toybox.geometry import surface_points

DILATION = 3  # pixels around the true silhouette that are no haze yet
NEAR = 0.02  # of the object's largest extent: within it a surface point counts as found
CELL = 0.02  # world units; unprojected points are thinned to one per cell of this size
ASKED, GIVEN = 4000, 10_000  # points that look for a neighbor; points that can be one
BELOW = (-30.0, 10.0, 50.0)  # elevations, degrees, from which the whole surface is seen


@dataclass(frozen=True)
class Likeness:
    """How like its best true instance a scene is.

    Attributes:
        iou: mean silhouette IoU over the 48 standard views at 96 pixels, 0..1.
        psnr: of all pixels that either of the two covers, over mid-gray, dB.
        chamfer: mean squared distance to the nearest point, scene to truth plus truth to scene,
            in units of the instance's largest extent squared.
        fscore: harmonic mean of precision and recall of surface points at 2 %, 0..1.
        haze: mean alpha outside the true silhouette dilated by 3 pixels, 0..1.
    """

    iou: float
    psnr: float
    chamfer: float
    fscore: float
    haze: float


@dataclass(frozen=True, eq=False)
class Pair:
    """Scene and instance from the 48 standard views of the instance's frame."""

    scene: Seen
    truth: ToyPicture  # over mid-gray


def aligned(scene: Drawable, match: Match) -> Pair:
    """Draw both so that they can be compared pixel by pixel."""
    views = (24, (0.0, 30.0), SIZE)
    truth = render(match.toy, match.truth_cameras(*views), background=GRAY)
    return Pair(look(scene, match.scene_cameras(*views)), truth)


def likeness(scene: Drawable, match: Match, pair: Pair, generator: torch.Generator) -> Likeness:
    """Everything that is measured against the best instance."""
    chamfer, fscore = surface_distance(scene, match, generator)
    ours, true = pair.scene.alpha > OPAQUE, pair.truth.alpha > 0.5
    return Likeness(
        iou=float(overlap_of(ours[..., 0], true[..., 0]).mean()),
        psnr=psnr(pair.scene.over(GRAY), pair.truth.color, (ours | true)[..., 0]),
        chamfer=chamfer,
        fscore=fscore,
        haze=haze(pair.scene.alpha, pair.truth.alpha),
    )


def psnr(
    first: Float[Tensor, "views height width 3"],
    second: Float[Tensor, "views height width 3"],
    where: Bool[Tensor, "views height width"],
) -> float:
    """Peak signal-to-noise ratio, dB, of the pixels of a mask; colors in 0..1."""
    error = float((first - second)[where].square().mean())
    return -10 * math.log10(max(error, 1e-10))


def similarity(
    first: Float[Tensor, "views height width 3"],
    second: Float[Tensor, "views height width 3"],
    where: Bool[Tensor, "views height width"],
) -> float:
    """Structural similarity, -1..1, mean over the pixels of a mask and over colors.

    Wang et al. 2004: Gaussian window of 11 pixels and a standard deviation of 1.5, K1 = 0.01,
    K2 = 0.03, colors in 0..1.
    """
    first, second = first.double(), second.double()  # differences of squares
    offset = torch.arange(11, dtype=first.dtype) - 5
    line = torch.softmax(-(offset**2) / (2 * 1.5**2), dim=0)
    window = (line[:, None] * line).expand(3, 1, 11, 11)
    a, b = first.permute(0, 3, 1, 2), second.permute(0, 3, 1, 2)

    def mean(x: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(x, (5, 5, 5, 5), mode="replicate")
        return torch.nn.functional.conv2d(padded, window, groups=3)

    mean_a, mean_b = mean(a), mean(b)
    variances = mean(a * a) + mean(b * b) - mean_a**2 - mean_b**2
    together = mean(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
    found = light * (2 * together + 9e-4) / (variances + 9e-4)
    return float(found.mean(dim=1)[where].mean())


def haze(
    alpha: Float[Tensor, "views height width 1"], truth: Float[Tensor, "views height width 1"]
) -> float:
    """Mean alpha beyond `DILATION` pixels from the true silhouette; 0 if there is no beyond."""
    inside = (truth > 0).float().permute(0, 3, 1, 2)
    wide = torch.nn.functional.max_pool2d(
        inside, 2 * DILATION + 1, stride=1, padding=DILATION
    ).permute(0, 2, 3, 1)
    outside = alpha[wide == 0]
    return float(outside.mean()) if len(outside) else 0.0


def surface_distance(
    scene: Drawable, match: Match, generator: torch.Generator
) -> tuple[float, float]:
    """Chamfer distance and F-score between the scene's opaque surface and the instance's.

    The scene's surface is unprojected from 24 depths all around and thinned to even density.
    """
    cameras = match.scene_cameras(8, BELOW, SIZE)
    seen = look(scene, cameras)
    points = thinned(match.to_truth(unproject(seen.alpha, seen.depth, cameras)), CELL)
    truth = surface_points(match.toy, GIVEN, generator).points
    extent = float((truth.amax(dim=0) - truth.amin(dim=0)).max())
    if len(points) == 0:
        return 1.0, 0.0  # As far apart as a whole object.
    found = nearest(_some(points, generator), truth) / extent
    covered = nearest(_some(truth, generator), points) / extent
    precision, recall = (float((d < NEAR).float().mean()) for d in (found, covered))
    chamfer = float(found.square().mean() + covered.square().mean())
    return chamfer, 2 * precision * recall / max(precision + recall, 1e-9)


def thinned(points: Float[Tensor, "points 3"], cell: float) -> Float[Tensor, "kept 3"]:
    """The mean of the points in each cell of a grid that holds any."""
    if len(points) == 0:
        return points
    keys, place = (points / cell).floor().long().unique(dim=0, return_inverse=True)
    sums = points.new_zeros(len(keys), 3).index_add_(0, place, points)
    return sums / torch.bincount(place, minlength=len(keys))[:, None]


def nearest(
    asked: Float[Tensor, "asked 3"], given: Float[Tensor, "given 3"]
) -> Float[Tensor, "asked"]:
    """Distance from each point to the nearest of others."""
    parts = [torch.cdist(part, given).amin(dim=1) for part in asked.split(1000)]
    return torch.cat(parts)


def _some(points: Tensor, generator: torch.Generator) -> Tensor:
    return points[torch.randperm(len(points), generator=generator)[:ASKED]]
