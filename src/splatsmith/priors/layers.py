"""The pieces that the denoiser is put together from."""

from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.priors.network_native import activated, convolved
from splatsmith.priors.text import attend


class Block(nn.Module):
    """Two 3 x 3 convolutions with a residual path, scaled and shifted by the signal."""

    def __init__(self, inputs: int, outputs: int, signal: int) -> None:
        super().__init__()
        self.norm_in = nn.GroupNorm(8, inputs)
        self.conv_in = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.modulation = nn.Linear(signal, 2 * outputs)
        self.norm_out = nn.GroupNorm(8, outputs)
        self.conv_out = silent(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "views inputs rows columns"],
        signal: Float[Tensor, "views signal"],
    ) -> Float[Tensor, "views outputs rows columns"]:
        """The same cells with new features."""
        h = convolved(self.conv_in, activated(self.norm_in, x))
        h = activated(self.norm_out, h, self.modulation(signal))
        skipped = convolved(self.skip, x) if isinstance(self.skip, nn.Conv2d) else x
        return convolved(self.conv_out, h, added=skipped)


class Attention(nn.Module):
    """Every cell looks at every cell and at every word."""

    def __init__(self, width: int, heads: int, text_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.words = nn.Linear(text_width, 2 * width)
        self.out = silent(nn.Linear(width, width))

    def forward(
        self,
        x: Float[Tensor, "views width rows columns"],
        text: Float[Tensor, "views words text_width"],
        mask: Float[Tensor, "views words"],
    ) -> Float[Tensor, "views width rows columns"]:
        """`mask` is 0 where there is a word and very negative where there is none."""
        views, width, rows, columns = x.shape
        cells = self.norm(x).flatten(2).transpose(1, 2)
        query, key, value = self._split(self.query_key_value(cells), 3)
        word_key, word_value = self._split(self.words(text), 2)
        key, value = torch.cat([key, word_key], dim=2), torch.cat([value, word_value], dim=2)
        bias = torch.cat([mask.new_zeros(views, rows * columns), mask], dim=1)
        mixed = attend(query, key, value, bias)
        mixed = self.out(mixed.transpose(1, 2).reshape(views, rows * columns, width))
        return x + mixed.transpose(1, 2).reshape(views, width, rows, columns)

    def _split(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        views, tokens, _ = x.shape
        return x.view(views, tokens, parts, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)


class Canvas(nn.Module):
    """A coarse layout painted from the signal alone, added where the cells are coarsest.

    At high noise the answer is nearly the mean picture of what was asked for, seen from there.
    Convolutions do not know where they are, so left and right have to come from here.
    """

    def __init__(self, signal: int, cells: int, width: int, layers: int = 24) -> None:
        super().__init__()
        self.cells, self.layers = cells, layers
        self.paint = nn.Sequential(
            nn.Linear(signal, signal), nn.SiLU(), nn.Linear(signal, layers * cells**2)
        )
        self.spread = silent(nn.Conv2d(layers, width, 1))

    def forward(
        self, signal: Float[Tensor, "views signal"]
    ) -> Float[Tensor, "views width rows columns"]:
        """Features for every cell."""
        layers = self.paint(signal).view(len(signal), self.layers, self.cells, self.cells)
        return convolved(self.spread, layers)


Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def silent(layer: Layer) -> Layer:
    """The layer with weights of zero, so that it says nothing at first."""
    assert layer.bias is not None
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
