"""Adding and removing rows of a scene while its optimizer keeps what it has learned.

Adam's moments belong to Gaussians, not to row numbers: a row that stays keeps its moments
wherever it moves to, and a row that is new starts with moments of zero.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.scenes.gaussians import Gaussians

SHRINK = 1.6  # Children of a split are this much smaller (Kerbl et al. 2023, section 5.2).


@torch.no_grad()
def rearrange(
    scene: Gaussians,
    optimizer: torch.optim.Optimizer,
    source: Int[Tensor, "rows"],
    fresh: Bool[Tensor, "rows"],
    changes: Mapping[str, Tensor] | None = None,
) -> None:
    """Make row i of every parameter a copy of the old row `source[i]`.

    Rows marked `fresh` get zero moments. `changes` holds whole parameters that replace the
    copied ones. Afterwards the scene's parameters are new objects without a gradient, and the
    optimizer holds these. Only groups whose name is a parameter of the scene are touched.
    """
    state = {name: value[source] for name, value in scene.state().items()}
    groups = named_groups(scene, optimizer)
    scene.replace(state | dict(changes or {}))
    for name, parameter in scene.parameters_by_name().items():
        if name not in groups:
            continue
        old = groups[name]["params"][0]
        moments = optimizer.state.pop(old, None)
        groups[name]["params"] = [parameter]
        if moments:
            optimizer.state[parameter] = {
                key: _follow(value, old, source, fresh) for key, value in moments.items()
            }


@torch.no_grad()
def clear_moments(optimizer: torch.optim.Optimizer, parameter: Tensor) -> None:
    """Set every moment of one parameter to zero; Adam's count of steps stays."""
    for value in optimizer.state.get(parameter, {}).values():
        if isinstance(value, Tensor) and value.shape == parameter.shape:
            value.zero_()


def named_groups(
    scene: Gaussians, optimizer: torch.optim.Optimizer
) -> dict[str, dict[str, Any]]:
    """The optimizer's groups that hold the scene's parameters, by name.

    Raises InputError when a group of that name does not hold exactly the scene's parameter.
    """
    parameters = scene.parameters_by_name()
    groups = {
        group["name"]: group
        for group in optimizer.param_groups
        if group.get("name") in parameters
    }
    for name, group in groups.items():
        if len(group["params"]) != 1 or group["params"][0] is not parameters[name]:
            raise InputError(
                f"The optimizer's group {name!r} must hold the scene's parameter of that name "
                f"and nothing else; make one group per name."
            )
    return groups


def split_children(
    scene: Gaussians, parents: Int[Tensor, "parents"], generator: torch.Generator
) -> dict[str, Float[Tensor, "children 3"]]:
    """Means and log-scales of two children per parent, in the order of `repeat_interleave(2)`.

    Children lie where a draw from the parent's own normal distribution puts them and are
    smaller by SHRINK (Kerbl et al. 2023, section 5.2).
    """
    rows = parents.repeat_interleave(2)
    means, log_scales = scene.means.detach()[rows], scene.log_scales.detach()[rows]
    draw = torch.randn(len(rows), 3, generator=generator, device=generator.device).to(means)
    offset = rotate(scene.quats.detach()[rows], draw * torch.exp(log_scales))
    return {"means": means + offset, "log_scales": log_scales - math.log(SHRINK)}


def rotate(
    quats: Float[Tensor, "splats 4"], vectors: Float[Tensor, "splats 3"]
) -> Float[Tensor, "splats 3"]:
    """Vectors turned by quaternions (w, x, y, z) of any length; length 0 does nothing."""
    unit = torch.nn.functional.normalize(quats, dim=-1)
    w, axis = unit[:, :1], unit[:, 1:]
    twice = 2 * torch.linalg.cross(axis, vectors)
    return vectors + w * twice + torch.linalg.cross(axis, twice)


def _follow(
    value: object, old: Tensor, source: Int[Tensor, "rows"], fresh: Bool[Tensor, "rows"]
) -> object:
    if not isinstance(value, Tensor) or value.shape != old.shape:
        return value  # Adam's count of steps is shared by all rows.
    moved = value[source]
    moved[fresh] = 0
    return moved
