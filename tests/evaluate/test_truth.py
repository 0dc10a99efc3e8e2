"""True objects as Gaussians look as the toybox draws them; the faults are what they claim."""

import math

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.evaluate.mass import pieces
from splatsmith.evaluate.truth import as_gaussians, true_objects, with_faces, with_floaters
from splatsmith.scenes.gaussians import PARAMETERS, color_to_sh
from splatsmith.toybox import build, render
from splatsmith.toybox.split import allowed, split_of


def looked_at(scene, azimuth):
    cameras = orbit(azimuth, 15.0, width=96, height=96)
    with torch.no_grad():
        return scene.render(cameras, torch.ones(3)), cameras


@pytest.mark.parametrize("name", ["dog", "house", "table", "fish"])
def test_a_true_object_looks_as_the_toybox_draws_it(name, gen):
    toy = build(name, color="orange")
    seen, cameras = looked_at(as_gaussians(toy, gen), [20.0, 110.0, 200.0, 290.0])
    true = render(toy, cameras)
    ours, theirs = seen.alpha > 0.5, true.alpha > 0.5
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.93
    assert seen.alpha[true.alpha > 0.99].mean() > 0.98
    error = (seen.color - true.color).square().mean()
    assert -10 * math.log10(error) > 21  # The lights differ, by design.


def test_a_true_object_is_of_one_piece(gen):
    assert pieces(as_gaussians(build("chair"), gen)).floating < 0.01


@pytest.mark.parametrize("faces", [2, 3, 5])
def test_every_face_looks_like_the_others(faces, gen):
    scene = with_faces(as_gaussians(build("dog"), gen), faces)
    around = [10.0 + 360.0 * i / faces for i in range(faces)]
    seen, _ = looked_at(scene, around)
    for i in range(1, faces):
        assert (seen.color[i] - seen.color[0]).abs().mean() < 2e-3


def test_two_faces_keep_the_front_and_lose_the_back(gen):
    scene = as_gaussians(build("duck"), gen)
    doubled = with_faces(scene, 2)
    assert (doubled.means[:, 0] > 0).float().mean() == pytest.approx(0.5, abs=1e-3)
    front = scene.means[scene.means[:, 0] > 0]
    kept = doubled.means[: len(front)]
    torch.testing.assert_close(kept, front)
    torch.testing.assert_close(
        doubled.means[len(front) :, :2], -front[:, :2], atol=1e-6, rtol=0
    )


def test_one_face_is_the_scene_itself(gen):
    scene = as_gaussians(build("mug"), gen, count=500)
    same = with_faces(scene, 1)
    for name in PARAMETERS:
        torch.testing.assert_close(getattr(same, name), getattr(scene, name))
    with pytest.raises(InputError, match="at least one face"):
        with_faces(scene, 0)


def test_what_cannot_be_turned_is_refused(gen):
    scene = as_gaussians(build("mug"), gen, count=500)
    scene.replace(scene.state() | {"sh": color_to_sh(torch.rand(500, 3, generator=gen), 1)})
    with pytest.raises(InputError, match="view-dependent"):
        with_faces(scene, 2)


def test_floaters_float_and_the_rest_stays(gen):
    scene = as_gaussians(build("snowman"), gen)
    spoiled = with_floaters(scene, gen)
    assert spoiled.count > scene.count
    torch.testing.assert_close(spoiled.means[: scene.count], scene.means)
    added = spoiled.means[scene.count :]
    assert torch.cdist(added, scene.means).min() > 0.05
    assert pieces(spoiled).floating > pieces(scene).floating + 0.02
    assert pieces(spoiled).count >= 4


def test_true_objects_are_plain_and_kept_from_training(gen):
    toys = true_objects("held", gen, each=2)
    assert len(toys) == 80
    for toy in toys:
        assert split_of(toy.color, toy.category) == "held"
        assert allowed(toy.shape, "held")
        assert (toy.finish, toy.tiny, toy.colors) == ("", False, {})
    assert toys[0].shape != toys[1].shape
    asked = true_objects([("red", "cat"), ("blue", "bus")], gen)
    assert [(toy.color, toy.category) for toy in asked] == [("red", "cat"), ("blue", "bus")]
