"""Models of straight lines from picture to noise: Stable Diffusion 3 and FLUX.

Transformers over latents of 16 channels (Esser et al. 2024; Black Forest Labs 2024) that
answer with the flow, eps - x0, at the time t = sigma. From it x0 = x_t - sigma flow, and eps
follows as for every other kind of answer. The dev form of FLUX takes the guidance scale as an
input, which serves as guidance in one pass; its schnell form knows four times and no guidance.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.errors import InputError
from splatsmith.priors.pretrained.codec import LatentShape
from splatsmith.priors.pretrained.family import (
    Facts,
    Family,
    Question,
    require,
    require_straight,
    require_width,
    scheduler_facts,
)
from splatsmith.priors.pretrained.folder import ModelFolder
from splatsmith.priors.pretrained.options import PriorOptions
from splatsmith.priors.pretrained.text import Encoder, clip_middle, t5_words

LONG_TEXT = 256  # tokens of T5 for Stable Diffusion 3
LONGER_TEXT = 512  # and for FLUX
SIZE = 1024  # pixels a side that FLUX was trained on; its files do not say
FLUX_SCALES = (1.0, 30.0)  # standard scales that the dev form takes


def check_patches(options: PriorOptions, latent: LatentShape) -> None:
    """InputError unless latents of the size that was asked for divide into patches of 2 x 2."""
    step = 2 * latent.shrink
    if options.size % step:
        raise InputError(f"This model takes multiples of {step} as size, got {options.size}.")


def sd3_facts(folder: ModelFolder, options: PriorOptions) -> Facts:
    """What the files of Stable Diffusion 3 say."""
    network = folder.config("transformer")
    first, second = (folder.config(part) for part in ("text_encoder", "text_encoder_2"))
    latent = LatentShape.of(folder.config("vae"))
    check_patches(options, latent)
    require_straight(folder, straight=True)
    require(folder, "transformer", network, {"in_channels": latent.channels})
    pooled = first["projection_dim"] + second["projection_dim"]
    require_width(folder, "text_encoder_2", pooled, network["pooled_projection_dim"])
    width = network["joint_attention_dim"]
    if folder.has("text_encoder_3"):
        large = folder.config("text_encoder_3")["d_model"]
        require_width(folder, "text_encoder_3", large, width)
    words = first["max_position_embeddings"] + LONG_TEXT
    return Facts(
        size=int(network.get("sample_size") or 128) * latent.shrink,
        channels=latent.channels,
        latent=latent,
        half=torch.bfloat16,
        row_shapes={"words": (words, width), "sentence": (pooled,)},
        **scheduler_facts(folder, options),
    )


def read_sd3(
    folder: ModelFolder, encoders: Mapping[str, Encoder], text: str
) -> dict[str, Tensor]:
    """CLIP's words padded to the width of T5's, then T5's; zeros where the folder has no T5."""
    length = encoders["text_encoder"].length
    clips = [
        clip_middle(encoders[part], text, length) for part in ("text_encoder", "text_encoder_2")
    ]
    short = torch.cat([words for words, _ in clips], dim=-1)
    width = folder.config("transformer")["joint_attention_dim"]
    short = F.pad(short, (0, width - short.shape[-1]))
    if "text_encoder_3" in encoders:
        long = t5_words(encoders["text_encoder_3"], text, LONG_TEXT, masked=False)
    else:
        long = short.new_zeros(1, LONG_TEXT, width)
    sentence = torch.cat([sentence for _, sentence in clips], dim=-1)
    return {"words": torch.cat([short, long], dim=1), "sentence": sentence}


def ask_sd3(network: nn.Module, question: Question) -> Tensor:
    """One pass of the transformer."""
    return network(
        hidden_states=question.x_t,
        timestep=question.steps,
        encoder_hidden_states=question.row("words"),
        pooled_projections=question.row("sentence"),
        return_dict=False,
    )[0]


def flux_facts(folder: ModelFolder, options: PriorOptions) -> Facts:
    """What the files of FLUX say."""
    network = folder.config("transformer")
    first, second = (folder.config(part) for part in ("text_encoder", "text_encoder_2"))
    latent = LatentShape.of(folder.config("vae"))
    check_patches(options, latent)
    require_straight(folder, straight=True)
    require(folder, "transformer", network, {"in_channels": 4 * latent.channels})
    width, pooled = network["joint_attention_dim"], network["pooled_projection_dim"]
    require_width(folder, "text_encoder", first["hidden_size"], pooled)
    require_width(folder, "text_encoder_2", second["d_model"], width)
    return Facts(
        size=SIZE,
        channels=latent.channels,
        latent=latent,
        half=torch.bfloat16,
        guidance=3.5 if network.get("guidance_embeds") else 1.0,
        learned_guidance=FLUX_SCALES if network.get("guidance_embeds") else None,
        row_shapes={"words": (LONGER_TEXT, width), "sentence": (pooled,)},
        **scheduler_facts(folder, options),
    )


def read_flux(
    folder: ModelFolder, encoders: Mapping[str, Encoder], text: str
) -> dict[str, Tensor]:
    """T5's words, and CLIP's for the end of the sentence."""
    encoder = encoders["text_encoder"]
    tokens, _ = encoder.tokens(text, encoder.length)
    return {
        "words": t5_words(encoders["text_encoder_2"], text, LONGER_TEXT, masked=False),
        "sentence": encoder.model(tokens).pooler_output,
    }


def ask_flux(network: nn.Module, question: Question) -> Tensor:
    """One pass of the transformer over patches of 2 x 2 latent cells."""
    x_t, words = question.x_t, question.row("words")
    rows, columns = (side // 2 for side in x_t.shape[-2:])
    guidance = None
    if question.facts.learned_guidance:
        scale = question.guidance
        guidance = torch.ones_like(question.t) if scale is None else scale
    answer = network(
        hidden_states=patches(x_t),
        timestep=question.facts.schedule.sigma(question.t),
        guidance=guidance,
        pooled_projections=question.row("sentence"),
        encoder_hidden_states=words,
        txt_ids=x_t.new_zeros(words.shape[1], 3),
        img_ids=places(rows, columns).to(x_t),
        return_dict=False,
    )[0]
    return unpatched(answer, rows, columns)


def patches(
    x: Float[Tensor, "views channels height width"],
) -> Float[Tensor, "views places features"]:
    """Each 2 x 2 cells as one row of features: channel first, then row, then column."""
    return F.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2)


def unpatched(
    rows_of_features: Float[Tensor, "views places features"], rows: int, columns: int
) -> Float[Tensor, "views channels height width"]:
    """The cells again."""
    features = rows_of_features.transpose(1, 2)
    return F.pixel_shuffle(features.unflatten(2, (rows, columns)), 2)


def places(rows: int, columns: int) -> Float[Tensor, "places 3"]:
    """(0, row, column) of each patch."""
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack([torch.zeros_like(row), row, column], dim=-1).reshape(-1, 3).float()


STABLE_DIFFUSION_3 = Family(
    name="Stable Diffusion 3",
    pipelines=("StableDiffusion3Pipeline",),
    network="transformer",
    encoders=(
        ("tokenizer", "text_encoder"),
        ("tokenizer_2", "text_encoder_2"),
        ("tokenizer_3", "text_encoder_3"),
    ),
    facts=sd3_facts,
    read=read_sd3,
    ask=ask_sd3,
)

FLUX = Family(
    name="FLUX",
    pipelines=("FluxPipeline",),
    network="transformer",
    encoders=(("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")),
    facts=flux_facts,
    read=read_flux,
    ask=ask_flux,
)
