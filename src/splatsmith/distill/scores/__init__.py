"""Scores: how a prior's prediction becomes a gradient on the picture; one file each.

A score is a pure function `(settings, question) -> surprise`, in units of noise. `answered`
makes the gradient and the pseudo-ground-truth of it; the loss is the same for all (`loss.py`).

A new score is one function, one settings dataclass, one line for each in `SCORES` and
`SETTINGS`, and a test against the analytic prior. Outside of the package: `add_score`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.distill.question import Distilled, Own, Question, Score, answered, drawn
from splatsmith.distill.scores.csd import CSD, csd
from splatsmith.distill.scores.ism import ISM, ism
from splatsmith.distill.scores.nfsd import NFSD, nfsd
from splatsmith.distill.scores.refine import Refine, refine
from splatsmith.distill.scores.sdi import SDI, sdi
from splatsmith.distill.scores.sds import SDS, sds
from splatsmith.distill.scores.sjc import SJC, sjc
from splatsmith.distill.scores.vsd import VSD, OwnModel, vsd
from splatsmith.distill.settings import Common
from splatsmith.errors import InputError
from splatsmith.priors.protocol import Condition, Prior

__all__ = [
    "CSD",
    "ISM",
    "NFSD",
    "SCORES",
    "SDI",
    "SDS",
    "SETTINGS",
    "SJC",
    "VSD",
    "OwnModel",
    "Refine",
    "distill",
]

SETTINGS: dict[str, type[Common]] = {
    "sds": SDS,
    "sjc": SJC,
    "csd": CSD,
    "nfsd": NFSD,
    "ism": ISM,
    "sdi": SDI,
    "vsd": VSD,
    "refine": Refine,
}

SCORES: dict[str, Score] = {
    "sds": sds,
    "sjc": sjc,
    "csd": csd,
    "nfsd": nfsd,
    "ism": ism,
    "sdi": sdi,
    "vsd": vsd,
    "refine": refine,
}


def distill(
    settings: Common,
    prior: Prior,
    condition: Condition,
    x: Float[Tensor, "views channels height width"],
    progress: float,
    generator: torch.Generator,
    own: Own | None = None,
) -> Distilled:
    """One step's question and answer: draw times and noise, ask the prior, apply the score.

    `x` is the encoded picture; it is read, not differentiated. `progress` runs from 0 to 1 over
    the stage. All chance comes from `generator`. Views that a multi-view prior denoises
    together share one time. `own` is what VSD compares with.
    """
    views = len(x)
    if views % prior.views:
        raise InputError(
            f"This prior denoises {prior.views} views together; {views} is no multiple of that."
        )
    t = settings.times.sample(progress, views // prior.views, generator)
    question = Question(
        prior=prior,
        condition=condition,
        x=x.detach(),
        t=t.repeat_interleave(prior.views).to(x.device),
        noise=drawn(x, generator),
        progress=progress,
        generator=generator,
        own=own,
    )
    return answered(settings, question, SCORES[settings.kind])
