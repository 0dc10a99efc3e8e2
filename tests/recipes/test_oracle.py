"""Every recipe that ships reaches a scene that the prior knows exactly.

The analytic prior is the control: what it asks for is right from every side, so whatever a
recipe fails at here is the recipe's own fault. Half of its steps are enough to tell.
"""

import pytest
import torch

from splatsmith import generate
from splatsmith.cameras import orbit, turntable
from splatsmith.images import Reference
from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.recipes.load import load_recipe, recipe_names
from splatsmith.scenes import Ball, begin

SIZE = 24  # pixels a side
GROWING = {
    "imagedream",
    "mvdream",
    "stabledreamer",
}  # recipes whose density control finds splats to divide here


@pytest.fixture(scope="module")
def wanted():
    settings = Ball(count=40, radius=0.7, opacity=0.95, falloff="constant", color_spread=1.0)
    return begin(settings, torch.Generator().manual_seed(5))


@torch.no_grad()
def pictures(scene, cameras):
    return scene.render(cameras, torch.ones(3)).color


class Seeing(AnalyticPrior):
    """Says that it sees pictures; it knows the scene in any case."""

    sees_image = True


def picture_of(scene):
    """What a camera in front of it would hand in."""
    camera = orbit([0.0], 15.0, width=64, height=64)
    with torch.no_grad():
        drawn = scene.render(camera, torch.zeros(3))
    alpha = drawn.alpha[0]
    rgba = torch.cat([drawn.color[0] / alpha.clamp(min=1e-3), alpha], dim=-1)
    return Reference.of((rgba.clamp(0, 1) * 255).round().byte().numpy())


@pytest.mark.parametrize("recipe", recipe_names())
def test_a_recipe_reaches_a_known_scene(recipe, wanted):
    def targets(cameras):
        color = pictures(wanted, cameras.resized(SIZE, SIZE))
        return (color.permute(0, 3, 1, 2) * 2 - 1)[:, None]

    counts = []
    pictured = load_recipe(recipe).stage[0].reference is not None
    prior = (Seeing if pictured else AnalyticPrior)(targets=targets, resolution=SIZE)
    result = generate(
        "anything",
        recipe=recipe,
        image=picture_of(wanted) if pictured else None,
        prior=prior,
        overrides={"shape.size": SIZE, "shape.steps": load_recipe(recipe).steps // 2},
        callback=lambda info: counts.append(info.splats),
        threads=1,
    )
    cameras = turntable(6, elevation=20, width=SIZE, height=SIZE)
    error = (pictures(result.scene, cameras) - pictures(wanted, cameras)).square().mean()
    nothing = (1 - pictures(wanted, cameras)).square().mean()
    assert float(-10 * torch.log10(nothing)) < 13
    assert float(-10 * torch.log10(error)) > 24
    assert (max(counts) > counts[0]) == (recipe in GROWING)
    controlled = load_recipe(recipe).stage[0].upkeep is not None
    assert (counts[-1] < max(counts)) == controlled, "density control must also remove splats"
