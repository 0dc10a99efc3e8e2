"""Every key of the starts that need more than numbers counts; see test_every_key_counts."""

import pytest
import torch

from splatsmith.optimize.plan import make_plan
from splatsmith.optimize.run import fresh_state
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
    "start.otherwise",
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


def squares(cameras):
    """A square that grows with the angles: pictures that do not quite agree; another, white."""
    size = (6 + cameras.elevation / 10 + cameras.azimuth / 90).long()
    line = (torch.arange(16) - 7.5).abs()[None] < size[:, None] / 2
    inside = (line[:, :, None] & line[:, None, :])[:, None]
    shade = torch.linspace(-0.9, 0.5, 3)[None, :, None, None]
    picture = torch.where(inside, shade, 1.0)
    return torch.stack([picture, torch.ones_like(picture)], dim=1)


GUESSING = AnalyticPrior(targets=squares, resolution=16, odds={"a": (0.7, 0.3)})


@pytest.mark.parametrize(
    "change",
    [
        "views=5",
        "elevations=[10.0, 30.0]",
        "steps=3",
        "guidance=2.0",
        "cells=20",
        "agreed=0.5",
        "count=90",
        "opacity=0.4",
        "scale=0.9",
        "sh_degree=1",
        "growth={ trials = 900, reach = 0.3 }",
    ],
)
def test_every_key_of_a_hull_counts(change):
    numbers = "views = 4, cells = 16, count = 80, steps = 2, guidance = 1.0"
    base = f'shape.start={{ kind = "hull", {numbers} }}'
    states = []
    for sets in ([base], [base, f"shape.start.{change}"]):
        recipe = overridden(parse_recipe(TINY, "tiny"), sets)
        plan = make_plan("a", 0, recipe, GUESSING, nearest=False)
        states.append(fresh_state(plan).scene.state())
    same = (
        states[0][name].shape == states[1][name].shape
        and torch.equal(states[0][name], states[1][name])
        for name in states[0]
    )
    assert not all(same)
