"""An evaluator that says what it is told to, and scenes whose truth is known."""

import torch

from splatsmith.evaluate.evaluators import Judgement
from splatsmith.toybox import CATEGORIES, COLORS


def judgement(views, category, color, *, sure=5.0, azimuth=None):
    """Every view says this category and, whatever the category, this color."""
    kinds, hues = torch.zeros(views, len(CATEGORIES)), torch.zeros(views, 1, len(COLORS))
    kinds[:, list(CATEGORIES).index(category)] = sure
    hues[:, :, list(COLORS).index(color)] = sure
    hues = hues.expand(views, len(CATEGORIES), len(COLORS)).contiguous()
    return Judgement(kinds.log_softmax(-1), hues.log_softmax(-1), azimuth)


class Fake:
    """Reads every picture as the same thing; sees views turn with their order, or stand."""

    def __init__(self, name, category, color, turns=True, blind=False):
        self.name = name
        self.category, self.color, self.turns, self.blind = category, color, turns, blind
        self.reads_azimuth = not blind
        self.asked = []

    def judge(self, pictures, category):
        assert pictures.shape[1:] == (96, 96, 3)
        assert 0 <= pictures.min() <= pictures.max() <= 1
        self.asked.append(len(pictures))
        return judgement(
            len(pictures), self.category, self.color, azimuth=self._azimuth(len(pictures))
        )

    def _azimuth(self, views):
        if self.blind:
            return None
        bins = torch.zeros(views, 12)
        turn = torch.arange(views) * 12 // views if self.turns else torch.zeros(views).long()
        bins[torch.arange(views), turn] = 1
        return bins
