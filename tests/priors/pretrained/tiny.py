"""Tiny pipelines with random weights, made and saved by the libraries' own classes.

The parts of the published ones, a few thousand weights each, in the layout that the loader
finds on the hub.
"""

import json
import string

import torch
from safetensors.torch import load_file, save_file

LETTERS = string.ascii_lowercase + string.digits + "," + "-"


def seeded(make):
    """What `make` returns, with weights that are the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def clip_tokenizer():
    """CLIP's tokenizer over single letters."""
    from transformers import CLIPTokenizer

    words = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    vocabulary = {word: row for row, word in enumerate(words)}
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def clip_text(width=16, *, projection=None, tokens=77):
    """CLIP's text model, two layers."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=2 * len(LETTERS) + 2,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=tokens,
        projection_dim=projection or width,
        bos_token_id=2 * len(LETTERS),
        eos_token_id=2 * len(LETTERS) + 1,
    )
    kind = CLIPTextModelWithProjection if projection else CLIPTextModel
    return seeded(lambda: kind(config).eval())


def autoencoder(**changes):
    """AutoencoderKL with one halving: pictures of 16 pixels are latents of 8."""
    from diffusers import AutoencoderKL

    shape = {
        "block_out_channels": (8, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "latent_channels": 4,
        "norm_num_groups": 4,
        "sample_size": 16,
        "force_upcast": False,
    }
    return seeded(lambda: AutoencoderKL(**shape | changes).eval())


def unet(**changes):
    """UNet2DConditionModel of two levels, with attention to words."""
    from diffusers import UNet2DConditionModel

    shape = {
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 16,
        "attention_head_dim": 4,
        "norm_num_groups": 4,
    }
    return seeded(lambda: UNet2DConditionModel(**shape | changes).eval())


def stable_diffusion(folder, *, prediction="epsilon", **changes):
    """A Stable Diffusion in `folder`: (pipeline as made, folder)."""
    from diffusers import DDPMScheduler, StableDiffusionPipeline

    scheduler = DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        clip_sample=False,
        prediction_type=prediction,
    )
    parts = {
        "vae": autoencoder(),
        "unet": unet(),
        "text_encoder": clip_text(),
        "tokenizer": clip_tokenizer(),
        "scheduler": scheduler,
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
    pipeline = StableDiffusionPipeline(**parts | changes)
    pipeline.save_pretrained(folder)
    return pipeline


def edit_json(path, **changes):
    """Change keys of a JSON file; a value of None removes one."""
    table = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in table.items() if v is not None}))


def rename_weights(path, rename):
    """Save a safetensors file again with other names for its tensors."""
    tensors = {rename(name): tensor for name, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
