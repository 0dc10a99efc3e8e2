"""What an evaluator's judgement says about a prompt, what counts as failed, how seeds differ.

The prompt competes with 199 others: every color of the protocol's ten on every one of its
twenty categories, however many the toybox has by now, so that old and new tables mean the same.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.evaluate.evaluators import Judgement
from splatsmith.evaluate.views import OPAQUE, Seen, camera_points
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.toybox import CATEGORIES, COLORS
from splatsmith.toybox.split import BASE, BASE_COLORS

EMPTY, FULL = 0.01, 0.95  # mean alpha below and above which a scene shows no object
ALBEDO = 0.7  # gray of the renders that show nothing but shape
LIT = (-0.35, -0.5, -0.8)  # toward the light in camera axes: from above, left of the camera


@dataclass(frozen=True)
class Retrieval:
    """Whether what was asked for can be told from what is seen.

    Attributes:
        rank: 1 if the prompt is likelier than every other candidate, by the mean over views of
            log p(category) + log p(color | category).
        views: share of single views in which the prompt is the likeliest.
        category: whether the category alone is right.
        color: whether the color is right, the category being given.
    """

    rank: int
    views: float
    category: bool
    color: bool


def retrieval(judgement: Judgement, category: str, color: str) -> Retrieval:
    """Rank the prompt among all candidates; a category or color beyond them joins them."""
    kinds = candidates(list(CATEGORIES), BASE, category)
    hues = candidates(list(COLORS), BASE_COLORS, color)
    i, j = kinds.index(list(CATEGORIES).index(category)), hues.index(list(COLORS).index(color))
    of_kind = judgement.categories[:, kinds]
    of_hue = judgement.colors[:, kinds][:, :, hues]
    pair = of_kind[:, :, None] + of_hue
    mean = pair.mean(dim=0)
    best = pair.flatten(1).argmax(dim=1) == i * len(hues) + j
    return Retrieval(
        rank=int((mean >= mean[i, j]).sum()),  # Who cannot tell gains nothing.
        views=float(best.float().mean()),
        category=int(of_kind.mean(dim=0).argmax()) == i,
        color=int(of_hue[:, i].mean(dim=0).argmax()) == j,
    )


def category_right(judgement: Judgement, category: str) -> bool:
    """Whether the category is the likeliest of the twenty, by the mean over views."""
    kinds = candidates(list(CATEGORIES), BASE, category)
    best = int(judgement.categories[:, kinds].mean(dim=0).argmax())
    return kinds[best] == list(CATEGORIES).index(category)


def candidates(names: list[str], base: int, *asked: str) -> list[int]:
    """Places of the protocol's own, the first `base`; what is asked for beyond joins them."""
    return sorted({*range(min(base, len(names))), *(names.index(name) for name in asked)})


def failure(scene: Gaussians, alpha: Float[Tensor, "views height width 1"]) -> str:
    """Why a scene shows no object: values that are not finite, empty, full; "" if it does."""
    for name, value in scene.state().items():
        if not bool(torch.isfinite(value).all()):
            return f"{name} is not finite"
    cover = float(alpha.mean())
    if cover < EMPTY:
        return f"empty: mean alpha {cover:.4f} is below {EMPTY}"
    if cover > FULL:
        return f"full: mean alpha {cover:.4f} is above {FULL}"
    return ""


def shape_only(seen: Seen, cameras: Cameras) -> Float[Tensor, "views height width 3"]:
    """The surface in gray under one light, over white: nothing but its shape is left.

    Normals come from differences of neighboring depths, the light hangs at the camera and is
    half-Lambert, as in the toybox.
    """
    points = camera_points(seen.depth, cameras)
    shown = seen.alpha[..., 0] > OPAQUE
    right = _difference(points, shown, dim=2)
    down = _difference(points, shown, dim=1)
    # Camera axes: x right, y down, z forward, so that down x right faces the camera.
    normal = torch.nn.functional.normalize(torch.linalg.cross(down, right), dim=-1)
    light = torch.nn.functional.normalize(normal.new_tensor(LIT), dim=0)
    shade = ALBEDO * (0.5 + 0.5 * (normal @ light))
    return torch.where(shown, shade, 1.0)[..., None].expand(*shade.shape, 3).contiguous()


def _difference(
    points: Float[Tensor, "views height width 3"],
    shown: Bool[Tensor, "views height width"],
    dim: int,
) -> Float[Tensor, "views height width 3"]:
    """From the neighbor before to the neighbor after, or from one side where the other ends."""
    ends = []
    for step in (-1, 1):
        moved, there = points.roll(step, dim), shown.roll(step, dim).clone()
        there.select(dim, -1 if step < 0 else 0).fill_(False)  # What came in from afar.
        ends.append(torch.where(there[..., None], moved, points))
    return ends[0] - ends[1]


def spread_of_seeds(pictures: Float[Tensor, "seeds views height width 3"]) -> float | None:
    """Mean root-mean-square difference between the same views of two seeds; None for one seed.

    The measure "Div" is this, divided by the same for true objects of the prompt.
    """
    count = len(pictures)
    if count < 2:
        return None
    flat = pictures.reshape(count, -1)
    first, second = torch.triu_indices(count, count, 1)
    return float((flat[first] - flat[second]).square().mean(dim=1).sqrt().mean())
