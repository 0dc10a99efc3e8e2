"""A ControlNet (Zhang et al. 2023) beside a prior: told the depth or the normals of the render.

The prior then knows what shape it is looking at, and its picture keeps to it: of use once there
is a shape, to paint it. The pictures that it is shown follow the networks that were published:
depth as nearness, white in front; normals with red to the left, green up, blue to the camera.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.priors.pretrained.family import Question
from splatsmith.priors.pretrained.folder import read_json
from splatsmith.priors.protocol import Sight

COVERED = 0.5  # alpha from which a pixel shows the object
UNET_PIPELINES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")


def residuals(
    question: Question, words: Tensor, added: Mapping[str, Tensor] | None
) -> dict[str, Any]:
    """What the ControlNet adds to the UNet, as its arguments; nothing if there is none."""
    if question.control is None:
        return {}
    if "control" not in question.told.pictures:
        raise InputError(
            "A prior with a ControlNet must be shown the render; it serves in a run, or after "
            "prior.shown(condition, sight, generator)."
        )
    more = {} if added is None else {"added_cond_kwargs": added}
    down, middle = question.control(
        question.x_t,
        question.steps,
        encoder_hidden_states=words,
        controlnet_cond=question.told.pictures["control"].to(question.x_t),
        conditioning_scale=question.control_scale,
        return_dict=False,
        **more,
    )
    return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def check_control(root: Path, network: Mapping[str, Any], pipeline: str) -> None:
    """InputError unless the ControlNet in `root` goes with the network's configuration."""
    if pipeline not in UNET_PIPELINES:
        raise InputError(
            f"A ControlNet goes with {' or '.join(UNET_PIPELINES)} only, and this prior is a "
            f"{pipeline}; leave out control."
        )
    config = read_json(root / "config.json")
    kind = str(config.get("_class_name"))
    if kind != "ControlNetModel":
        raise InputError(f"{root} is a {kind}, and control wants a ControlNetModel.")
    for key in ("cross_attention_dim", "block_out_channels"):
        if _plain(config.get(key)) != _plain(network.get(key)):
            raise InputError(
                f"{root} was made for another prior: its {key} is {config.get(key)}, and the "
                f"prior's is {network.get(key)}; choose one that was trained for it."
            )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def picture_of(what: str, sight: Sight, size: int) -> Float[Tensor, "views 3 rows columns"]:
    """The picture that a ControlNet for "depth" or "normal" is shown, 0..1; no gradients."""
    with torch.no_grad():
        color = nearness(sight) if what == "depth" else normals(sight)
        x = color.permute(0, 3, 1, 2)
        return F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)


def nearness(sight: Sight) -> Float[Tensor, "views height width 3"]:
    """1 / depth, brought to 0..1 in each view: 1 at the nearest, 0 where there is nothing."""
    covered = sight.alpha > COVERED
    near = torch.where(covered, 1 / sight.depth.clamp(min=1e-6), 0.0)
    most = near.amax(dim=(1, 2), keepdim=True)
    least = torch.where(covered, near, torch.inf).amin(dim=(1, 2), keepdim=True)
    least = torch.where(least.isfinite(), least, 0.0)
    shade = (near - least) / (most - least).clamp(min=1e-6)
    # The farthest point of the object is still in front of the background.
    return torch.where(covered, 0.1 + 0.9 * shade.clamp(0, 1), 0.0).expand(-1, -1, -1, 3)


def normals(sight: Sight) -> Float[Tensor, "views height width 3"]:
    """Normals as colors: (1 - n) / 2 of the camera's axes; what is not covered faces us."""
    if sight.normal is not None:
        rotation = sight.cameras.viewmat[:, :3, :3].to(sight.normal)
        turned = torch.einsum("vij,vhwj->vhwi", rotation, sight.normal)
    else:
        turned = normals_of_depth(sight)
    unit = F.normalize(turned, dim=-1)
    facing = torch.tensor([0.0, 0.0, -1.0]).to(unit)
    return (1 - torch.where(sight.alpha > COVERED, unit, facing)) / 2


def normals_of_depth(sight: Sight) -> Float[Tensor, "views height width 3"]:
    """Normals in the camera's frame, toward it, by the differences between pixels' points."""
    depth, height, width = sight.depth, *sight.depth.shape[1:3]
    K = sight.cameras.K.to(depth)
    column = torch.arange(width).to(depth) + 0.5
    row = torch.arange(height).to(depth) + 0.5
    v, u = torch.meshgrid(row, column, indexing="ij")
    x = (u[None] - K[:, 0, 2, None, None]) / K[:, 0, 0, None, None]
    y = (v[None] - K[:, 1, 2, None, None]) / K[:, 1, 1, None, None]
    points = torch.stack([x, y, torch.ones_like(x)], dim=-1) * depth
    across = torch.gradient(points, dim=2)[0]
    down = torch.gradient(points, dim=1)[0]
    # Right times down points away from the camera (x right, y down, z forward).
    return F.normalize(-torch.linalg.cross(across, down), dim=-1)
