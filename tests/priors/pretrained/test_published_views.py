"""MVDream and ImageDream through the real loading path, with tiny random weights."""

import json
import shutil

import pytest
import tiny
import tiny_views
import torch
from asked_views import CAMERAS, WORDS, noisy, picture, seen
from PIL import Image
from safetensors.torch import load_file, save_file

from splatsmith.cameras import look_at, orbit
from splatsmith.distill import SDS, distill, distillation_loss
from splatsmith.errors import InputError, InvalidFile
from splatsmith.priors.pretrained import PriorOptions, open_pretrained
from splatsmith.priors.pretrained.multiview_unet import ImageTokens, JointViews, camera_rows
from splatsmith.priors.protocol import LargePrior, Prior


class JointTwin:
    """The joined attention by diffusers' first and plainest processor."""

    def __init__(self, views):
        from diffusers.models.attention_processor import AttnProcessor

        self.views, self.plain = views, AttnProcessor()

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        groups = [
            self.plain(attn, torch.cat(list(group))[None])[0].chunk(self.views)
            for group in hidden_states.split(self.views)
        ]
        return torch.stack([view for group in groups for view in group])


def twin_of(network, views):
    """diffusers' own network, with the twin in place of its self-attention."""
    from diffusers.models.attention_processor import AttnProcessor

    network.set_attn_processor(
        {
            name: JointTwin(views) if name.endswith("attn1.processor") else AttnProcessor()
            for name in network.attn_processors
        }
    )
    return network


def layer(gen, context=None):
    """One layer of attention of diffusers, two heads."""
    from diffusers.models.attention_processor import Attention

    made = Attention(query_dim=8, cross_attention_dim=context, heads=2, dim_head=4)
    return tiny_views.lively(made), torch.randn(6, 5, 8, generator=gen)


@torch.no_grad()
def test_views_of_a_group_look_at_each_other(gen):
    attn, cells = layer(gen)
    got = JointViews(3)(attn, cells)
    torch.testing.assert_close(got, JointTwin(3)(attn, cells))
    assert (got - JointViews(1)(attn, cells)).abs().max() > 1e-3
    order = [2, 0, 1, 3, 5, 4]
    torch.testing.assert_close(JointViews(3)(attn, cells[order]), got[order])


@torch.no_grad()
def test_a_pictures_tokens_are_looked_at_apart_from_the_words(gen):
    from diffusers.models.attention_processor import IPAdapterAttnProcessor2_0

    attn, cells = layer(gen, context=10)
    own = tiny_views.lively(ImageTokens(10, 8, tokens=2))
    words, tokens = torch.randn(6, 7, 10, generator=gen), torch.randn(6, 2, 10, generator=gen)
    twin = IPAdapterAttnProcessor2_0(8, 10, num_tokens=(2,), scale=1.0)
    twin.to_k_ip[0].weight.copy_(own.to_k_ip.weight)
    twin.to_v_ip[0].weight.copy_(own.to_v_ip.weight)
    expected = twin(attn, cells, (words, [tokens[:, None]]))
    torch.testing.assert_close(own(attn, cells, torch.cat([words, tokens], 1)), expected)


def test_a_camera_is_told_as_its_matrix_with_opengl_axes():
    front = camera_rows(orbit([0.0], 0.0, radius=2.7, width=8, height=8))
    # It stands on +X; its right is +Y, its up +Z, and what is behind it +X.
    expected = [[0, 0, 1, 1], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    torch.testing.assert_close(front.view(4, 4), torch.tensor(expected).float())
    rows = camera_rows(CAMERAS).view(-1, 4, 4)
    azimuth, elevation = torch.deg2rad(CAMERAS.azimuth), torch.deg2rad(CAMERAS.elevation)
    eye = [azimuth.cos() * elevation.cos(), azimuth.sin() * elevation.cos(), elevation.sin()]
    torch.testing.assert_close(rows[:, :3, 3], torch.stack(eye, 1))
    seen_from = look_at(torch.stack(eye, 1), torch.zeros(8, 3))
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
    expected = torch.linalg.inv(flip @ seen_from)
    torch.testing.assert_close(rows, expected, atol=1e-6, rtol=0)


def test_the_azimuth_of_a_picture_becomes_the_front():
    turned = camera_rows(orbit([77.0, 167.0], 30.0, width=8, height=8), turn=77.0)
    plain = camera_rows(orbit([0.0, 90.0], 30.0, width=8, height=8))
    torch.testing.assert_close(turned, plain, atol=1e-6, rtol=0)


def test_what_its_files_say(saved):
    for make, sees in ((tiny_views.mvdream, False), (tiny_views.imagedream, True)):
        prior = open_pretrained(str(saved(make)))
        assert isinstance(prior, Prior)
        assert isinstance(prior, LargePrior)
        assert (prior.space, prior.channels, prior.resolution, prior.size) == (
            "latent",
            4,
            8,
            16,
        )
        assert (prior.views, prior.sees_image, prior.facts.kind) == (4, sees, "eps")
        assert prior.check_room(4, 2).startswith("The prior needs about")


def test_mvdream_answers_as_the_network_that_was_saved(tmp_path, gen):
    network, _ = tiny_views.mvdream(tmp_path)
    prior = open_pretrained(str(tmp_path))
    x_t, t = noisy(prior, gen)
    condition = prior.condition(WORDS, CAMERAS)
    words = prior.reader.rows(["a red ball", ""])["words"]
    camera = camera_rows(CAMERAS)
    twin = twin_of(network, 4)
    with torch.no_grad():
        told, untold = (
            twin(x_t, t * 1000, said.expand(8, -1, -1), class_labels=camera).sample
            for said in (words[:1], words[1:])
        )
    torch.testing.assert_close(prior.predict(x_t, t, condition).eps, told)
    torch.testing.assert_close(prior.predict(x_t, t, condition.negative()).eps, untold)
    # One group knows nothing of the other, and each view knows its own camera.
    other = prior.predict(x_t[4:], t[4:], condition.part(slice(4, 8))).eps
    torch.testing.assert_close(other, told[4:])
    turned = prior.condition(WORDS, orbit([80.0, 170, 260, 350] * 2, 15.0, width=8, height=8))
    assert (prior.predict(x_t, t, turned).eps - told).abs().max() > 1e-3


def test_imagedream_answers_as_the_network_that_was_saved(tmp_path, gen):
    """Group by group, the picture as the fifth view; tokens by diffusers' own adapter."""
    network, reader = tiny_views.imagedream(tmp_path)
    prior = open_pretrained(str(tmp_path))
    x_t, t = noisy(prior, gen)
    condition = prior.condition(seen(), CAMERAS)
    keys = tiny_views.image_keys(network)
    network.set_attn_processor(
        {
            name: JointTwin(5)
            if name.endswith("attn1.processor")
            else TokensTwin(network, name.removesuffix(".processor"), keys)
            for name in network.attn_processors
        }
    )
    for side in (condition, condition.negative()):
        answer = prior.predict(x_t, t, side).eps
        for group in (slice(0, 4), slice(4, 8)):
            rows = {name: row[group] for name, row in side.rows.items()}
            with torch.no_grad():
                tokens = reader(rows["image"][:1])
                expected = network(
                    torch.cat([x_t[group], rows["reference"][:1]]),
                    torch.cat([t[group], t[group][:1]]) * 1000,
                    torch.cat([rows["words"][:1], tokens], dim=1).expand(5, -1, -1),
                    class_labels=torch.cat([rows["camera"], torch.zeros(1, 16)]),
                ).sample
            torch.testing.assert_close(answer[group], expected[:4])


class TokensTwin(torch.nn.Module):
    """Attention to words and to three tokens, by diffusers' own adapter."""

    def __init__(self, network, path, keys):
        from diffusers.models.attention_processor import IPAdapterAttnProcessor2_0

        super().__init__()
        width = network.get_submodule(path).to_k.out_features
        self.adapter = IPAdapterAttnProcessor2_0(width, tiny_views.WIDTH, num_tokens=(3,))
        for part in "kv":
            linear = getattr(self.adapter, f"to_{part}_ip")[0]
            linear.weight = torch.nn.Parameter(keys[f"{path}.to_{part}_ip.weight"])

    def forward(self, attn, hidden_states, encoder_hidden_states=None, **_):
        words, tokens = encoder_hidden_states[:, :-3], encoder_hidden_states[:, -3:]
        return self.adapter(attn, hidden_states, (words, [tokens[:, None]]))


def test_imagedream_is_told_the_picture_on_one_side_of_guidance_and_the_camera_on_both(saved):
    prior = open_pretrained(str(saved(tiny_views.imagedream)))
    condition = prior.condition(seen(), CAMERAS)
    rows, negative = condition.rows, condition.negative().rows
    assert rows["image"].shape == (8, 5, 64)
    assert rows["reference"].shape == (8, 4, 8, 8)
    assert not negative["image"].any()
    assert not negative["reference"].any()
    torch.testing.assert_close(negative["camera"], rows["camera"])
    expected = prior.encode(picture().over(torch.ones(3), 16)[None])
    torch.testing.assert_close(rows["reference"][:1], expected)
    other = prior.condition(seen(90), CAMERAS)
    assert (other.rows["image"] - rows["image"]).abs().max() > 1e-3
    # Its azimuth is 20 degrees: the first camera is where the picture was taken from.
    front = camera_rows(orbit([0.0], 15.0, width=8, height=8))
    torch.testing.assert_close(rows["camera"][:1], front, atol=1e-6, rtol=0)
    with pytest.raises(InputError, match="makes views of a picture, and none was given"):
        prior.condition(WORDS, CAMERAS)


def test_the_last_layer_but_one_of_clip_is_told(saved):
    from transformers import CLIPVisionModelWithProjection

    from splatsmith.priors.pretrained.clip_picture import clip_picture

    folder = saved(tiny_views.imagedream)
    prior = open_pretrained(str(folder))
    tower = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder")
    kept = []
    inner = getattr(tower.vision_model, "vision_model", tower.vision_model)
    inner.encoder.layers[0].register_forward_hook(lambda *a: kept.append(a[2]))
    with torch.no_grad():
        tower(clip_picture(picture(), 28, 256, smooth=True))
    state = kept[0][0] if isinstance(kept[0], tuple) else kept[0]
    state = state if state.ndim == 3 else state[None]
    row = prior.condition(seen(), CAMERAS).rows["image"][:1]
    torch.testing.assert_close(row, state)


def test_the_picture_is_prepared_as_clips_own_processor_does(tmp_path):
    from transformers import CLIPImageProcessorPil

    from splatsmith.priors.pretrained.clip_picture import clip_picture

    white = picture().over(torch.ones(3), 256)
    pil = Image.fromarray((white * 255).round().byte().numpy())
    own = CLIPImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
    )
    expected = own(pil, return_tensors="pt")["pixel_values"]
    got = clip_picture(picture(), 28, 256, smooth=True)
    assert (got - torch.as_tensor(expected)).abs().max() < 0.02  # a step of 1/255 is 0.015


def test_cameras_that_do_not_stand_around_are_refused(saved):
    prior = open_pretrained(str(saved(tiny_views.mvdream)))
    with pytest.raises(InputError, match=r"use cameras\.together = 4"):
        prior.condition(WORDS, orbit([0.0, 10, 20, 30], 15.0, width=8, height=8))
    with pytest.raises(InputError, match="3 is no multiple"):
        prior.condition(WORDS, CAMERAS[:3])


def test_low_memory_asks_about_one_group_at_a_time_and_says_the_same(saved, gen):
    for make, prompt in ((tiny_views.mvdream, WORDS), (tiny_views.imagedream, seen())):
        answers = []
        for memory in ("high", "low"):
            prior = open_pretrained(str(saved(make)), PriorOptions(memory=memory))
            x_t, t = noisy(prior, gen.manual_seed(2))
            answers.append(prior.predict(x_t, t, prior.condition(prompt, CAMERAS)).eps)
        torch.testing.assert_close(*answers, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("make", [tiny_views.mvdream, tiny_views.imagedream])
def test_one_step_reaches_every_parameter_of_a_scene(saved, gen, make):
    from splatsmith.scenes import Ball, begin

    prior = open_pretrained(str(saved(make)))
    scene = begin(Ball(count=30, color_spread=1.0), gen)
    x = prior.encode(scene.render(CAMERAS[:4], torch.ones(3)).color)
    condition = prior.condition(seen() if prior.sees_image else WORDS, CAMERAS[:4])
    found = distill(SDS(guidance=7.5), prior, condition, x, 0.5, gen)
    distillation_loss(x, found).backward()
    for name, parameter in scene.parameters_by_name().items():
        assert parameter.grad.abs().sum() > 0, name


TOGETHER = ("--set", "shape.views=4", "--set", "shape.cameras.together=4")


@pytest.mark.parametrize("make", [tiny_views.mvdream, tiny_views.imagedream])
def test_generate_runs_with_it(saved, generate, tmp_path, make):
    more = []
    if make is tiny_views.imagedream:
        (tmp_path / "ball.png").write_bytes(picture().png)
        more = ["--image", str(tmp_path / "ball.png")]
    folder = saved(make)
    code, out, said = generate(folder, *TOGETHER, *more)
    assert code == 0, said
    report = json.loads((out / "report.json").read_text())
    prior = open_pretrained(str(folder))
    assert report["prior"]["sha256"] == prior.sha256


def test_generate_says_what_is_missing(saved, generate):
    code, _, said = generate(saved(tiny_views.mvdream))
    assert code != 0
    assert "--set shape.views=4" in said
    code, _, said = generate(saved(tiny_views.imagedream), *TOGETHER)
    assert code != 0
    assert "give one by --image" in said


def broken(saved, tmp_path, make, change):
    """An open prior of a changed copy."""
    shutil.copytree(saved(make), tmp_path / "x")
    change(tmp_path / "x")
    return open_pretrained(str(tmp_path / "x"))


def rewrite(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("camera_embed.0.bias"), r"lacks 1 weights, such as class_embedding"),
        (lambda t: t.update(more=torch.zeros(1)), r"has 1 weights that .* such as more"),
        (
            lambda t: t.update({"out.2.bias": torch.zeros(3)}),
            r"has conv_out\.bias as \(3,\), and its other weights ask for \(4,\)",
        ),
        (lambda t: t.pop("input_blocks.1.0.in_layers.2.weight"), "not the weights of a UNet"),
    ],
)
def test_weights_that_do_not_fit_are_refused(saved, tmp_path, change, message):
    prior = broken(saved, tmp_path, tiny_views.mvdream, lambda f: rewrite(f / UNET, change))
    with pytest.raises(InvalidFile, match=message):
        _ = prior.network


def test_files_that_contradict_each_other_are_refused(saved, tmp_path):
    config = "unet/config.json"
    for change, message in (
        ({"camera_dim": 12}, "camera_dim is 12"),
        ({"context_dim": 32}, "belong to different models"),
        ({"in_channels": 9}, r"in_channels is 9, and a MVDreamPipeline that makes four views"),
    ):
        folder = tmp_path / message[:5]
        folder.mkdir()
        with pytest.raises(InputError, match=message):
            broken(
                saved,
                folder,
                tiny_views.mvdream,
                lambda f, c=change: tiny.edit_json(f / config, **c),
            )


def test_a_conversion_with_another_network_is_refused(saved, tmp_path):
    plain = {"unet": ["diffusers", "UNet2DConditionModel"]}
    with pytest.raises(InputError, match="only those with a MultiViewUNetModel are read"):
        broken(
            saved,
            tmp_path,
            tiny_views.mvdream,
            lambda f: tiny.edit_json(f / "model_index.json", **plain),
        )


def test_damaged_weights_are_said(saved, tmp_path):
    prior = broken(
        saved, tmp_path, tiny_views.mvdream, lambda f: (f / UNET).write_bytes(b"x" * 20)
    )
    with pytest.raises(InvalidFile, match="has damaged weights"):
        _ = prior.network
