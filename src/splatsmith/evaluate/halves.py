"""Two things in one scene, found by cutting it in two.

An evaluator that learned to name one thing names the larger of two, or neither. So the scene is
cut by planes, and each half is framed and judged like a scene of its own; a pair is found if
no other pair explains the two halves of any cut as well. Planes are level ones, for what stands
on another, and upright ones, for what stands beside it. What is worn, or hides under a thing,
is not parted by any plane, so that this measure says too little about "wearing" and "under".
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splatsmith.evaluate.evaluators import Evaluator
from splatsmith.evaluate.instances import frame_of, framed, held_object
from splatsmith.evaluate.matching import look
from splatsmith.evaluate.measures import candidates
from splatsmith.evaluate.truth import as_gaussians
from splatsmith.evaluate.views import SIZE, WHITE, angles
from splatsmith.evaluate.wanted import Wanted, wanted
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.toybox import CATEGORIES, COLORS
from splatsmith.toybox.split import BASE, BASE_COLORS, P_PAIR

LEVEL = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)  # heights of level planes, share of the scene's
UPRIGHT = (0.35, 0.5, 0.65)  # places of upright planes, share of the scene's width
TURNS = 6  # directions that upright planes face
LOOKS, ELEVATION = 8, 15.0  # views of each half, all around; degrees
BODY = 0.3  # opacity from which a splat counts for where the scene is
LEAST = 20  # splats of a half


def halves(scene: Gaussians) -> Float[Tensor, "cuts 2 views 96 96 3"]:
    """Cut a scene by every plane and look at what lies on either side, all around over white.

    Each half fills its pictures alike. Cuts that leave nearly nothing on one side are left out.
    Takes a second and a half on one core.
    """
    drawn = []
    for side in _cuts(scene):
        both = [_seen(scene, mask) for mask in (side, ~side)]
        if both[0] is not None and both[1] is not None:
            drawn.append(torch.stack([both[0], both[1]]))
    shape = (0, 2, LOOKS, SIZE, SIZE, 3)
    return torch.stack(drawn) if drawn else torch.zeros(shape)


def both_found(
    parted: Float[Tensor, "cuts 2 views 96 96 3"], asked: Wanted, evaluator: Evaluator
) -> tuple[bool, bool]:
    """Whether two things are found in a scene, by its `halves`, and then in their colors.

    They compete with every other two of the protocol's twenty categories. Two score the best
    sum of log p(category), each the mean over views of one half, over all cuts and either way
    round; they are found if no other two score as much, and if at their best cut no category on
    both sides does: that is one thing, cut in two. A color is right if it is the likeliest of
    the ten on the thing's own side of that cut.
    """
    cuts = len(parted)
    if not cuts:
        return False, False
    judgement = evaluator.judge(parted.flatten(0, 2), asked.category)
    kinds = candidates(list(CATEGORIES), BASE, asked.category, asked.second_category)
    hues = candidates(list(COLORS), BASE_COLORS, asked.color, asked.second_color)
    mean = (cuts, 2, LOOKS)
    likely = judgement.categories[:, kinds].unflatten(0, mean).mean(dim=2)
    score = likely[:, 0, :, None] + likely[:, 1, None, :]  # [cuts, first half, second half]
    i, k = (
        kinds.index(list(CATEGORIES).index(c)) for c in (asked.category, asked.second_category)
    )
    own = torch.stack([score[:, i, k], score[:, k, i]])  # either way round
    turned, cut = divmod(int(own.argmax()), cuts)
    others = torch.stack([score, score.mT]).amax(dim=(0, 1)).fill_diagonal_(-torch.inf)
    others[i, k] = others[k, i] = -torch.inf
    best = max(float(others.max()), float(score[cut].diagonal().max()))
    if not float(own.max()) > best:
        return False, False
    colors = judgement.colors[:, kinds][:, :, hues].unflatten(0, mean)[cut].mean(dim=1)
    read = colors[turned, i].argmax(), colors[1 - turned, k].argmax()
    names = [list(COLORS)[hues[int(place)]] for place in read]
    return True, names == [asked.color, asked.second_color]


def pairs_found(evaluator: Evaluator, generator: torch.Generator) -> float:
    """The share of the true scenes of P-pair in which both things are found."""
    found = 0
    for prompt in P_PAIR:
        asked = wanted(prompt)
        scene = as_gaussians(held_object(asked, generator), generator)
        found += both_found(halves(scene), asked, evaluator)[0]
    return found / len(P_PAIR)


def _cuts(scene: Gaussians) -> Iterator[Bool[Tensor, "splats"]]:
    """Which splats lie on one side of each plane."""
    means = scene.means.detach()
    body = _body(scene)
    if int(body.sum()) < 2 * LEAST:
        return
    planes: list[tuple[Tensor, tuple[float, ...]]] = [(means[:, 2], LEVEL)]
    for turn in range(TURNS):
        angle = math.pi * turn / TURNS
        planes.append((means[:, 0] * math.cos(angle) + means[:, 1] * math.sin(angle), UPRIGHT))
    for place, shares in planes:
        low, high = place[body].quantile(torch.tensor([0.01, 0.99])).tolist()
        for share in shares:
            yield place > low + share * (high - low)


def _body(scene: Gaussians) -> Bool[Tensor, "splats"]:
    return scene.logit_opacities.sigmoid() > BODY


def _seen(
    scene: Gaussians, mask: Bool[Tensor, "splats"]
) -> Float[Tensor, "views 96 96 3"] | None:
    """One half from all around; None if it is nearly nothing."""
    half = Gaussians(**{name: value[mask] for name, value in scene.state().items()})
    body = _body(half)
    frame = frame_of(half.means.detach()[body]) if int(body.sum()) >= LEAST else None
    if frame is None:
        return None
    azimuth, elevation = angles(LOOKS, (ELEVATION,))
    return look(half, framed(frame, azimuth, elevation, SIZE)).over(WHITE)
