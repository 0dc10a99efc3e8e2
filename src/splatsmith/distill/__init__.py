"""What to ask of a prior, and what to make of its answer: times, guidance, scores, one loss."""

from splatsmith.distill.curves import Ramp, Varying, at
from splatsmith.distill.guidance import guided
from splatsmith.distill.loss import distillation_loss, picture_loss
from splatsmith.distill.perp_neg import repelled
from splatsmith.distill.question import Distilled, Own, Question, Score, answered
from splatsmith.distill.scores import (
    CSD,
    ISM,
    NFSD,
    SCORES,
    SDI,
    SDS,
    SJC,
    VSD,
    OwnModel,
    Refine,
    ScoreSettings,
    distill,
)
from splatsmith.distill.settings import Common, Guided
from splatsmith.distill.times import (
    TIMES,
    BandTimes,
    DreamTimes,
    FallingTimes,
    Times,
    UniformTimes,
)
from splatsmith.distill.weights import WEIGHTS, WeightName, beta, weight

__all__ = [
    "CSD",
    "ISM",
    "NFSD",
    "SCORES",
    "SDI",
    "SDS",
    "SJC",
    "TIMES",
    "VSD",
    "WEIGHTS",
    "BandTimes",
    "Common",
    "Distilled",
    "DreamTimes",
    "FallingTimes",
    "Guided",
    "Own",
    "OwnModel",
    "Question",
    "Ramp",
    "Refine",
    "Score",
    "ScoreSettings",
    "Times",
    "UniformTimes",
    "Varying",
    "WeightName",
    "answered",
    "at",
    "beta",
    "distill",
    "distillation_loss",
    "guided",
    "picture_loss",
    "repelled",
    "weight",
]
