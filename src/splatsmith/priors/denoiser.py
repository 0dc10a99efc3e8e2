"""The network of the embedded prior: a small U-Net that reads a caption and a camera.

A picture of 64 x 64 is folded into 32 x 32 cells of 2 x 2 pixels, then treated on three levels:
32 x 32 and 16 x 16 by convolutions alone, 8 x 8 by convolutions and attention that also sees
the words. The same network without its outermost level works on pictures of 32 x 32, where most
of what there is to learn is learned at less cost; `grow` adds the outer level around the core.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from splatsmith.priors.across import Across, Looking, Reading, turned_features
from splatsmith.priors.layers import Attention, Block, Canvas, silent
from splatsmith.priors.network_native import activated, convolved
from splatsmith.priors.network_serving import Asked, answer, served
from splatsmith.priors.text import Text, TextEncoder


@dataclass(frozen=True, slots=True, kw_only=True)
class DenoiserShape:
    """Everything that decides the shapes of the weights."""

    resolution: int = 64
    channels: int = 3  # of the pictures: 3 for pixels, 4 for latents
    outer_width: int = 48  # channels at 32 x 32 cells; only in the 64-pixel network
    middle_width: int = 96  # channels at 16 x 16 cells
    inner_width: int = 192  # channels at 8 x 8 cells
    inner_blocks: int = 5
    attentive_blocks: tuple[int, ...] = (1, 3)  # the inner blocks that attention follows
    heads: int = 4
    signal_width: int = 256  # the vector that carries time, camera and sentence
    text_width: int = 128
    text_layers: int = 3
    vocabulary: int = 256  # rows of the word table
    words: int = 24  # longest caption
    guided: bool = False  # whether it can be asked for a guided prediction in one pass
    views: int = 1  # that are denoised together, standing evenly around
    reference: bool = False  # whether it is shown a picture of what it draws

    @staticmethod
    def from_plain(values: Mapping[str, Any]) -> "DenoiserShape":
        """From what JSON keeps of it; TypeError if the names are not its own."""
        lists: dict[str, Any] = dict(values)
        lists["attentive_blocks"] = tuple(lists.get("attentive_blocks", ()))
        return DenoiserShape(**lists)


class Signal(nn.Module):
    """Time, camera, sentence and scale of guidance as one vector."""

    def __init__(self, shape: DenoiserShape) -> None:
        super().__init__()
        self.time = nn.Sequential(
            nn.Linear(64, shape.signal_width),
            nn.SiLU(),
            nn.Linear(shape.signal_width, shape.signal_width),
        )
        self.camera = nn.Sequential(
            nn.Linear(CAMERA_FEATURES, shape.signal_width),
            nn.SiLU(),
            nn.Linear(shape.signal_width, shape.signal_width),
        )
        self.sentence = nn.Linear(shape.text_width, shape.signal_width)
        self.guided = shape.guided
        if shape.guided:
            self.guidance = nn.Sequential(
                nn.Linear(GUIDANCE_FEATURES, shape.signal_width),
                nn.SiLU(),
                silent(nn.Linear(shape.signal_width, shape.signal_width)),
            )
        # A sum cannot say "the head of a duck is on the left from here"; a second layer can.
        self.mix = nn.Sequential(
            nn.Linear(shape.signal_width, 2 * shape.signal_width),
            nn.SiLU(),
            silent(nn.Linear(2 * shape.signal_width, shape.signal_width)),
        )

    def forward(
        self,
        log_snr: Float[Tensor, "views"],
        sentence: Float[Tensor, "views text_width"],
        camera: Float[Tensor, "views features"],
        guidance: Float[Tensor, "views"] | None = None,
    ) -> Float[Tensor, "views signal"]:
        """`log_snr` is the noise level; it means the same at every picture size.

        `guidance` is the standard scale, from 1 on; None is 1, the plain prediction.
        """
        time = self.time(time_features(log_snr).to(sentence.dtype))
        camera = camera.to(sentence.dtype)
        total = time + self.camera(camera) + self.sentence(sentence)
        scale = self.scale(guidance, log_snr)
        if scale is not None:
            total = total + self.guidance(scale.to(sentence.dtype))
        signal = F.silu(total)
        return signal + self.mix(signal)

    def scale(
        self, guidance: Float[Tensor, "views"] | None, log_snr: Float[Tensor, "views"]
    ) -> Float[Tensor, "views features"] | None:
        """The scale of guidance as features; None from a network that learned of none."""
        if not self.guided:
            assert guidance is None, "this network has not learned to be guided in one pass"
            return None
        asked = torch.ones_like(log_snr)  # what it was asked while it learned without
        return guidance_features(asked if guidance is None else guidance)


# Averaging 2 x 2 pixels leaves a quarter of the noise's variance: log 4 more log-SNR.
QUARTER = math.log(4)
CAMERA_FEATURES = 7
GUIDANCE_FEATURES = 2


def time_features(log_snr: Float[Tensor, "views"]) -> Float[Tensor, "views 64"]:
    """A noise level as waves, from long to short."""
    frequencies = torch.exp(torch.linspace(-3.0, 2.0, 32, device=log_snr.device))
    angle = log_snr[:, None] * frequencies
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def guidance_features(scale: Float[Tensor, "views"]) -> Float[Tensor, "views 2"]:
    """A scale of guidance, 1 to about 10, as smooth numbers."""
    return torch.stack([scale.log(), (scale - 1) / 8], dim=1)


def camera_features(
    azimuth: Float[Tensor, "views"],
    elevation: Float[Tensor, "views"],
    known: Float[Tensor, "views"],
) -> Float[Tensor, "views 7"]:
    """Angles in degrees as smooth numbers; all zero where `known` is 0, the last says which."""
    a, e = torch.deg2rad(azimuth), torch.deg2rad(elevation)
    columns = [a.sin(), a.cos(), (2 * a).sin(), (2 * a).cos(), e.sin(), e.cos()]
    return torch.stack([c * known for c in columns] + [known], dim=1)


class Denoiser(nn.Module):
    """Predicts v = alpha * eps - sigma * x0 from a noised picture, a caption and a camera."""

    def __init__(self, shape: DenoiserShape) -> None:
        super().__init__()
        self.shape = shape
        folded = 4 * shape.channels
        middle, inner, signal = shape.middle_width, shape.inner_width, shape.signal_width
        self.text = TextEncoder(
            shape.vocabulary, shape.words, shape.text_width, shape.text_layers
        )
        self.signal = Signal(shape)
        self.outer = OuterLevel(shape) if shape.resolution == 64 else None
        self.fold_in = nn.Conv2d(folded, middle, 3, padding=1)
        self.down = Block(middle, middle, signal)
        self.shrink = nn.Conv2d(middle, inner, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            Block(inner, inner, signal) for _ in range(shape.inner_blocks)
        )
        self.attentions = nn.ModuleDict(
            {
                str(index): Attention(inner, shape.heads, shape.text_width)
                for index in shape.attentive_blocks
            }
        )
        self.across = nn.ModuleDict()
        if shape.views > 1 or shape.reference:
            for name in self.attentions:
                self.across[name] = Across(inner, shape.heads, shape.views, shape.reference)
        self.looking = (
            Looking(middle, inner, signal, shape.text_width) if shape.reference else None
        )
        self.canvas = Canvas(signal, 8, inner)
        self.widen = nn.Conv2d(inner, middle, 3, padding=1)
        self.up = nn.ModuleList(
            [Block(2 * middle, middle, signal), Block(middle, middle, signal)]
        )
        self.norm = nn.GroupNorm(8, middle)
        self.fold_out = silent(nn.Conv2d(middle, folded, 3, padding=1))

    def forward(
        self,
        x_t: Float[Tensor, "views channels height width"],
        log_snr: Float[Tensor, "views"],
        tokens: Int[Tensor, "views words"],
        camera: Float[Tensor, "views features"],
        guidance: Float[Tensor, "views"] | None = None,
        text: Text | None = None,
        reading: Reading | None = None,
    ) -> Float[Tensor, "views channels height width"]:
        """The velocity v, of the same shape as `x_t`; variance-preserving noise is assumed.

        The rows of views that are denoised together follow each other, counter-clockwise.

        With `guidance` (1 and more) it is the guided velocity in one pass, as learned from
        two (Meng et al. 2023, On distillation of guided diffusion models, stage one). `text` is
        what `self.text` makes of the tokens, if that is known already; `reading` what
        `self.looking` makes of a reference picture, None for no picture.
        """
        text = self.text(tokens) if text is None else text
        seen = self._seen(reading, len(x_t))
        relation = shown = None
        if self.looking is not None and seen is not None:
            text = self.looking.told(seen, text)
            camera = camera + turned_features(seen.camera, seen.relation).to(camera.dtype)
            relation, shown = seen.relation, self.looking.cells(seen)
        program = served(self, x_t, text)
        if program is not None:
            time = time_features(self._level(log_snr))
            scale = self.signal.scale(guidance, log_snr)
            asked = Asked(log_snr, time, camera, scale, text, relation, shown)
            return answer(program, x_t, asked)
        signal = self.signal(self._level(log_snr), text.sentence, camera, guidance)
        if self.looking is not None and seen is not None:
            signal = signal + self.looking.signal(seen).to(signal.dtype)
        if self.outer is None:
            return self._core(x_t, signal, text, shown=shown)[0]
        cells, entering = self.outer.enter(x_t, signal)
        low, h = self._low(x_t, log_snr, signal, text, entering, shown)
        return low + self.outer.leave(cells, h, signal)

    def _level(self, log_snr: Tensor) -> Tensor:
        """The noise level as the core meets it."""
        return log_snr if self.outer is None else log_snr + QUARTER

    def _seen(self, reading: Reading | None, views: int) -> Reading | None:
        """The reading that is looked at, which may be that of nothing."""
        if self.looking is None:
            assert reading is None, "this network looks at no pictures"
            return None
        return self.looking.blind(views) if reading is None else reading

    def _low(
        self,
        x_t: Tensor,
        log_snr: Tensor,
        signal: Tensor,
        text: Text,
        entering: Tensor | None = None,
        shown: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The low frequencies of a whole picture's velocity, and the core's features."""
        alpha, sigma = _share(log_snr), _share(-log_snr)
        size = (alpha**2 + sigma**2 / 4).sqrt()
        small = F.avg_pool2d(x_t, 2)
        v_small, h = self._core(small / size, signal, text, entering, shown)
        # The core's v belongs to the averaged picture at its own noise level; in terms of the
        # whole picture's v, whose low frequencies it knows, it is this (x0 and eps eliminated).
        low = v_small / (2 * size) - 0.75 * alpha * sigma * small / size**2
        return F.interpolate(low, scale_factor=2.0), h

    def _core(
        self,
        x_t: Tensor,
        signal: Tensor,
        text: Text,
        entering: Tensor | None = None,
        shown: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The core's velocity, and the features that led to it."""
        h = convolved(self.fold_in, F.pixel_unshuffle(x_t, 2))
        h = self.down(h if entering is None else h + entering, signal)
        deep = convolved(self.shrink, h, added=self.canvas(signal))
        for index, block in enumerate(self.blocks):
            deep = block(deep, signal)
            if str(index) in self.attentions:
                deep = self.attentions[str(index)](deep, text.words, text.mask)
            if str(index) in self.across:
                deep = self.across[str(index)](deep, shown)
        wide = F.interpolate(convolved(self.widen, deep), scale_factor=2.0)
        h = self.up[0](torch.cat([h, wide], dim=1), signal)
        h = self.up[1](h, signal)
        return F.pixel_shuffle(convolved(self.fold_out, activated(self.norm, h)), 2), h


class OuterLevel(nn.Module):
    """What a 64-pixel picture has more than a 32-pixel one."""

    def __init__(self, shape: DenoiserShape) -> None:
        super().__init__()
        outer, middle, signal = shape.outer_width, shape.middle_width, shape.signal_width
        folded = 4 * shape.channels
        self.fold_in = nn.Conv2d(folded, outer, 3, padding=1)
        self.down = Block(outer, outer, signal)
        # At first the grown network says just what its core says.
        self.shrink = silent(nn.Conv2d(outer, middle, 3, stride=2, padding=1))
        self.widen = nn.Conv2d(middle, outer, 3, padding=1)
        self.up = Block(2 * outer, outer, signal)
        self.norm = nn.GroupNorm(8, outer)
        self.fold_out = silent(nn.Conv2d(outer, folded, 3, padding=1))

    def enter(self, x_t: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
        """The 32 x 32 cells, and what they tell the core."""
        cells = self.down(convolved(self.fold_in, F.pixel_unshuffle(x_t, 2)), signal)
        return cells, convolved(self.shrink, cells)

    def leave(self, cells: Tensor, h: Tensor, signal: Tensor) -> Tensor:
        """What is to be added to the core's prediction."""
        wide = F.interpolate(convolved(self.widen, h), scale_factor=2.0)
        cells = self.up(torch.cat([cells, wide], dim=1), signal)
        return F.pixel_shuffle(convolved(self.fold_out, activated(self.norm, cells)), 2)


def grow(core: Denoiser) -> Denoiser:
    """The 64-pixel network around a trained 32-pixel one."""
    assert core.shape.resolution == 32
    grown = Denoiser(replace(core.shape, resolution=64))
    missing, unexpected = grown.load_state_dict(core.state_dict(), strict=False)
    assert not unexpected
    assert all(name.startswith("outer.") for name in missing)
    return grown


def with_weights_of(net: Denoiser, other: Denoiser) -> Denoiser:
    """`net` with every weight of `other` that has a place in it; the rest stays as it is.

    So a network for latents begins with the words, cameras and shapes that pixels taught.
    """
    own = net.state_dict()
    fitting = {
        k: t for k, t in other.state_dict().items() if k in own and own[k].shape == t.shape
    }
    net.load_state_dict(own | fitting)
    return net


def _share(log_snr: Tensor) -> Tensor:
    """Alpha of a variance-preserving schedule, ready to multiply pictures with."""
    return torch.sigmoid(log_snr).sqrt()[:, None, None, None]


def channels_last(net: Denoiser) -> Denoiser:
    """The same network with its weights laid out as CPUs convolve fastest."""
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
