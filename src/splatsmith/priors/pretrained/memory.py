"""How much memory a prior will take: said beforehand, and refused if it is not there.

Weights are counted from the shapes of the networks, the rest by a rehearsal (see
`rehearsal.py`). All of it is an estimate: nothing here was measured on a GPU.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from splatsmith.errors import InputError, InvalidFile
from splatsmith.priors.pretrained.codec import encode_latents
from splatsmith.priors.pretrained.family import Facts, Family, Question
from splatsmith.priors.pretrained.folder import ModelFolder, read_json
from splatsmith.priors.pretrained.options import MEMORY, PriorOptions
from splatsmith.priors.pretrained.parts import empty_model, empty_part
from splatsmith.priors.pretrained.rehearsal import rehearsal
from splatsmith.priors.pretrained.text import Told

GIB = 2**30
CONTEXT = GIB // 2  # what CUDA and its libraries take for themselves, about
LONGEST_HEADER = 100_000_000  # bytes; the format's own limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Bytes on the device, estimated."""

    weights: int  # of network and autoencoder, as far as they stay on the device
    step: int  # tensors of one step, at most at once
    text: int  # of the encoders while the prompt is read; they are freed before the first step
    context: int = 0  # of the device itself

    @property
    def total(self) -> int:
        """The most at any moment."""
        return max(self.weights + self.step, self.text) + self.context

    def said(self) -> str:
        """One line for the user."""
        parts = f"weights {_gib(self.weights)}, one step {_gib(self.step)}"
        return f"about {_gib(self.total)} GiB ({parts}, reading the prompt {_gib(self.text)})"


def needed(
    folder: ModelFolder,
    family: Family,
    facts: Facts,
    options: PriorOptions,
    place: "Place",
    views: int,
    control_root: Path | None = None,
) -> Need:
    """What a step with so many views takes, with the ControlNet in `control_root` if any."""
    network = empty_part(folder, family.network).to(place.dtype)
    autoencoder = (
        empty_part(folder, "vae").to(place.autoencoder_dtype) if facts.latent else None
    )
    whole = _bytes(network)
    resident = largest_block(network) if place.offloads(options) else whole
    control = None
    if control_root is not None:
        config = dict(read_json(control_root / "config.json"))
        control = empty_model("diffusers", "ControlNetModel", config).to(place.dtype)
        resident += largest_block(control) if place.offloads(options) else _bytes(control)
    weights = resident + (_bytes(autoencoder) if autoencoder else 0)
    networks = Networks(network=network, autoencoder=autoencoder, control=control)
    step = rehearsed(networks, family, facts, options, place, views)
    encoders = [part for _, part in family.encoders if folder.has(part)]
    read, seen = (
        sum(numbers_in(folder.weights(p, half=place.half), folder.prefix(p)) for p in parts)
        for parts in (encoders, filter(folder.has, family.seers))
    )
    numbers = max(read, seen)  # Words are read before the picture, each by itself.
    on_device = options.memory != "low" or place.device.type == "cpu"
    text = numbers * place.dtype.itemsize if on_device else 0
    context = CONTEXT if place.device.type == "cuda" else 0
    return Need(weights=weights, step=step, text=text, context=context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a prior works, at what size, and as what type."""

    device: torch.device
    dtype: torch.dtype
    autoencoder_dtype: torch.dtype
    size: int
    sides: int  # of guidance: 1, 2, or 4 with Perp-Neg

    @property
    def half(self) -> bool:
        """Whether the network works in half precision."""
        return self.dtype != torch.float32

    def offloads(self, options: PriorOptions) -> bool:
        """Whether blocks of the network come to the device one after the other."""
        return options.memory == "low" and self.device.type != "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """What works in a step; on the meta device, or really."""

    network: nn.Module
    autoencoder: nn.Module | None
    control: nn.Module | None = None


def rehearsed(
    networks: Networks,
    family: Family,
    facts: Facts,
    options: PriorOptions,
    place: Place,
    views: int,
) -> int:
    """Most bytes alive at once in a step with these (empty) networks."""
    autoencoder = networks.autoencoder
    rows = facts.views if options.memory == "low" else views * place.sides
    if options.memory == "low" and autoencoder is not None:
        autoencoder.enable_gradient_checkpointing()  # type: ignore[operator]
    with rehearsal() as alive, torch.device("meta"):
        color = torch.empty(views, place.size, place.size, 3, requires_grad=True)
        if facts.latent is None or autoencoder is None:
            x = color.permute(0, 3, 1, 2) * 2 - 1
        else:
            frugal = options.memory != "high"
            x = encode_latents(autoencoder, facts.latent, color, place.size, frugal=frugal)
        with torch.no_grad():
            pictures = dict(facts.pictures)
            if networks.control is not None:
                pictures["control"] = (3, place.size, place.size)
            told = Told(
                {name: torch.empty(rows, *shape) for name, shape in facts.row_shapes.items()},
                {},
                {},
                {name: torch.empty(rows, *shape) for name, shape in pictures.items()},
            )
            question = Question(
                x_t=torch.empty(rows, *x.shape[1:], dtype=place.dtype),
                t=torch.empty(rows),
                told=told,
                guidance=torch.empty(rows) if facts.learned_guidance else None,
                facts=facts,
                control=networks.control,
            )
            family.ask(networks.network, question)
        x.backward(torch.empty_like(x))
    return alive.most


def check(need: Need, free: int | None, place: Place, views: int, others: Sequence[str]) -> str:
    """The line that says what will be needed; InputError with a remedy if it is not there."""
    said = f"The prior needs {need.said()} on {place.device} for {views} views; an estimate."
    if free is None or need.total <= free:
        return said
    remedy = " ".join(others) or (
        "Take fewer views (--set STAGE.views=1), a smaller size (--prior-set size=256), or a "
        "smaller prior."
    )
    raise InputError(f"{said}  Only {_gib(free)} GiB are free.  {remedy}")


def cheaper(options: PriorOptions) -> list[PriorOptions]:
    """The same options with less memory, the next best first."""
    lower = MEMORY[: MEMORY.index(options.memory)]
    return [replace(options, memory=memory) for memory in reversed(lower)]


def free_bytes(device: torch.device) -> int | None:
    """Bytes that are free on a device; None if it does not say."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + int(kept)
    if device.type != "cpu":
        return None
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def numbers_in(files: Sequence[Path], prefix: str = "") -> int:
    """How many numbers the safetensors files hold, by their headers.

    With a `prefix`, in the tensors whose names begin with it.
    """
    total = 0
    for path in files:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > LONGEST_HEADER:
                raise InvalidFile(path, 0, "is no safetensors file")
            try:
                header = json.loads(file.read(length))
                header.pop("__metadata__", None)
                shapes = [v["shape"] for k, v in header.items() if k.startswith(prefix)]
                total += sum(math.prod(shape) for shape in shapes)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise InvalidFile(path, 8, "is no safetensors file") from error
    return total


def largest_block(network: nn.Module) -> int:
    """Bytes of the largest block that is brought to the device, and of what always stays."""
    lists = [m for m in network.children() if isinstance(m, nn.ModuleList)]
    blocks = [_bytes(block) for blocks in lists for block in blocks]
    return _bytes(network) - sum(blocks) + max(blocks, default=0)


def _bytes(model: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))


def _gib(count: int) -> str:
    return f"{count / GIB:.1f}" if count >= GIB / 10 else f"{count / GIB:.3f}"
