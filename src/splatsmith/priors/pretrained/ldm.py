"""Checkpoints with the names of 2022: the same tensors as diffusers and transformers call them.

The authors of MVDream, ImageDream and Zero-1-to-3 publish what their own training code saved,
and one well-known conversion keeps those names inside a folder of diffusers. What each name is
now called follows from the shapes alone; nothing but heads of attention must be told.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from splatsmith.errors import InputError

Shapes = Mapping[str, tuple[int, ...]]
Tensors = Mapping[str, Tensor]

HEAD = 64  # channels of a head where the projections are linear (Stable Diffusion 2)
HEADS = 8  # heads of every layer where they are convolutions (Stable Diffusion 1)
DOWN = re.compile(r"input_blocks\.(\d+)\.0\.op\.weight")
BLOCK = re.compile(r"(input|output)_blocks\.(\d+)\.(\d+)\.(.+)")

RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "camera_embed.0": "class_embedding.linear_1",
    "camera_embed.2": "class_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
MIDDLE = {"0": "mid_block.resnets.0", "1": "mid_block.attentions.0", "2": "mid_block.resnets.1"}


def unet_config(shapes: Shapes, told: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a UNet2DConditionModel with these tensors.

    `told` may say num_head_channels or num_heads, and image_size, in the words of the authors'
    own configurations. InputError if the names are those of no such network.
    """
    try:
        return _unet_config(shapes, told)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"These are not the weights of a UNet in the authors' layout: no {error} among "
            f"them; take the published file, whole."
        ) from error


def _unet_config(shapes: Shapes, told: Mapping[str, Any]) -> dict[str, Any]:
    layers, levels = _layout(shapes)
    starts = [1 + level * (layers + 1) for level in range(levels)]
    channels = [shapes[f"input_blocks.{n}.0.in_layers.2.weight"][0] for n in starts]
    attends = [f"input_blocks.{n}.1.norm.weight" in shapes for n in starts]
    linear = len(shapes["middle_block.1.proj_in.weight"]) == 2
    if (each := int(told.get("num_head_channels") or -1)) > 0:
        heads = [width // each for width in channels]
    elif (count := int(told.get("num_heads") or -1)) > 0:
        heads = [count] * levels
    else:
        heads = [width // HEAD for width in channels] if linear else [HEADS] * levels
    words = "middle_block.1.transformer_blocks.0.attn2.to_k.weight"
    config: dict[str, Any] = {
        "sample_size": int(told.get("image_size") or 32),
        "in_channels": shapes["input_blocks.0.0.weight"][1],
        "out_channels": shapes["out.2.weight"][0],
        "block_out_channels": channels,
        "layers_per_block": layers,
        "down_block_types": [
            "CrossAttnDownBlock2D" if looks else "DownBlock2D" for looks in attends
        ],
        "up_block_types": [
            "CrossAttnUpBlock2D" if looks else "UpBlock2D" for looks in reversed(attends)
        ],
        "cross_attention_dim": shapes[words][1],
        "attention_head_dim": heads,
        "use_linear_projection": linear,
    }
    if "camera_embed.0.weight" in shapes:
        config["class_embed_type"] = "projection"
        config["projection_class_embeddings_input_dim"] = shapes["camera_embed.0.weight"][1]
    return config


def _layout(shapes: Shapes) -> tuple[int, int]:
    """Layers of a level, and levels."""
    downs = sorted(int(found[1]) for name in shapes if (found := DOWN.fullmatch(name)))
    return downs[0] - 1, len(downs) + 1


def unet_names(shapes: Shapes) -> dict[str, str]:
    """What each tensor of a UNet is called by diffusers; the image reader is left out."""
    layers, _ = _layout(shapes)
    return {
        name: _unet_name(name, layers) for name in shapes if not name.startswith("image_embed.")
    }


def _unet_name(name: str, layers: int) -> str:
    stem, _, leaf = name.rpartition(".")
    if stem in ENDS:
        return f"{ENDS[stem]}.{leaf}"
    if name.startswith("middle_block."):
        _, part, rest = name.split(".", 2)
        return f"{MIDDLE[part]}.{_inside(rest)}"
    found = BLOCK.fullmatch(name)
    if found is None:
        return name
    side, number, place, rest = found[1], int(found[2]), int(found[3]), found[4]
    if side == "input":
        level, layer = divmod(number - 1, layers + 1)
        if layer == layers:
            return f"down_blocks.{level}.downsamplers.0.{rest.replace('op.', 'conv.')}"
        kind = "attentions" if place else "resnets"
        return f"down_blocks.{level}.{kind}.{layer}.{_inside(rest)}"
    level, layer = divmod(number, layers + 1)
    if place and rest.startswith("conv."):
        return f"up_blocks.{level}.upsamplers.0.{rest}"
    kind = "attentions" if place else "resnets"
    return f"up_blocks.{level}.{kind}.{layer}.{_inside(rest)}"


def _inside(rest: str) -> str:
    """Names inside a residual block or a transformer."""
    stem, _, leaf = rest.rpartition(".")
    return f"{RESNET[stem]}.{leaf}" if stem in RESNET else rest


def autoencoder_config(shapes: Shapes) -> dict[str, Any]:
    """The configuration of an AutoencoderKL with these tensors."""
    channels = list[int]()
    while width := shapes.get(f"encoder.down.{len(channels)}.block.0.conv2.weight"):
        channels.append(width[0])
    layers = 0
    while f"encoder.down.0.block.{layers}.conv1.weight" in shapes:
        layers += 1
    if not channels or "quant_conv.weight" not in shapes:
        raise InputError(
            "This checkpoint has no autoencoder in the authors' layout; take the published "
            "file, whole."
        )
    return {
        "block_out_channels": channels,
        "down_block_types": ["DownEncoderBlock2D"] * len(channels),
        "up_block_types": ["UpDecoderBlock2D"] * len(channels),
        "latent_channels": shapes["quant_conv.weight"][0] // 2,
        "layers_per_block": layers,
        "sample_size": 256,
        "scaling_factor": 0.18215,
    }


def autoencoder_tensors(tensors: Tensors) -> dict[str, Tensor]:
    """The tensors of an autoencoder by diffusers' names; its attention was made of 1 x 1."""
    levels = len(
        autoencoder_config({n: tuple(t.shape) for n, t in tensors.items()})["up_block_types"]
    )
    made = {}
    for name, tensor in tensors.items():
        if name.startswith("loss."):
            continue
        new = _autoencoder_name(name, levels)
        flat = ".attentions." in new and tensor.ndim == 4
        made[new] = tensor[:, :, 0, 0] if flat else tensor
    return made


def _autoencoder_name(name: str, levels: int) -> str:
    name = name.replace("nin_shortcut", "conv_shortcut").replace(
        ".norm_out.", ".conv_norm_out."
    )
    name = re.sub(r"\.down\.(\d+)\.block\.", r".down_blocks.\1.resnets.", name)
    name = re.sub(r"\.down\.(\d+)\.downsample\.", r".down_blocks.\1.downsamplers.0.", name)

    def up(found: re.Match[str]) -> str:
        inner = "resnets." if found[2] == "block" else "upsamplers.0."
        return f".up_blocks.{levels - 1 - int(found[1])}.{inner}"

    name = re.sub(r"\.up\.(\d+)\.(block|upsample)\.", up, name)
    name = re.sub(
        r"\.mid\.block_(\d)\.", lambda m: f".mid_block.resnets.{int(m[1]) - 1}.", name
    )
    for old, new in ATTENTION.items():
        name = name.replace(f".mid.attn_1.{old}.", f".mid_block.attentions.0.{new}.")
    return name


ATTENTION = {
    "norm": "group_norm",
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "proj_out": "to_out.0",
}


def clip_config(shapes: Shapes) -> dict[str, Any]:
    """The configuration of one tower of CLIP with these tensors, but for its activation.

    Of a text tower the last block is left out: what Stable Diffusion 2 is told is the state
    before it, normalized.
    """
    text = "token_embedding.weight" in shapes
    blocks = 0
    while f"transformer.resblocks.{blocks}.ln_1.weight" in shapes:
        blocks += 1
    if not blocks or (not text and not {"conv1.weight", "proj"} <= shapes.keys()):
        raise InputError(
            "This checkpoint has no tower of CLIP in the authors' layout; take the published "
            "file, whole."
        )
    places, width = shapes["positional_embedding"]
    config: dict[str, Any] = {
        "hidden_size": width,
        "intermediate_size": shapes["transformer.resblocks.0.mlp.c_fc.weight"][0],
        "num_hidden_layers": blocks - 1 if text else blocks,
        "num_attention_heads": width // WIDE_HEADS.get(width, HEAD),
    }
    if text:
        vocabulary = shapes["token_embedding.weight"][0]
        return config | {"vocab_size": vocabulary, "max_position_embeddings": places}
    patch = shapes["conv1.weight"][2]
    side = round((places - 1) ** 0.5) * patch
    return config | {
        "patch_size": patch,
        "image_size": side,
        "projection_dim": shapes["proj"][1],
    }


WIDE_HEADS = {1280: 80}  # channels of a head in ViT-H; in every other tower here 64


def clip_tensors(tensors: Tensors, layers: int) -> dict[str, Tensor]:
    """One tower of CLIP as OpenAI and OpenCLIP name it, by the names of transformers.

    `layers` of its blocks are taken. The names are those inside the tower, without what
    transformers puts before them.
    """
    made: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        found = re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)", name)
        if found is None:
            if name in TOWER:
                made[TOWER[name]] = tensor
            continue
        if int(found[1]) >= layers:
            continue
        place, inner = f"encoder.layers.{found[1]}.", found[2]
        if inner.startswith("attn.in_proj_"):
            leaf = inner.removeprefix("attn.in_proj_")
            for part, row in zip("qkv", tensor.chunk(3), strict=True):
                made[f"{place}self_attn.{part}_proj.{leaf}"] = row
            continue
        for old, new in LAYER.items():
            inner = re.sub(rf"^{old}\.", f"{new}.", inner)
        made[place + inner] = tensor
    if "proj" in tensors:
        made["visual_projection.weight"] = tensors["proj"].T
    return made


LAYER = {
    r"attn\.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    r"mlp\.c_fc": "mlp.fc1",
    r"mlp\.c_proj": "mlp.fc2",
}
TOWER = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "class_embedding": "embeddings.class_embedding",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
    "ln_pre.weight": "pre_layrnorm.weight",  # spelled so there
    "ln_pre.bias": "pre_layrnorm.bias",
    "ln_post.weight": "post_layernorm.weight",
    "ln_post.bias": "post_layernorm.bias",
}


def resampler_tensors(tensors: Tensors) -> dict[str, Tensor]:
    """ImageDream's image reader by the names of diffusers' IPAdapterPlusImageProjection."""
    made: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        found = re.fullmatch(r"layers\.(\d+)\.(.+)\.(weight|bias)", name)
        if found is None:
            made[name] = tensor
            continue
        place, inner, leaf = f"layers.{found[1]}.", found[2], found[3]
        if inner == "0.to_kv":
            for part, row in zip("kv", tensor.chunk(2), strict=True):
                made[f"{place}attn.to_{part}.{leaf}"] = row
        else:
            made[f"{place}{RESAMPLER[inner]}.{leaf}"] = tensor
    return made


RESAMPLER = {
    "0.norm1": "ln0",
    "0.norm2": "ln1",
    "0.to_q": "attn.to_q",
    "0.to_out": "attn.to_out.0",
    "1.0": "ff.0",
    "1.1": "ff.1.net.0.proj",
    "1.3": "ff.1.net.2",
}
