"""How a published prior is run: with how much memory, where, and in what precision."""

from dataclasses import dataclass
from typing import Literal

from splatsmith.errors import InputError

Memory = Literal["low", "medium", "high"]
MEMORY: tuple[Memory, ...] = ("low", "medium", "high")

MOST_SIZE = 2048  # pixels a side of what is encoded
CELL = 8  # pixels: sizes are multiples of it, because every published autoencoder wants that


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorOptions:
    """Everything that can be said about running a prior that is not in its files.

    memory: high keeps all weights on the device and asks about all views at once; medium
    encodes one picture at a time and computes its activations again on the way back; low also
    keeps only the part of the network on the device that is working, asks about one view and
    one side of guidance at a time, and encodes pictures of three quarters of the size.
    """

    memory: Memory = "high"
    device: str = ""  # such as "cuda:1"; empty: the first GPU, else the CPU
    precision: Literal["auto", "float16", "bfloat16", "float32"] = "auto"  # of the network
    size: int = 0  # pixels a side that are encoded; 0: what the model was trained on
    prediction: Literal["", "eps", "v", "x0", "flow"] = ""  # empty: what its files say
    few_steps: int = 0  # noise levels that a distilled model knows; 0: what its files say
    compiled: bool = False  # torch.compile the network: a slow first step, faster ones after it
    channels_last: bool = True  # memory layout of pictures on a GPU
    control: str = ""  # a ControlNet: "depth=ID" or "normal=ID", a folder or an id of the hub
    control_scale: float = 1.0  # how much the ControlNet counts
    pose: Literal["", "relative", "absolute"] = ""  # for Zero-1-to-3; empty: by the name
    low_noise: float = 0.25  # for upscalers: noise on the small picture, 0 to 1

    def __post_init__(self) -> None:
        if self.memory not in MEMORY:
            raise InputError(f"memory is one of {', '.join(MEMORY)}, got {self.memory!r}.")
        if self.size and (self.size % CELL or not 64 <= self.size <= MOST_SIZE):
            raise InputError(
                f"size must be a multiple of {CELL} from 64 to {MOST_SIZE}, got {self.size}."
            )
        if not 0 <= self.few_steps <= 1000:
            raise InputError(f"few_steps must lie in 0 to 1000, got {self.few_steps}.")
        if not 0 <= self.control_scale <= 10:
            raise InputError(f"control_scale must lie in 0 to 10, got {self.control_scale}.")
        if not 0 <= self.low_noise < 1:
            raise InputError(f"low_noise must lie in 0 to 1, got {self.low_noise}.")
        what = self.control.partition("=")[0]
        if self.control and (what not in ("depth", "normal") or "=" not in self.control):
            raise InputError(
                f"control is depth=ID or normal=ID, such as "
                f"depth=lllyasviel/control_v11f1p_sd15_depth, got {self.control!r}."
            )
