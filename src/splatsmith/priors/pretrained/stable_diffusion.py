"""Stable Diffusion 1 and 2 (Rombach et al. 2022), and what was distilled from them.

A UNet over latents of 4 x 64 x 64 (or 96 x 96), told by the last layer of CLIP's text model.
The networks of 1.5 and of 2.1-base answer with eps, that of 2.1 with v. Latent consistency
models (Luo et al. 2023) are the same network with the guidance scale as a further input; they
answer with x0 (see `few_steps.py`).
"""

from collections.abc import Mapping

from torch import Tensor, nn

from splatsmith.priors.pretrained.codec import LatentShape
from splatsmith.priors.pretrained.control import residuals
from splatsmith.priors.pretrained.family import (
    Facts,
    Family,
    Question,
    require,
    require_straight,
    require_width,
    scheduler_facts,
)
from splatsmith.priors.pretrained.few_steps import (
    LEARNED_SCALES,
    LEARNED_TIMES,
    FewSteps,
    consistent,
    scale_features,
)
from splatsmith.priors.pretrained.folder import ModelFolder
from splatsmith.priors.pretrained.options import PriorOptions
from splatsmith.priors.pretrained.text import Encoder, clip_words


def facts(folder: ModelFolder, options: PriorOptions) -> Facts:
    """What the files say; InputError if this is no Stable Diffusion that makes pictures."""
    unet, text = folder.config("unet"), folder.config("text_encoder")
    latent = LatentShape.of(folder.config("vae"))
    require_straight(folder, straight=False)
    require(folder, "unet", unet, {"in_channels": latent.channels, "class_embed_type": None})
    require_width(folder, "text_encoder", text["hidden_size"], unet["cross_attention_dim"])
    found = scheduler_facts(folder, options)
    if unet.get("time_cond_proj_dim"):
        count = options.few_steps or LEARNED_TIMES
        found["consistency"], found["kind"] = found["kind"], "x0"
        found["schedule"] = FewSteps(found["schedule"], found["steps"], count)
        found["learned_guidance"] = LEARNED_SCALES
    return Facts(
        size=int(unet.get("sample_size") or 64) * latent.shrink,
        channels=latent.channels,
        latent=latent,
        row_shapes={"words": (text["max_position_embeddings"], text["hidden_size"])},
        **found,
    )


def read(folder: ModelFolder, encoders: Mapping[str, Encoder], text: str) -> dict[str, Tensor]:
    """The words as CLIP gives them."""
    return {"words": clip_words(encoders["text_encoder"], text)}


def ask(network: nn.Module, question: Question) -> Tensor:
    """One pass of the UNet; of a consistency model, the clean picture that follows from it."""
    words = question.row("words")
    value = network(
        question.x_t,
        question.steps,
        encoder_hidden_states=words,
        timestep_cond=scale_features(network, question),
        return_dict=False,
        **residuals(question, words, None),
    )[0]
    return consistent(question, value) if question.facts.consistency else value


STABLE_DIFFUSION = Family(
    name="Stable Diffusion",
    pipelines=("StableDiffusionPipeline", "LatentConsistencyModelPipeline"),
    network="unet",
    encoders=(("tokenizer", "text_encoder"),),
    facts=facts,
    read=read,
    ask=ask,
)
