"""Numbers that may change over a stage: a plain number, or a ramp between two.

Any weight of a recipe can be either. threestudio's schedules are this idea: a list of a start,
two values and an end. Here the four have names, and progress is a share of the stage, so that
a recipe in fewer steps keeps its shape.
"""

import math
import sys
from dataclasses import dataclass
from typing import Literal

from splatsmith.errors import InputError

Shape = Literal["linear", "cosine", "log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """From one value to another, flat before `since` and after `until`.

    linear: evenly. cosine: slowly at both ends. log: evenly in the logarithm, so both values
    must be positive. `since` = `until` is a jump.
    """

    start: float  # the value at first
    end: float  # and at last
    shape: Shape = "linear"  # of the way between
    since: float = 0.0  # progress, 0 to 1, at which it begins to change
    until: float = 1.0  # progress at which it has changed

    def __post_init__(self) -> None:
        if self.shape not in ("linear", "cosine", "log"):
            raise InputError(f"A ramp is linear, cosine or log, got {self.shape!r}.")
        if not 0 <= self.since <= self.until <= 1:
            raise InputError(
                f"A ramp needs 0 <= since <= until <= 1, got {self.since} and {self.until}."
            )
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise InputError(
                f"A ramp's start and end must be finite, got {self.start} and {self.end}."
            )
        if self.shape == "log" and not (self.start > 0 and self.end > 0):
            raise InputError(
                f"A ramp in the logarithm needs positive values, "
                f"got {self.start} and {self.end}."
            )

    def at(self, progress: float) -> float:
        """The value at `progress`, which runs from 0 to 1 over the stage."""
        assert 0 <= progress <= 1, f"progress runs from 0 to 1, got {progress}"
        if progress < self.since:
            return self.start
        if progress >= self.until:
            return self.end
        share = (progress - self.since) / (self.until - self.since)
        if self.shape == "cosine":
            share = (1 - math.cos(math.pi * share)) / 2
        if self.shape == "log":
            return self.start * (self.end / self.start) ** share
        return self.start + (self.end - self.start) * share


Varying = float | Ramp


def at(value: Varying, progress: float) -> float:
    """What a number that may vary is at `progress`."""
    return value.at(progress) if isinstance(value, Ramp) else value


def check_range(name: str, value: Varying, low: float, high: float | None = None) -> None:
    """Raise InputError unless the value lies in `low` to `high` throughout.

    Without `high` any finite number will do.
    """
    ends = (value.start, value.end) if isinstance(value, Ramp) else (value,)
    for end in ends:
        if not low <= end <= (sys.float_info.max if high is None else high):
            limit = f"be {low:g} or more" if high is None else f"lie in {low:g} to {high:g}"
            raise InputError(f"{name} must {limit}, got {end}.")
