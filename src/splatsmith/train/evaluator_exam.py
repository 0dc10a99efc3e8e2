"""How well the evaluators read pictures that they were not trained on.

Three sets: new pictures of the kind they learn from, the same ones spoiled, and true objects
drawn by the toybox's own renderer under its camera light, which they never see while learning.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from splatsmith.cameras.convention import orbit, wrap_degrees
from splatsmith.evaluate.features import Regression, hog, lab_histogram
from splatsmith.evaluate.network import BINS, SIZE, Network
from splatsmith.evaluate.truth import true_objects
from splatsmith.evaluate.turning import mean_azimuth
from splatsmith.export.sheet import to_uint8
from splatsmith.optimize.streams import stream
from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.drawing import render
from splatsmith.toybox.words import COLORS
from splatsmith.train.degradations import degrade
from splatsmith.train.evaluator_pool import CHUNK, NOTHING, Pool, draw_chunk, joined

FIRST = 1_000_000  # chunk, far from those of any pool
BATCH = 64

Exams = dict[str, Pool]
Reading = tuple[
    Tensor, Tensor, Tensor | None
]  # category, color, azimuth (degrees) of each view


def exams(seed: int, count: int) -> Exams:
    """The three sets, about `count` pictures each, all of single things that have a color."""
    chunks = math.ceil(count / CHUNK)
    clean = joined([draw_chunk(seed, FIRST + 2 * k) for k in range(chunks)])
    alone = (clean.category[:, 1] == NOTHING) & (clean.color[:, 0] != NOTHING)
    clean = clean.taken(alone.nonzero()[:, 0])
    generator = stream(seed, "evaluator exam", 0)
    parts = torch.arange(len(clean)).split(BATCH)
    spoiled = torch.cat([degrade(clean.shown(part), generator) for part in parts])
    changed = Pool(
        to_uint8(spoiled.permute(0, 2, 3, 1)), clean.category, clean.color, clean.azimuth
    )
    return {"clean": clean, "spoiled": changed, "toybox": _by_the_toybox(seed, len(clean))}


def _by_the_toybox(seed: int, count: int) -> Pool:
    """True objects of any color as the toybox draws them, from 0 to 30 degrees above."""
    generator = stream(seed, "evaluator toybox", 0)
    categories = torch.randint(len(CATEGORIES), (count,), generator=generator)
    colors = torch.randint(len(COLORS), (count,), generator=generator)
    names, words = list(CATEGORIES), list(COLORS)
    both = zip(colors.tolist(), categories.tolist(), strict=True)
    toys = true_objects([(words[j], names[i]) for j, i in both], generator)
    azimuth, height = torch.rand(2, count, generator=generator)
    cameras = orbit(azimuth * 360, height * 30, width=SIZE, height=SIZE)
    pictures = to_uint8(render(toys, cameras).color)
    none = torch.full((count,), NOTHING)
    categories, colors = (torch.stack([v, none], dim=1) for v in (categories, colors))
    return Pool(pictures, categories, colors, azimuth * 360)


def read_by_network(network: Network, exam: Pool) -> Reading:
    """What E1 reads; color and azimuth given the true category."""
    found = []
    device = next(network.parameters()).device
    with torch.no_grad():
        for part in torch.arange(len(exam)).split(BATCH):
            answers = network(exam.shown(part).to(device))
            rows, true = torch.arange(len(part)), exam.category[part, 0]
            read = answers.azimuth[rows, true].float().softmax(-1).cpu()
            color = answers.color[rows, true].argmax(-1).cpu()
            found.append((answers.category.argmax(-1).cpu(), color, mean_azimuth(read)))
    category, color, azimuth = (torch.cat(part) for part in zip(*found, strict=True))
    return category, color, azimuth


def read_by_regression(category: Regression, color: Regression, exam: Pool) -> Reading:
    """What E2 reads."""
    found = []
    for part in torch.arange(len(exam)).split(BATCH):
        pictures = exam.shown(part).permute(0, 2, 3, 1)
        lab = lab_histogram(pictures)
        shape = torch.cat([hog(pictures), lab], dim=1)
        answers = (category.log_probabilities(shape), color.log_probabilities(lab))
        found.append([answer.argmax(-1) for answer in answers])
    shapes, colors = (torch.cat(part) for part in zip(*found, strict=True))
    return shapes, colors, None


def accuracies(read: Callable[[Pool], Reading], sets: Exams) -> dict[str, float]:
    """Shares read rightly, under names like "clean category".

    An azimuth is right within 30 degrees; only categories with a front are asked for it.
    """
    figures = {}
    for name, exam in sets.items():
        category, color, azimuth = read(exam)
        figures[f"{name} category"] = _share(category == exam.category[:, 0])
        figures[f"{name} color"] = _share(color == exam.color[:, 0])
        if azimuth is not None:
            fronts = torch.tensor([kind.front for kind in CATEGORIES.values()])
            near = wrap_degrees(azimuth - exam.azimuth).abs() < 360 / BINS
            figures[f"{name} azimuth"] = _share(near[fronts[exam.category[:, 0]]])
    return figures


def _share(right: Tensor) -> float:
    return round(float(right.float().mean()), 4)
