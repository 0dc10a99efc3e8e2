"""One contact sheet per list with every object of it: none picked, none left out.

A row is a prompt, with front, side, back and three quarters of each of its seeds beside each
other. Where a run failed, its place stays gray.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from splatsmith.cameras import Cameras, orbit
from splatsmith.evaluate.lists import Job, PromptList
from splatsmith.evaluate.views import SIZE
from splatsmith.export.sheet import Drawable, draw_views, labeled_grid

VIEWS = {"front": 0.0, "side": 90.0, "back": 180.0, "three quarters": 45.0}  # azimuths, degrees
ELEVATION = 15.0  # degrees
BLANK = 0.8  # gray where a run failed


def sheet_views() -> Cameras:
    """The four cameras of a sheet."""
    return orbit(list(VIEWS.values()), ELEVATION, width=SIZE, height=SIZE)


def views_of(scene: Drawable | None) -> Float[Tensor, "4 height width 3"]:
    """The four views of a scene over white; blank for a run that left none."""
    if scene is None:
        return torch.full((len(VIEWS), SIZE, SIZE, 3), BLANK)
    return draw_views(scene, sheet_views())


def list_sheet(
    prompts: PromptList,
    seeds: int,
    pictures: Mapping[Job, Float[Tensor, "4 height width 3"]],
    captions: Mapping[Job, str],
) -> UInt8[np.ndarray, "sheet_height sheet_width 3"] | None:
    """The sheet of a list; None if none of its runs is there yet.

    `captions` say a word on each object beside its prompt, such as how it scored.
    """
    rows, labels = [], []
    for prompt in prompts.prompts:
        mine = [job for seed in range(seeds) if (job := Job(prompt, seed)) in pictures]
        if mine:
            rows.append(torch.cat([pictures[job] for job in mine]))
            labels.append(_label(prompt, [captions.get(job, "") for job in mine]))
    if not rows:
        return None
    most = max(len(row) for row in rows) // len(VIEWS)
    return labeled_grid(rows, labels, columns=list(VIEWS) * most)


def _label(prompt: str, captions: Sequence[str]) -> str:
    said = " | ".join(filter(None, captions))
    return f"{prompt}: {said}" if said else prompt
