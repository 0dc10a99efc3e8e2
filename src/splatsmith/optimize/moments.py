"""Adam's moments as named tensors, and back."""

from collections.abc import Mapping

import torch
from torch import Tensor

from splatsmith.errors import InputError


def moments_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimizer remembers, as GROUP.KEY; its groups have a name and one parameter."""
    return {
        f"{group['name']}.{key}": value
        for group in optimizer.param_groups
        for key, value in optimizer.state.get(group["params"][0], {}).items()
    }


def restore_moments(optimizer: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    """Let the optimizer remember what `moments_of` told; InputError if shapes differ."""
    for group in optimizer.param_groups:
        parameter = group["params"][0]
        prefix = f"{group['name']}."
        found = {k.removeprefix(prefix): v for k, v in moments.items() if k.startswith(prefix)}
        if not found:
            continue
        for key in ("exp_avg", "exp_avg_sq"):
            if found[key].shape != parameter.shape:
                raise InputError(
                    f"The checkpoint's {key} of {group['name']} has another shape."
                )
        optimizer.state[parameter] = found
