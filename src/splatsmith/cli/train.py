"""`splatsmith train`: makes the weights that ship with the package, from nothing."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro

from splatsmith.cli.options import MaybePath
from splatsmith.errors import InputError

Model = Literal[
    "prior",
    "photo",
    "latent",
    "multiview",
    "photo-multiview",
    "zero123",
    "imagedream",
    "evaluator",
]
AUTOENCODER_SHARE = 0.25  # of a latent training's minutes


def train(
    model: Annotated[Model, tyro.conf.Positional],
    *,
    minutes: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None,
    out: MaybePath = None,
    start: MaybePath = None,
    resume: bool = False,
    seed: int = 0,
    device: str = "cpu",
    workers: Annotated[int, tyro.conf.arg(metavar="INT")] = 1,
) -> None:
    """Train an embedded model; it saves as it goes and can be stopped at any time.

    Args:
        model: which one: prior (pixels), photo (pixels, never told of viewpoints), latent (with
            its autoencoder, which comes first), multiview (four views together),
            photo-multiview (the same, told only how the four stand to each other), zero123 (new
            views of a picture), imagedream (four of them together), or evaluator (which weighs
            results).
        minutes: of training proper; by default as the shipped one was made.
        out: folder for checkpoints, samples and the weights; by default training/<model>.
        start: first weights, from a prior of pixels; each kind takes over what fits. All but
            prior are meant to begin from one.
        resume: go on with the training in that folder.
        seed: of the data and of the first weights.
        device: cpu or cuda.
        workers: processes that train a prior together, each with its share of the cores; more
            than one gain more than threads do.
    """
    if minutes is not None and not 0 < minutes < 1e6:
        raise InputError(f"--minutes must be positive, got {minutes}.")
    if start is not None and model == "evaluator":
        raise InputError("--start is for priors, not for the evaluator.")
    if not 1 <= workers <= 64:
        raise InputError(f"--workers must be 1 to 64, got {workers}.")
    if workers > 1 and (model == "evaluator" or device != "cpu"):
        raise InputError("--workers is for priors on the CPU; leave it out.")
    if device != "cpu":
        _check_device(device)
    folder = out or Path("training") / model
    _check_folder(folder, resume=resume, start=start)
    from splatsmith.optimize.folder import begin_folder
    from splatsmith.optimize.lock import locked

    begin_folder(folder)
    with locked(folder):
        if model == "evaluator":
            print(_evaluator(folder, minutes, seed, resume=resume, device=device))
        else:
            run = partial(_prior, model, folder, minutes, seed, start)
            print(run(resume=resume, device=device, workers=workers))


def _check_folder(folder: Path, *, resume: bool, start: Path | None) -> None:
    """Refuse to train over what a training has left; InputError says what to do."""
    from splatsmith.train.state import CHECKPOINT

    if resume:
        if start is not None and (folder / CHECKPOINT).exists():
            raise InputError(f"{folder} has its start already; leave --start out of --resume.")
        return
    there = min(folder.glob("*.safetensors"), default=None)
    if there is not None:
        raise InputError(
            f"{folder} holds a training already ({there.name}); go on with it by --resume, or "
            "choose another --out."
        )


def _prior(
    model: Model,
    out: Path,
    minutes: float | None,
    seed: int,
    start: Path | None,
    *,
    resume: bool,
    device: str,
    workers: int,
) -> Path:
    from splatsmith.train.autoencoder import WEIGHTS as AUTOENCODER
    from splatsmith.train.autoencoder import (
        AutoencoderTraining,
        load_autoencoder,
        train_autoencoder,
    )
    from splatsmith.train.prior import train_prior
    from splatsmith.train.settings import TRAININGS
    from splatsmith.train.state import CHECKPOINT

    settings = TRAININGS[model]
    settings = replace(settings, seed=seed, minutes=minutes or settings.minutes)
    autoencoder = None
    if model == "latent":
        first = settings.minutes * AUTOENCODER_SHARE
        making = AutoencoderTraining(minutes=first, seed=seed)
        settings = replace(settings, minutes=settings.minutes - first)
        if resume and (out / CHECKPOINT).is_file():
            # What the denoiser has begun to learn the latents of stays as it is.
            autoencoder = load_autoencoder(out / AUTOENCODER, making.shape)
        else:
            autoencoder = train_autoencoder(making, out, resume=resume, device=device)
            resume = False
    return train_prior(
        settings,
        out,
        resume=resume,
        device=device,
        start=start,
        autoencoder=autoencoder,
        workers=workers,
    )


def _evaluator(
    out: Path, minutes: float | None, seed: int, *, resume: bool, device: str
) -> Path:
    from splatsmith.train.evaluator import EvaluatorTraining, train_evaluator

    settings = EvaluatorTraining()
    # Its seeds stay away from those of the priors that it will judge.
    settings = replace(settings, seed=settings.seed + seed, minutes=minutes or settings.minutes)
    return train_evaluator(settings, out, resume=resume, device=device)


def _check_device(device: str) -> None:
    import torch

    if device not in ("cpu", "cuda") or not torch.cuda.is_available():
        raise InputError(f"--device must be cpu, or cuda where there is one; got {device!r}.")
