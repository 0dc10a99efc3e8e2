"""What a recipe may say: the types, units, ranges and defaults of every key.

A recipe is one or more stages over one scene. Tables that belong to one part of the house
(cameras, start, score, upkeep, regularize) are the settings dataclasses of that part.
"""

import math
from dataclasses import dataclass, field, fields
from typing import Literal

from splatsmith.cameras import OrbitSampler
from splatsmith.distill import SDS, ScoreSettings
from splatsmith.errors import InputError
from splatsmith.optimize.regularizers import Regularize
from splatsmith.priors.pretrained.catalog import PUBLISHED
from splatsmith.priors.shipped import SHIPPED
from splatsmith.scenes.starts import StartSettings
from splatsmith.scenes.upkeep import Upkeep

Background = Literal["white", "black", "random"]

LARGEST_PICTURE = 1024  # pixels a side


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """A learning rate that falls (or rises) evenly in its logarithm over the stage."""

    start: float  # at the first step, positive
    end: float  # at the last step, positive

    def __post_init__(self) -> None:
        if not (0 < self.start <= 1 and 0 < self.end <= 1):
            raise InputError(
                f"start and end must be over 0 and at most 1, got {self.start} and {self.end}."
            )

    def at(self, progress: float) -> float:
        """The rate at `progress`, 0 at the first step and 1 at the last one."""
        return math.exp(
            math.log(self.start) + (math.log(self.end) - math.log(self.start)) * progress
        )


Rate = float | Decay


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Adam's learning rate for each parameter of the scene, 0 (frozen) to 1 per step.

    They are for a scene of radius 1; there is no hidden factor.
    """

    means: Rate = 4e-3  # world units
    log_scales: Rate = 1e-2  # natural logarithm
    quats: Rate = 1e-2  # components of quaternions of length about 1
    logit_opacities: Rate = 5e-2  # logit
    sh: Rate = 2e-2  # harmonics; color changes by 0.28 times this

    def __post_init__(self) -> None:
        for item in fields(self):
            rate = getattr(self, item.name)
            if isinstance(rate, float) and not 0 <= rate <= 1:
                raise InputError(f"{item.name} must lie in 0 to 1, got {rate}.")

    def at(self, name: str, progress: float) -> float:
        """The rate of one parameter at `progress` (0 to 1) through the stage."""
        rate = getattr(self, name)
        return rate.at(progress) if isinstance(rate, Decay) else rate


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
    steps: int  # 1 to 1,000,000
    views: int = 4  # cameras per step, 1 to 64
    size: int = 64  # pixels a side of what is drawn, 8 to 1024
    background: Background = "white"  # random: one plain color per view
    prior: str = ""  # short name of a prior; empty: the run's own
    view_words: bool = True  # say "front view" and the like after the prompt
    start: StartSettings | None = None  # the first stage needs it, later ones have none
    cameras: OrbitSampler = field(default_factory=OrbitSampler)
    score: ScoreSettings = field(default_factory=SDS)
    rates: Rates = field(default_factory=Rates)
    adam: Adam = field(default_factory=Adam)
    regularize: Regularize = field(default_factory=Regularize)
    upkeep: Upkeep | None = None  # without it the splats stay as many as they are

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("-", "").isalnum() or not self.name.isascii():
            raise InputError(f"name must be letters, digits and dashes, got {self.name!r}.")
        limits = {"steps": 1_000_000, "views": 64, "size": LARGEST_PICTURE}
        for name, highest in limits.items():
            lowest = 8 if name == "size" else 1
            if not lowest <= getattr(self, name) <= highest:
                raise InputError(
                    f"{name} must lie in {lowest} to {highest}, got {getattr(self, name)}."
                )
        if self.prior and self.prior not in (*SHIPPED, *PUBLISHED):
            known = ", ".join((*SHIPPED, *PUBLISHED))
            raise InputError(f"prior must be one of {known} or empty, got {self.prior!r}.")
        if self.upkeep is not None:
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
    output: Output = field(default_factory=Output)
    stage: tuple[Stage, ...]

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stage]
        if not names or len(set(names)) != len(names):
            raise InputError(f"stages must have names of their own, got {', '.join(names)}.")
        taken = {item.name for item in fields(self)} & set(names)
        if taken:
            raise InputError(f"a stage cannot be called {', '.join(sorted(taken))}.")
        if self.stage[0].start is None:
            raise InputError(f"the first stage, {names[0]!r}, needs a start.")
        for stage in self.stage[1:]:
            if stage.start is not None:
                raise InputError(
                    f"stage {stage.name!r} goes on with the scene of the one before it; "
                    f"only the first stage has a start."
                )

    @property
    def steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stage)
