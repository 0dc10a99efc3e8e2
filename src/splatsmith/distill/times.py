"""Which noise levels are asked about, and when.

Each kind is a frozen dataclass that a recipe can name. All answer `window(progress)`, the span
of times at that point of the stage, and `sample`, the times of one step. Times are fractions of
the schedule, 0 clean to 1 noise; the papers' steps are 1000 times that. `progress` runs from 0
to 1. The four ways to draw from a window:

each        every view has a time of its own
stratified  the same, but each from its own part of the window, in random order
shared      one time for all views (DreamGaussian, MVDream)
middle      the middle of the window, without any chance
"""

import bisect
import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError

Draw = Literal["each", "stratified", "shared", "middle"]
Window = tuple[float, float]  # (low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniformTimes:
    """The same window throughout (DreamFusion)."""

    kind: Literal["uniform"] = "uniform"
    low: float = 0.02  # cleanest time asked about
    high: float = 0.98  # noisiest
    draw: Draw = "each"  # how the views of a step share the window

    def __post_init__(self) -> None:
        _check_draw(self.draw)
        if not 0 <= self.low <= self.high <= 1:
            raise InputError(
                f"Uniform times need 0 <= low <= high <= 1, got {self.low} and {self.high}."
            )

    def window(self, progress: float) -> Window:
        """(low, high), the same at any progress."""
        return self.low, self.high

    def sample(
        self, progress: float, views: int, generator: torch.Generator
    ) -> Float[Tensor, "views"]:
        """The times of one step, float32 on the generator's device."""
        return _drawn(self.window(progress), self.draw, views, generator)


@dataclass(frozen=True, slots=True, kw_only=True)
class FallingTimes:
    """A window that slides from noise to detail while its width stays the same.

    linear: the middle falls evenly; DreamGaussian is this with 0.98 to 0.02 and no width.
    sqrt: it falls fast at first and slowly later, start - (start - stop) sqrt(progress)
    (HiFA, Zhu et al. 2023: 0.98 to 0.3 and no width).
    """

    kind: Literal["linear", "sqrt"] = "linear"
    start: float = 0.98  # middle of the window at the first step
    stop: float = 0.02  # and at the last
    width: float = 0.0  # of the window; 0 makes the times certain
    draw: Draw = "each"  # how the views of a step share the window

    def __post_init__(self) -> None:
        _check_draw(self.draw)
        if self.kind not in ("linear", "sqrt"):
            raise InputError(f"Falling times are linear or sqrt, got {self.kind!r}.")
        if not 0 <= self.stop <= self.start <= 1:
            raise InputError(
                f"Falling times need 0 <= stop <= start <= 1, "
                f"got stop={self.stop} and start={self.start}."
            )
        if not 0 <= self.width <= 1:
            raise InputError(f"The width of the times must lie in 0 to 1, got {self.width}.")

    def window(self, progress: float) -> Window:
        """(low, high), cut off at 0 and 1."""
        _check_progress(progress)
        fallen = progress if self.kind == "linear" else math.sqrt(progress)
        middle = self.start + (self.stop - self.start) * fallen
        return max(0.0, middle - self.width / 2), min(1.0, middle + self.width / 2)

    def sample(
        self, progress: float, views: int, generator: torch.Generator
    ) -> Float[Tensor, "views"]:
        """The times of one step, float32 on the generator's device."""
        return _drawn(self.window(progress), self.draw, views, generator)


@dataclass(frozen=True, slots=True, kw_only=True)
class BandTimes:
    """Both ends of the window fall along lines of their own (StableDreamer, MVDream).

    `low` and `high` hold one value for each entry of `at`, and are linear in between. In
    StableDreamer (Guo et al. 2023) the two converge; its values are only in a figure, so the
    ones here are ours. MVDream's are at = (0, 0.7, 1), low = (0.98, 0.02, 0.02) and
    high = (0.98, 0.5, 0.5).
    """

    kind: Literal["band"] = "band"
    at: tuple[float, ...] = (0.0, 1.0)  # progress, rising from 0 to 1
    low: tuple[float, ...] = (0.5, 0.15)  # cleanest time at each
    high: tuple[float, ...] = (0.98, 0.5)  # noisiest time at each
    draw: Draw = "each"  # how the views of a step share the window

    def __post_init__(self) -> None:
        _check_draw(self.draw)
        if not len(self.at) == len(self.low) == len(self.high) >= 2:
            raise InputError(
                f"A band of times needs as many values for at, low and high, at least two, "
                f"got {len(self.at)}, {len(self.low)} and {len(self.high)}."
            )
        rising = all(a < b for a, b in zip(self.at, self.at[1:], strict=False))
        if self.at[0] != 0 or self.at[-1] != 1 or not rising:
            raise InputError(f"A band's at must rise from 0 to 1, got {list(self.at)}.")
        for low, high in zip(self.low, self.high, strict=True):
            if not 0 <= low <= high <= 1:
                raise InputError(
                    f"A band of times needs 0 <= low <= high <= 1, got low {low}, high {high}."
                )

    def window(self, progress: float) -> Window:
        """(low, high) on the two lines."""
        _check_progress(progress)
        after = min(bisect.bisect_right(self.at, progress), len(self.at) - 1)
        begin, end = self.at[after - 1], self.at[after]
        share = (progress - begin) / (end - begin)
        low, high = (
            line[after - 1] + (line[after] - line[after - 1]) * share
            for line in (self.low, self.high)
        )
        return low, max(low, high)  # where both meet, each was rounded on its own

    def sample(
        self, progress: float, views: int, generator: torch.Generator
    ) -> Float[Tensor, "views"]:
        """The times of one step, float32 on the generator's device."""
        return _drawn(self.window(progress), self.draw, views, generator)


@dataclass(frozen=True, slots=True, kw_only=True)
class DreamTimes:
    """Time falls slowly where it counts most (Huang et al. 2023, DreamTime).

    W(t) is 1 between m2 and m1, and falls like a Gaussian of deviation s1 above and s2 below.
    The time at a progress p is the one above which a share p of all of W lies. It never rises,
    and near p = 1 it jumps toward 0, where `low` catches it. The defaults are the paper's first
    version's (800, 500, 300 and 100 of 1000), as in two independent implementations.
    """

    kind: Literal["dreamtime"] = "dreamtime"
    m1: float = 0.8  # upper end of the plateau
    m2: float = 0.5  # lower end
    s1: float = 0.3  # deviation above it
    s2: float = 0.1  # deviation below it
    low: float = 0.02  # no time is cleaner
    high: float = 0.98  # nor noisier
    width: float = 0.0  # of the window about the time; 0 makes it certain, as in the paper
    draw: Draw = "each"  # how the views of a step share the window

    def __post_init__(self) -> None:
        _check_draw(self.draw)
        if not 0 <= self.m2 <= self.m1 <= 1:
            raise InputError(f"DreamTime needs 0 <= m2 <= m1 <= 1, got {self.m2}, {self.m1}.")
        if not (0 < self.s1 <= 10 and 0 < self.s2 <= 10):
            raise InputError(
                f"s1 and s2 must be over 0 and at most 10, got {self.s1} and {self.s2}."
            )
        if not 0 <= self.low <= self.high <= 1:
            raise InputError(
                f"DreamTime needs 0 <= low <= high <= 1, got {self.low} and {self.high}."
            )
        if not 0 <= self.width <= 1:
            raise InputError(f"The width of the times must lie in 0 to 1, got {self.width}.")

    def weight(self, t: float) -> float:
        """W(t), 1 on the plateau; not normalized."""
        if t > self.m1:
            return math.exp(-((t - self.m1) ** 2) / (2 * self.s1**2))
        if t < self.m2:
            return math.exp(-((t - self.m2) ** 2) / (2 * self.s2**2))
        return 1.0

    def above(self, t: float) -> float:
        """The share of all of W that lies above t: 1 at 0, 0 at 1, falling."""
        return 1 - self._below(t) / self._below(1.0)

    def window(self, progress: float) -> Window:
        """(low, high) about the time at which `above` is `progress`."""
        _check_progress(progress)
        clean, noisy = 0.0, 1.0
        for _ in range(50):  # `above` falls, so halving finds the place
            middle = (clean + noisy) / 2
            clean, noisy = (middle, noisy) if self.above(middle) > progress else (clean, middle)
        time = min(max((clean + noisy) / 2, self.low), self.high)
        return max(self.low, time - self.width / 2), min(self.high, time + self.width / 2)

    def sample(
        self, progress: float, views: int, generator: torch.Generator
    ) -> Float[Tensor, "views"]:
        """The times of one step, float32 on the generator's device."""
        return _drawn(self.window(progress), self.draw, views, generator)

    def _below(self, t: float) -> float:
        """The integral of W from 0 to t."""
        foot, head = (s * math.sqrt(math.pi / 2) for s in (self.s2, self.s1))
        rising = math.erf(self.m2 / (math.sqrt(2) * self.s2))
        left = math.erf(max(0.0, self.m2 - t) / (math.sqrt(2) * self.s2))
        falling = math.erf(max(0.0, t - self.m1) / (math.sqrt(2) * self.s1))
        flat = min(max(t, self.m2), self.m1) - self.m2
        return foot * (rising - left) + flat + head * falling


Times = UniformTimes | FallingTimes | BandTimes | DreamTimes

TIMES: dict[str, type[Times]] = {
    "uniform": UniformTimes,
    "linear": FallingTimes,
    "sqrt": FallingTimes,
    "band": BandTimes,
    "dreamtime": DreamTimes,
}


def _drawn(
    window: Window, draw: Draw, views: int, generator: torch.Generator
) -> Float[Tensor, "views"]:
    """Where in the window each view's time lies."""
    device = generator.device
    if draw == "middle":
        place = torch.full((views,), 0.5, device=device)
    elif draw == "shared":
        place = torch.rand(1, generator=generator, device=device).repeat(views)
    else:
        place = torch.rand(views, generator=generator, device=device)
    if draw == "stratified":
        order = torch.randperm(views, generator=generator, device=device)
        place = (order + place) / views
    low, high = window
    return (low + (high - low) * place).clamp(low, high)


def _check_draw(draw: str) -> None:
    if draw not in ("each", "stratified", "shared", "middle"):
        raise InputError(
            f"Times are drawn in one of the ways each, stratified, shared and middle, "
            f"got {draw!r}."
        )


def _check_progress(progress: float) -> None:
    assert 0 <= progress <= 1, f"progress runs from 0 to 1, got {progress}"
