"""A frozen denoiser as one program for the kernels: a whole pass without Python in between.

The modules themselves are the definition, and what runs where the kernels do not serve (see
`network_native`). Here they are read once into a list of steps, which C++ goes through for some
rows on every thread. Threads meet only at the end, and the interpreter is free meanwhile.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor, nn

from splatsmith.priors import network_native
from splatsmith.priors.across import CELLS, Across
from splatsmith.priors.layers import Attention, Block, Canvas

if TYPE_CHECKING:
    from splatsmith.priors.denoiser import Denoiser, OuterLevel, Signal


@dataclass(frozen=True)
class Cells:
    """Where a step writes: rows by columns cells of so many channels, for every picture."""

    place: int
    rows: int
    columns: int
    channels: int


class Builder:
    """Reads a network into a program; its methods are the modules' own `forward`, as steps."""

    def __init__(self, net: "Denoiser", words: int) -> None:
        self.program = network_native.program()
        shape = net.shape
        size, channels = shape.resolution, shape.channels
        self.program.together(shape.views)
        x = self._given(size, size, channels)
        log_snr = self._given(1, 1, 1)
        time = self._given(1, 1, _inputs(net.signal.time))
        camera = self._given(1, 1, _inputs(net.signal.camera))
        sentence = self._given(1, 1, shape.text_width)
        guidance = self._given(1, 1, 2) if shape.guided else None
        text = self._given(1, words, shape.text_width)
        self.mask = self._given(1, 1, words)
        relation, shown = None, None
        if net.looking is not None:
            relation = self._given(1, 1, _inputs(net.looking.place))
            shown = self._given(CELLS, CELLS, shape.inner_width)
        y = self._given(size, size, channels)
        self.program.begin(WHOLE)
        signal = self.signal(net.signal, time, camera, sentence, guidance)
        if net.looking is not None and relation is not None:
            signal = self.two(net.looking.place, relation, added=signal)
        self.modulations = {
            id(block): self.linear(block.modulation, signal)
            for block in net.modules()
            if isinstance(block, Block)
        }
        canvas = self.canvas(net.canvas, signal)
        told = {
            name: self.linear(attention.get_submodule("words"), text)
            for name, attention in net.attentions.items()
        }
        self.shown = {
            name: self.linear(across.get_submodule("reference"), shown)
            for name, across in net.across.items()
            if shown is not None
        }
        if net.outer is None:
            folded, _ = self.core(net, x, None, canvas, told)
            self.unfold(folded, into=y)
            return
        self.program.begin(LARGE)
        small, scaled = (self._cells(size // 2, size // 2, channels) for _ in range(2))
        self.program.halve(
            x.place, log_snr.place, small.place, scaled.place, size // 2, channels
        )
        cells, entering = self.enter(net.outer, x)
        folded, h = self.core(net, scaled, entering, canvas, told)
        low = self.unfold(folded)
        added = self.leave(net.outer, cells, h)
        places = [cells.place for cells in (low, small, added, log_snr, y)]
        self.program.whole(*places, size // 2, channels)

    def signal(
        self,
        signal: "Signal",
        time: Cells,
        camera: Cells,
        sentence: Cells,
        guidance: Cells | None,
    ) -> Cells:
        """Time, camera, sentence and scale of guidance as one vector."""
        total = self.linear(signal.sentence, sentence)
        total = self.two(signal.camera, camera, added=total)
        if guidance is not None:
            total = self.two(signal.guidance, guidance, added=total)
        total = self.activated(self.two(signal.time, time, added=total))
        return self.two(signal.mix, total, added=total)

    def enter(self, outer: "OuterLevel", x: Cells) -> tuple[Cells, Cells]:
        """The cells of the outer level, and what they tell the core."""
        cells = self.block(outer.down, self.convolved(outer.fold_in, self.fold(x)))
        return cells, self.convolved(outer.shrink, cells)

    def leave(self, outer: "OuterLevel", cells: Cells, h: Cells) -> Cells:
        """What is added to the core's prediction, folded."""
        wide = self.convolved(outer.widen, h)
        self.program.begin(LARGE)
        cells = self.join(cells, wide)
        cells = self.block(outer.up, cells)
        return self.convolved(outer.fold_out, self.normalized(outer.norm, cells))

    def core(
        self,
        net: "Denoiser",
        x: Cells,
        entering: Cells | None,
        canvas: Cells,
        told: dict[str, Cells],
    ) -> tuple[Cells, Cells]:
        """The core's velocity, folded, and the features that led to it."""
        self.program.begin(MIDDLE)
        h = self.convolved(net.fold_in, self.fold(x), added=entering)
        h = self.block(net.down, h)
        self.program.begin(WHOLE)
        deep = self.convolved(net.shrink, h, added=canvas)
        for index, block in enumerate(net.blocks):
            deep = self.block(block, deep)
            if str(index) in told:
                deep = self.attended(net.attentions[str(index)], deep, told[str(index)])
            if str(index) in net.across:
                shown = self.shown.get(str(index))
                deep = self.across(net.across[str(index)], deep, shown)
        wide = self.convolved(net.widen, deep)
        self.program.begin(MIDDLE)
        h = self.block(net.up[0], self.join(h, wide))
        h = self.block(net.up[1], h)
        return self.convolved(net.fold_out, self.normalized(net.norm, h)), h

    def block(self, block: nn.Module, x: Cells) -> Cells:
        """Two convolutions with a residual path, the second modulated by the signal."""
        assert isinstance(block, Block)
        h = self.convolved(block.conv_in, self.normalized(block.norm_in, x))
        h = self.normalized(block.norm_out, h, self.modulations[id(block)])
        skipped = self.convolved(block.skip, x) if isinstance(block.skip, nn.Conv2d) else x
        return self.convolved(block.conv_out, h, added=skipped)

    def attended(self, attention: nn.Module, x: Cells, told: Cells) -> Cells:
        """Every cell looks at every cell and at every word."""
        assert isinstance(attention, Attention)
        cells = self.normalized(attention.norm, x, activate=False)
        cells = self.linear(attention.query_key_value, cells)
        mixed = self._cells(x.rows, x.columns, x.channels)
        self.program.attend(
            cells=cells.place,
            words=told.place,
            mask=self.mask.place,
            y=mixed.place,
            count=x.rows * x.columns,
            word_count=told.columns,
            heads=attention.heads,
            width=x.channels // attention.heads,
        )
        return self.linear(attention.out, mixed, added=x)

    def across(self, across: nn.Module, x: Cells, shown: Cells | None) -> Cells:
        """Every cell looks at those of all views of its group and at those of a picture."""
        assert isinstance(across, Across)
        cells = self.normalized(across.norm, x, activate=False)
        self.program.shift(cells.place, across.position)
        query = self.linear(across.query, cells)
        several = across.views > 1
        own = self.linear(across.key_value, cells) if several else None
        mixed = self._cells(x.rows, x.columns, x.channels)
        self.program.across(
            query=query.place,
            own=-1 if own is None else own.place,
            shown=-1 if shown is None else shown.place,
            y=mixed.place,
            turn=across.turn if several else None,
            affinity=across.affinity if several else None,
            count=x.rows * x.columns,
            turns=across.views if several else 0,
            heads=across.heads,
            width=x.channels // across.heads,
        )
        return self.linear(across.out, mixed, added=x)

    def canvas(self, canvas: Canvas, signal: Cells) -> Cells:
        """A coarse layout painted from the signal alone."""
        painted = self.two(canvas.paint, signal)
        cells = self._cells(canvas.cells, canvas.cells, canvas.layers)
        self.program.turn(painted.place, cells.place, canvas.layers, canvas.cells**2)
        return self.convolved(canvas.spread, cells)

    def two(self, layers: nn.Sequential, x: Cells, added: Cells | None = None) -> Cells:
        """Two linear layers with a SiLU between them."""
        return self.linear(layers[2], self.activated(self.linear(layers[0], x)), added)

    def convolved(self, conv: nn.Conv2d, x: Cells, added: Cells | None = None) -> Cells:
        """A convolution, plus `added`."""
        size, stride, padding = network_native.sizes(conv)
        rows, columns = ((n + 2 * padding - size) // stride + 1 for n in (x.rows, x.columns))
        y = self._cells(rows, columns, conv.out_channels)
        weight, more = conv.weight, x.channels - conv.in_channels
        if more:
            weight = F.pad(weight, (0, 0, 0, 0, 0, more))  # for the zeros of `fold`
        packed = network_native.packed(weight, stride, padding)
        self._convolve(x, added, y, packed, conv.bias, size, stride, padding)
        return y

    def linear(self, layer: nn.Module, x: Cells, added: Cells | None = None) -> Cells:
        """A linear layer for every cell, plus `added`."""
        assert isinstance(layer, nn.Linear)
        y = self._cells(x.rows, x.columns, layer.out_features)
        self._convolve(x, added, y, network_native.packed(layer.weight), layer.bias, 1, 1, 0)
        return y

    def _convolve(
        self, x: Cells, added: Cells | None, y: Cells, weight: Tensor, bias: Tensor | None,
        size: int, stride: int, padding: int,
    ) -> None:  # fmt: skip
        places = (x.place, -1 if added is None else added.place, y.place)
        shape = (x.rows, x.columns, x.channels, y.channels)
        self.program.convolve(*places, weight, bias, *shape, size, stride, padding)

    def normalized(
        self,
        norm: nn.GroupNorm,
        x: Cells,
        modulation: Cells | None = None,
        activate: bool = True,
    ) -> Cells:
        """Group normalization, modulation and SiLU, the latter two if asked for."""
        y = self._cells(x.rows, x.columns, x.channels)
        self.program.normalize(
            x=x.place,
            modulation=-1 if modulation is None else modulation.place,
            y=y.place,
            weight=norm.weight,
            bias=norm.bias,
            cells=x.rows * x.columns,
            groups=norm.num_groups,
            epsilon=norm.eps,
            activate=activate,
        )
        return y

    def activated(self, x: Cells) -> Cells:
        """SiLU, in place."""
        self.program.activate(x.place)
        return x

    def join(self, x: Cells, wide: Cells) -> Cells:
        """Channels of both, the second of half as many cells a side, repeated."""
        y = self._cells(x.rows, x.columns, x.channels + wide.channels)
        places = (x.place, wide.place, y.place)
        self.program.join(*places, x.rows, x.channels, wide.channels)
        return y

    def fold(self, x: Cells) -> Cells:
        """Pixels of 2 x 2 as the channels of a cell, and zeros until they fill registers."""
        channels = -(-4 * x.channels // network_native.lanes()) * network_native.lanes()
        y = self._cells(x.rows // 2, x.columns // 2, channels)
        self.program.fold(x.place, y.place, y.rows, x.channels, channels)
        return y

    def unfold(self, x: Cells, into: Cells | None = None) -> Cells:
        """The way back."""
        channels = x.channels // 4
        y = into or self._cells(2 * x.rows, 2 * x.columns, channels)
        self.program.unfold(x.place, y.place, x.rows, channels)
        return y

    def _given(self, rows: int, columns: int, channels: int) -> Cells:
        place = self.program.given(rows * columns * channels)
        return Cells(place, rows, columns, channels)

    def _cells(self, rows: int, columns: int, channels: int) -> Cells:
        place = self.program.place(rows * columns * channels)
        return Cells(place, rows, columns, channels)


def _inputs(layers: nn.Sequential) -> int:
    """Numbers that the first of some layers takes."""
    first = layers[0]
    assert isinstance(first, nn.Linear)
    return first.in_features


# Pictures that go through a part of the program together. Where they are large they should stay
# in the cache; where the weights are large they should be read for many pictures.
LARGE, MIDDLE, WHOLE = 1, 2, 8
