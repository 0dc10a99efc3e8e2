"""Test the testers: before a table is written, objects with known faults must be told apart.

24 true objects, the same ones with two faces, with floaters and in a wrong color. An evaluator
that does not see second faces (AUROC of T at least 0.95) or misreads the color of true objects
(accuracy at least 0.95) writes no table; nor does one that is asked for two things at once and
does not find true ones (share at least 0.7).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from splatsmith.errors import InputError
from splatsmith.evaluate.evaluators import Evaluator
from splatsmith.evaluate.halves import pairs_found
from splatsmith.evaluate.mass import pieces
from splatsmith.evaluate.matching import look
from splatsmith.evaluate.statistics import auroc
from splatsmith.evaluate.truth import as_gaussians, true_objects, with_faces, with_floaters
from splatsmith.evaluate.turning import Turning, turning_of
from splatsmith.evaluate.views import GRAY, WHITE, standard_views
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.objects import ToyObject, build
from splatsmith.toybox.split import JANUS
from splatsmith.toybox.split import pairs as pairs_of
from splatsmith.toybox.words import COLORS

COUNT = 24  # objects of each kind
EVERY = 4  # of the protocol's 48 views, the one that colors are read from
LEAST_AUROC = 0.95  # of T, whole against two faces
LEAST_COLOR = 0.95  # share of true objects whose color is read rightly
LEAST_PAIRS = 0.7  # share of true scenes of two things in which both are found
LEAST_TURNING = 0.75  # mean T of the whole objects of a category that may be asked for T


class ControlsFailed(InputError):
    """The evaluator does not see what it must; `controls` says how it did."""

    def __init__(self, controls: "Controls") -> None:
        self.controls = controls
        super().__init__(
            f"{controls.evaluator} failed its controls, so no table is written: "
            f"{'; '.join(controls.faults)}. Train it again or take another."
        )


@dataclass(frozen=True)
class Controls:
    """How an evaluator did on objects whose truth is known."""

    evaluator: str
    count: int  # objects of each kind
    turning_auroc: float | None  # whole against two faces, by T; None without azimuths
    two_faces: float | None  # share of the two-faced objects that count as Janus
    false_alarms: float | None  # share of the whole ones that do
    whole_turning: dict[str, float]  # mean T of the whole objects of each category
    color_accuracy: float  # share of the whole objects whose color is read rightly
    wrong_color_seen: float  # share of the wrongly colored ones not read as what was asked
    floater_auroc: float  # floaters against none, by the share of floating mass
    pairs_found: float | None = None  # share of true scenes of two things; None if not asked

    @property
    def gated(self) -> tuple[str, ...]:
        """The categories whose fronts it sees well enough to be asked for T."""
        return tuple(
            name for name, score in self.whole_turning.items() if score >= LEAST_TURNING
        )

    @property
    def faults(self) -> tuple[str, ...]:
        """What is not good enough, in words."""
        found = []
        if self.turning_auroc is not None and self.turning_auroc < LEAST_AUROC:
            found.append(
                f"AUROC of T is {self.turning_auroc:.3f}, but must be at least {LEAST_AUROC}"
            )
        if self.color_accuracy < LEAST_COLOR:
            found.append(
                f"the color of true objects is read with accuracy {self.color_accuracy:.3f}, "
                f"but must be with at least {LEAST_COLOR}"
            )
        if self.pairs_found is not None and self.pairs_found < LEAST_PAIRS:
            found.append(
                f"both of two true things are found in {self.pairs_found:.3f} of the scenes, "
                f"but must be in at least {LEAST_PAIRS}"
            )
        return tuple(found)

    def demand(self) -> None:
        """ControlsFailed if there is any fault."""
        if self.faults:
            raise ControlsFailed(self)


def check_controls(
    evaluator: Evaluator,
    generator: torch.Generator,
    count: int = COUNT,
    *,
    pairs: bool = False,
) -> Controls:
    """Put an evaluator to the test with `count` objects of each kind.

    With `pairs` also with the twelve scenes of P-pair, which takes a minute more.

    The objects are those of P-janus (six categories in their held-out colors), in turn, each an
    instance of its own. Takes half a minute on one core for 24.
    """
    toys = control_objects(generator, count)
    whole = [as_gaussians(toy, generator) for toy in toys]
    floating = [with_floaters(scene, generator) for scene in whole]
    wrong = [as_gaussians(in_wrong_color(toy, generator), generator) for toy in toys]
    asked = [(toy.category, toy.color) for toy in toys]
    turned, doubled = (
        _turnings(evaluator, whole, toys),
        _turnings(evaluator, [with_faces(scene, 2) for scene in whole], toys),
    )
    right, deceived = (
        [color_read(evaluator, scene, category) == color for scene, (category, color) in rows]
        for rows in (zip(whole, asked, strict=True), zip(wrong, asked, strict=True))
    )
    drift = [torch.tensor([pieces(s).floating for s in kind]) for kind in (floating, whole)]
    return Controls(
        evaluator=evaluator.name,
        count=count,
        turning_auroc=_separation(turned, doubled),
        two_faces=_janus_share(doubled),
        false_alarms=_janus_share(turned),
        whole_turning=_by_category(turned, toys),
        color_accuracy=sum(right) / count,
        wrong_color_seen=1 - sum(deceived) / count,
        floater_auroc=auroc(*drift),
        pairs_found=pairs_found(evaluator, generator) if pairs else None,
    )


def control_objects(generator: torch.Generator, count: int) -> list[ToyObject]:
    """Plain true objects of P-janus, its pairs in turn."""
    if count < 1:
        raise InputError(f"Controls need at least one object of each kind, got {count}.")
    held = [pair for pair in pairs_of("held", extra=False) if pair[1] in JANUS]
    return true_objects([held[i % len(held)] for i in range(count)], generator)


def in_wrong_color(toy: ToyObject, generator: torch.Generator) -> ToyObject:
    """The same shape in another main color."""
    others = [name for name in COLORS if name != toy.color]
    color = others[int(torch.randint(len(others), (), generator=generator))]
    return build(toy.category, toy.shape, color)


def color_read(evaluator: Evaluator, scene: Gaussians, category: str) -> str:
    """The main color that the evaluator reads, given the category.

    The one with the best mean log-probability over 12 views on white and on gray.
    """
    number = list(CATEGORIES).index(category)
    seen = look(scene, standard_views()[slice(None, None, EVERY)])
    pictures = torch.cat([seen.over(WHITE), seen.over(GRAY)])
    found = evaluator.judge(pictures, category).colors[:, number].mean(0)
    return list(COLORS)[int(found.argmax())]


def whole_turning(
    evaluator: Evaluator, categories: Sequence[str], generator: torch.Generator, each: int = 4
) -> dict[str, float]:
    """Mean T of `each` true objects of every category, for finding out which may be asked."""
    held = [pair for pair in pairs_of("held") if pair[1] in categories]
    chosen = [
        next(pair for pair in held if pair[1] == name)
        for name in categories
        for _ in range(each)
    ]
    toys = true_objects(chosen, generator)
    scenes = [as_gaussians(toy, generator) for toy in toys]
    return _by_category(_turnings(evaluator, scenes, toys), toys)


def _turnings(
    evaluator: Evaluator, scenes: Sequence[Gaussians], toys: Sequence[ToyObject]
) -> list[Turning]:
    """None at all from an evaluator that cannot read azimuths."""
    if not evaluator.reads_azimuth:
        return []
    return [
        turning_of(scene, evaluator, toy.category)
        for scene, toy in zip(scenes, toys, strict=True)
    ]


def _separation(whole: list[Turning], doubled: list[Turning]) -> float | None:
    if not whole:
        return None
    scores = [torch.tensor([found.score for found in kind]) for kind in (whole, doubled)]
    return auroc(*scores)


def _janus_share(found: list[Turning]) -> float | None:
    return sum(turning.janus for turning in found) / len(found) if found else None


def _by_category(found: list[Turning], toys: Sequence[ToyObject]) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for turning, toy in zip(found, toys, strict=False):
        scores.setdefault(toy.category, []).append(turning.score)
    return {name: sum(values) / len(values) for name, values in scores.items()}
