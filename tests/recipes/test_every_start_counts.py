"""Every key of the starts that need more than numbers counts; see test_every_key_counts."""

import pytest
import torch

from splatsmith.optimize.plan import make_plan
from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.recipes.load import overridden, parse_recipe
from splatsmith.scenes.clouds import Cloud

TINY = """
title = "Tiny"
[[stage]]
name = "shape"
steps = 2
views = 2
size = 16
start = { kind = "ball", count = 9 }
score = { kind = "sds", guidance = 1.0 }
"""
PRIOR = AnalyticPrior(
    targets=lambda cameras: torch.ones(len(cameras), 1, 3, 16, 16), resolution=16
)
CLOUD = Cloud(torch.tensor([[2.0, 0, 0], [0, 3, 0], [0, 0, 5], [1, 1, 1]]), torch.eye(4)[:, :3])

# Keys of starts that neither test_every_key_counts nor test_every_kind_counts knows.
OTHER_STARTS = {
    "start.axes",
    "start.growth.trials",
    "start.growth.reach",
    "start.growth.color",
    "start.views",
    "start.elevations",
    "start.steps",
    "start.guidance",
    "start.cells",
    "start.agreed",
}


@pytest.mark.parametrize(
    "change",
    [
        "count=3",
        "axes=y-up",
        "radius=0.8",
        "opacity=0.4",
        "scale=0.9",
        "sh_degree=1",
        "growth.trials=80",
        "growth.reach=0.3",
        "growth.color=0.1",
    ],
)
def test_every_key_of_points_counts(change):
    base = 'shape.start={ kind = "points", growth = { trials = 90, reach = 0.4 } }'
    plans = [
        make_plan(
            "a",
            0,
            overridden(parse_recipe(TINY, "tiny"), sets),
            PRIOR,
            nearest=False,
            start=CLOUD,
        )
        for sets in ([base], [base, f"shape.start.{change}"])
    ]
    assert plans[0].start.digest != plans[1].start.digest
