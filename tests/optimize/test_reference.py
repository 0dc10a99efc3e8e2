"""Held to a picture: the loss by its formula, its gradient, and runs that have a picture."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from splatsmith import InputError, InvalidFile, generate, resume
from splatsmith.images import Reference
from splatsmith.optimize.plan import make_plan
from splatsmith.optimize.reference import ReferenceView, reference_loss
from splatsmith.optimize.run import fresh_state
from splatsmith.optimize.stage import held_to_picture
from splatsmith.recipes.load import overridden
from splatsmith.scenes import Ball, begin

HELD = ["shape.reference={ color = 500.0, mask = 50.0 }"]


@pytest.fixture(scope="module")
def image(target_scene):
    """The target scene as a picture from azimuth 30, elevation 20."""
    camera = Reference.of(np.zeros((16, 16, 4), np.uint8), 30.0, 20.0).camera(32)
    with torch.no_grad():
        picture = target_scene.render(camera, torch.zeros(3))
    alpha = picture.alpha[0].clamp(0, 1)
    rgba = torch.cat([(picture.color[0] / alpha.clamp(min=1e-3)).clamp(0, 1), alpha], dim=-1)
    return Reference.of((rgba * 255).round().byte().numpy(), azimuth=30.0, elevation=20.0)


def test_the_scene_that_the_picture_shows_has_no_loss(image, target_scene):
    settings = ReferenceView(color=1.0, mask=1.0)
    for ground in (torch.zeros(3), torch.ones(3)):
        loss = reference_loss(settings, image, target_scene, 32, ground, 0.0)
        assert loss < 2e-5  # eight bits a channel
    other = dataclasses.replace(image, azimuth=120.0)
    assert reference_loss(settings, other, target_scene, 32, torch.ones(3), 0.0) > 1e-2


def test_the_loss_is_two_mean_squared_errors(image):
    scene = begin(Ball(count=20), torch.Generator().manual_seed(1))
    ground = torch.tensor([0.2, 0.7, 0.4])
    picture = scene.render(image.camera(24), ground)
    color = ((picture.color[0] - image.over(ground, 24)) ** 2).mean()
    mask = ((picture.alpha[0] - image.alpha(24)) ** 2).mean()
    settings = ReferenceView(color=3.0, mask=7.0)
    loss = reference_loss(settings, image, scene, 24, ground, 0.25)
    torch.testing.assert_close(loss, 3 * color + 7 * mask)
    ramped = dataclasses.replace(settings, ramp=True)
    torch.testing.assert_close(
        reference_loss(ramped, image, scene, 24, ground, 0.25), 0.25 * loss
    )


def test_its_gradient_brings_the_scene_to_the_picture(image):
    scene = begin(Ball(count=200, radius=0.7), torch.Generator().manual_seed(2))
    optimizer = torch.optim.Adam(scene.parameters(), lr=2e-2)
    settings, losses = ReferenceView(color=1.0, mask=1.0), []
    for _ in range(60):
        loss = reference_loss(settings, image, scene, 24, torch.ones(3), 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_it_is_looked_at_every_so_often(image, prior, recipe):
    for every, expected in ((1, [True] * 4), (3, [True, False, False, True])):
        chosen = overridden(recipe, [*HELD, f"shape.reference.every={every}"])
        plan = make_plan("x", 0, chosen, prior, nearest=False, image=image)
        state = fresh_state(plan)
        seen = []
        for state.step in range(4):
            seen.append(held_to_picture(plan.settings()[0], state) is not None)
        assert seen == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("{ color = -1.0 }", "color must be 0 or more"),
        ("{ every = 0 }", "every must be 1 or more"),
        ("{ fovy = 180.0 }", "radius must be positive and fovy"),
    ],
)
def test_ranges_are_kept(recipe, values, message):
    with pytest.raises(InputError, match=message):
        overridden(recipe, [f"shape.reference={values}"])


def test_a_run_with_a_picture_stores_it_and_resumes(image, prior, recipe, tmp_path):
    class Stop(Exception):
        pass

    def stop(info):
        if info.step == 7:
            raise Stop

    chosen = overridden(recipe, HELD)
    given = {"prior": prior, "recipe": chosen, "image": image}
    whole = generate("a ball", out=tmp_path / "whole", **given)
    assert whole.paths["reference"].read_bytes() == image.png
    report = json.loads((tmp_path / "whole" / "report.json").read_text())
    assert report["image"] == {"sha256": image.digest, "azimuth": 30.0, "elevation": 20.0}
    with pytest.raises(Stop):
        generate("a ball", out=tmp_path / "cut", callback=stop, **given)
    resumed = resume(tmp_path / "cut", prior=prior)
    for name, value in whole.scene.state().items():
        assert torch.equal(value, resumed.scene.state()[name])
    plain = generate("a ball", prior=prior, recipe=recipe)
    assert not torch.equal(plain.scene.means, whole.scene.means)
    turned = make_plan(
        "a ball", 0, chosen, prior, nearest=False, image=dataclasses.replace(image, azimuth=0.0)
    )
    same = make_plan("a ball", 0, chosen, prior, nearest=False, image=image)
    assert turned.run != same.run
    (tmp_path / "cut" / "reference.png").write_bytes(b"x")
    with pytest.raises(InvalidFile, match="not the picture that the run began with"):
        resume(tmp_path / "cut", prior=prior)


def test_a_picture_that_is_missing_or_useless_is_said(image, prior, recipe):
    held = overridden(recipe, HELD)
    with pytest.raises(InputError, match="works from a picture, and there is none"):
        generate("a ball", prior=prior, recipe=held)
    with pytest.raises(InputError, match="makes nothing of a picture"):
        generate("a ball", prior=prior, recipe=recipe, image=image)
    unheld = overridden(recipe, ["shape.reference={ color = 0.0, mask = 0.0 }"])
    with pytest.raises(InputError, match="makes nothing of a picture"):
        generate("a ball", prior=prior, recipe=unheld, image=image)
    with pytest.raises(InputError, match="works from a picture, and there is none"):
        generate("a ball", prior=prior, recipe=unheld)
    with pytest.raises(InputError, match="knows things by words, not by pictures"):
        generate("", prior=prior, recipe=held, image=image)
    with pytest.raises(InputError, match="prompt is empty"):
        generate("", prior=prior, recipe=recipe)
