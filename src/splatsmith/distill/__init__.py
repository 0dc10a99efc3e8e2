"""What to ask of a prior, and what to make of its answer: times, guidance, scores, one loss."""

from splatsmith.distill.guidance import guided
from splatsmith.distill.loss import distillation_loss
from splatsmith.distill.perp_neg import repelled
from splatsmith.distill.scores import SCORES, SDS, Distilled, ScoreSettings, distill, sds
from splatsmith.distill.times import TIMES, BandTimes, FallingTimes, Times, UniformTimes
from splatsmith.distill.weights import WEIGHTS, WeightName, beta, weight

__all__ = [
    "SCORES",
    "SDS",
    "TIMES",
    "WEIGHTS",
    "BandTimes",
    "Distilled",
    "FallingTimes",
    "ScoreSettings",
    "Times",
    "UniformTimes",
    "WeightName",
    "beta",
    "distill",
    "distillation_loss",
    "guided",
    "repelled",
    "sds",
    "weight",
]
