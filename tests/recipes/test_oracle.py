"""Every recipe that ships reaches a scene that the prior knows exactly.

The analytic prior is the control: what it asks for is right from every side, so whatever a
recipe fails at here is the recipe's own fault. Half of its steps are enough to tell.
"""

import pytest
import torch

from splatsmith import generate
from splatsmith.cameras import turntable
from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.recipes.load import load_recipe, recipe_names
from splatsmith.scenes import Ball, begin

SIZE = 24  # pixels a side


@pytest.fixture(scope="module")
def wanted():
    settings = Ball(count=40, radius=0.7, opacity=0.95, falloff="constant", color_spread=1.0)
    return begin(settings, torch.Generator().manual_seed(5))


@torch.no_grad()
def pictures(scene, cameras):
    return scene.render(cameras, torch.ones(3)).color


@pytest.mark.parametrize("recipe", recipe_names())
def test_a_recipe_reaches_a_known_scene(recipe, wanted):
    def targets(cameras):
        color = pictures(wanted, cameras.resized(SIZE, SIZE))
        return (color.permute(0, 3, 1, 2) * 2 - 1)[:, None]

    counts = []
    result = generate(
        "anything",
        recipe=recipe,
        prior=AnalyticPrior(targets=targets, resolution=SIZE),
        overrides={"shape.size": SIZE, "shape.steps": load_recipe(recipe).steps // 2},
        callback=lambda info: counts.append(info.splats),
        threads=1,
    )
    cameras = turntable(6, elevation=20, width=SIZE, height=SIZE)
    error = (pictures(result.scene, cameras) - pictures(wanted, cameras)).square().mean()
    nothing = (1 - pictures(wanted, cameras)).square().mean()
    assert float(-10 * torch.log10(nothing)) < 13
    assert float(-10 * torch.log10(error)) > 24
    assert (max(counts) > counts[0]) == (recipe == "stabledreamer")
    controlled = load_recipe(recipe).stage[0].upkeep is not None
    assert (counts[-1] < max(counts)) == controlled, "density control must also remove splats"
