"""Every recipe that ships reaches a scene that the prior knows exactly.

The analytic prior is the control: what it asks for is right from every side, so whatever a
recipe fails at here is the recipe's own fault. Half of its steps are enough to tell.

Scores that live on what the prompt changes ask a prior for which everything is possible when it
is told nothing. VSD has its own test in tests/optimize/test_own_model.py: these priors have no
network to adapt.
"""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from mesh_scenes import baked_from
from splatsmith import generate
from splatsmith.cameras import orbit, turntable
from splatsmith.distill import at
from splatsmith.images import Reference
from splatsmith.optimize.field_regularizers import FieldRegularize
from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.priors.prediction import Prediction
from splatsmith.recipes.load import load_recipe, recipe_names
from splatsmith.scenes import Ball, Hull, begin

SIZE = 24  # pixels a side
GROWING = {
    "gsgen",
    "imagedream",
    "mvdream",
    "stabledreamer",
}  # recipes whose density control finds splats to divide here
FILLING = {"gsgen"}  # whose gaps are filled in the visit that removes splats


@pytest.fixture(autouse=True, scope="module")
def few_views():
    with baked_from(12, 64):
        yield


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


@dataclass(frozen=True)
class Told:
    """The one picture of each view, and whether the prompt was said."""

    targets: Tensor
    said: Tensor

    def negative(self):
        return Told(self.targets, torch.zeros_like(self.said))

    nothing = negative

    def joined(self, other):
        targets = torch.cat([self.targets, other.targets])
        return Told(targets, torch.cat([self.said, other.said]))

    def __len__(self):
        return len(self.said)


class OpenPrior(AnalyticPrior):
    """Knows one picture under a prompt, and nothing but N(0, 1) for each pixel without."""

    def condition(self, prompt, cameras):
        return Told(self.targets(cameras)[:, 0], torch.ones(len(cameras)))

    def predict(self, x_t, t, condition):
        alpha, sigma = (
            share(t)[:, None, None, None]
            for share in (self.schedule.alpha, self.schedule.sigma)
        )
        anything = alpha * x_t / (alpha**2 + sigma**2)
        said = condition.said[:, None, None, None]
        x0 = said * condition.targets + (1 - said) * anything
        return Prediction.of("x0", x0, x_t, t, self.schedule)


def kind_of(recipe):
    kinds = {stage.score.kind for stage in load_recipe(recipe).stage}
    return "vsd" if "vsd" in kinds else load_recipe(recipe).stage[0].score.kind


def changes_of(recipe):
    """Small pictures and half the steps of every stage, but of one that begins with a hull.

    A field's weights are on means over pixels, but the loss is their sum: fewer ask for less.
    """
    changes = {}
    for stage in load_recipe(recipe).stage:
        steps = stage.steps if isinstance(stage.start, Hull) else stage.steps // 2
        changes |= {f"{stage.name}.size": SIZE, f"{stage.name}.steps": steps}
        changes |= {f"{stage.name}.prior": ""} if stage.prior else {}
        if isinstance(stage.regularize, FieldRegularize):
            share = (SIZE / stage.size) ** 2
            for name in ("sparsity", "opaqueness"):
                weight = share * at(getattr(stage.regularize, name), 1.0)
                changes[f"{stage.name}.regularize.{name}"] = weight
    return changes


CONTRASTED = [name for name in recipe_names() if kind_of(name) in ("csd", "nfsd", "ism")]
# Fields of latents ask a prior that has an autoencoder: tests/optimize/test_latents.py.
LATENT = [name for name in recipe_names() if load_recipe(name).of_latents]
SURE = [
    name
    for name in recipe_names()
    if kind_of(name) in ("sds", "sjc", "sdi") and name not in LATENT
]
HELD = [name for name in SURE if set(load_recipe(name).kinds) == {"gaussians"}]
SURFACES = [name for name in SURE if name not in HELD]  # fields, meshes, what they become


def reached(recipe, wanted, prior=AnalyticPrior):
    """Decibels of an empty picture and of what the recipe made, and its counts of splats."""

    def targets(cameras):
        color = pictures(wanted, cameras.resized(SIZE, SIZE))
        return (color.permute(0, 3, 1, 2) * 2 - 1)[:, None]

    counts = []
    pictured = load_recipe(recipe).stage[0].reference is not None
    kind = Seeing if pictured else prior
    result = generate(
        "anything",
        recipe=recipe,
        image=picture_of(wanted) if pictured else None,
        prior=kind(targets=targets, resolution=SIZE),
        overrides=changes_of(recipe),
        callback=lambda info: counts.append(info.splats),
        threads=1,
    )
    cameras = turntable(6, elevation=20, width=SIZE, height=SIZE)
    error = (pictures(result.scene, cameras) - pictures(wanted, cameras)).square().mean()
    nothing = (1 - pictures(wanted, cameras)).square().mean()
    return float(-10 * torch.log10(nothing)), float(-10 * torch.log10(error)), counts


def test_no_score_is_forgotten():
    others = {*recipe_names()} - {*SURE, *CONTRASTED, *LATENT}
    assert {kind_of(name) for name in others} == {"vsd"}


@pytest.mark.parametrize("recipe", HELD)
def test_a_recipe_reaches_a_known_scene(recipe, wanted):
    nothing, found, counts = reached(recipe, wanted)
    assert nothing < 13
    assert found > 24
    assert (max(counts) > counts[0]) == (recipe in GROWING)
    controlled = load_recipe(recipe).stage[0].upkeep is not None
    if recipe in FILLING:
        return
    assert (counts[-1] < max(counts)) == controlled, "density control must also remove splats"


@pytest.mark.parametrize("recipe", SURFACES)
def test_a_recipe_of_another_kind_of_scene_reaches_it_too(recipe, wanted):
    nothing, found, counts = reached(recipe, wanted)
    assert nothing < 13
    assert found > nothing + 2
    assert counts[-1] == 0


@pytest.mark.parametrize("recipe", CONTRASTED)
def test_a_recipe_reaches_what_only_the_prompt_knows(recipe, wanted):
    nothing, found, counts = reached(recipe, wanted, OpenPrior)
    assert nothing < 13
    assert found > 18
    assert counts[-1] < max(counts) == counts[0]
