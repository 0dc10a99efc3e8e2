"""Stable Diffusion through the real loading path, with tiny random weights."""

import json

import pytest
import tiny
import torch

from splatsmith.cameras import orbit
from splatsmith.distill import SDS, distill, distillation_loss, guided
from splatsmith.errors import InputError, InvalidFile
from splatsmith.export import read_ply
from splatsmith.priors import Prior
from splatsmith.priors.pretrained import PriorOptions, open_pretrained
from splatsmith.priors.schedule import scaled_linear
from splatsmith.prompts import Prompt

PROMPT = Prompt(text="a red ball")


def cameras(count=2):
    return orbit([360.0 * i / count for i in range(count)], 15.0, width=16, height=16)


def noisy(prior, gen, count=2):
    shape = (count, prior.channels, prior.resolution, prior.resolution)
    return torch.randn(shape, generator=gen), torch.linspace(0.2, 0.8, count)


def test_what_its_files_say(saved):
    prior = open_pretrained(str(saved(tiny.stable_diffusion)))
    assert isinstance(prior, Prior)
    assert (prior.space, prior.channels, prior.resolution, prior.size) == ("latent", 4, 8, 16)
    assert prior.schedule == scaled_linear()
    assert prior.facts.kind == "eps"


@pytest.mark.parametrize(
    ("prediction", "kind"), [("epsilon", "eps"), ("v_prediction", "v"), ("sample", "x0")]
)
def test_the_answer_is_that_of_the_pipelines_own_network(tmp_path, gen, prediction, kind):
    pipeline = tiny.stable_diffusion(tmp_path, prediction=prediction)
    prior = open_pretrained(str(tmp_path))
    x_t, t = noisy(prior, gen)
    condition = prior.condition(PROMPT, cameras())
    answer = prior.predict(x_t, t, condition)
    texts = PROMPT.for_views(cameras().azimuth, cameras().elevation)
    words, nothing = pipeline.encode_prompt(texts, "cpu", 1, True)
    with torch.no_grad():
        told = pipeline.unet(x_t, t * 1000, encoder_hidden_states=words).sample
        untold = pipeline.unet(x_t, t * 1000, encoder_hidden_states=nothing).sample
    assert answer.kind == kind
    torch.testing.assert_close(getattr(answer, kind), told)
    torch.testing.assert_close(
        getattr(prior.predict(x_t, t, condition.negative()), kind), untold
    )
    both = guided(prior, x_t, t, condition, 7.5)
    torch.testing.assert_close(getattr(both, kind), untold + 7.5 * (told - untold))


@pytest.mark.parametrize("step", [20, 500, 980])
def test_noise_is_added_as_the_scheduler_adds_it(saved, step):
    from diffusers import DDPMScheduler

    folder = saved(tiny.stable_diffusion)
    scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
    prior = open_pretrained(str(folder))
    t = torch.tensor([step / 1000])
    alpha = prior.schedule.alpha(t)
    torch.testing.assert_close(alpha.square(), scheduler.alphas_cumprod[step : step + 1])


def test_encoding_is_differentiable_and_that_of_the_pipeline(saved, gen):
    from diffusers import AutoencoderKL

    folder = saved(tiny.stable_diffusion)
    prior = open_pretrained(str(folder))
    color = torch.rand(2, 16, 16, 3, generator=gen, requires_grad=True)
    latents = prior.encode(color)
    own = AutoencoderKL.from_pretrained(folder / "vae")
    mean = own.encode(color.detach().permute(0, 3, 1, 2) * 2 - 1).latent_dist.mean
    torch.testing.assert_close(latents.detach(), mean * own.config.scaling_factor)
    latents.square().sum().backward()
    assert color.grad.abs().amin(dim=(1, 2)).min() > 0
    assert not any(p.requires_grad for p in prior.autoencoder.parameters())
    picture = prior.decode(latents.detach())
    assert picture.shape == (2, 16, 16, 3)
    assert 0 <= picture.min() <= picture.max() <= 1


def test_one_step_reaches_every_parameter_of_a_scene(saved, gen):
    from splatsmith.scenes import Ball, begin

    prior = open_pretrained(str(saved(tiny.stable_diffusion)))
    scene = begin(Ball(count=30, color_spread=1.0), gen)
    views = cameras()
    x = prior.encode(scene.render(views, torch.ones(3)).color)
    found = distill(SDS(), prior, prior.condition(PROMPT, views), x, 0.5, gen)
    distillation_loss(x, found).backward()
    for name, parameter in scene.parameters_by_name().items():
        assert parameter.grad.abs().sum() > 0, name


def test_generate_runs_and_resumes_with_it(saved, generate, capsys):
    from splatsmith.cli.main import main

    folder = saved(tiny.stable_diffusion)
    code, out, said = generate(folder, "--prior-set", "size=64")
    assert code == 0, said
    assert read_ply(out / "scene.ply").count > 0
    report = json.loads((out / "report.json").read_text())
    prior = open_pretrained(str(folder), PriorOptions(size=64))
    assert report["prior"]["sha256"] == prior.sha256
    assert report["prior"]["path"] == str(folder)
    assert report["prior"]["options"] == {"size": 64}
    assert main(["generate", "--resume", str(out)]) == 0


def test_weights_with_the_names_of_2022_load_the_same(saved, tmp_path):
    """What is on the hub is older than the libraries: other names for the same tensors."""
    prior = open_pretrained(str(saved(tiny.stable_diffusion)))
    tiny.stable_diffusion(tmp_path)
    words = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def old_autoencoder(name):
        if ".attentions." in name:
            for new, old in words.items():
                name = name.replace(f".{new}.", f".{old}.")
        return name

    def old_clip(name):
        return name if name.startswith("text_model.") else f"text_model.{name}"

    tiny.rename_weights(
        tmp_path / "vae" / "diffusion_pytorch_model.safetensors", old_autoencoder
    )
    tiny.rename_weights(tmp_path / "text_encoder" / "model.safetensors", old_clip)
    aged = open_pretrained(str(tmp_path))
    assert aged.sha256 != prior.sha256
    for name, weight in prior.autoencoder.state_dict().items():
        torch.testing.assert_close(aged.autoencoder.state_dict()[name], weight)
    rows, before = (one.reader.rows(["a ball"])["words"] for one in (aged, prior))
    torch.testing.assert_close(rows, before)


def test_a_part_that_lacks_weights_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    tiny.stable_diffusion(tmp_path)
    path = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    del tensors["conv_in.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    prior = open_pretrained(str(tmp_path))
    with pytest.raises(InvalidFile, match=r"lacks 1 weights .* conv_in\.weight"):
        _ = prior.network


def test_a_part_of_another_shape_is_refused(tmp_path):
    tiny.stable_diffusion(tmp_path)
    tiny.edit_json(tmp_path / "unet" / "config.json", block_out_channels=[8, 8])
    with pytest.raises(InvalidFile, match="does not load as a UNet2DConditionModel"):
        _ = open_pretrained(str(tmp_path)).network


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("unet", {"in_channels": 9}), "in_channels is 9"),
        (("unet", {"cross_attention_dim": 32}), "belong to different models"),
        (("scheduler", {"prediction_type": "noise"}), "prediction_type is 'noise'"),
        (("scheduler", {"beta_schedule": "exp"}), "beta_schedule is 'exp'"),
        (("scheduler", {"_class_name": "FlowMatchEulerDiscreteScheduler"}), "FlowMatch"),
        (("scheduler", {"num_train_timesteps": 1}), "num_train_timesteps"),
        (("", {"_class_name": "StableDiffusionInpaintPipeline"}), "can be a prior are"),
        (("", {"_class_name": None}), "pipeline without a name"),
        (("", {"vae": None}), "no part 'vae'"),
    ],
)
def test_files_that_contradict_each_other_are_refused_before_any_weight_is_read(
    saved, tmp_path, change, message
):
    import shutil

    shutil.copytree(saved(tiny.stable_diffusion), tmp_path / "x")
    part, changes = change
    name = {"": "model_index.json", "scheduler": "scheduler_config.json"}.get(
        part, "config.json"
    )
    tiny.edit_json(tmp_path / "x" / part / name, **changes)
    for file in (tmp_path / "x").rglob("*.safetensors"):
        file.write_bytes(b"")
    with pytest.raises(InputError, match=message):
        open_pretrained(str(tmp_path / "x"))


def test_the_prediction_type_can_be_said(saved):
    folder = str(saved(tiny.stable_diffusion))
    assert open_pretrained(folder, PriorOptions(prediction="v")).facts.kind == "v"
