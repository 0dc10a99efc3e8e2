"""Fields of latents: drawn as the prior sees, shown by a map to color, handed on as colors."""

from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F
from running import Stop, contents, stop_at
from torch import Tensor

from splatsmith import InputError, generate, resume
from splatsmith.cameras import turntable
from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.recipes.load import overridden, parse_recipe
from splatsmith.scenes import Ball, Field, Gaussians, begin

CELLS = 16  # a side, of latents; a picture has twice as many pixels
MIX = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0.5, -0.5, 0.5]])
TWO = """
title = "Latents, then splats"
output = { save_every = 3, snapshots = 3, frames = 2, size = 16 }

[[stage]]
name = "shape"
steps = 80
views = 3
size = 16
score = { kind = "sjc", guidance = 1.0, weight = "one" }
rates = { kind = "field", encoding = 0.3 }
regularize = { kind = "field" }
[stage.start]
kind = "field"
[stage.start.field]
encoding = { kind = "voxels", resolution = 20 }
channels = 4
colors = "linear"
samples = 24
cells = 12
every = 4

[[stage]]
name = "splats"
steps = 0
size = 16
convert = { kind = "gaussians", count = 400 }
"""


@dataclass(frozen=True)
class LatentPrior(AnalyticPrior):
    """Four numbers for two by two pixels: a mean color in -1..1, and a mix of it."""

    space: str = "latent"
    channels: int = 4
    resolution: int = CELLS

    def encode(self, color):
        small = F.interpolate(
            color.permute(0, 3, 1, 2), size=(CELLS, CELLS), mode="bilinear", antialias=True
        )
        return torch.einsum("lc,vchw->vlhw", MIX, 2 * small - 1)

    def decode(self, x):
        color = torch.einsum("cl,vlhw->vchw", torch.linalg.pinv(MIX), x) / 2 + 0.5
        return F.interpolate(color, scale_factor=2).permute(0, 2, 3, 1)


@pytest.fixture(scope="module")
def recipe():
    return parse_recipe(TWO, "two")


@pytest.fixture(scope="module")
def wanted():
    """A ball, red above and blue below."""
    settings = Ball(count=500, radius=0.5, opacity=0.95, falloff="constant")
    ball = begin(settings, torch.Generator().manual_seed(5))
    with torch.no_grad():
        ball.sh[:, 0] = torch.where(
            ball.means[:, 2:] > 0, Tensor([1.5, -1.5, -1.5]), Tensor([-1.5, -1.5, 1.5])
        )
    return ball


@torch.no_grad()
def pictures(scene, cameras):
    return scene.render(cameras, torch.ones(3)).color


@pytest.fixture(scope="module")
def prior(wanted):
    def targets(cameras):
        return LatentPrior(targets=None).encode(pictures(wanted, cameras.resized(32, 32)))[
            :, None
        ]

    return LatentPrior(targets=targets)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, prior, recipe):
    folder = tmp_path_factory.mktemp("latents") / "whole"
    return folder, generate("a ball", prior=prior, recipe=recipe, out=folder)


def decibels(scene, wanted):
    """How near a scene, or white for None, is to the wanted one."""
    cameras = turntable(5, elevation=20, width=32, height=32)
    shown = 1.0 if scene is None else pictures(scene, cameras)
    return float(-10 * torch.log10((shown - pictures(wanted, cameras)).square().mean()))


def test_a_field_of_latents_comes_to_look_as_the_prior_wants_it(prior, recipe, wanted):
    alone = overridden(recipe, {"shape.steps": 150}, "two")
    alone = replace(alone, stage=alone.stage[:1])
    seen = []
    result = generate("a ball", prior=prior, recipe=alone, callback=seen.append)
    assert isinstance(result.scene, Field)
    assert result.scene.settings.holds_latents
    assert seen[-1].color.shape[-1] == 3  # shown as colors
    assert decibels(result.scene, wanted) > 17 > 12 > decibels(None, wanted)


def test_it_is_handed_on_in_colors(whole, wanted):
    folder, result = whole
    assert isinstance(result.scene, Gaussians)
    upper = result.scene.means[:, 2] > 0.1
    red, _, blue = result.scene.sh[upper, 0].detach().mean(dim=0)
    assert red > blue + 0.5
    assert {"scene.ply", "contact.png"} <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("step", [4, 79])
def test_a_stopped_run_ends_the_same(whole, prior, recipe, tmp_path, step):
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        generate("a ball", prior=prior, recipe=recipe, out=folder, callback=stop_at(step))
    resume(folder, prior=prior)
    assert contents(folder) == contents(whole[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("shape.start.field.channels=3", "use --set shape.start.field.channels=4"),
        ("shape.size=24", "use --set shape.size=16"),
        ("shape.lamp={ lit = 0.5 }", "latents cannot be lit"),
        (
            "shape.start.field.colors='sigmoid'",
            'a field with colors = "sigmoid" has 3 channels',
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(prior, recipe, change, said):
    with pytest.raises(InputError, match=said):
        generate("a ball", prior=prior, recipe=overridden(recipe, [change], "two"))


def test_a_prior_of_pictures_is_refused(recipe):
    with pytest.raises(InputError, match="--prior embedded-latent"):
        generate("a ball", prior=AnalyticPrior(targets=None, resolution=16), recipe=recipe)
