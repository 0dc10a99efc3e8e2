"""The kinds of scene that a run can optimize, by name, and how each of them can begin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render.picture import Picture
from splatsmith.scenes.field import Field
from splatsmith.scenes.field_settings import FieldSettings
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.paint import ImageTexture
from splatsmith.scenes.point_starts import Hull, Points
from splatsmith.scenes.starts import Ball, SmallBall, StartSettings, begin
from splatsmith.scenes.tetrahedra import BOUND, Tetrahedra

Kind = Literal["gaussians", "field", "tetrahedra", "mesh", "textured"]
KINDS: tuple[str, ...] = get_args(Kind)


@runtime_checkable
class Scene(Protocol):
    """What is optimized; `Gaussians`, `Field`, `Tetrahedra` and `Mesh` are."""

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """What the optimizer moves; rates come from the recipe, by these names."""
        ...

    def render(self, cameras: Cameras, background: Float[Tensor, "3"]) -> Picture:
        """Pictures of it, one for each camera, over one background color."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Everything that it consists of, as a flat dict of tensors."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldStart:
    """A radiance field with weights from the generator; its blob is the first shape."""

    kind: Literal["field"] = "field"
    field: FieldSettings = field(default_factory=FieldSettings)

    def __post_init__(self) -> None:
        if self.field.colors == "sigmoid" and self.field.channels != 3:
            raise InputError(
                f'a field with colors = "sigmoid" has 3 channels, got {self.field.channels}; a '
                f'field of latents has colors = "linear" and as many as the prior.'
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TetrahedraStart:
    """A gray ball in a grid of tetrahedra."""

    kind: Literal["tetrahedra"] = "tetrahedra"
    resolution: int = 64  # half cubes a side of the grid: even, 8 to 256
    radius: float = 0.5  # world units

    def __post_init__(self) -> None:
        check_resolution(self.resolution)
        if not 0 < self.radius < BOUND:
            raise InputError(f"radius must lie between 0 and {BOUND:g}, got {self.radius}.")


AnyStart = StartSettings | FieldStart | TetrahedraStart | Points | Hull


def kind_of_start(settings: AnyStart) -> Kind:
    """Which kind of scene these settings begin."""
    if isinstance(settings, FieldStart):
        return "field"
    return "tetrahedra" if isinstance(settings, TetrahedraStart) else "gaussians"


def begin_any(settings: AnyStart, generator: torch.Generator) -> Scene:
    """The scene that the settings describe, before its first step.

    `Points` and `Hull` describe none by themselves: see `splatsmith.optimize.start`.
    """
    if isinstance(settings, FieldStart):
        return Field.fresh(settings.field, generator)
    if isinstance(settings, TetrahedraStart):
        return Tetrahedra.sphere(settings.resolution, settings.radius)
    assert isinstance(settings, Ball | SmallBall)
    return begin(settings, generator)


def restored(kind: Kind, state: Mapping[str, Tensor]) -> Scene:
    """The scene of a kind that `state` was taken from; InputError for tensors of others."""
    if kind == "field":
        return Field.from_state(state)
    if kind == "tetrahedra":
        return Tetrahedra.from_state(state)
    if kind in ("mesh", "textured"):
        return Mesh.from_state(state)
    return Gaussians.from_state(state)


def kind_of(scene: Scene) -> Kind:
    """Which kind a scene is; a mesh with an image around it is "textured"."""
    if isinstance(scene, Mesh) and isinstance(scene.paint, ImageTexture):
        return "textured"
    kinds: dict[type, Kind] = {Field: "field", Tetrahedra: "tetrahedra", Mesh: "mesh"}
    return kinds.get(type(scene), "gaussians")


def described(scene: Scene) -> str:
    """How large a scene is, in a few words for a progress line: "2500 splats"."""
    if isinstance(scene, Gaussians):
        return f"{scene.count} splats"
    if isinstance(scene, Mesh):
        return f"{len(scene.faces)} faces"
    if isinstance(scene, Tetrahedra):
        return f"grid of {scene.resolution}"
    return "field"


def check_resolution(resolution: int) -> None:
    """InputError for a grid of tetrahedra that cannot be made."""
    if resolution % 2 or not 8 <= resolution <= 256:
        raise InputError(f"resolution must be even and lie in 8 to 256, got {resolution}.")
