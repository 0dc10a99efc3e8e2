"""Tiny MVDream, ImageDream and Zero-1-to-3, in the layouts that they are published in.

The networks are diffusers' own. What is written are the names of 2022, worked out here from
diffusers' names: the loader goes the other way.
"""

import json
import re

import tiny
import torch
from safetensors.torch import save_file
from torch import nn

WIDTH = 64  # of words, and of CLIP's cells; one head
CHANNELS = (64, 128)
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
}


def unet(**changes):
    """Two levels with attention in the first, linear projections, heads of 64 channels."""
    shape = {
        "block_out_channels": CHANNELS,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": WIDTH,
        "attention_head_dim": tuple(width // 64 for width in CHANNELS),
        "use_linear_projection": True,
        "norm_num_groups": 32,
    }
    return lively(tiny.unet(**shape | changes))


def lively(module):
    """The module with no weight at zero: what is silent at first hides what is wrong."""
    gen = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in module.parameters():
            fan = weight[0].numel() if weight.ndim > 1 else 4
            weight.copy_(torch.randn(weight.shape, generator=gen) / fan**0.5)
    return module


def vision(**changes):
    """CLIP's vision tower: pictures of 28 pixels, five cells."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    shape = {
        "hidden_size": WIDTH,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "image_size": 28,
        "patch_size": 14,
        "projection_dim": WIDTH,
    }
    config = CLIPVisionConfig(**shape | changes)
    return lively(tiny.seeded(lambda: CLIPVisionModelWithProjection(config).eval()))


def text():
    """A text model with one head."""
    from transformers import CLIPTextConfig, CLIPTextModel

    old = tiny.clip_text(WIDTH).config
    config = CLIPTextConfig.from_dict(
        old.to_dict() | {"num_attention_heads": 1, "hidden_act": "gelu"}
    )
    return lively(tiny.seeded(lambda: CLIPTextModel(config).eval()))


def reader():
    """ImageDream's image reader: one block, one head, three tokens."""
    from diffusers.models.embeddings import IPAdapterPlusImageProjection

    made = tiny.seeded(
        lambda: IPAdapterPlusImageProjection(
            embed_dims=WIDTH,
            output_dims=WIDTH,
            hidden_dims=32,
            depth=1,
            dim_head=64,
            heads=1,
            num_queries=3,
        ).eval()
    )
    return lively(made)


def image_keys(network):
    """Keys and values for a picture's tokens of each layer that looks at words."""
    found = {}
    for name, module in network.named_modules():
        if name.endswith("attn2"):
            width = module.to_k.out_features
            for part in ("k", "v"):
                made = lively(nn.Linear(WIDTH, width, bias=False))
                found[f"{name}.to_{part}_ip.weight"] = made.weight.detach()
    return found


def unet_2022(state, layers):
    """A UNet's tensors by their old names."""
    return {old_unet_name(name, layers): tensor for name, tensor in state.items()}


def old_unet_name(name, layers):
    """What one tensor of a UNet was called; `layers` of a level."""
    swaps = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "class_embedding.linear_1": "camera_embed.0",
        "class_embedding.linear_2": "camera_embed.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    stem, leaf = name.rsplit(".", 1)
    if stem in swaps:
        return f"{swaps[stem]}.{leaf}"
    resnet = {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }
    side, *rest = name.split(".")
    if side == "mid_block":
        kind, number, *inner = rest
        place = 1 if kind == "attentions" else 2 * int(number)
        before = f"middle_block.{place}"
    else:
        level, kind, number, *inner = rest
        first = int(level) * (layers + 1) + int(number)
        if kind == "downsamplers":
            return f"input_blocks.{(int(level) + 1) * (layers + 1)}.0.op.{leaf}"
        if kind == "upsamplers":
            # After the last layer of the level; only the deepest has no attention before it.
            attends = int(level) > 0
            last = int(level) * (layers + 1) + layers
            return f"output_blocks.{last}.{2 if attends else 1}.conv.{leaf}"
        place = int(kind == "attentions")
        before = (
            f"input_blocks.{first + 1}.{place}"
            if side == "down_blocks"
            else f"output_blocks.{first}.{place}"
        )
    if kind == "resnets":
        return f"{before}.{resnet[inner[0]]}.{leaf}"
    return ".".join([before, *inner])


def reader_2022(state):
    """The image reader's tensors by their old names."""
    names = {
        "ln0": "0.norm1",
        "ln1": "0.norm2",
        "attn.to_q": "0.to_q",
        "attn.to_out.0": "0.to_out",
        "ff.0": "1.0",
        "ff.1.net.0.proj": "1.1",
        "ff.1.net.2": "1.3",
    }
    made = {}
    for name, tensor in state.items():
        found = re.fullmatch(r"layers\.(\d+)\.(.+)\.(weight|bias)", name)
        if found is None:
            made[name] = tensor
        elif found[2] == "attn.to_k":
            value = state[name.replace("to_k", "to_v")]
            made[f"layers.{found[1]}.0.to_kv.weight"] = torch.cat([tensor, value])
        elif found[2] != "attn.to_v":
            made[f"layers.{found[1]}.{names[found[2]]}.{found[3]}"] = tensor
    return {f"image_embed.{name}": tensor for name, tensor in made.items()}


def autoencoder_2022(state):
    """An autoencoder's tensors by their old names."""
    levels = 1 + max(int(n.split(".")[2]) for n in state if n.startswith("decoder.up_blocks"))
    made = {}
    for name, tensor in state.items():
        name = name.replace("conv_norm_out", "norm_out").replace(
            "conv_shortcut", "nin_shortcut"
        )
        name = re.sub(r"down_blocks\.(\d+)\.resnets", r"down.\1.block", name)
        name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(
            r"up_blocks\.(\d+)\.(resnets|upsamplers\.0)",
            lambda m: (
                f"up.{levels - 1 - int(m[1])}." + ("block" if m[2] == "resnets" else "upsample")
            ),
            name,
        )
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        for old, new in {
            "group_norm": "norm",
            "to_q": "q",
            "to_k": "k",
            "to_v": "v",
            "to_out.0": "proj_out",
        }.items():
            before = f"mid_block.attentions.0.{old}."
            if before in name and tensor.ndim == 2:
                tensor = tensor[:, :, None, None]
            name = name.replace(before, f"mid.attn_1.{new}.")
        made[name] = tensor
    return made


def clip_2022(model, more_layers=0):
    """A tower of CLIP by OpenAI's names; `more_layers` are added at its end."""
    state = {re.sub(r"^(text|vision)_model\.", "", n): t for n, t in model.state_dict().items()}
    names = {
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "embeddings.class_embedding": "class_embedding",
        "embeddings.patch_embedding.weight": "conv1.weight",
        "final_layer_norm": "ln_final",
        "pre_layrnorm": "ln_pre",
        "post_layernorm": "ln_post",
        "self_attn.out_proj": "attn.out_proj",
        "layer_norm": "ln_",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
        "encoder.layers": "transformer.resblocks",
    }
    made = {}
    for name, tensor in state.items():
        if name == "visual_projection.weight":
            made["proj"] = tensor.T
            continue
        if ".q_proj." in name:
            rows = [state[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            name, tensor = name.replace("self_attn.q_proj.", "attn.in_proj_"), torch.cat(rows)
        elif re.search(r"\.[kv]_proj\.", name):
            continue
        for new, old in names.items():
            name = name.replace(new, old)
        made[name] = tensor
    layers = model.config.num_hidden_layers
    for number in range(layers, layers + more_layers):
        for name, tensor in list(made.items()):
            if name.startswith("transformer.resblocks.0."):
                made[name.replace("resblocks.0", f"resblocks.{number}")] = tensor + 1
    if more_layers:  # Beside the tower of words there is more that nobody asks for.
        made |= {"text_projection": torch.zeros(3, 3), "logit_scale": torch.zeros(())}
    return made


def plain(tensors):
    """Tensors as they can be saved."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}


def write(folder, pipeline, index, **parts):
    """Save parts, and the index that names them."""
    for name, part in parts.items():
        part.save_pretrained(folder / name)
        index[name] = [type(part).__module__.split(".")[0], type(part).__name__]
    (folder / "model_index.json").write_text(json.dumps({"_class_name": pipeline, **index}))


def autoencoder():
    """One halving, with as many groups as every published one has."""
    return tiny.autoencoder(block_out_channels=(32, 64), norm_num_groups=32)


def scheduler():
    """As all three were trained."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(**SCHEDULER)


def multiview_parts(*, picture):
    """Network, its tensors by the old names, and what stands around it."""
    network = unet(class_embed_type="projection", projection_class_embeddings_input_dim=16)
    tensors, read = network.state_dict(), None
    if picture:
        tensors, read = tensors | image_keys(network), reader()
    tensors = unet_2022(tensors, 1)
    if read is not None:
        tensors |= reader_2022(read.state_dict())
    return network, read, plain(tensors)


def mvdream(folder, *, picture=False):
    """A folder as the well-known conversion has it; (network, image reader)."""
    network, read, tensors = multiview_parts(picture=picture)
    (folder / "unet").mkdir(parents=True)
    save_file(tensors, folder / "unet" / "diffusion_pytorch_model.safetensors")
    config = {
        "_class_name": "MultiViewUNetModel",
        "image_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 64,
        "channel_mult": [1, 2],
        "num_res_blocks": 1,
        "num_head_channels": 64,
        "context_dim": WIDTH,
        "camera_dim": 16,
        **({"ip_dim": 3} if picture else {}),
    }
    (folder / "unet" / "config.json").write_text(json.dumps(config))
    index = {
        "unet": ["mv_unet", "MultiViewUNetModel"],
        "feature_extractor": [None, None],
        **({} if picture else {"image_encoder": [None, None]}),
    }
    more = {"image_encoder": vision()} if picture else {}
    write(
        folder,
        "MVDreamPipeline",
        index,
        vae=autoencoder(),
        text_encoder=text(),
        tokenizer=tiny.clip_tokenizer(),
        scheduler=scheduler(),
        **more,
    )
    return network, read


def imagedream(folder):
    """The same that is also told a picture."""
    return mvdream(folder, picture=True)


def zero123(folder, *, projection="cc_projection", pipeline="Zero1to3StableDiffusionPipeline"):
    """A Zero-1-to-3 as one of the two conversions has it; (network, projection)."""
    network = unet(in_channels=8, use_linear_projection=False, attention_head_dim=8)
    joined = lively(nn.Linear(WIDTH + 4, WIDTH))
    (folder / projection).mkdir(parents=True)
    before = "projection" if projection == "cc_projection" else "proj"
    tensors = {f"{before}.{name}": tensor for name, tensor in joined.state_dict().items()}
    save_file(plain(tensors), folder / projection / "diffusion_pytorch_model.safetensors")
    kind = "CCProjection" if projection == "cc_projection" else "CLIPCameraProjection"
    (folder / projection / "config.json").write_text(json.dumps({"_class_name": kind}))
    write(
        folder,
        pipeline,
        {projection: ["zero123", kind], "safety_checker": [None, None]},
        unet=network,
        vae=autoencoder(),
        image_encoder=vision(),
        scheduler=scheduler(),
    )
    return network, joined


def zero123_by_the_other_names(folder):
    """The same with the names of the other conversion, and its file's name in the index."""
    return zero123(
        folder,
        projection="clip_camera_projection",
        pipeline=["zero123", "Zero123Pipeline"],
    )


def checkpoint(folder, kind):
    """The weights of one of the three as its authors' code saves them, but as safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    vae = autoencoder_2022(autoencoder().state_dict())
    if kind == "zero123":
        network = unet(in_channels=8, use_linear_projection=False, attention_head_dim=8)
        parts = {
            "model.diffusion_model.": unet_2022(network.state_dict(), 1),
            "first_stage_model.": vae,
            "cond_stage_model.model.visual.": clip_2022(vision()),
            "cc_projection.": lively(nn.Linear(WIDTH + 4, WIDTH)).state_dict(),
        }
    else:
        picture = kind == "imagedream"
        words = "clip_model.model." if picture else "cond_stage_model.model."
        tokenizer = tiny.clip_tokenizer()
        tokenizer.save_pretrained(folder / "tokenizer")
        parts = {
            "model.diffusion_model.": multiview_parts(picture=picture)[2],
            "vae_model." if picture else "first_stage_model.": vae,
            words: clip_2022(text(), more_layers=1),
        }
        if picture:
            parts[f"{words}visual."] = clip_2022(vision(hidden_act="gelu"))
    tensors = {before + n: t for before, part in parts.items() for n, t in part.items()}
    tensors |= {"betas": torch.zeros(1000), "model_ema.decay": torch.zeros(())}
    save_file(plain(tensors), folder / "weights.safetensors")


def mvdream_checkpoint(folder):
    """MVDream's."""
    checkpoint(folder, "mvdream")


def imagedream_checkpoint(folder):
    """ImageDream's."""
    checkpoint(folder, "imagedream")


def zero123_checkpoint(folder):
    """Zero-1-to-3's."""
    checkpoint(folder, "zero123")
