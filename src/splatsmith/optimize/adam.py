"""torch's Adam and AdamW, as quick to begin as to step.

The methods of torch's optimizers are wrapped in calls of torch's compiler, which is imported
with the first of them: two seconds and a hundred megabytes, for nothing that a run here
compiles. What is inside the wrapping is the same.
"""

import torch


class PlainAdam(torch.optim.Adam):
    """`torch.optim.Adam` without its import of the compiler; what it does is its own."""

    add_param_group = torch.optim.Optimizer.add_param_group.__wrapped__  # type: ignore[attr-defined]
    zero_grad = torch.optim.Optimizer.zero_grad.__wrapped__  # type: ignore[attr-defined]
    step = torch.no_grad()(torch.optim.Adam.step.__wrapped__)  # type: ignore[attr-defined]


class PlainAdamW(PlainAdam, torch.optim.AdamW):
    """`torch.optim.AdamW` likewise; in torch it is Adam with a decay of its own."""
