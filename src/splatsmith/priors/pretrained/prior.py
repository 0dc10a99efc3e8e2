"""A published diffusion model as a `Prior`: frozen, loaded when it is first asked.

One class for all families; what differs between them is in their `Family`. Times, schedules,
guidance and losses are float32 throughout; only the passes through networks are in half
precision, and autoencoders that overflow in it work in float32.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.cameras.convention import Cameras
from splatsmith.errors import InputError
from splatsmith.images import Reference
from splatsmith.priors.across import check_around
from splatsmith.priors.pixels import decode_pixels, encode_pixels
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.pretrained.codec import decode_latents, encode_latents
from splatsmith.priors.pretrained.control import check_control, picture_of
from splatsmith.priors.pretrained.family import Facts, Family, Question, Seeing
from splatsmith.priors.pretrained.few_steps import FewSteps
from splatsmith.priors.pretrained.folder import ModelFolder, weight_files
from splatsmith.priors.pretrained.hub import find_model
from splatsmith.priors.pretrained.low_rank import PretrainedAdapter
from splatsmith.priors.pretrained.memory import Need, Place, cheaper, check, free_bytes, needed
from splatsmith.priors.pretrained.options import PriorOptions
from splatsmith.priors.pretrained.parts import load_model, load_part, release_memory
from splatsmith.priors.pretrained.placing import network_placed
from splatsmith.priors.pretrained.store import digest_of
from splatsmith.priors.pretrained.text import Reader, Told, wordings
from splatsmith.priors.protocol import Sight
from splatsmith.prompts.prompt import Prompt


class PretrainedPrior:
    """Published weights behind the `Prior` protocol; make it with `open_pretrained`.

    Attributes:
        folder: where its files are.
        family: how it is told and asked.
        facts: what its files say.
        options: how it is run.
        device, dtype: of its network.
        views: how many views are denoised together.
        sees_image: whether it is told the prompt's picture.
        sha256: of all its files.
        name: for reports.
    """

    def __init__(self, folder: ModelFolder, family: Family, options: PriorOptions) -> None:
        self.folder, self.family, self.options = folder, family, options
        self.device = device_of(options)
        self.facts: Facts = with_few_steps(family.facts(folder, options), options)
        self.dtype = dtype_of(options, self.device, self.facts)
        self.views = self.facts.views
        self.sees_image = family.look is not None
        self.control_root = self._control_root()
        self.sha256 = self._digest()
        self.size = size_of(options, self.facts)
        latent = self.facts.latent
        self.space: Literal["pixel", "latent"] = "latent" if latent else "pixel"
        self.channels = self.facts.channels
        self.resolution = self.size // (latent.shrink if latent else 1)
        self.schedule = self.facts.schedule
        self.default_guidance = self.facts.guidance
        self._network: nn.Module | None = None
        self._autoencoder: nn.Module | None = None
        self._control: nn.Module | None = None
        self._seen: dict[str, Any] = {}  # the picture it was last told of, by its digest
        # With low memory the prompt is read on the CPU: T5 is larger than most cards.
        apart = options.memory == "low" and self.device.type != "cpu"
        self.reader = Reader(
            folder=folder,
            encoders=tuple(pair for pair in family.encoders if folder.has(pair[1])),
            read=family.read,
            form=family.name if folder.empty_is_zeros else f"{family.name}, empty read",
            works=torch.device("cpu") if apart else self.device,
            dtype=torch.bfloat16 if apart else self.dtype,
            device=self.device,
        )

    @property
    def name(self) -> str:
        """Name, start of the hash, and what else decides the bytes of its answers."""
        how = f"{str(self.dtype).removeprefix('torch.')} {self.options.memory} {self.size}"
        usual = PriorOptions()
        changed = [
            f" {option}={value}"
            for option in ("prediction", "few_steps", "control_scale", "pose", "low_noise")
            if (value := getattr(self.options, option)) != getattr(usual, option)
        ]
        return f"{self.folder.title} {self.sha256[:12]} {how}{''.join(changed)}"

    @property
    def half(self) -> bool:
        """Whether the network works in half precision."""
        return self.dtype != torch.float32

    @property
    def network(self) -> nn.Module:
        """The denoiser, loaded when it is first needed."""
        if self._network is None:
            loaded = load_part(self.folder, self.family.network, self.dtype, half=self.half)
            self._network = network_placed(loaded, self.device, self.options)
        return self._network

    @property
    def autoencoder(self) -> nn.Module:
        """The autoencoder, loaded when it is first needed; always whole on the device."""
        if self._autoencoder is None:
            loaded = load_part(self.folder, "vae", self.autoencoder_dtype, half=self.half)
            if self.options.memory == "low":
                loaded.enable_tiling()  # type: ignore[operator]
                loaded.enable_gradient_checkpointing()  # type: ignore[operator]
            if self.device.type == "cuda" and self.options.channels_last:
                loaded = loaded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._autoencoder = loaded.to(self.device)
        return self._autoencoder

    @property
    def control(self) -> nn.Module | None:
        """The ControlNet, loaded when it is first needed; None if there is none."""
        if self._control is None and self.control_root is not None:
            root = self.control_root
            names = [path.name for path in root.iterdir()]
            chosen = weight_files(names, str(root), half=self.half)
            variant = "fp16" if any(".fp16" in name for name in chosen) else None
            loaded = load_model(root, "diffusers", "ControlNetModel", variant, self.dtype)
            self._control = network_placed(loaded, self.device, self.options)
        return self._control

    @property
    def autoencoder_dtype(self) -> torch.dtype:
        """float32 for an autoencoder that overflows in half precision, as that of SDXL."""
        latent = self.facts.latent
        return torch.float32 if latent and latent.fragile else self.dtype

    def check_room(self, views: int, sides: int) -> str:
        """What a step of so many views will need, a line; InputError if there is not enough.

        `sides` are those of guidance: 1 without, 2 with it, 4 with Perp-Neg.
        """
        needs = {self.options: self._need(self.options, views, sides)}
        free = free_bytes(self.device)
        others: list[str] = []
        if free is not None and needs[self.options].total > free:
            for less in cheaper(self.options):
                need = self._need(less, views, sides)
                if need.total <= free:
                    others = [f"Use --memory {less.memory} ({need.said()})."]
                    break
        place = self._place(self.options, sides)
        return check(needs[self.options], free, place, views, others)

    def _place(self, options: PriorOptions, sides: int) -> Place:
        return Place(
            device=self.device,
            dtype=self.dtype,
            autoencoder_dtype=self.autoencoder_dtype,
            size=size_of(options, self.facts),
            sides=sides,
        )

    def _need(self, options: PriorOptions, views: int, sides: int) -> Need:
        place = self._place(options, sides)
        return needed(
            self.folder, self.family, self.facts, options, place, views, self.control_root
        )

    def release(self) -> None:
        """Free the weights; the next question loads them again."""
        self._network = self._autoencoder = self._control = None
        release_memory()

    def condition(self, prompt: Prompt, cameras: Cameras) -> Told:
        """What each view is told: words, camera and picture, as far as the family knows them.

        On the other side of guidance there is the negative prompt, or nothing. Views that are
        denoised together must stand evenly around at one elevation.
        """
        if self.views > 1:
            check_around(cameras, self.views)
        rows, negative, empty = self._words(prompt, cameras)
        if self.family.tell is not None:
            image = prompt.image if self.sees_image else None
            if self.sees_image and image is None:
                raise InputError(f"{self.name} makes views of a picture, and none was given.")
            told, untold = self.family.tell(self.facts, cameras, image, self._looked(image))
            here = [{n: r.to(self.device) for n, r in side.items()} for side in (told, untold)]
            rows, negative, empty = rows | here[0], negative | here[1], empty | here[1]
        return Told(rows, negative, empty, {})

    def _words(self, prompt: Prompt, cameras: Cameras) -> tuple[dict[str, Tensor], ...]:
        """Rows of the prompt, of the negative one and of nothing, for each view."""
        if not self.reader.encoders:
            return {}, {}, {}
        texts = prompt.for_views(cameras.azimuth, cameras.elevation)
        also, count = wordings(prompt), len(texts)
        said = (texts, [prompt.negative] * count, [""] * count)
        return tuple(self.reader.rows(side, also) for side in said)

    @torch.no_grad()
    def _looked(self, image: Reference | None) -> Any:
        """What the family made of a picture, which is read once; None if there is none."""
        if image is None or self.family.look is None:
            return None
        if image.digest not in self._seen:
            seeing = Seeing(
                folder=self.folder,
                image=image,
                encode=self.encode,
                size=self.size,
                device=self.device,
                dtype=self.dtype,
            )
            self._seen = {image.digest: self.family.look(seeing)}
            release_memory()
        return self._seen[image.digest]

    def shown(self, condition: Told, sight: Sight, generator: torch.Generator) -> Told:
        """The condition with what the ControlNet or the upscaler wants to see of the render."""
        pictures: dict[str, Tensor] = {}
        if self.family.show is not None:
            more = self.family.show(self.folder, self.facts, self.options, sight, generator)
            pictures |= more
        if self.options.control:
            what = self.options.control.partition("=")[0]
            pictures["control"] = picture_of(what, sight, self.size)
        return replace(condition, pictures=pictures)

    def encode(
        self, color: Float[Tensor, "views height width 3"]
    ) -> Float[Tensor, "views channels rows columns"]:
        """The x of pictures in 0..1, float32 on the prior's device; differentiable."""
        if self.facts.latent is None:
            return encode_pixels(color.to(self.device), self.size)
        frugal = self.options.memory != "high"
        return encode_latents(
            self.autoencoder, self.facts.latent, color, self.size, frugal=frugal
        )

    def decode(
        self, x: Float[Tensor, "views channels rows columns"]
    ) -> Float[Tensor, "views height width 3"]:
        """Pictures in 0..1, without gradients."""
        if self.facts.latent is None:
            return decode_pixels(x)
        return decode_latents(self.autoencoder, self.facts.latent, x)

    @torch.no_grad()
    def predict(
        self,
        x_t: Float[Tensor, "views channels rows columns"],
        t: Float[Tensor, "views"],
        condition: Told,
    ) -> Prediction:
        """What the network says, float32; a few views at a time if memory is short."""
        return self.answer(x_t, t, condition, None)

    def guides(self, condition: Told, scale: float) -> bool:
        """Whether the network takes this scale as an input; never with a negative prompt."""
        learned = self.facts.learned_guidance
        if learned is None or not learned[0] <= scale <= learned[1]:
            return False
        negative, empty = condition.negative_rows, condition.empty_rows
        return all(torch.equal(row, empty[name]) for name, row in negative.items())

    @torch.no_grad()
    def predict_guided(
        self,
        x_t: Float[Tensor, "views channels rows columns"],
        t: Float[Tensor, "views"],
        condition: Told,
        scale: float,
    ) -> Prediction:
        """The prediction guided by `scale` in one pass, as the network has learned it."""
        return self.answer(x_t, t, condition, scale)

    def adapted(self, rank: int, generator: torch.Generator) -> PretrainedAdapter:
        """The same network with low-rank updates of its attention, which begin at nothing."""
        return PretrainedAdapter(self, rank, generator)

    def answer(
        self,
        x_t: Float[Tensor, "views channels rows columns"],
        t: Float[Tensor, "views"],
        condition: Told,
        scale: float | None,
    ) -> Prediction:
        """The same as `predict`, but differentiable in weights that are learned."""
        at_once = self.views if self.options.memory == "low" else len(x_t)
        values = []
        for first in range(0, len(x_t), at_once):
            views = slice(first, first + at_once)
            times = t[views].to(self.device, torch.float32)
            if isinstance(self.schedule, FewSteps):
                times = self.schedule.known(times)
            question = Question(
                x_t=x_t[views].detach().to(self.device, self.dtype),
                t=times,
                told=condition.part(views),
                guidance=None if scale is None else torch.full_like(times, scale),
                facts=self.facts,
                control=self.control,
                control_scale=self.options.control_scale,
            )
            values.append(self.family.ask(self.network, question).float())
        value = torch.cat(values)[:, : self.channels].to(x_t)
        return Prediction.of(self.facts.kind, value, x_t.detach(), t, self.schedule)

    def _control_root(self) -> Path | None:
        """Where the ControlNet is; InputError if it does not go with this prior."""
        if not self.options.control:
            return None
        root = find_model(self.options.control.partition("=")[2], half=self.half)
        check_control(root, self.folder.config(self.family.network), self.folder.pipeline)
        return root

    def _digest(self) -> str:
        """Hash of every file that decides an answer."""
        parts = filter(self.folder.has, self.family.parts)
        files = {f for part in parts for f in self.folder.deciding(part, half=self.half)}
        own = digest_of(self.folder.root, sorted(files))
        if (root := self.control_root) is None:
            return own
        names = weight_files((p.name for p in root.iterdir()), str(root), half=self.half)
        other = digest_of(root, [root / "config.json", *(root / name for name in names)])
        return hashlib.sha256(f"{own} {other}".encode()).hexdigest()


def with_few_steps(facts: Facts, options: PriorOptions) -> Facts:
    """The facts with a schedule of the few noise levels that a distilled model knows."""
    if not options.few_steps or isinstance(facts.schedule, FewSteps):
        return facts
    steps = 0 if facts.kind == "flow" else facts.steps
    return replace(facts, schedule=FewSteps(facts.schedule, steps, options.few_steps))


def device_of(options: PriorOptions) -> torch.device:
    """Where the prior works; InputError if there is no such place."""
    if not options.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(options.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"The prior cannot work on {options.device!r}: torch has no such device here; "
            f"leave out device, or say --prior-set device=cpu."
        ) from error
    return device


def dtype_of(options: PriorOptions, device: torch.device, facts: Facts) -> torch.dtype:
    """float32 on a CPU, else the half precision that the model was made for, unless told."""
    if options.precision != "auto":
        return {
            "float16": torch.float16,
            "bfloat16": torch.bfloat16,
            "float32": torch.float32,
        }[options.precision]
    return torch.float32 if device.type == "cpu" else facts.half


def size_of(options: PriorOptions, facts: Facts) -> int:
    """Pixels a side that are encoded: as trained, as told, or less where memory is low."""
    if facts.latent is None:
        if options.size not in (0, facts.size):
            raise InputError(
                f"This prior works on pictures of {facts.size} pixels and no others; leave out "
                f"size."
            )
        return facts.size
    if options.size:
        return options.size
    smaller = facts.size * 3 // 4 // 64 * 64
    return smaller if options.memory == "low" and smaller >= 256 else facts.size
