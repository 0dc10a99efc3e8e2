"""A small deterministic run, in a process of its own that may be killed at any moment.

    python child.py FOLDER [--resume] [--slow-save]

It goes through the public entry points and the command line's guard. With `--slow-save` every
fsync and rename takes a while, so that a random kill falls into a save about half of the time;
the package itself has no such switch.
"""

import os
import sys
import time
from pathlib import Path

import torch

import splatsmith
from splatsmith.cli.main import guarded
from splatsmith.priors.analytic import AnalyticPrior, nearest_azimuth

SIZE = 16  # pixels a side

RECIPE = """
title = "A tiny run that uses everything"

[output]
save_every = 5
snapshots = 6
frames = 4
size = 16

[[stage]]
name = "shape"
steps = 24
views = 2
size = 16
background = "random"
start = { kind = "ball", count = 40, color_spread = 1.0 }
cameras = { jitter = 0.05 }
rates = { means = { start = 2e-2, end = 1e-3 } }
regularize = { outside = 0.1 }

[stage.score]
kind = "sds"
guidance = 2.0
times = { kind = "uniform", low = 0.3, high = 0.9 }

[stage.upkeep]
start = 4
stop = 20
every = 4
grow_gradient = 1e-4
split_scale = 0.1
reset_at = 6
cap = 80

[[stage]]
name = "polish"
steps = 12
views = 1
size = 16
score = { kind = "sds", times = { kind = "sqrt", start = 0.6, stop = 0.2, width = 0.2 } }
"""


def prior() -> AnalyticPrior:
    """Two disks of other colors for each of eight azimuths; the caption decides."""
    line = torch.linspace(-1, 1, SIZE)
    y, x = torch.meshgrid(line, line, indexing="ij")
    disk = (x**2 + y**2 < 0.3).float()
    colors = torch.rand(8, 2, 3, generator=torch.Generator().manual_seed(7)) * 2 - 1
    pictures = 1 + disk * (colors[..., None, None] - 1)
    odds = {"a ball": (0.9, 0.1), "a cube": (0.2, 0.8)}
    targets = nearest_azimuth(pictures, torch.arange(8) * 45.0)
    return AnalyticPrior(targets=targets, resolution=SIZE, odds=odds)


def slow_down_saves(seconds: float = 0.02) -> None:
    """Sleep before and after everything that a save asks of the disk."""
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def slow(*arguments, real=real, **options):
            time.sleep(seconds)
            result = real(*arguments, **options)
            time.sleep(seconds)
            return result

        setattr(os, name, slow)


def dawdle(info: splatsmith.StepInfo) -> None:
    """Make a step last long enough for a signal to fall into it."""
    time.sleep(0.05)


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0])
    torch.set_num_threads(1)
    if "--slow-save" in arguments:
        slow_down_saves()
    pause = dawdle if "--slow-steps" in arguments else None
    if "--resume" in arguments and (folder / "report.json").exists():
        splatsmith.resume(folder, prior=prior(), callback=pause)
        return
    recipe = folder.with_suffix(".toml")
    recipe.write_text(RECIPE)
    splatsmith.generate(
        "a ball",
        seed=3,
        recipe=recipe,
        out=folder,
        prior=prior(),
        callback=pause,
        overwrite="--resume" in arguments,
    )


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(sys.argv[1:])))
