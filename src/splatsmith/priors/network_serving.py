"""When a frozen denoiser answers by one program of the kernels, and how it is asked then.

The program itself is put together in `network_program`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.priors import network_native
from splatsmith.priors.network_program import Builder
from splatsmith.priors.text import Text

if TYPE_CHECKING:
    from splatsmith.priors.denoiser import Denoiser

_ready: "WeakKeyDictionary[Denoiser, Weights]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Asked:
    """What a network is asked, beside the noised pictures."""

    log_snr: Float[Tensor, "views"]
    time: Float[Tensor, "views frequencies"]
    camera: Float[Tensor, "views features"]
    guidance: Float[Tensor, "views 2"] | None
    text: Text
    # Where a picture is looked at: how a view stands to it, and its cells.
    relation: Float[Tensor, "views 5"] | None = None
    shown: Float[Tensor, "views cells width"] | None = None


def served(net: "Denoiser", x_t: Tensor, text: Text) -> Any | None:
    """The program for these pictures and this many words, or None if torch has to answer.

    It is made anew when a weight has changed.
    """
    shape, words = net.shape, text.words.shape[1]
    if not (network_native.serves(x_t) and network_native.serves(text.words)):
        return None
    if x_t.shape[1:] != (shape.channels, shape.resolution, shape.resolution):
        return None
    if len(x_t) % shape.views:
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
    text = asked.text
    given = (
        x,
        asked.log_snr,
        asked.time,
        asked.camera,
        text.sentence,
        asked.guidance,
        text.words,
        text.mask,
        asked.relation,
        asked.shown,
    )
    arrays = [array.float().contiguous() for array in given if array is not None]
    program.run([*arrays, y], len(x), torch.get_num_threads())
    return y.permute(0, 3, 1, 2)


class Weights:
    """The weights of one network, and the program made of them as they last were."""

    def __init__(self, net: "Denoiser") -> None:
        # The table that a module keeps its weights in, as a pass with others puts them there.
        self.places = [
            (module._parameters, name) for module in drawing(net) for name in module._parameters
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
    if network_native.MOST_ROWS % net.shape.views:
        return False
    for module in drawing(net):
        if isinstance(module, nn.GroupNorm) and module.num_channels % lanes:
            return False
        if isinstance(module, nn.Conv2d) and not network_native.fits(module):
            return False
    return all(parameter.dtype == torch.float32 for parameter in net.parameters())


def drawing(net: "Denoiser") -> list[nn.Module]:
    """All of it but what reads a caption or a picture beforehand, which torch does."""
    reading = set(net.text.modules())
    if net.looking is not None:
        reading |= set(net.looking.modules()) - set(net.looking.place.modules())
    return [module for module in net.modules() if module not in reading]
