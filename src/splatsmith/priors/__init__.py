"""Frozen 2D diffusion models: the protocol that all of them keep, and the ones we have."""

from splatsmith.priors.analytic import AnalyticPrior, nearest_azimuth
from splatsmith.priors.prediction import Kind, Prediction
from splatsmith.priors.protocol import Condition, Prior
from splatsmith.priors.schedule import (
    BetaTable,
    Cosine,
    NoiseSchedule,
    RectifiedFlow,
    cosine,
    linear,
    rectified_flow,
    scaled_linear,
)

__all__ = [
    "AnalyticPrior",
    "BetaTable",
    "Condition",
    "Cosine",
    "Kind",
    "NoiseSchedule",
    "Prediction",
    "Prior",
    "RectifiedFlow",
    "cosine",
    "linear",
    "nearest_azimuth",
    "rectified_flow",
    "scaled_linear",
]
