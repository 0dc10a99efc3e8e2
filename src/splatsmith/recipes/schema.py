"""What a recipe may say: the types, units, ranges and defaults of every key.

A recipe is one or more stages over one scene. Tables that belong to one part of the house
(cameras, start, score, upkeep, regularize) are the settings dataclasses of that part.
"""

import itertools
from dataclasses import dataclass, field, fields
from typing import Literal

from splatsmith.cameras import OrbitSampler
from splatsmith.distill import SDS, SETTINGS, VSD, Common
from splatsmith.errors import InputError
from splatsmith.optimize.field_regularizers import FieldRegularize
from splatsmith.optimize.lamp import Lamp
from splatsmith.optimize.reference import ReferenceView
from splatsmith.optimize.regularizers import AnyRegularize, Regularize
from splatsmith.optimize.surface_regularizers import SurfaceRegularize
from splatsmith.optimize.texturing import AnyConvert
from splatsmith.priors.pretrained.catalog import PUBLISHED
from splatsmith.priors.shipped import SHIPPED
from splatsmith.recipes.rates import AnyRates, Rates
from splatsmith.recipes.tables import Kinds
from splatsmith.scenes.kinds import AnyStart, FieldStart, Kind, kind_of_start
from splatsmith.scenes.upkeep import Upkeep

Background = Literal["white", "black", "random", "learned"]

LARGEST_PICTURE = 1024  # pixels a side
SCORE = {
    "kinds": Kinds(SETTINGS, "A score of your own: give the file that adds it by --plugin.")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adam:
    """Adam's other numbers (Kingma and Ba 2015, algorithm 1)."""

    beta1: float = 0.9  # decay per step of the mean gradient
    beta2: float = 0.99  # decay per step of the mean squared gradient
    eps: float = 1e-15  # as in 3DGS: gradients of single splats are tiny

    def __post_init__(self) -> None:
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1 and 0 < self.eps <= 1):
            raise InputError(
                f"beta1 and beta2 must lie in 0 to 1 (excluded) and eps over 0, "
                f"got {self.beta1}, {self.beta2} and {self.eps}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stretch of the optimization with the same settings."""

    name: str  # letters, digits and dashes; what --set calls it
    steps: int  # 0 to 1,000,000; with 0 a stage only converts the scene, if it does
    views: int = 4  # cameras per step, 1 to 64
    size: int = 64  # pixels a side of what is drawn, 8 to 1024
    background: Background = "white"  # random: a color per view; learned: a field's own
    prior: str = ""  # short name of a prior; empty: the run's own
    view_words: bool = True  # say "front view" and the like after the prompt
    start: AnyStart | None = None  # the first stage needs it, later ones have none
    convert: AnyConvert | None = None  # go on with the scene as another kind; not in the first
    cameras: OrbitSampler = field(default_factory=OrbitSampler)  # where views are seen from
    score: Common = field(default_factory=SDS, metadata=SCORE)  # from an answer to a gradient
    rates: AnyRates = field(default_factory=Rates)  # how fast the scene's parameters move
    adam: Adam = field(default_factory=Adam)  # the optimizer's other numbers
    regularize: AnyRegularize = field(default_factory=Regularize)  # what else is asked of it
    reference: ReferenceView | None = None  # holds the scene to the picture in the prompt
    lamp: Lamp | None = None  # light for scenes with normals; without it they show their color
    upkeep: Upkeep | None = None  # without it the splats stay as many as they are

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("-", "").isalnum() or not self.name.isascii():
            raise InputError(f"name must be letters, digits and dashes, got {self.name!r}.")
        limits = {"steps": (0, 1_000_000), "views": (1, 64), "size": (8, LARGEST_PICTURE)}
        for name, (lowest, highest) in limits.items():
            if not lowest <= getattr(self, name) <= highest:
                raise InputError(
                    f"{name} must lie in {lowest} to {highest}, got {getattr(self, name)}."
                )
        _check_prior(self.prior)
        if self.views % self.cameras.together:
            raise InputError(
                f"views must be a multiple of cameras.together, got {self.views} views and "
                f"{self.cameras.together} together."
            )
        if self.upkeep is not None and self.steps:
            self.upkeep.check_run(self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a run leaves behind, and how often it saves."""

    save_every: int = 50  # steps between checkpoints
    snapshots: int = 10  # columns of progress.png, spread evenly over the run
    frames: int = 48  # pictures of the turntable, one full turn
    size: int = 256  # pixels a side of the turntable, 16 to 1024, even (the video codec's need)

    def __post_init__(self) -> None:
        if self.save_every < 1 or not 1 <= self.snapshots <= 100:
            raise InputError(
                f"save_every must be 1 or more and snapshots 1 to 100, "
                f"got {self.save_every} and {self.snapshots}."
            )
        if not 1 <= self.frames <= 1000:
            raise InputError(f"frames must lie in 1 to 1000, got {self.frames}.")
        if not 16 <= self.size <= LARGEST_PICTURE or self.size % 2:
            raise InputError(f"size must be even and lie in 16 to 1024, got {self.size}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A published method, or ours, as data."""

    title: str  # one line
    credit: tuple[str, ...] = ()  # authors, year, paper
    prior: str | None = None  # short name of the run's own prior, if it is given none
    output: Output = field(default_factory=Output)  # what a run leaves behind
    stage: tuple[Stage, ...]  # one after the other, over one scene

    def __post_init__(self) -> None:
        _check_prior(self.prior)
        names = [stage.name for stage in self.stage]
        if not names or len(set(names)) != len(names):
            raise InputError(f"stages must have names of their own, got {', '.join(names)}.")
        taken = {item.name for item in fields(self)} & set(names)
        if taken:
            raise InputError(f"a stage cannot be called {', '.join(sorted(taken))}.")
        if self.stage[0].start is None:
            raise InputError(f"the first stage, {names[0]!r}, needs a start.")
        if self.stage[0].convert is not None:
            raise InputError(f"the first stage, {names[0]!r}, has nothing to convert yet.")
        for stage in self.stage[1:]:
            if stage.start is not None:
                raise InputError(
                    f"stage {stage.name!r} goes on with the scene of the one before it; "
                    f"only the first stage has a start."
                )
        for stage, kind in zip(self.stage, self.kinds, strict=True):
            _check_kind(stage, kind)
        for stage in self.of_latents:
            if stage.lamp is not None:
                raise InputError(
                    f"stage {stage.name!r} has a lamp, but latents cannot be lit; leave it out."
                )
        _check_background(self)

    @property
    def kinds(self) -> list[Kind]:
        """Which kind of scene each stage works on."""
        kinds: list[Kind] = []
        for stage in self.stage:
            if stage.convert is not None:
                kinds.append(stage.convert.kind)
            else:
                kinds.append(kinds[-1] if stage.start is None else kind_of_start(stage.start))
        return kinds

    @property
    def of_latents(self) -> tuple[Stage, ...]:
        """The stages whose scene is a field of latents."""
        start = self.stage[0].start
        if not isinstance(start, FieldStart) or not start.field.holds_latents:
            return ()
        return tuple(itertools.takewhile(lambda stage: stage.convert is None, self.stage))

    @property
    def particles(self) -> int:
        """How many scenes a run makes at once, through all stages: as VSD asks, else one."""
        scores = (stage.score for stage in self.stage)
        return max((s.own.particles for s in scores if isinstance(s, VSD)), default=1)

    @property
    def steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stage)


def _check_prior(name: str | None) -> None:
    if name and name not in (*SHIPPED, *PUBLISHED):
        known = ", ".join((*SHIPPED, *PUBLISHED))
        raise InputError(f"prior must be one of {known} or empty, got {name!r}.")


def _check_kind(stage: Stage, kind: Kind) -> None:
    """Refuse what a stage says of another kind of scene than its own."""
    regularize = {"gaussians": Regularize, "field": FieldRegularize}
    if stage.rates.kind != kind:
        raise InputError(
            f"stage {stage.name!r} works on a scene of kind {kind!r}, but its rates are of "
            f"kind {stage.rates.kind!r}; set rates.kind."
        )
    if not isinstance(stage.regularize, regularize.get(kind, SurfaceRegularize)):
        raise InputError(
            f"stage {stage.name!r} works on a scene of kind {kind!r}, but its regularize is of "
            f"kind {stage.regularize.kind!r}; set regularize.kind."
        )
    if kind == "gaussians" and stage.lamp is not None:
        raise InputError(
            f"stage {stage.name!r} has a lamp, but Gaussians have no normals; leave it out."
        )
    if kind != "gaussians" and stage.upkeep is not None:
        raise InputError(
            f"stage {stage.name!r} has upkeep, which is for Gaussians, not for {kind!r}."
        )


def _check_background(recipe: Recipe) -> None:
    """Refuse a learned background where the scene learns none."""
    start = recipe.stage[0].start
    learns = isinstance(start, FieldStart) and start.field.backdrop != "none"
    for stage, kind in zip(recipe.stage, recipe.kinds, strict=True):
        if stage.background == "learned" and not (learns and kind == "field"):
            raise InputError(
                f"stage {stage.name!r} has a learned background, which only a field has that "
                f"starts with field.backdrop set."
            )
