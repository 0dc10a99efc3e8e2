"""All metrics of one scene (evaluation.md, section 6.2): the one way that everything goes.

Runs, true objects, start scenes and controls are all weighed here, by the same views and the
same code. A scene that shows no object scores 0 wherever more is better, counts as Janus and
as floating altogether, and has no value where only an object could have one.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.evaluate.color import color_difference, color_distance
from splatsmith.evaluate.evaluators import Evaluator
from splatsmith.evaluate.geometry import Pair, aligned, likeness, psnr, similarity
from splatsmith.evaluate.halves import both_found, halves
from splatsmith.evaluate.instances import main_paint
from splatsmith.evaluate.mass import needle_share, pieces, view_dependence
from splatsmith.evaluate.matching import Drawable, Match, best_match, look, overlap_of
from splatsmith.evaluate.measures import (
    Retrieval,
    category_right,
    failure,
    retrieval,
    shape_only,
)
from splatsmith.evaluate.turning import Turning, turning, turning_cameras, turning_of
from splatsmith.evaluate.views import GRAY, OPAQUE, WHITE, Seen, standard_views
from splatsmith.evaluate.wanted import Wanted, wanted
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.toybox import COLORS, render
from splatsmith.toybox.objects import Toy, ToyObject

Metrics = dict[str, float | None]

COVERED = 0.9  # alpha from which a pixel's color is the object's own

# What a failed scene is given: 0 where more is better, the worst where there is a worst.
READINGS = ("PR@1", "PR@5", "PRview", "Cat", "Col", "GeoCat", "T", "JR")
BOTH = ("Both", "BothCol")  # of two things: both found, and in their colors
FAILED_READING: Mapping[str, float] = dict.fromkeys(READINGS, 0.0) | {"JR": 1.0}
SAMENESS = ("PSNR", "SSIM", "IoU")  # with the very object of the picture
FAILED_SCENE: Mapping[str, float] = {"IoU*": 0.0, "PSNR*": 0.0, "F*": 0.0, "Float": 1.0}


def weigh(
    scene: Gaussians,
    prompt: str,
    evaluators: Sequence[Evaluator],
    generator: torch.Generator,
    shown: Toy | None = None,
) -> Metrics:
    """Every metric of a scene that was made for a canonical prompt.

    `shown` is the very object that it was made from a picture of: it must be met where it
    stands, so that nothing is searched and nothing aligned.

    What an evaluator reads has its kind before the name, "E1 PR@1". What is true or false is 1
    or 0. None where a measure does not apply, as retrieval does not to two things at once.
    `generator` only draws which surface points are compared. Raises InputError for a prompt
    whose truth is not known.
    """
    asked = wanted(prompt)
    if not all(bool(torch.isfinite(value).all()) for value in scene.state().values()):
        return failed(prompt, evaluators, shown)
    scene = _plain(scene)
    cameras = standard_views()
    seen = look(scene, cameras)
    if failure(scene, seen.alpha):
        return failed(prompt, evaluators, shown)
    metrics: Metrics = {"Fail": 0.0}
    if evaluators and asked.alone:
        gray = shape_only(seen, cameras)
        for evaluator in evaluators:
            metrics |= _reading(scene, seen, gray, asked, evaluator)
    elif evaluators:
        parted = halves(scene)
        for evaluator in evaluators:
            metrics |= _both(parted, asked, evaluator)
    metrics |= weigh_likeness(scene, asked, generator)
    metrics |= _sameness(seen, shown, cameras) if shown is not None else {}
    body = pieces(scene)
    return metrics | {
        "Float": body.floating,
        "Pieces": float(body.count),
        "Needle": needle_share(scene),
        "VDI": view_dependence(scene, cameras),
        "Splats": float(scene.count),
    }


def failed(prompt: str, evaluators: Sequence[Evaluator], shown: Toy | None = None) -> Metrics:
    """The metrics of a run that left no object."""
    metrics: Metrics = {"Fail": 1.0, **FAILED_SCENE}
    metrics |= dict.fromkeys(SAMENESS, 0.0) if shown is not None else {}
    for evaluator in evaluators:
        for name, value in FAILED_READING.items():
            if name in ("T", "JR") and not evaluator.reads_azimuth:
                continue
            metrics[_named(evaluator, name)] = value if wanted(prompt).alone else None
        for name in BOTH if not wanted(prompt).alone else ():
            metrics[_named(evaluator, name)] = 0.0
    return metrics


def weigh_pictures(
    pictures: Float[Tensor, "views 96 96 3"], prompt: str, evaluators: Sequence[Evaluator]
) -> Metrics:
    """What can be read from pictures alone, such as those that a prior draws by itself.

    They must be those of the turning test: 24 azimuths at 15 degrees, over white.
    """
    cameras, asked = turning_cameras(), wanted(prompt)
    if len(pictures) != len(cameras):
        raise InputError(f"{len(cameras)} pictures are weighed together, got {len(pictures)}.")
    metrics: Metrics = {"Fail": 0.0}
    for evaluator in evaluators if asked.alone else ():
        judgement = evaluator.judge(pictures, asked.category)
        found = retrieval(judgement, asked.category, asked.color)
        metrics |= {_named(evaluator, k): v for k, v in _retrieved(found).items()}
        if judgement.azimuth is not None:
            turned = turning(judgement.azimuth, cameras.azimuth)
            metrics |= {_named(evaluator, k): v for k, v in _turned(turned).items()}
    return metrics


def kind_of(evaluator: Evaluator) -> str:
    """E1 or E2: the part of its name that does not change with its weights."""
    return evaluator.name.split()[0]


def _reading(
    scene: Gaussians, seen: Seen, gray: Tensor, asked: Wanted, evaluator: Evaluator
) -> Metrics:
    """What one evaluator reads, from both backgrounds, from bare shape, and all around."""
    pictures = torch.cat([seen.over(WHITE), seen.over(GRAY)])
    judgement = evaluator.judge(pictures, asked.category)
    found = _retrieved(retrieval(judgement, asked.category, asked.color))
    bare = category_right(evaluator.judge(gray, asked.category), asked.category)
    found["GeoCat"] = float(bare)
    if evaluator.reads_azimuth:
        found |= _turned(turning_of(scene, evaluator, asked.category))
    return {_named(evaluator, name): value for name, value in found.items()}


def _both(parted: Tensor, asked: Wanted, evaluator: Evaluator) -> Metrics:
    """Whether two things are there, and in their colors."""
    both = zip(BOTH, both_found(parted, asked, evaluator), strict=True)
    return {_named(evaluator, name): float(value) for name, value in both}


def _retrieved(found: Retrieval) -> Metrics:
    return {
        "Rank": float(found.rank),
        "PR@1": float(found.rank <= 1),
        "PR@5": float(found.rank <= 5),
        "PRview": found.views,
        "Cat": float(found.category),
        "Col": float(found.color),
    }


def _turned(found: Turning) -> Metrics:
    return {
        "T": found.score,
        "JR": float(found.janus),
        "S": found.repeat,
        "Faces": float(found.faces),
    }


def weigh_likeness(scene: Drawable, asked: Wanted, generator: torch.Generator) -> Metrics:
    """Against the true instance that it resembles most; an unlike one if there is none.

    These measures take anything that can be looked at, meshes too.
    """
    match = best_match(scene, asked)
    if match is None:
        nothing = dict.fromkeys(("CD*", "Haze", "dE", "dE*"))
        return {"IoU*": 0.0, "PSNR*": 0.0, "F*": 0.0, **nothing}
    pair = aligned(scene, match)
    found = likeness(scene, match, pair, generator)
    return {
        "IoU*": found.iou,
        "PSNR*": found.psnr,
        "CD*": found.chamfer,
        "F*": found.fscore,
        "Haze": found.haze,
        **_color_distances(pair, match, asked),
    }


def _sameness(seen: Seen, shown: Toy, cameras: Cameras) -> Metrics:
    """With the object that the picture was taken of, from the standard views."""
    truth = render(shown, cameras, background=GRAY)
    ours, true = seen.alpha[..., 0] > OPAQUE, truth.alpha[..., 0] > OPAQUE
    either = ours | true
    return {
        "PSNR": psnr(seen.over(GRAY), truth.color, either),
        "SSIM": similarity(seen.over(GRAY), truth.color, either),
        "IoU": float(overlap_of(ours, true).mean()),
    }


def _color_distances(pair: Pair, match: Match, asked: Wanted) -> Metrics:
    """Of what covers the pixels where the true instance shows its main color.

    dE to the palette's color, which no light falls on, and dE* to what the instance shows.
    """
    if not isinstance(match.toy, ToyObject):
        return {"dE": None, "dE*": None}
    alpha, part = pair.scene.alpha, pair.truth.part
    main = main_paint(match.toy)[part.clamp_min(0)] & (part >= 0)
    where = main & (alpha[..., 0] > COVERED)
    color = pair.scene.color / alpha.clamp_min(COVERED)
    return {
        "dE": color_distance(color, where, COLORS[asked.color]),
        "dE*": color_difference(color, pair.truth.color, where),
    }


def _plain(scene: Gaussians) -> Gaussians:
    """The scene as float32 on the CPU, where everything is weighed."""
    return Gaussians.from_state({k: v.float().cpu() for k, v in scene.state().items()})


def _named(evaluator: Evaluator, name: str) -> str:
    return f"{kind_of(evaluator)} {name}"
