"""Zero-1-to-3 (Liu et al. 2023), its XL weights and Stable Zero123: a new view of a picture.

Stable Diffusion 1 with eight channels in: the noisy latent, and the picture's. In place of
words stands one token, made of CLIP's summary of the picture and four numbers that say where
the view stands to it. On the other side of guidance both are zero.
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
from splatsmith.priors.pretrained.options import PriorOptions
from splatsmith.priors.pretrained.parts import load_part
from splatsmith.priors.pretrained.text import Encoder, Rows

PROJECTIONS = ("cc_projection", "clip_camera_projection")  # one part, by either name
POSE = 4  # numbers
CELLS = 32  # a side, of the latents that all were trained on
SHOWN = 256  # pixels a side of the picture before CLIP's own size
# Their objects fit a cube whose side is 1, ours a ball whose radius is 1: a distance of ours
# is half as many of theirs. Their cameras stood 1.5 to 2.2 away, with fields of view of 49
# degrees.
UNIT = 0.5


def facts(folder: ModelFolder, options: PriorOptions) -> Facts:
    """What the files say; InputError if this is no Zero-1-to-3."""
    unet, vision = folder.config("unet"), folder.config("image_encoder")
    latent = LatentShape.of(folder.config("vae"))
    require_straight(folder, straight=False)
    wanted = {"in_channels": 2 * latent.channels}
    require(folder, "unet", unet, wanted, makes="sees a picture", remedy=WHOLE)
    width = int(vision.get("projection_dim") or 0)
    require_width(folder, "image_encoder", width, unet["cross_attention_dim"], "summaries")
    folder.class_of(projection_of(folder))
    cells = min(int(unet.get("sample_size") or CELLS), CELLS)
    shown = options.size // latent.shrink or cells
    stable = "stable" in folder.title.lower()
    return Facts(
        size=cells * latent.shrink,
        channels=latent.channels,
        latent=latent,
        guidance=3.0,
        absolute_pose=options.pose == "absolute" or (not options.pose and stable),
        row_shapes={"token": (1, width), "reference": (latent.channels, shown, shown)},
        **scheduler_facts(folder, options),
    )


def projection_of(folder: ModelFolder) -> str:
    """What the part is called that joins summary and pose."""
    return next((part for part in PROJECTIONS if folder.has(part)), PROJECTIONS[0])


def pose_rows(
    elevation: Float[Tensor, "views"],
    azimuth: Float[Tensor, "views"],
    radius: Float[Tensor, "views"],
    image: Reference,
    *,
    absolute: bool,
) -> Float[Tensor, "views 4"]:
    """Where each view stands to the picture, as Zero-1-to-3 is told (degrees, our world units).

    Change of the polar angle from straight above (so a higher view has a negative one), in
    radians; sine and cosine of the change of azimuth, counter-clockwise from above; change of
    distance, in their units. `absolute` puts the picture's own polar angle in place of the
    last, as Stable Zero123 wants it.
    """
    polar = torch.deg2rad(image.elevation - elevation)
    turn = torch.deg2rad(azimuth - image.azimuth)
    away = (radius - image.radius) * UNIT
    last = torch.deg2rad(torch.full_like(away, 90 - image.elevation)) if absolute else away
    return torch.stack([polar, turn.sin(), turn.cos(), last], dim=1)


@dataclass(frozen=True)
class Looked:
    """A picture as Zero-1-to-3 is told it, and what joins it with a pose."""

    summary: Float[Tensor, "1 width"]
    latent: Float[Tensor, "1 channels rows columns"]
    projection: nn.Module


def look(seeing: Seeing) -> Looked:
    """The picture through CLIP's vision tower, and through the autoencoder.

    Its latent is not scaled, other than the one that is noised: so it was in training.
    """
    folder, dtype, device = seeing.folder, seeing.dtype, seeing.device
    encoder: Any = load_part(folder, "image_encoder", dtype, half=seeing.half).to(device)
    size = int(encoder.config.image_size)
    picture = clip_picture(seeing.image, size, SHOWN, smooth=False)
    summary = encoder(picture.to(device, dtype)).image_embeds.float()
    projection = load_part(folder, projection_of(folder), dtype, half=seeing.half)
    latent = LatentShape.of(folder.config("vae"))
    scaled = seeing.encode(seeing.image.over(torch.ones(3), seeing.size)[None]).float()
    return Looked(summary, scaled / latent.scale, projection.float().to(device))


@torch.no_grad()
def tell(
    facts: Facts, cameras: Cameras, image: Reference | None, seen: Looked
) -> tuple[Rows, Rows]:
    """A token and the picture's latent for each view, or zeros."""
    if image is None:
        raise InputError("Zero-1-to-3 makes views of a picture, and none was given.")
    angles = (cameras.elevation, cameras.azimuth, cameras.radius)
    pose = pose_rows(*angles, image, absolute=facts.absolute_pose).to(seen.summary)
    joined = torch.cat([seen.summary.expand(len(pose), -1), pose], dim=1)
    rows = {
        "token": seen.projection(joined)[:, None],
        "reference": seen.latent.expand(len(pose), -1, -1, -1),
    }
    return rows, {name: torch.zeros_like(row) for name, row in rows.items()}


def read(folder: ModelFolder, encoders: Mapping[str, Encoder], text: str) -> dict[str, Tensor]:
    """Nothing: it knows no words."""
    return {}


def ask(network: nn.Module, question: Question) -> Tensor:
    """One pass of the UNet over the noisy latent and the picture's."""
    return network(
        torch.cat([question.x_t, question.row("reference")], dim=1),
        question.steps,
        encoder_hidden_states=question.row("token"),
        return_dict=False,
    )[0]


ZERO123 = Family(
    name="Zero-1-to-3",
    pipelines=("Zero1to3StableDiffusionPipeline", "Zero123Pipeline"),
    network="unet",
    encoders=(),
    facts=facts,
    read=read,
    ask=ask,
    tell=tell,
    look=look,
    seers=("image_encoder", *PROJECTIONS),
)
