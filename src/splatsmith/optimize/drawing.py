"""What the cameras of a step see: cameras, light and background drawn, the scene rendered."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.optimize import guards
from splatsmith.optimize.field_regularizers import FieldRegularize
from splatsmith.optimize.lamp import light
from splatsmith.optimize.setting import Setting
from splatsmith.render.picture import Picture
from splatsmith.render.shading import Shading
from splatsmith.scenes.field import Field
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.kinds import Scene
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.tetrahedra import Tetrahedra


@dataclass(frozen=True, eq=False)
class Seen:
    """What the cameras of a step saw, and x, which is what the prior will see of it."""

    cameras: Cameras
    picture: Picture
    x: Float[Tensor, "views channels rows columns"]
    offset: Float[Tensor, "views splats 2"] | None  # its gradient is what upkeep needs


def look(setting: Setting, scene: Scene, step: int) -> Seen:
    """Draw cameras, light and background of a step, and render the scene."""
    stage = setting.stage
    draws = setting.draws("cameras", step)
    cameras = stage.cameras.sample(stage.views, stage.size, stage.size, draws)
    background, offset = backgrounds(setting, step), None
    if isinstance(scene, Field) and scene.settings.holds_latents:
        return _latents(setting, scene, cameras, background, step)
    if isinstance(scene, Gaussians):
        guards.check("log_scales", scene.scales)
        if stage.upkeep is not None:
            offset = torch.zeros(stage.views, scene.count, 2, requires_grad=True)
        picture = scene.render(cameras, background, screen_offset=offset)
    else:
        picture = _of_surfaces(setting, scene, cameras, background, step)
    return Seen(cameras, picture, setting.prior.encode(picture.color), offset)


def _latents(
    setting: Setting, scene: Field, cameras: Cameras, background: Tensor, step: int
) -> Seen:
    """A field that holds what the prior sees: nothing is encoded but what lies behind it."""
    stage, progress = setting.stage, setting.progress(step)
    scene.advance(progress, setting.draws("field", step))
    behind = None
    if stage.background != "learned":
        with torch.no_grad():
            # One color behind all views is encoded once.
            colors = background if stage.background == "random" else background[:1]
            plain = colors[:, None, None].expand(-1, stage.size, stage.size, -1)
            encoded = setting.prior.encode(plain).permute(0, 2, 3, 1).to(background)
            behind = encoded.expand(len(cameras), -1, -1, -1)
    asked = stage.regularize
    picture = scene.render_latents(
        cameras,
        behind,
        generator=setting.draws("rays", step),
        normals=isinstance(asked, FieldRegularize) and asked.needs_normals(progress),
    )
    x = picture.color.permute(0, 3, 1, 2)
    return Seen(cameras, replace(picture, color=scene.as_color(picture.color)), x, None)


def _of_surfaces(
    setting: Setting, scene: Scene, cameras: Cameras, background: Tensor, step: int
) -> Picture:
    """A scene that has normals, and may be lit."""
    stage, progress = setting.stage, setting.progress(step)
    shading: Shading | None = None
    if stage.lamp is not None:
        shading = light(stage.lamp, cameras, progress, setting.draws("lamp", step))
    if isinstance(scene, Field):
        scene.advance(progress, setting.draws("field", step))
        asked = stage.regularize
        return scene.render(
            cameras,
            None if stage.background == "learned" else background,
            generator=setting.draws("rays", step),
            shading=shading,
            normals=isinstance(asked, FieldRegularize) and asked.needs_normals(progress),
        )
    assert isinstance(scene, Tetrahedra | Mesh)
    return scene.render(cameras, background, shading=shading)


def backgrounds(setting: Setting, step: int) -> Float[Tensor, "views 3"]:
    """What lies behind the scene in each view, 0..1."""
    stage = setting.stage
    if stage.background == "random":
        return torch.rand(stage.views, 3, generator=setting.draws("background", step))
    return torch.full((stage.views, 3), 0.0 if stage.background == "black" else 1.0)
