"""Zero123++ (Shi et al. 2023): six views of a picture in one drawing, as a source of pictures.

It is no prior here. Its six cameras never move and stand at two elevations in turn, and the
loop asks a prior about cameras that it draws anew in every step; six sides would be all that a
scene ever heard of. So it draws, and what wants several pictures of a thing can take them.

The network is Stable Diffusion 2's. It sees the picture twice: CLIP's summary of it is added to
the empty prompt, word by word as much as a table says, and in every step a noisy picture goes
through the same network first, whose cells every layer of self-attention then looks at as well.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.cameras.convention import Cameras, orbit
from splatsmith.errors import InputError
from splatsmith.images import Reference
from splatsmith.priors.prediction import Kind, Prediction
from splatsmith.priors.pretrained.clip_picture import normalized_for_clip
from splatsmith.priors.pretrained.folder import ModelFolder, read_json
from splatsmith.priors.pretrained.hub import find
from splatsmith.priors.pretrained.multiview_unet import attended
from splatsmith.priors.pretrained.options import PriorOptions
from splatsmith.priors.pretrained.parts import load_part, load_tokenizer, release_memory
from splatsmith.priors.pretrained.prior import device_of
from splatsmith.priors.pretrained.steps import kind_of, schedule_of
from splatsmith.priors.pretrained.text import Encoder, clip_words
from splatsmith.priors.schedule import NoiseSchedule

PIPELINE = "Zero123PlusPipeline"
PARTS = ("scheduler", "tokenizer", "text_encoder", "vision_encoder", "unet", "vae")
ROWS, COLUMNS = 3, 2  # of the drawing
AZIMUTHS = (30.0, 90.0, 150.0, 210.0, 270.0, 330.0)  # degrees from the picture's, row by row
# Elevations in turn and field of view, degrees: what each version was trained on.
RIGS = {"1.1": ((30.0, -20.0), 49.13), "1.2": ((20.0, -10.0), 30.0)}
GRAY = 127 / 255  # the background that the picture is put before
SHIFT, STRETCH = 0.22, 0.75  # drawn latents are (z - 0.22) * 0.75
FADE = 0.8 / 0.5  # and their pictures are this much fainter about gray
EXTRACTOR = "feature_extractor_vae"


class Referring:
    """Self-attention that keeps its input, or looks at what was kept as well as at itself.

    `kept` is shared by all layers of a network, under their names.
    """

    def __init__(self, name: str, kept: dict[str, Tensor]) -> None:
        self.name, self.kept = name, kept

    def __call__(
        self,
        attn: Any,
        hidden_states: Float[Tensor, "views cells width"],
        encoder_hidden_states: Float[Tensor, "views rows context"] | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Float[Tensor, "views cells width"]:
        """Keeps where nothing is kept under its name; otherwise looks, and forgets it."""
        seen = hidden_states
        if self.name in self.kept:
            seen = torch.cat([hidden_states, self.kept.pop(self.name)], dim=1)
        else:
            self.kept[self.name] = hidden_states
        made = attended(attn, attn.to_q(hidden_states), attn.to_k(seen), attn.to_v(seen))
        return attn.to_out[0](made)


def referring(unet: Any) -> Any:
    """The network with `Referring` in place of its self-attention."""
    kept: dict[str, Tensor] = {}
    processors = {
        name: Referring(name, kept) if name.endswith("attn1.processor") else processor
        for name, processor in unet.attn_processors.items()
    }
    unet.set_attn_processor(processors)
    return unet


def ask(
    unet: nn.Module,
    x_t: Float[Tensor, "sides channels rows columns"],
    noisy: Float[Tensor, "sides channels height width"],
    step: Float[Tensor, "sides"],
    words: Float[Tensor, "sides words features"],
) -> Float[Tensor, "sides channels rows columns"]:
    """Two passes of a `referring` network: over the noisy picture, then over the drawing."""
    unet(noisy, step, encoder_hidden_states=words, return_dict=False)
    return unet(x_t, step, encoder_hidden_states=words, return_dict=False)[0]


@dataclass(frozen=True)
class SixViews:
    """What was drawn, and the cameras that see it so."""

    pictures: Float[Tensor, "6 size size 3"]  # 0..1, before gray
    cameras: Cameras


@dataclass(frozen=True)
class Zero123Plus:
    """Zero123++ in a folder; make it with `open_zero123plus`. Its weights come with `draw`."""

    folder: ModelFolder
    options: PriorOptions
    kind: Kind
    schedule: NoiseSchedule
    version: str
    size: int = 320  # pixels a side of one view

    @torch.no_grad()
    def draw(
        self,
        image: Reference,
        generator: torch.Generator,
        *,
        steps: int = 28,
        guidance: float = 4.0,
    ) -> SixViews:
        """Six views of a picture; the same for the same generator.

        DDIM with eta = 1 (Song et al. 2021), which is Euler's ancestral steps by another name,
        from pure noise on over evenly spaced times.
        """
        words, latent, unet, vae = self._prepared(image)
        device, shrink = words.device, 2 ** (len(vae.config.block_out_channels) - 1)
        side = self.size // shrink

        def drawn(shape: tuple[int, ...]) -> Tensor:
            return torch.randn(shape, generator=generator, device=generator.device).to(device)

        x = drawn((1, latent.shape[1], ROWS * side, COLUMNS * side))
        # Steps of 1000, evenly, the last of them first.
        times = (torch.linspace(1, 1 / steps, steps, device=device) * 1000).round() - 1
        for i, step in enumerate(times):
            t = (step / 1000)[None]
            alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
            noisy = alpha * latent + sigma * drawn(tuple(latent.shape))
            value = ask(unet, x.expand(2, -1, -1, -1), noisy, step.expand(2), words)
            value = value[:1] + guidance * (value[1:] - value[:1])
            said = Prediction.of(self.kind, value, x, t, self.schedule)
            if i + 1 == steps:
                x = said.x0
                break
            x = self._stepped(said, t, (times[i + 1] / 1000)[None], drawn(tuple(x.shape)))
        pictures = vae.decode((x / STRETCH + SHIFT) / vae.config.scaling_factor).sample
        pictures = (pictures * FADE / 2 + 0.5).clamp(0, 1).float()
        return SixViews(self._cut(pictures[0]), self.cameras(image))

    def _stepped(self, said: Prediction, t: Tensor, after: Tensor, noise: Tensor) -> Tensor:
        """From time t to the next one (Song et al. 2021, equations 12 and 16, eta = 1)."""
        before, new = self.schedule.alpha(t).square(), self.schedule.alpha(after).square()
        fresh = ((1 - new) / (1 - before) * (1 - before / new)).clamp(min=0)
        kept = (1 - new - fresh).clamp(min=0).sqrt()
        return new.sqrt() * said.x0 + kept * said.eps + fresh.sqrt() * noise

    def cameras(self, image: Reference) -> Cameras:
        """Where the six views stand, counter-clockwise from above, from the picture's azimuth.

        Elevations are those of the version, whatever the picture's is. No distance is told: it
        is the one from which the unit ball just fills the field of view.
        """
        elevations, fovy = RIGS[self.version]
        radius = 1 / torch.sin(torch.deg2rad(torch.tensor(fovy / 2))).item()
        return orbit(
            [azimuth + image.azimuth for azimuth in AZIMUTHS],
            [elevations[i % 2] for i in range(len(AZIMUTHS))],
            radius=radius,
            fovy=fovy,
            width=self.size,
            height=self.size,
        )

    def _cut(self, drawing: Float[Tensor, "3 height width"]) -> Float[Tensor, "6 size size 3"]:
        """The drawing's six parts, row by row."""
        parts = drawing.unflatten(1, (ROWS, self.size)).unflatten(3, (COLUMNS, self.size))
        return parts.permute(1, 3, 2, 4, 0).flatten(0, 1)

    def _prepared(self, image: Reference) -> tuple[Tensor, Tensor, Any, Any]:
        """Words and picture for both sides of guidance, nothing first; network, autoencoder."""
        device = device_of(self.options)
        dtype = torch.float32
        vae: Any = load_part(self.folder, "vae", dtype, half=False).to(device)
        shown = image.over(torch.full((3,), GRAY), self._shown()).permute(2, 0, 1)[None]
        faint = (shown.to(device) * 2 - 1) / FADE
        both = torch.cat([torch.zeros_like(faint), faint])
        latent = vae.encode(both).latent_dist.mean  # not scaled, as in training
        tower: Any = load_part(self.folder, "vision_encoder", dtype, half=False).to(device)
        size = int(tower.config.image_size)
        seen = normalized_for_clip(image.over(torch.full((3,), GRAY), size)[None])
        summary = tower(seen.to(device)).image_embeds[:, None]
        del tower
        reader = load_part(self.folder, "text_encoder", dtype, half=False).to(device)
        nothing = clip_words(Encoder(load_tokenizer(self.folder, "tokenizer"), reader), "")
        del reader
        release_memory()
        ramp = torch.tensor(self.folder.index["ramping_coefficients"], device=device)
        words = torch.cat([nothing, nothing + summary * ramp[:, None]])
        unet = referring(load_part(self.folder, "unet", dtype, half=False).to(device))
        return words, latent, unet, vae

    def _shown(self) -> int:
        """Pixels a side of the picture that is encoded, by the folder's word if it has one."""
        path = self.folder.root / EXTRACTOR / "preprocessor_config.json"
        told = read_json(path).get("size") if path.is_file() else None
        found = (
            told.get("shortest_edge", told.get("height")) if isinstance(told, dict) else told
        )
        return int(found or self.size)


def open_zero123plus(
    source: str, options: PriorOptions | None = None, version: str = ""
) -> Zero123Plus:
    """Zero123++ of a folder or an id of the hub, such as sudo-ai/zero123plus-v1.2.

    `version` is 1.1 or 1.2; empty means by the name. It works in float32. InputError if it is
    of another kind, or the version is not known.
    """
    options = options or PriorOptions()
    folder = find(source, lambda _, listed: [p for p in listed if p in PARTS], half=False)
    if folder.pipeline != PIPELINE:
        raise InputError(f"{folder.root} is a {folder.pipeline}, and Zero123++ a {PIPELINE}.")
    named = version or next((v for v in RIGS if f"v{v}" in folder.title), "")
    if named not in RIGS:
        raise InputError(
            f"{folder.title} does not say which Zero123++ it is, and the cameras hang on that; "
            f"give version = {' or '.join(RIGS)}."
        )
    words = folder.config("text_encoder")["max_position_embeddings"]
    ramp = folder.index.get("ramping_coefficients")
    if not isinstance(ramp, list) or len(ramp) != words:
        raise InputError(
            f"{folder.root}: model_index.json needs ramping_coefficients, one for each of "
            f"{words} words; take the published folder, whole."
        )
    config, where = folder.config("scheduler"), str(folder.root / "scheduler")
    return Zero123Plus(
        folder, options, kind_of(config, where), schedule_of(config, where), named
    )
