"""A frozen denoiser as one program for the kernels: a whole pass without Python in between.

The modules themselves are the definition, and what runs where the kernels do not serve (see
`network_native`). Here they are read once into a list of steps, which C++ goes through for some
rows on every thread. Threads meet only at the end, and the interpreter is free meanwhile.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.priors import network_native
from splatsmith.priors.layers import Attention, Block, Canvas
from splatsmith.priors.text import Text

if TYPE_CHECKING:
    from splatsmith.priors.denoiser import Denoiser, OuterLevel, Signal

_ready: "WeakKeyDictionary[Denoiser, Weights]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Asked:
    """What a network is asked, beside the noised pictures."""

    log_snr: Float[Tensor, "views"]
    time: Float[Tensor, "views frequencies"]
    camera: Float[Tensor, "views features"]
    guidance: Float[Tensor, "views 2"] | None
    text: Text


def served(net: "Denoiser", x_t: Tensor, text: Text) -> Any | None:
    """The program for these pictures and this many words, or None if torch has to answer.

    It is made anew when a weight has changed.
    """
    shape, words = net.shape, text.words.shape[1]
    if not (network_native.serves(x_t) and network_native.serves(text.words)):
        return None
    if x_t.shape[1:] != (shape.channels, shape.resolution, shape.resolution):
        return None
    kept = _ready.get(net)
    if kept is None:
        kept = _ready[net] = Weights(net)
    return kept.program(net, words)


def answer(
    program: Any, x_t: Float[Tensor, "views channels height width"], asked: Asked
) -> Float[Tensor, "views channels height width"]:
    """The velocity, by as many threads as torch would use."""
    x = x_t.permute(0, 2, 3, 1).contiguous()
    y = torch.empty_like(x)
    guidance = () if asked.guidance is None else (asked.guidance,)
    text = asked.text
    given = (x, asked.log_snr, asked.time, asked.camera, text.sentence, *guidance)
    arrays = [t.float().contiguous() for t in (*given, text.words, text.mask)]
    program.run([*arrays, y], len(x), torch.get_num_threads())
    return y.permute(0, 3, 1, 2)


class Weights:
    """The weights of one network, and the program made of them as they last were."""

    def __init__(self, net: "Denoiser") -> None:
        reading = set(net.text.modules())
        # The table that a module keeps its weights in, as a pass with others puts them there.
        self.places = [
            (module._parameters, name)
            for module in net.modules()
            if module not in reading
            for name in module._parameters
        ]
        self.state: Any = None
        self.made: Any = None

    def program(self, net: "Denoiser", words: int) -> Any | None:
        """None if some weight is learning, or made up for a single pass, or of odd size."""
        weights = [table[name] for table, name in self.places]
        if not all(w is None or network_native.frozen(w) for w in weights):
            return None
        lanes = network_native.lanes()
        state = [lanes, words, *((w._version, w.data_ptr()) for w in weights if w is not None)]
        if state != self.state:
            self.state, self.made = state, None
            if suits(net, lanes):
                self.made = Builder(net, words).program
        return self.made


def suits(net: "Denoiser", lanes: int) -> bool:
    """Whether the program knows all that the network does, and registers divide its layers."""
    if net.across or net.looking is not None:
        return False
    for module in net.modules():
        if isinstance(module, nn.GroupNorm) and module.num_channels % lanes:
            return False
        if isinstance(module, nn.Conv2d) and not network_native.fits(module):
            return False
    return all(parameter.dtype == torch.float32 for parameter in net.parameters())


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
        x = self._given(size, size, channels)
        log_snr = self._given(1, 1, 1)
        time = self._given(1, 1, _inputs(net.signal.time))
        camera = self._given(1, 1, _inputs(net.signal.camera))
        sentence = self._given(1, 1, shape.text_width)
        guidance = self._given(1, 1, 2) if shape.guided else None
        text = self._given(1, words, shape.text_width)
        self.mask = self._given(1, 1, words)
        y = self._given(size, size, channels)
        self.program.begin(WHOLE)
        signal = self.signal(net.signal, time, camera, sentence, guidance)
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
