"""What a family of models is: a handful of functions and names, so that one class serves all.

A family says which pipelines it serves, what their files must say (`facts`), how a text is read
(`read`) and how the network is asked (`ask`). Everything else (loading, memory, guidance,
schedules, pictures) is the same for all and lies in `prior.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.cameras.convention import Cameras
from splatsmith.errors import InputError
from splatsmith.images import Reference
from splatsmith.priors.prediction import Kind
from splatsmith.priors.pretrained.codec import LatentShape
from splatsmith.priors.pretrained.folder import ModelFolder
from splatsmith.priors.pretrained.options import PriorOptions
from splatsmith.priors.pretrained.steps import is_flow, kind_of, schedule_of
from splatsmith.priors.pretrained.text import Read, Rows, Told
from splatsmith.priors.protocol import Sight
from splatsmith.priors.schedule import NoiseSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a folder's files say about a prior, before any of its weights are loaded."""

    kind: Kind  # of the network's answers
    schedule: NoiseSchedule
    steps: int  # what time 1 is called by the network
    size: int  # pixels a side of the pictures that it was trained on
    channels: int  # of x
    latent: LatentShape | None  # None: x is the picture itself
    guidance: float = 7.5  # standard scale that it was made for
    learned_guidance: tuple[float, float] | None = None  # scales that it takes as an input
    consistency: Kind | None = None  # of a consistency model: how its network answers inside
    half: torch.dtype = torch.float16  # the half precision that it was made for
    row_shapes: Mapping[str, tuple[int, ...]]  # of what `read` makes of a text, without views
    pictures: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # that it is shown
    views: int = 1  # that are denoised together
    absolute_pose: bool = False  # is also told how high the reference picture was taken from


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a network is asked, all on its device."""

    x_t: Float[Tensor, "views channels rows columns"]  # in the network's precision
    t: Float[Tensor, "views"]  # float32, 0 clean to 1 noise
    told: Told
    guidance: Float[Tensor, "views"] | None  # the scale, for networks that take it as an input
    facts: Facts
    control: nn.Module | None = None  # a ControlNet
    control_scale: float = 1.0

    @property
    def steps(self) -> Float[Tensor, "views"]:
        """The time as the network counts it."""
        if self.facts.kind == "flow":
            return self.facts.schedule.sigma(self.t) * self.facts.steps
        return (self.t * self.facts.steps).clamp(0, self.facts.steps - 1)

    def row(self, name: str) -> Tensor:
        """Rows of the text, in the network's precision."""
        return self.told.rows[name].to(self.x_t)


# What an upscaler is shown of the render: its facts, how it is run, the render, and chance.
Show = Callable[[ModelFolder, Facts, PriorOptions, Sight, torch.Generator], Rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeing:
    """What there is to read a reference picture with."""

    folder: ModelFolder
    image: Reference
    # Pictures in 0..1 [views, height, width, 3] to x, by the prior's own autoencoder.
    encode: Callable[[Tensor], Tensor]
    size: int  # pixels a side of what is encoded
    device: torch.device
    dtype: torch.dtype

    @property
    def half(self) -> bool:
        """Whether networks work in half precision."""
        return self.dtype != torch.float32


# What a family makes of a reference picture, once; only its own `tell` can read it.
Look = Callable[[Seeing], Any]
# The rows that each view has beside the words, and those for the other side of guidance: facts,
# cameras, and what `look` made of the reference, with the reference (None for both if it sees
# none).
Tell = Callable[[Facts, Cameras, Reference | None, Any], tuple[Rows, Rows]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models that are told and asked in the same way."""

    name: str
    pipelines: tuple[str, ...]  # class names in model_index.json
    network: str  # name of the part that denoises
    encoders: tuple[tuple[str, str], ...]  # tokenizer and text encoder, by the names of parts
    facts: Callable[[ModelFolder, PriorOptions], Facts]
    read: Read
    ask: Callable[[nn.Module, Question], Tensor]
    show: Show | None = None  # what it is shown of the render, if anything
    schedulers: tuple[str, ...] = ("scheduler",)
    tell: Tell | None = None  # what it is told beside words, if anything
    look: Look | None = None  # how it reads a reference picture, if it sees one
    seers: tuple[str, ...] = ()  # parts that only `look` needs
    fits: Callable[[ModelFolder], bool] | None = None  # which folders of these pipelines

    @property
    def parts(self) -> tuple[str, ...]:
        """Every part that is needed of a folder."""
        texts = [part for pair in self.encoders for part in pair]
        return (*self.schedulers, *texts, *self.seers, self.network, "vae")


def scheduler_facts(folder: ModelFolder, options: PriorOptions) -> dict[str, Any]:
    """Kind, schedule and number of steps, from the scheduler's configuration."""
    config = folder.config("scheduler")
    where = str(folder.root / "scheduler" / "scheduler_config.json")
    kind: Kind = options.prediction or kind_of(config, where)
    steps = int(config.get("num_train_timesteps", 1000))
    return {"kind": kind, "schedule": schedule_of(config, where), "steps": steps}


def require_straight(folder: ModelFolder, *, straight: bool) -> None:
    """Refuse a scheduler of the other sort: straight lines belong to transformers only."""
    config = folder.config("scheduler")
    if is_flow(config) != straight:
        wanted = "a FlowMatch scheduler" if straight else "a scheduler with a table of betas"
        raise InputError(
            f"{folder.root} is a {folder.pipeline}, which needs {wanted}, but its scheduler is "
            f"{config.get('_class_name')}; take the scheduler folder of the published weights."
        )


WORDS_ONLY = "take weights for text-to-image, not for inpainting, depth or upscaling"
WHOLE = "take the published folder, whole"


def require(
    folder: ModelFolder,
    part: str,
    config: Mapping[str, Any],
    wanted: Mapping[str, Any],
    *,
    makes: str = "makes pictures from words",
    remedy: str = WORDS_ONLY,
) -> None:
    """Refuse a configuration with other values than `wanted` (a value, or a tuple of them)."""
    for key, value in wanted.items():
        allowed = value if isinstance(value, tuple) else (value,)
        if config.get(key) not in allowed:
            said = " or ".join(str(one) for one in allowed)
            raise InputError(
                f"{folder.root / part}: {key} is {config.get(key)!r}, and a "
                f"{folder.pipeline} that {makes} has {said}; {remedy}."
            )


def require_width(
    folder: ModelFolder, part: str, width: int, wanted: int, what: str = "words"
) -> None:
    """Refuse an encoder whose words, or `what`, are not as wide as the network wants them."""
    if width != wanted:
        raise InputError(
            f"{folder.root / part} gives {what} of width {width}, but the network takes "
            f"{wanted}: the parts of this folder belong to different models; fetch it again."
        )
