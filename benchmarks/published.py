"""What is published: configurations, numbers of weights, and names with shapes, as facts.

Configurations are those of the models' own config.json where a key differs from the library's
default. Numbers of weights are from the models' papers and cards, or widely quoted; they are
what the configuration must come to (`tests/priors/pretrained/test_full_size.py`).
"""

import json
from pathlib import Path
from typing import Any

from splatsmith.priors.pretrained.parts import empty_model

UNET_1 = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    "layers_per_block": 2,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
UNET_2 = UNET_1 | {
    "cross_attention_dim": 1024,
    "attention_head_dim": [5, 10, 20, 20],
    "use_linear_projection": True,
}
UNET_XL = {
    "sample_size": 128,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "layers_per_block": 2,
    "cross_attention_dim": 2048,
    "attention_head_dim": [5, 10, 20],
    "transformer_layers_per_block": [1, 2, 10],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}


def unet_if(width: int) -> dict[str, Any]:
    """DeepFloyd's stage I: XL is 704 wide, L 320, M 192."""
    return {
        "sample_size": 64,
        "in_channels": 3,
        "out_channels": 6,
        "block_out_channels": [width, 2 * width, 3 * width, 4 * width],
        "down_block_types": ["ResnetDownsampleBlock2D"] + ["SimpleCrossAttnDownBlock2D"] * 3,
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "up_block_types": ["SimpleCrossAttnUpBlock2D"] * 3 + ["ResnetUpsampleBlock2D"],
        "layers_per_block": 3,
        "cross_attention_dim": 4 * width,
        "encoder_hid_dim": 4096,
        "attention_head_dim": 64,
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 64,
        "cross_attention_norm": "group_norm",
        "resnet_time_scale_shift": "scale_shift",
        "act_fn": "gelu",
    }


AUTOENCODER = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "latent_channels": 4,
    "layers_per_block": 2,
    "sample_size": 512,
}
AUTOENCODER_16 = AUTOENCODER | {
    "latent_channels": 16,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
    "scaling_factor": 1.5305,
    "shift_factor": 0.0609,
    "force_upcast": True,
    "sample_size": 1024,
}
CLIP_L = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
    "max_position_embeddings": 77,
    "vocab_size": 49408,
}
CLIP_H = CLIP_L | {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "hidden_act": "gelu",
}
CLIP_G = CLIP_L | {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
    "hidden_act": "gelu",
}
T5_XXL = {
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "vocab_size": 32128,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
}
SD3 = {
    "sample_size": 128,
    "patch_size": 2,
    "in_channels": 16,
    "out_channels": 16,
    "num_layers": 24,
    "attention_head_dim": 64,
    "num_attention_heads": 24,
    "joint_attention_dim": 4096,
    "caption_projection_dim": 1536,
    "pooled_projection_dim": 2048,
    "pos_embed_max_size": 192,
}
FLUX_DEV = {
    "patch_size": 1,
    "in_channels": 64,
    "num_layers": 19,
    "num_single_layers": 38,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 768,
    "guidance_embeds": True,
}

SCALED_LINEAR = {
    "_class_name": "PNDMScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
}
SQUARED_COSINE = {
    "_class_name": "DDPMScheduler",
    "beta_schedule": "squaredcos_cap_v2",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "variance_type": "learned_range",
}
FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000}

SCALED = {"scaling_factor": 0.18215}
XL_SCALED = {"scaling_factor": 0.13025, "force_upcast": True, "sample_size": 1024}

Part = tuple[str, str, dict[str, Any]]  # library, class, configuration

CLIP_L_TEXT = ("transformers", "CLIPTextModel", CLIP_L)
CLIP_L_SENTENCE = ("transformers", "CLIPTextModelWithProjection", CLIP_L)
CLIP_G_SENTENCE = ("transformers", "CLIPTextModelWithProjection", CLIP_G)
T5_TEXT = ("transformers", "T5EncoderModel", T5_XXL)

# Pipeline, scheduler, and the parts that have weights.
MODELS: dict[str, tuple[str, dict[str, Any], dict[str, Part]]] = {
    "stable-diffusion-1.5": (
        "StableDiffusionPipeline",
        SCALED_LINEAR,
        {
            "unet": ("diffusers", "UNet2DConditionModel", UNET_1),
            "vae": ("diffusers", "AutoencoderKL", AUTOENCODER | SCALED),
            "text_encoder": CLIP_L_TEXT,
        },
    ),
    "stable-diffusion-2.1": (
        "StableDiffusionPipeline",
        SCALED_LINEAR,
        {
            "unet": ("diffusers", "UNet2DConditionModel", UNET_2),
            "vae": ("diffusers", "AutoencoderKL", AUTOENCODER | SCALED | {"sample_size": 768}),
            "text_encoder": ("transformers", "CLIPTextModel", CLIP_H),
        },
    ),
    "stable-diffusion-2.1-v": (
        "StableDiffusionPipeline",
        SCALED_LINEAR | {"prediction_type": "v_prediction"},
        {
            "unet": ("diffusers", "UNet2DConditionModel", UNET_2 | {"sample_size": 96}),
            "vae": ("diffusers", "AutoencoderKL", AUTOENCODER | SCALED | {"sample_size": 768}),
            "text_encoder": ("transformers", "CLIPTextModel", CLIP_H),
        },
    ),
    "sdxl": (
        "StableDiffusionXLPipeline",
        SCALED_LINEAR,
        {
            "unet": ("diffusers", "UNet2DConditionModel", UNET_XL),
            "vae": ("diffusers", "AutoencoderKL", AUTOENCODER | XL_SCALED),
            "text_encoder": CLIP_L_TEXT,
            "text_encoder_2": CLIP_G_SENTENCE,
        },
    ),
    "deepfloyd": (
        "IFPipeline",
        SQUARED_COSINE,
        {
            "unet": ("diffusers", "UNet2DConditionModel", unet_if(704)),
            "text_encoder": T5_TEXT,
        },
    ),
    "deepfloyd-medium": (
        "IFPipeline",
        SQUARED_COSINE,
        {
            "unet": ("diffusers", "UNet2DConditionModel", unet_if(192)),
            "text_encoder": T5_TEXT,
        },
    ),
    "stable-diffusion-3": (
        "StableDiffusion3Pipeline",
        FLOW,
        {
            "transformer": ("diffusers", "SD3Transformer2DModel", SD3),
            "vae": ("diffusers", "AutoencoderKL", AUTOENCODER_16),
            "text_encoder": CLIP_L_SENTENCE,
            "text_encoder_2": CLIP_G_SENTENCE,
            "text_encoder_3": T5_TEXT,
        },
    ),
    "flux-dev": (
        "FluxPipeline",
        FLOW,
        {
            "transformer": ("diffusers", "FluxTransformer2DModel", FLUX_DEV),
            "vae": ("diffusers", "AutoencoderKL", AUTOENCODER_16),
            "text_encoder": CLIP_L_TEXT,
            "text_encoder_2": T5_TEXT,
        },
    ),
}


def write_folder(
    folder: Path, name: str, changed: dict[str, dict[str, Any]] | None = None
) -> None:
    """A folder of that model without its weights: configurations, and headers of weight files.

    The headers hold every name and shape, so that what counts weights counts them. `changed`
    has other configurations for some parts.
    """
    pipeline, scheduler, parts = MODELS[name]
    index: dict[str, Any] = {"_class_name": pipeline, "scheduler": ["diffusers", "x"]}
    files = {"scheduler/scheduler_config.json": scheduler}
    for part, (library, class_name, published) in parts.items():
        config = (changed or {}).get(part, published)
        index[part] = [library, class_name]
        files[f"{part}/config.json"] = config
        kind = "model" if library == "transformers" else "diffusion_pytorch_model"
        write_header(folder / part / f"{kind}.safetensors", library, class_name, config)
    for path, table in (files | {"model_index.json": index}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(table))


def write_header(path: Path, library: str, class_name: str, config: dict[str, Any]) -> None:
    """The head of a safetensors file with the names and shapes of a model."""
    model = empty_model(library, class_name, dict(config))
    header = {
        name: {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [0, 0]}
        for name, tensor in model.named_parameters()
    }
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text)
