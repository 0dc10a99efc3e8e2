"""DeepFloyd IF (StabilityAI 2023): diffusion in pixels, told by T5.

Stage I draws 64 x 64 pixels, stage II takes them to 256 x 256. Both networks answer with six
channels, of which the first three are eps (the others are a variance, for samplers only).
T5-XXL reads at most 77 tokens; it is larger than the networks and is freed once it has read.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from splatsmith.errors import InputError
from splatsmith.priors.pixels import encode_pixels
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
from splatsmith.priors.pretrained.steps import schedule_of
from splatsmith.priors.pretrained.text import Encoder, Rows, t5_words
from splatsmith.priors.protocol import Sight

WORDS = 77  # tokens that it was trained with
SMALLER = 4  # how many times smaller the picture is that stage II is shown
NOISING = "image_noising_scheduler"


def facts(folder: ModelFolder, options: PriorOptions) -> Facts:
    """What the files of stage I say; InputError if they are of something else."""
    return _facts(folder, options, channels_in=3, pictures={})


def upscaler_facts(folder: ModelFolder, options: PriorOptions) -> Facts:
    """What the files of stage II say; InputError if they are of something else."""
    size = int(folder.config("unet").get("sample_size") or 256)
    require(folder, "unet", folder.config("unet"), {"class_embed_type": "timestep"})
    schedule_of(folder.config(NOISING), str(folder.root / NOISING))
    pictures = {"small": (3, size, size), "level": ()}
    return _facts(folder, options, channels_in=6, pictures=pictures)


def _facts(
    folder: ModelFolder,
    options: PriorOptions,
    channels_in: int,
    pictures: Mapping[str, tuple[int, ...]],
) -> Facts:
    unet, text = folder.config("unet"), folder.config("text_encoder")
    require_straight(folder, straight=False)
    require(folder, "unet", unet, {"in_channels": channels_in, "out_channels": (6, 3)})
    wanted = unet.get("encoder_hid_dim") or unet["cross_attention_dim"]
    require_width(folder, "text_encoder", text["d_model"], wanted)
    found = scheduler_facts(folder, options)
    if found["kind"] != "eps":
        raise InputError(
            f"{folder.root / 'scheduler'}: DeepFloyd answers with eps, but prediction_type is "
            f"{found['kind']}; take the scheduler folder of the published weights."
        )
    return Facts(
        size=int(unet.get("sample_size") or 64),
        channels=3,
        latent=None,
        row_shapes={"words": (WORDS, text["d_model"])},
        pictures=pictures,
        **found,
    )


def read(folder: ModelFolder, encoders: Mapping[str, Encoder], text: str) -> dict[str, Tensor]:
    """The words as T5 gives them, in lower case as in training."""
    clean = text.lower().strip()
    return {"words": t5_words(encoders["text_encoder"], clean, WORDS, masked=True)}


def ask(network: nn.Module, question: Question) -> Tensor:
    """One pass of stage I; the variance is left out."""
    words = question.row("words")
    return network(question.x_t, question.steps, words, return_dict=False)[0][:, :3]


def ask_upscaler(network: nn.Module, question: Question) -> Tensor:
    """One pass of stage II beside the small picture; the variance is left out."""
    pictures = question.told.pictures
    if "small" not in pictures:
        raise InputError(
            "DeepFloyd's upscaler must be shown the render in small; it serves in a run, or "
            "after prior.shown(condition, sight, generator)."
        )
    both = torch.cat([question.x_t, pictures["small"].to(question.x_t)], dim=1)
    return network(
        both,
        question.steps,
        question.row("words"),
        class_labels=pictures["level"].to(question.x_t.device),
        return_dict=False,
    )[0][:, :3]


def show(
    folder: ModelFolder,
    facts: Facts,
    options: PriorOptions,
    sight: Sight,
    generator: torch.Generator,
) -> Rows:
    """The render at a quarter of the size, drawn up again, with some noise on it.

    The noise (Ho et al. 2021, conditioning augmentation) lets the network mend what is wrong
    in the small picture; `low_noise` of the options says how much, as a time.
    """
    small = encode_pixels(sight.color.detach(), facts.size // SMALLER)
    large = F.interpolate(small, (facts.size,) * 2, mode="bilinear", align_corners=True)
    config = folder.config(NOISING)
    schedule = schedule_of(config, str(folder.root / NOISING))
    steps = int(config.get("num_train_timesteps", 1000))
    level = torch.full((len(large),), float(int(options.low_noise * steps)))
    t = (level / steps)[:, None, None, None].to(large)
    noise = torch.randn(large.shape, generator=generator, device=generator.device)
    noisy = schedule.alpha(t) * large + schedule.sigma(t) * noise.to(large)
    return {"small": noisy, "level": level}


DEEPFLOYD = Family(
    name="DeepFloyd IF, stage I",
    pipelines=("IFPipeline",),
    network="unet",
    encoders=(("tokenizer", "text_encoder"),),
    facts=facts,
    read=read,
    ask=ask,
)

DEEPFLOYD_UPSCALER = Family(
    name="DeepFloyd IF, stage II",
    pipelines=("IFSuperResolutionPipeline",),
    network="unet",
    encoders=(("tokenizer", "text_encoder"),),
    facts=upscaler_facts,
    read=read,
    ask=ask_upscaler,
    show=show,
    schedulers=("scheduler", NOISING),
)
