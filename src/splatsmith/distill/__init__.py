"""What to ask of a prior, and what to make of its answer: times, guidance, scores, one loss."""

from splatsmith.distill.added import add_score, sources_of
from splatsmith.distill.curves import Ramp, Varying, at, check_range
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
    SETTINGS,
    SJC,
    VSD,
    OwnModel,
    Refine,
    distill,
)
from splatsmith.distill.settings import Common, Guided, check_common, check_guided
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
    "SETTINGS",
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
    "Times",
    "UniformTimes",
    "Varying",
    "WeightName",
    "add_score",
    "answered",
    "at",
    "beta",
    "check_common",
    "check_guided",
    "check_range",
    "distill",
    "distillation_loss",
    "guided",
    "picture_loss",
    "repelled",
    "sources_of",
    "weight",
]
