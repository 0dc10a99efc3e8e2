"""A tiny world for the loop: a scene of few splats, and a prior that knows it exactly."""

import pytest
import torch

from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.recipes.load import parse_recipe
from splatsmith.scenes import Ball, begin

SIZE = 16  # pixels a side

RECIPE = """
title = "A tiny run"
output = { save_every = 5, snapshots = 3, frames = 2, size = 16 }

[[stage]]
name = "shape"
steps = 12
views = 2
size = 16
start = { kind = "ball", count = 30, color_spread = 1.0 }
score = { kind = "sds", guidance = 1.0, times = { kind = "uniform", low = 0.3, high = 0.9 } }
"""


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Runs as short as these are slower on more threads, and their bytes may differ."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def targets_of(scene):
    """The pictures of a scene from any camera, as a prior wants them."""

    @torch.no_grad()
    def targets(cameras):
        color = scene.render(cameras.resized(SIZE, SIZE), torch.ones(3)).color
        return (color.permute(0, 3, 1, 2) * 2 - 1)[:, None]

    return targets


@pytest.fixture(scope="session")
def target_scene():
    """A dozen large, colorful and opaque splats."""
    settings = Ball(count=12, radius=0.6, opacity=0.95, falloff="constant", color_spread=1.0)
    return begin(settings, torch.Generator().manual_seed(5))


@pytest.fixture(scope="session")
def prior(target_scene):
    return AnalyticPrior(targets=targets_of(target_scene), resolution=SIZE)


@pytest.fixture(scope="session")
def recipe():
    return parse_recipe(RECIPE, "tiny")
