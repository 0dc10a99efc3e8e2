"""Learning rates: of each parameter of each kind of scene, and how they fall over a stage."""

import math
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

from splatsmith.errors import InputError


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
    """Adam's learning rate for each parameter of Gaussians, 0 (frozen) to 1 per step.

    They are for a scene of radius 1; there is no hidden factor.
    """

    unnamed: ClassVar[bool] = True  # a table without a kind is of this one

    kind: Literal["gaussians"] = "gaussians"
    means: Rate = 4e-3  # world units
    log_scales: Rate = 1e-2  # natural logarithm
    quats: Rate = 1e-2  # components of quaternions of length about 1
    logit_opacities: Rate = 5e-2  # logit
    sh: Rate = 2e-2  # harmonics; color changes by 0.28 times this

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRates:
    """The same for a radiance field."""

    kind: Literal["field"] = "field"
    encoding: Rate = 1e-2  # features of the grid, voxels or planes
    network: Rate = 1e-3  # weights and biases
    backdrop: Rate = 1e-3  # of a background that learns

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TetrahedraRates:
    """The same for a surface in a grid of tetrahedra."""

    kind: Literal["tetrahedra"] = "tetrahedra"
    sdf: Rate = 1e-3  # world units
    deformation: Rate = 1e-2  # before its tanh, which moves a grid point by 0.24 cubes at most
    logit_colors: Rate = 5e-2  # logit

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshRates:
    """The same for a mesh."""

    kind: Literal["mesh"] = "mesh"
    vertices: Rate = 1e-3  # world units
    logit_colors: Rate = 5e-2  # logit, at vertices

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TexturedRates:
    """The same for a mesh with a texture."""

    kind: Literal["textured"] = "textured"
    vertices: Rate = 0.0  # world units
    logit_texture: Rate = 5e-2  # logit, at the texture's pixels

    def __post_init__(self) -> None:
        _check(self)


AnyRates = Rates | FieldRates | TetrahedraRates | MeshRates | TexturedRates


def rate_at(rates: AnyRates, name: str, progress: float) -> float:
    """The rate that `rates` have for a parameter, at `progress` (0 to 1) through the stage."""
    rate: Rate = getattr(rates, name)
    return rate.at(progress) if isinstance(rate, Decay) else rate


def _check(rates: AnyRates) -> None:
    for item in fields(rates):
        rate = getattr(rates, item.name)
        if isinstance(rate, float) and not 0 <= rate <= 1:
            raise InputError(f"{item.name} must lie in 0 to 1, got {rate}.")
