"""Zero-1-to-3 and Stable Zero123 through the real loading path, with tiny random weights."""

import json
import math
import shutil

import pytest
import tiny
import tiny_views
import torch
from asked_views import picture

from splatsmith.cameras import orbit
from splatsmith.distill import SDS, distill, distillation_loss
from splatsmith.errors import InputError
from splatsmith.priors.pretrained import PriorOptions, open_pretrained
from splatsmith.priors.pretrained.clip_picture import clip_picture
from splatsmith.priors.pretrained.zero123 import pose_rows
from splatsmith.priors.protocol import LargePrior, Prior
from splatsmith.prompts import Prompt

PROMPT = Prompt(text="", image=picture())  # from azimuth 20, elevation 15
CAMERAS = orbit([20.0, 80.0, -70.0], [15.0, 45.0, -20.0], width=16, height=16)


def noisy(gen):
    return torch.randn(3, 4, 8, 8, generator=gen), torch.tensor([0.1, 0.5, 0.9])


def pose(elevation, azimuth, radius=3.2, *, absolute=False):
    angles = (torch.tensor([float(n)]) for n in (elevation, azimuth, radius))
    return pose_rows(*angles, picture(), absolute=absolute)[0].tolist()


def test_a_view_is_told_by_how_it_stands_to_the_picture():
    assert pose(15, 20) == pytest.approx([0, 0, 1, 0])
    # Higher is nearer to straight above: a smaller polar angle.
    assert pose(45, 20) == pytest.approx([-math.pi / 6, 0, 1, 0])
    # Counter-clockwise from above is positive.
    assert pose(15, 110) == pytest.approx([0, 1, 0, 0], abs=1e-6)
    assert pose(15, -70) == pytest.approx([0, -1, 0, 0], abs=1e-6)
    # Farther away is positive; their unit is two of ours.
    assert pose(15, 20, 4.2) == pytest.approx([0, 0, 1, 0.5])
    # Stable Zero123: the picture's own polar angle, wherever the view stands.
    assert pose(45, 20, 4.2, absolute=True) == pytest.approx(
        [-math.pi / 6, 0, 1, math.radians(75)]
    )


def test_what_its_files_say(saved):
    prior = open_pretrained(str(saved(tiny_views.zero123)))
    assert isinstance(prior, Prior)
    assert isinstance(prior, LargePrior)
    assert (prior.space, prior.channels, prior.resolution, prior.size) == ("latent", 4, 8, 16)
    assert (prior.views, prior.sees_image, prior.facts.kind) == (1, True, "eps")
    assert prior.check_room(2, 2).startswith("The prior needs about")


@pytest.mark.parametrize(
    "make", [tiny_views.zero123, tiny_views.zero123_by_the_other_names], ids=["cc", "clip"]
)
def test_the_answer_is_that_of_the_network_that_was_saved(tmp_path, gen, make):
    from transformers import CLIPVisionModelWithProjection

    network, projection = make(tmp_path)
    prior = open_pretrained(str(tmp_path))
    x_t, t = noisy(gen)
    condition = prior.condition(PROMPT, CAMERAS)
    tower = CLIPVisionModelWithProjection.from_pretrained(tmp_path / "image_encoder")
    with torch.no_grad():
        summary = tower(clip_picture(picture(), 28, 256, smooth=False)).image_embeds
        angles = (CAMERAS.elevation, CAMERAS.azimuth, CAMERAS.radius)
        place = pose_rows(*angles, picture(), absolute=False)
        token = projection(torch.cat([summary.expand(3, -1), place], 1))[:, None]
        white = picture().over(torch.ones(3), 16).permute(2, 0, 1)[None]
        # The mean itself: this latent was never scaled.
        latent = prior.autoencoder.encode(white * 2 - 1).latent_dist.mean.expand(3, -1, -1, -1)
        told = network(torch.cat([x_t, latent], 1), t * 1000, token).sample
        nothing = torch.cat([x_t, torch.zeros_like(x_t)], 1)
        untold = network(nothing, t * 1000, torch.zeros_like(token)).sample
    torch.testing.assert_close(prior.predict(x_t, t, condition).eps, told)
    torch.testing.assert_close(prior.predict(x_t, t, condition.negative()).eps, untold)
    torch.testing.assert_close(prior.predict(x_t, t, condition.nothing()).eps, untold)


def test_stable_zero123_is_known_by_its_name_or_by_what_is_said(saved, tmp_path):
    folder = saved(tiny_views.zero123)
    shutil.copytree(folder, tmp_path / "stable-zero123")
    plain, named = (open_pretrained(str(f)) for f in (folder, tmp_path / "stable-zero123"))
    said = open_pretrained(str(folder), PriorOptions(pose="absolute"))
    unsaid = open_pretrained(str(tmp_path / "stable-zero123"), PriorOptions(pose="relative"))
    found = [prior.facts.absolute_pose for prior in (plain, named, said, unsaid)]
    assert found == [False, True, True, False]
    tokens = [p.condition(PROMPT, CAMERAS).rows["token"] for p in (plain, named, said)]
    torch.testing.assert_close(tokens[1], tokens[2])
    assert (tokens[0] - tokens[1]).abs().max() > 1e-3


def test_one_step_reaches_every_parameter_of_a_scene(saved, gen):
    from splatsmith.scenes import Ball, begin

    prior = open_pretrained(str(saved(tiny_views.zero123)))
    scene = begin(Ball(count=30, color_spread=1.0), gen)
    x = prior.encode(scene.render(CAMERAS, torch.ones(3)).color)
    found = distill(SDS(), prior, prior.condition(PROMPT, CAMERAS), x, 0.5, gen)
    distillation_loss(x, found).backward()
    for name, parameter in scene.parameters_by_name().items():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("make", [tiny_views.zero123, tiny_views.zero123_checkpoint])
def test_generate_runs_with_it(saved, generate, tmp_path, make):
    (tmp_path / "ball.png").write_bytes(picture().png)
    more = ["--image", str(tmp_path / "ball.png"), "--prior-set", "pose=absolute"]
    code, out, said = generate(saved(make), *more)
    assert code == 0, said
    report = json.loads((out / "report.json").read_text())
    assert report["prior"]["options"] == {"pose": "absolute"}


def test_what_does_not_fit_is_refused(saved, tmp_path):
    folder = saved(tiny_views.zero123)
    with pytest.raises(InputError, match="makes views of a picture, and none was given"):
        open_pretrained(str(folder)).condition(Prompt(text="a ball"), CAMERAS)
    changes = {
        "unet": ({"in_channels": 4}, "in_channels is 4"),
        "image_encoder": ({"projection_dim": 32}, "belong to different models"),
    }
    for part, (change, message) in changes.items():
        shutil.copytree(folder, tmp_path / part)
        tiny.edit_json(tmp_path / part / part / "config.json", **change)
        with pytest.raises(InputError, match=message):
            open_pretrained(str(tmp_path / part))
    shutil.copytree(folder, tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "cc_projection")
    with pytest.raises(InputError, match="has no part 'cc_projection'"):
        open_pretrained(str(tmp_path / "bare"))


def test_the_picture_follows_the_size_that_is_asked_for(saved, gen):
    for make in (tiny_views.zero123, tiny_views.imagedream):
        prior = open_pretrained(str(saved(make)), PriorOptions(size=64))
        assert prior.facts.row_shapes["reference"] == (4, 32, 32)
        assert prior.check_room(4, 2).startswith("The prior needs about")
    around = orbit([0.0, 90.0, 180.0, 270.0], 15.0, width=16, height=16)
    assert prior.condition(PROMPT, around).rows["reference"].shape == (4, 4, 32, 32)
