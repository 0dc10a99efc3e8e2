"""A stage goes on with a scene as a mesh and a texture around it, which is written in the end.

The other hand-overs are in `scenes/handover.py`; this one needs what meshes for files are made
with: decimation, a layout and colors from many views (`export/meshing`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from splatsmith.errors import InputError
from splatsmith.export.mesh_files import placing, write_mesh
from splatsmith.export.meshing.make import shape_report
from splatsmith.export.meshing.textured import textured_asset, textured_scene
from splatsmith.scenes.handover import Convert, converted
from splatsmith.scenes.kinds import Scene
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.paint import ImageTexture


@dataclass(frozen=True, slots=True, kw_only=True)
class ToTextured:
    """The surface goes on as a mesh with its colors in an image around it."""

    kind: Literal["textured"] = "textured"
    texture: int = 256  # pixels a side, 64 to 4096
    faces: int = 5000  # at most, 4 to 1,000,000
    resolution: int = 96  # cells along the longest side before faces are reduced, 8 to 480

    def __post_init__(self) -> None:
        ranges = {"texture": (64, 4096), "faces": (4, 1_000_000), "resolution": (8, 480)}
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise InputError(
                    f"{name} must lie in {low:,} to {high:,}, got {getattr(self, name)}."
                )


AnyConvert = Convert | ToTextured


def handed_on(settings: AnyConvert, scene: Scene, generator: torch.Generator) -> Scene:
    """The same shape and colors as another kind of scene; InputError if there is no surface."""
    if not isinstance(settings, ToTextured):
        return converted(settings, scene, generator)
    return textured_scene(
        scene,
        resolution=settings.resolution,
        faces=settings.faces,
        texture=settings.texture,
    )


def is_textured(scene: Scene) -> bool:
    """Whether a scene has a texture to be written."""
    return isinstance(scene, Mesh) and isinstance(scene.paint, ImageTexture)


def write_textured(path: Path, scene: Scene) -> None:
    """A textured scene as a .glb: the texture as it was optimized, nothing meshed anew."""
    assert isinstance(scene, Mesh)
    asset = textured_asset(scene)
    write_mesh(path, asset, placing(asset))


def report_textured(scene: Scene) -> dict[str, Any]:
    """What report.json says of a textured scene: faces, parts, whether it is closed."""
    assert isinstance(scene, Mesh)
    assert isinstance(scene.paint, ImageTexture)
    height, width = scene.paint.logit_texture.shape[:2]
    return shape_report(textured_asset(scene)) | {"texture": [width, height]}
