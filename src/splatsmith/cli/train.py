"""`splatsmith train`: makes the weights that ship with the package, from nothing."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from splatsmith.errors import InputError


def train(
    model: Annotated[Literal["prior"], tyro.conf.Positional],
    *,
    minutes: float = 100.0,
    out: Path = Path("training/prior"),
    resume: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Train an embedded model; it saves as it goes and can be stopped at any time.

    Args:
        model: which one.
        minutes: of training proper.
        out: folder for checkpoints, samples and the weights.
        resume: go on with the training in that folder.
        seed: of the data and of the first weights.
        device: cpu or cuda.
    """
    if not 0 < minutes < 1e6:
        raise InputError(f"--minutes must be positive, got {minutes}.")
    if device != "cpu":
        _check_device(device)
    from splatsmith.train.prior import PriorTraining, train_prior

    settings = PriorTraining(minutes=minutes, seed=seed)
    print(train_prior(settings, out, resume=resume, device=device))


def _check_device(device: str) -> None:
    import torch

    if device not in ("cpu", "cuda") or not torch.cuda.is_available():
        raise InputError(f"--device must be cpu, or cuda where there is one; got {device!r}.")
