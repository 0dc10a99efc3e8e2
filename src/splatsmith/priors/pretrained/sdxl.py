"""Stable Diffusion XL (Podell et al. 2023) and its distilled form, SDXL-Turbo.

A larger UNet over latents of 4 x 128 x 128, told by two of CLIP's text models (their last
layers but one, side by side), a sentence, and the size that the picture is to look like.
"""

from collections.abc import Mapping

import torch
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
from splatsmith.priors.pretrained.folder import ModelFolder
from splatsmith.priors.pretrained.options import PriorOptions
from splatsmith.priors.pretrained.text import Encoder, clip_middle

TEXTS = ("text_encoder", "text_encoder_2")


def facts(folder: ModelFolder, options: PriorOptions) -> Facts:
    """What the files say; InputError if this is not the base model of SDXL."""
    unet = folder.config("unet")
    texts = [folder.config(part) for part in TEXTS]
    latent = LatentShape.of(folder.config("vae"))
    require_straight(folder, straight=False)
    wanted = {"in_channels": latent.channels, "addition_embed_type": "text_time"}
    require(folder, "unet", unet, wanted)
    width = sum(text["hidden_size"] for text in texts)
    require_width(folder, "text_encoder_2", width, unet["cross_attention_dim"])
    return Facts(
        size=int(unet.get("sample_size") or 128) * latent.shrink,
        channels=latent.channels,
        latent=latent,
        row_shapes={
            "words": (texts[0]["max_position_embeddings"], width),
            "sentence": (texts[1]["projection_dim"],),
        },
        **scheduler_facts(folder, options),
    )


def read(folder: ModelFolder, encoders: Mapping[str, Encoder], text: str) -> dict[str, Tensor]:
    """The words of both text models, and the sentence of the second one.

    Where the weights were trained so, no text is all zeros and not the words of "".
    """
    length = encoders[TEXTS[0]].length
    (first, _), (second, sentence) = (
        clip_middle(encoders[part], text, length) for part in TEXTS
    )
    rows = {"words": torch.cat([first, second], dim=-1), "sentence": sentence}
    if not text and folder.empty_is_zeros:
        return {name: torch.zeros_like(row) for name, row in rows.items()}
    return rows


def ask(network: nn.Module, question: Question) -> Tensor:
    """One pass of the UNet: a whole picture, not cropped, of the size that it has."""
    words, latent = question.row("words"), question.facts.latent
    assert latent is not None, "SDXL works on latents"
    size = float(question.x_t.shape[-1] * latent.shrink)
    sizes = question.x_t.new_tensor([size, size, 0, 0, size, size])
    added = {"text_embeds": question.row("sentence"), "time_ids": sizes.expand(len(words), 6)}
    return network(
        question.x_t,
        question.steps,
        encoder_hidden_states=words,
        added_cond_kwargs=added,
        return_dict=False,
        **residuals(question, words, added),
    )[0]


SDXL = Family(
    name="Stable Diffusion XL",
    pipelines=("StableDiffusionXLPipeline",),
    network="unet",
    encoders=(("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")),
    facts=facts,
    read=read,
    ask=ask,
)
