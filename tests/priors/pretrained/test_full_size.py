"""The published models at full size, on the meta device: shapes and names, and no weights."""

import published
import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.priors.pretrained import PriorOptions, open_pretrained
from splatsmith.priors.pretrained.memory import GIB, numbers_in
from splatsmith.priors.pretrained.parts import empty_model

UNET = "UNet2DConditionModel"
ATTENDS = "down_blocks.{}.attentions.{}.transformer_blocks.{}.attn2.to_k.weight"

# Class, configuration, number of weights as published, and some names with their shapes.
FACTS = {
    "Stable Diffusion 1.5": (
        "diffusers", UNET, published.UNET_1, 859_520_964,
        {
            "conv_in.weight": (320, 4, 3, 3),
            "conv_out.weight": (4, 320, 3, 3),
            "time_embedding.linear_1.weight": (1280, 320),
            ATTENDS.format(0, 1, 0): (320, 768),
            "down_blocks.0.attentions.0.proj_in.weight": (320, 320, 1, 1),
        },
    ),
    "Stable Diffusion 2.1": (
        "diffusers", UNET, published.UNET_2, 865_910_724,
        {
            ATTENDS.format(0, 1, 0): (320, 1024),
            "down_blocks.0.attentions.0.proj_in.weight": (320, 320),
        },
    ),
    "SDXL": (
        "diffusers", UNET, published.UNET_XL, 2_567_463_684,
        {
            "add_embedding.linear_1.weight": (1280, 2816),
            ATTENDS.format(2, 1, 9): (1280, 2048),
        },
    ),
    "DeepFloyd IF-I-XL": (
        "diffusers", UNET, published.unet_if(704), 4.3e9,
        {
            "conv_in.weight": (704, 3, 3, 3),
            "conv_out.weight": (6, 704, 3, 3),
            "encoder_hid_proj.weight": (2816, 4096),
        },
    ),
    "Stable Diffusion's autoencoder": (
        "diffusers", "AutoencoderKL", published.AUTOENCODER, 83_653_863,
        {
            "encoder.conv_out.weight": (8, 512, 3, 3),
            "encoder.mid_block.attentions.0.to_q.weight": (512, 512),
            "quant_conv.weight": (8, 8, 1, 1),
        },
    ),
    "CLIP ViT-L": (
        "transformers", "CLIPTextModel", published.CLIP_L, 123_060_480, {},
    ),
    "OpenCLIP ViT-H without its last layer": (
        "transformers", "CLIPTextModel", published.CLIP_H, 340_387_840, {},
    ),
    "OpenCLIP ViT-bigG": (
        "transformers", "CLIPTextModelWithProjection", published.CLIP_G, 694_659_840,
        {"text_projection.weight": (1280, 1280)},
    ),
    "T5-XXL": (
        "transformers", "T5EncoderModel", published.T5_XXL, 4_762_310_656,
        {"shared.weight": (32128, 4096)},
    ),
    "Stable Diffusion 3 medium": (
        "diffusers", "SD3Transformer2DModel", published.SD3, 2.03e9,
        {
            "pos_embed.proj.weight": (1536, 16, 2, 2),
            "context_embedder.weight": (1536, 4096),
            "proj_out.weight": (64, 1536),
        },
    ),
    "FLUX.1 dev": (
        "diffusers", "FluxTransformer2DModel", published.FLUX_DEV, 11_901_408_320,
        {
            "x_embedder.weight": (3072, 64),
            "time_text_embed.guidance_embedder.linear_1.weight": (3072, 256),
            "proj_out.weight": (64, 3072),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FACTS)
def test_the_configuration_comes_to_what_is_published(name):
    library, kind, config, count, shapes = FACTS[name]
    model = empty_model(library, kind, dict(config))
    found = sum(weight.numel() for weight in model.parameters())
    rounded = isinstance(count, float)  # given to two or three digits by their makers
    assert found == (pytest.approx(count, rel=0.005) if rounded else count)
    names = dict(model.named_parameters())
    assert {n: tuple(names[n].shape) for n in shapes} == shapes


WORKS = {  # space, channels, resolution, pixels a side
    "stable-diffusion-1.5": ("latent", 4, 64, 512),
    "stable-diffusion-2.1-v": ("latent", 4, 96, 768),
    "sdxl": ("latent", 4, 128, 1024),
    "deepfloyd": ("pixel", 3, 64, 64),
    "stable-diffusion-3": ("latent", 16, 128, 1024),
    "flux-dev": ("latent", 16, 128, 1024),
}


@pytest.mark.parametrize("name", WORKS)
def test_the_loader_accepts_the_published_configurations(name, tmp_path):
    published.write_folder(tmp_path, name)
    for tokenizer in ("tokenizer", "tokenizer_2", "tokenizer_3"):
        (tmp_path / tokenizer).mkdir()
    prior = open_pretrained(str(tmp_path), PriorOptions(precision="float16"))
    found = (prior.space, prior.channels, prior.resolution, prior.size)
    assert found == WORKS[name]
    network = tmp_path / prior.family.network / "diffusion_pytorch_model.safetensors"
    assert numbers_in([network]) > 8e8
    assert prior.facts.row_shapes["words"][-1] in (768, 1024, 2048, 4096)


def test_the_estimate_at_full_size(tmp_path):
    """One view of 512 pixels with Stable Diffusion 1.5 in half precision."""
    published.write_folder(tmp_path, "stable-diffusion-1.5")
    (tmp_path / "tokenizer").mkdir()
    prior = open_pretrained(str(tmp_path), PriorOptions(precision="float16"))
    need = prior._need(prior.options, 1, 2)
    # Both networks: 859.5 + 83.7 million numbers of two bytes.
    assert need.weights == pytest.approx(2 * (859_520_964 + 83_653_863), rel=0.001)
    assert need.text == 2 * 123_060_480
    assert 0.5 * GIB < need.step < 3 * GIB
    assert prior.autoencoder_dtype == torch.float16


@pytest.mark.parametrize("name", ["stable-diffusion-3", "flux-dev"])
def test_networks_of_patches_take_sizes_of_whole_patches(name, tmp_path):
    published.write_folder(tmp_path, name)
    for tokenizer in ("tokenizer", "tokenizer_2", "tokenizer_3"):
        (tmp_path / tokenizer).mkdir()
    with pytest.raises(InputError, match="multiples of 16 as size, got 520"):
        open_pretrained(str(tmp_path), PriorOptions(size=520))
    assert open_pretrained(str(tmp_path), PriorOptions(size=528)).resolution == 66
