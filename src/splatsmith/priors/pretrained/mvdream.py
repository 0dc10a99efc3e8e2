"""MVDream (Shi et al. 2023) and ImageDream (Wang and Shi 2023): four views denoised together.

Stable Diffusion 2.1 whose self-attention joins the views, told words and cameras. ImageDream is
told a picture as well, twice: tokens of it to look at beside the words, and the picture itself
as a fifth view, clean, that has no camera. The camera is told on both sides of guidance, the
picture on one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.cameras.convention import Cameras
from splatsmith.errors import InputError
from splatsmith.images import Reference
from splatsmith.priors.pretrained.clip_picture import clip_picture
from splatsmith.priors.pretrained.codec import LatentShape
from splatsmith.priors.pretrained.family import (
    WHOLE,
    Facts,
    Family,
    Question,
    Seeing,
    require,
    require_straight,
    require_width,
    scheduler_facts,
)
from splatsmith.priors.pretrained.folder import ModelFolder
from splatsmith.priors.pretrained.multiview_unet import camera_rows
from splatsmith.priors.pretrained.options import PriorOptions
from splatsmith.priors.pretrained.own import VIEWS
from splatsmith.priors.pretrained.parts import load_part
from splatsmith.priors.pretrained.text import Encoder, Rows, clip_words

CAMERA = 16  # numbers of a matrix
PIPELINE, NETWORK = "MVDreamPipeline", "MultiViewUNetModel"
CELLS = 32  # a side, of the latents that both were trained on
SHOWN = 256  # pixels a side of the picture before CLIP's own size


def facts(folder: ModelFolder, options: PriorOptions) -> Facts:
    """What the files of an MVDream say; InputError if they are of something else."""
    return _facts(folder, options, {}, guidance=7.5)


def picture_facts(folder: ModelFolder, options: PriorOptions) -> Facts:
    """What the files of an ImageDream say; InputError if they are of something else."""
    latent, vision = LatentShape.of(folder.config("vae")), folder.config("image_encoder")
    cells = options.size // latent.shrink or _cells(folder)
    side = int(vision.get("image_size") or 224) // int(vision.get("patch_size") or 14)
    rows = {
        "image": (side**2 + 1, int(vision["hidden_size"])),
        "reference": (latent.channels, cells, cells),
    }
    return _facts(folder, options, rows, guidance=5.0)


def _facts(
    folder: ModelFolder,
    options: PriorOptions,
    more: Mapping[str, tuple[int, ...]],
    guidance: float,
) -> Facts:
    unet, text = folder.config("unet"), folder.config("text_encoder")
    latent = LatentShape.of(folder.config("vae"))
    folder.class_of("tokenizer")  # Refused now if it is missing.
    require_straight(folder, straight=False)
    if (kind := folder.class_of("unet")[1]) != NETWORK:
        raise InputError(
            f"{folder.root / 'unet'} is a {kind}, and of the conversions of MVDream only those "
            f"with a {NETWORK} are read, such as ashawkey/mvdream-sd2.1-diffusers."
        )
    wanted = {"in_channels": latent.channels, "camera_dim": CAMERA}
    require(folder, "unet", unet, wanted, makes="makes four views", remedy=WHOLE)
    require_width(folder, "text_encoder", text["hidden_size"], unet["context_dim"])
    words = (text["max_position_embeddings"], text["hidden_size"])
    return Facts(
        size=_cells(folder) * latent.shrink,
        channels=latent.channels,
        latent=latent,
        guidance=guidance,
        views=VIEWS,
        row_shapes={"words": words, "camera": (CAMERA,), **more},
        **scheduler_facts(folder, options),
    )


def _cells(folder: ModelFolder) -> int:
    """Of the latents that the network was trained on, a side."""
    return int(folder.config("unet").get("image_size") or CELLS)


def sees(folder: ModelFolder) -> bool:
    """Whether a folder is an ImageDream: its network has tokens for a picture."""
    return int(folder.config("unet").get("ip_dim") or 0) > 0


def read(folder: ModelFolder, encoders: Mapping[str, Encoder], text: str) -> dict[str, Tensor]:
    """The words as CLIP gives them."""
    return {"words": clip_words(encoders["text_encoder"], text)}


def tell(
    facts: Facts, cameras: Cameras, image: Reference | None, seen: Any
) -> tuple[Rows, Rows]:
    """The cameras, on both sides of guidance."""
    rows = {"camera": camera_rows(cameras).float()}
    return rows, rows


@dataclass(frozen=True)
class Looked:
    """A picture as ImageDream is told it."""

    cells: Float[Tensor, "1 cells width"]  # CLIP's last layer but one
    latent: Float[Tensor, "1 channels rows columns"]


def look(seeing: Seeing) -> Looked:
    """The picture through CLIP's vision tower, and through the autoencoder."""
    encoder: Any = load_part(seeing.folder, "image_encoder", seeing.dtype, half=seeing.half)
    encoder = encoder.to(seeing.device)
    size = int(encoder.config.image_size)
    picture = clip_picture(seeing.image, size, SHOWN, smooth=True)
    states = encoder(picture.to(seeing.device, seeing.dtype), output_hidden_states=True)
    white = torch.ones(3)
    return Looked(
        cells=states.hidden_states[-2].float(),
        latent=seeing.encode(seeing.image.over(white, seeing.size)[None]).float(),
    )


def tell_picture(
    facts: Facts, cameras: Cameras, image: Reference | None, seen: Looked
) -> tuple[Rows, Rows]:
    """The cameras, counted from the picture's own azimuth, and the picture on one side."""
    count = len(cameras)
    camera = camera_rows(cameras, turn=image.azimuth if image else 0.0).float()
    shown = {
        "image": seen.cells.expand(count, -1, -1),
        "reference": seen.latent.expand(count, -1, -1, -1),
    }
    hidden = {name: torch.zeros_like(row) for name, row in shown.items()}
    return {"camera": camera, **shown}, {"camera": camera, **hidden}


def ask(network: nn.Module, question: Question) -> Tensor:
    """One pass over whole groups of views."""
    return network(
        question.x_t,
        question.steps,
        encoder_hidden_states=question.row("words"),
        class_labels=question.row("camera"),
        return_dict=False,
    )[0]


def ask_picture(network: nn.Module, question: Question) -> Tensor:
    """One pass over groups of views with the picture as the last of each, which is left out."""
    views = question.facts.views

    def with_last(rows: Tensor, last: Tensor) -> Tensor:
        grouped = rows.unflatten(0, (-1, views))
        return torch.cat([grouped, last[:, None]], dim=1).flatten(0, 1)

    last = slice(views - 1, None, views)  # of each group
    x_t, words = question.x_t, question.row("words")
    camera, steps = question.row("camera"), question.steps
    # With low memory the reader's weights stay off the device between passes of the network.
    reader: Any = network.image_embed
    place = next(reader.parameters()).device
    tokens = reader(question.row("image")[last].to(place)).to(x_t.device)
    context = torch.cat(
        [with_last(words, words[last]), tokens.repeat_interleave(views + 1, dim=0)], dim=1
    )
    value = network(
        with_last(x_t, question.row("reference")[last]),
        with_last(steps, steps[last]),
        encoder_hidden_states=context,
        class_labels=with_last(camera, torch.zeros_like(camera[last])),
        return_dict=False,
    )[0]
    return value.unflatten(0, (-1, views + 1))[:, :views].flatten(0, 1)


MVDREAM = Family(
    name="MVDream",
    pipelines=(PIPELINE,),
    network="unet",
    encoders=(("tokenizer", "text_encoder"),),
    facts=facts,
    read=read,
    ask=ask,
    tell=tell,
    fits=lambda folder: not sees(folder),
)

IMAGEDREAM = Family(
    name="ImageDream",
    pipelines=(PIPELINE,),
    network="unet",
    encoders=(("tokenizer", "text_encoder"),),
    facts=picture_facts,
    read=read,
    ask=ask_picture,
    tell=tell_picture,
    look=look,
    seers=("image_encoder",),
    fits=sees,
)
