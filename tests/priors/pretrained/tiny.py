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
        "sample_size": 64,
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


def t5_tokenizer():
    """T5's tokenizer over single letters."""
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
    pieces += [(letter, -3.0) for letter in LETTERS]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def t5_text(width=32):
    """T5's encoder, two layers, of the sort that XXL is."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=len(LETTERS) + 4,
        d_model=width,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    return seeded(lambda: T5EncoderModel(config).eval())


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


def latent_consistency(folder):
    """A latent consistency model: the guidance scale is an input."""
    return stable_diffusion(folder, unet=unet(time_cond_proj_dim=9))


def sdxl(folder, **changes):
    """An SDXL in `folder`."""
    from diffusers import DDPMScheduler, StableDiffusionXLPipeline

    network = unet(
        cross_attention_dim=16 + 24,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 20,
    )
    parts = {
        "vae": autoencoder(force_upcast=True),
        "unet": network,
        "text_encoder": clip_text(),
        "text_encoder_2": clip_text(24, projection=20),
        "tokenizer": clip_tokenizer(),
        "tokenizer_2": clip_tokenizer(),
        "scheduler": DDPMScheduler(beta_schedule="scaled_linear", steps_offset=1),
    }
    pipeline = StableDiffusionXLPipeline(**parts | changes)
    pipeline.save_pretrained(folder)
    return pipeline


def deepfloyd(folder, *, stage=1):
    """DeepFloyd's stage I, or II."""
    from diffusers import DDPMScheduler, IFPipeline, IFSuperResolutionPipeline

    shape = {
        "sample_size": 16 if stage == 1 else 32,
        "in_channels": 3 if stage == 1 else 6,
        "out_channels": 6,
        "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "cross_attention_dim": 16,
        "encoder_hid_dim": 32,
        "resnet_time_scale_shift": "scale_shift",
        "act_fn": "gelu",
        **({} if stage == 1 else {"class_embed_type": "timestep"}),
    }
    scheduler = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", variance_type="learned_range", thresholding=True
    )
    parts = {
        "tokenizer": t5_tokenizer(),
        "text_encoder": t5_text(),
        "unet": unet(**shape),
        "scheduler": scheduler,
        "safety_checker": None,
        "feature_extractor": None,
        "watermarker": None,
        "requires_safety_checker": False,
    }
    if stage == 2:
        parts["image_noising_scheduler"] = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    pipeline = (IFPipeline if stage == 1 else IFSuperResolutionPipeline)(**parts)
    pipeline.save_pretrained(folder)
    return pipeline


def deepfloyd_upscaler(folder):
    """DeepFloyd's stage II."""
    return deepfloyd(folder, stage=2)


def flow_autoencoder():
    """The autoencoders of SD 3 and FLUX: shifted latents, no convolution around them."""
    return autoencoder(
        use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06, scaling_factor=1.5
    )


def sd3(folder, *, with_t5=True):
    """A Stable Diffusion 3 in `folder`."""
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        SD3Transformer2DModel,
        StableDiffusion3Pipeline,
    )

    transformer = seeded(
        lambda: SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=48,
            caption_projection_dim=16,
            pooled_projection_dim=16 + 20,
            pos_embed_max_size=16,
        ).eval()
    )
    pipeline = StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=flow_autoencoder(),
        text_encoder=clip_text(16, projection=16),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text(24, projection=20),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=t5_text(48) if with_t5 else None,
        tokenizer_3=t5_tokenizer() if with_t5 else None,
    )
    pipeline.save_pretrained(folder)
    return pipeline


def flux(folder, *, dev=True):
    """A FLUX in `folder`: its dev form, or schnell."""
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        FluxPipeline,
        FluxTransformer2DModel,
    )

    transformer = seeded(
        lambda: FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=16,
            guidance_embeds=dev,
            axes_dims_rope=(4, 4, 8),
        ).eval()
    )
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
        vae=flow_autoencoder(),
        text_encoder=clip_text(),
        tokenizer=clip_tokenizer(),
        text_encoder_2=t5_text(),
        tokenizer_2=t5_tokenizer(),
        transformer=transformer,
    )
    pipeline.save_pretrained(folder)
    return pipeline


def control(folder, **changes):
    """A ControlNet for the tiny Stable Diffusion; it says something, unlike a fresh one."""
    from diffusers import ControlNetModel

    made = seeded(
        lambda: ControlNetModel(
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            cross_attention_dim=changes.get("cross_attention_dim", 16),
            attention_head_dim=4,
            norm_num_groups=4,
            conditioning_embedding_out_channels=(4, 8),
        ).eval()
    )
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if not weight.any():
                weight.copy_(seeded(lambda shape=weight.shape: torch.randn(shape) * 0.1))
            assert name
    made.save_pretrained(folder)
    return made


def edit_json(path, **changes):
    """Change keys of a JSON file; a value of None removes one."""
    table = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in table.items() if v is not None}))


def rename_weights(path, rename):
    """Save a safetensors file again with other names for its tensors."""
    tensors = {rename(name): tensor for name, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
