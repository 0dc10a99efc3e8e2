"""Checkpoints as their authors' code saved them say the same as the folders made of them."""

import shutil

import pytest
import tiny_views
import torch
from asked_views import CAMERAS, WORDS, noisy, seen
from safetensors.torch import load_file, save_file

from splatsmith.errors import InputError, InvalidFile
from splatsmith.priors.pretrained import open_pretrained
from splatsmith.priors.pretrained.ldm import clip_config, unet_config, unet_names
from splatsmith.priors.pretrained.multiview_unet import multiview_unet

PAIRS = {
    "mvdream": (tiny_views.mvdream, tiny_views.mvdream_checkpoint, WORDS),
    "imagedream": (tiny_views.imagedream, tiny_views.imagedream_checkpoint, seen()),
    "zero123": (tiny_views.zero123, tiny_views.zero123_checkpoint, seen()),
}


@pytest.mark.parametrize("name", PAIRS)
def test_both_layouts_say_the_same(saved, gen, name):
    as_folder, as_file, prompt = PAIRS[name]
    first, second = (open_pretrained(str(saved(make))) for make in (as_folder, as_file))
    # The size cannot be read off a checkpoint: its network knows latents of 32 x 32.
    assert (first.size, second.size) == (16, 64)
    x_t, t = noisy(first, gen)
    answers = []
    for prior in (first, second):
        prior.size = 16
        rows = dict(prior.condition(prompt, CAMERAS).rows)
        if name == "imagedream":  # Their towers differ in activation; the rest must not.
            rows["image"] = torch.ones_like(rows["image"])
        told = prior.condition(prompt, CAMERAS)
        object.__setattr__(told, "rows", rows)
        answers.append(prior.predict(x_t, t, told).eps)
        answers.append(prior.encode(torch.rand(1, 16, 16, 3, generator=gen.manual_seed(3))))
    torch.testing.assert_close(answers[2], answers[0])
    torch.testing.assert_close(answers[3], answers[1])
    assert first.sha256 != second.sha256


def test_a_tower_of_clip_is_openais(gen):
    """The names of OpenAI's file mean what its own few lines do with them."""
    from splatsmith.priors.pretrained.own import OWN, fitted

    width, places = 64, 5
    tensors = tiny_views.plain(tiny_views.clip_2022(tiny_views.vision()))
    own = OWN["ClipVision"]
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    model = own.make(shapes, {})
    model = fitted(model, own.rename(tensors, model), tiny_views.__file__)
    picture = torch.randn(2, 3, 28, 28, generator=gen)
    with torch.no_grad():
        got = model(picture).image_embeds
        x = torch.nn.functional.conv2d(picture, tensors["conv1.weight"], stride=14)
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([tensors["class_embedding"].expand(2, 1, width), x], 1)
        x = normalized(x + tensors["positional_embedding"], tensors, "ln_pre")
        for number in range(2):
            x = block(x, tensors, f"transformer.resblocks.{number}.")
        expected = normalized(x[:, 0], tensors, "ln_post") @ tensors["proj"]
    assert x.shape == (2, places, width)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def normalized(x, tensors, name):
    weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    return torch.nn.functional.layer_norm(x, x.shape[-1:], weight, bias, eps=1e-5)


def block(x, tensors, before):
    """One residual block, by torch's own attention with its three projections in one."""
    attention = torch.nn.MultiheadAttention(x.shape[-1], 1, batch_first=True)
    names = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    attention.load_state_dict({name: tensors[f"{before}attn.{name}"] for name in names})
    inner = normalized(x, tensors, f"{before}ln_1")
    x = x + attention(inner, inner, inner, need_weights=False)[0]
    inner = normalized(x, tensors, f"{before}ln_2")
    weight, bias = (tensors[f"{before}mlp.c_fc.{leaf}"] for leaf in ("weight", "bias"))
    hidden = inner @ weight.T + bias
    hidden = hidden * torch.sigmoid(1.702 * hidden)  # quick GELU
    weight, bias = (tensors[f"{before}mlp.c_proj.{leaf}"] for leaf in ("weight", "bias"))
    return x + hidden @ weight.T + bias


FULL = {
    "sample_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
TWO = {
    "cross_attention_dim": 1024,
    "attention_head_dim": [5, 10, 20, 20],
    "use_linear_projection": True,
}
CAMERA = {"class_embed_type": "projection", "projection_class_embeddings_input_dim": 16}
ONE = {
    "in_channels": 8,
    "cross_attention_dim": 768,
    "attention_head_dim": [8] * 4,
    "use_linear_projection": False,
}
# Configuration, tensors and weights as the authors' own networks have them (docs/parity.md).
PUBLISHED = {
    "MVDream": (FULL | TWO | CAMERA, 690, 867_572_164),
    "Zero-1-to-3": (FULL | ONE, 686, 859_532_484),
}
READER = {  # ImageDream's image reader, by the authors' code
    "latents": (1, 16, 1024),
    "proj_in.weight": (1024, 1280),
    "proj_in.bias": (1024,),
    "proj_out.weight": (1024, 1024),
    "proj_out.bias": (1024,),
    "norm_out.weight": (1024,),
    "norm_out.bias": (1024,),
}
BLOCK = {
    "0.norm1.weight": (1024,),
    "0.norm1.bias": (1024,),
    "0.norm2.weight": (1024,),
    "0.norm2.bias": (1024,),
    "0.to_q.weight": (768, 1024),
    "0.to_kv.weight": (1536, 1024),
    "0.to_out.weight": (1024, 768),
    "1.0.weight": (1024,),
    "1.0.bias": (1024,),
    "1.1.weight": (4096, 1024),
    "1.3.weight": (1024, 4096),
}


def full_size(config):
    """A network of diffusers on meta, and its tensors' shapes by the old names."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        network = UNet2DConditionModel.from_config(config)
    state = network.state_dict()
    old = tiny_views.unet_2022(state, 2)
    return network, {name: tuple(tensor.shape) for name, tensor in old.items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_size(name):
    config, tensors, weights = PUBLISHED[name]
    network, shapes = full_size(config)
    assert len(shapes) == tensors
    assert sum(p.numel() for p in network.parameters()) == weights
    found = unet_config(shapes, {})
    assert {key: found[key] for key in config} == config
    assert set(unet_names(shapes).values()) == set(network.state_dict())
    assert shapes["output_blocks.5.2.conv.weight"] == (1280, 1280, 3, 3)
    assert shapes["output_blocks.2.1.conv.weight"] == (1280, 1280, 3, 3)
    assert shapes["input_blocks.9.0.op.weight"] == (1280, 1280, 3, 3)


def test_the_published_size_of_imagedream():
    network, shapes = full_size(FULL | TWO | CAMERA)
    for name, module in network.named_modules():
        if name.endswith("attn2"):
            for part in "kv":
                old = tiny_views.old_unet_name(f"{name}.to_{part}_ip.weight", 2)
                shapes[old] = (module.to_k.out_features, 1024)
    shapes |= {f"image_embed.{n}": shape for n, shape in READER.items()}
    shapes |= {
        f"image_embed.layers.{i}.{n}": shape for i in range(4) for n, shape in BLOCK.items()
    }
    assert len(shapes) == 773
    made = multiview_unet(shapes, {}, 4)
    assert sum(p.numel() for p in made.parameters()) == 941_672_900


def test_the_towers_at_their_published_sizes():
    blocks = {f"transformer.resblocks.{i}.ln_1.weight": (1,) for i in range(24)}
    common = {**blocks, "transformer.resblocks.0.mlp.c_fc.weight": (4096, 1024)}
    text = {"token_embedding.weight": (49408, 1024), "positional_embedding": (77, 1024)}
    found = clip_config(common | text)
    assert (found["num_hidden_layers"], found["num_attention_heads"]) == (23, 16)
    large = {"conv1.weight": (1024, 3, 14, 14), "positional_embedding": (257, 1024)}
    found = clip_config(common | large | {"proj": (1024, 768)})
    assert (found["num_attention_heads"], found["image_size"]) == (16, 224)
    huge = {"conv1.weight": (1280, 3, 14, 14), "positional_embedding": (257, 1280)}
    found = clip_config(common | huge | {"proj": (1280, 1024)})
    assert (found["num_attention_heads"], found["image_size"]) == (16, 224)


def test_a_pickle_is_refused_with_the_line_that_converts_it(tmp_path):
    (tmp_path / "sd-v2.1-base-4view.pt").write_bytes(b"x")
    with pytest.raises(InputError, match=r"is a pickle.*weights_only=True.*4view\.safetensors"):
        open_pretrained(str(tmp_path))


def test_other_checkpoints_are_refused(saved, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    save_file({"x": torch.zeros(1)}, other / "x.safetensors")
    with pytest.raises(InputError, match="is no checkpoint of MVDream"):
        open_pretrained(str(other))
    save_file({"x": torch.zeros(1)}, other / "y.safetensors")
    with pytest.raises(InputError, match=r"holds 2 checkpoints, x\.safetensors and y"):
        open_pretrained(str(other))
    bare = tmp_path / "bare"
    shutil.copytree(saved(tiny_views.mvdream_checkpoint), bare)
    shutil.rmtree(bare / "tokenizer")
    with pytest.raises(InputError, match="has no folder 'tokenizer'"):
        open_pretrained(str(bare))


def test_a_checkpoint_without_its_autoencoder_is_refused(saved, tmp_path):
    folder = tmp_path / "x"
    shutil.copytree(saved(tiny_views.mvdream_checkpoint), folder)
    path = folder / "weights.safetensors"
    tensors = load_file(path)
    save_file({n: t for n, t in tensors.items() if not n.startswith("first_stage")}, path)
    with pytest.raises(InputError, match="has no autoencoder"):
        open_pretrained(str(folder))
    del tensors["first_stage_model.encoder.conv_in.bias"]
    save_file(tensors, path)
    with pytest.raises(InvalidFile, match=r"lacks 1 weights, such as encoder\.conv_in\.bias"):
        _ = open_pretrained(str(folder)).autoencoder
