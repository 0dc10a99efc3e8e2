"""E1 while it learns: network, moving average, optimizer; and the checkpoint of it all."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from splatsmith.errors import InputError, InvalidFile
from splatsmith.evaluate.network import Network, NetworkShape
from splatsmith.files import part_of, replace_file
from splatsmith.train.average import follow, twin_of

CHECKPOINT = "checkpoint.safetensors"


@dataclass
class EvaluatorState:
    """Where a training stands."""

    step: int = 0
    seconds: float = 0.0  # of learning so far
    seed: int | None = None  # of the data; None: from a time when it was not written down


class Pupil:
    """The network, its average, and AdamW."""

    def __init__(self, shape: NetworkShape, seed: int, device: str) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # nn.Module knows no other way to draw its weights
            self.net = Network(shape)
        self.net.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = twin_of(self.net)
        # Muon, which the prior learns with, was tried: no faster here, for all its work.
        self.optimizer = torch.optim.AdamW(self.net.parameters(), betas=(0.9, 0.99), fused=True)

    def move(self, rate: float, weight_decay: float, averaging: float) -> None:
        """One step along the gradients that are there, which are then gone."""
        for group in self.optimizer.param_groups:
            group["lr"], group["weight_decay"] = rate, weight_decay
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.net.zero_grad(set_to_none=True)
        follow(self.average, self.net, averaging)


def save_pupil(out: Path, state: EvaluatorState, pupil: Pupil) -> None:
    """Write the checkpoint, whole or not at all."""
    tensors = {f"net.{k}": v for k, v in pupil.net.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in pupil.average.state_dict().items()}
    for name, parameter in pupil.net.named_parameters():
        for key, value in pupil.optimizer.state[parameter].items():
            tensors[f"moments.{name}.{key}"] = value
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    header = {"counters": json.dumps(asdict(state))}
    replace_file(out / CHECKPOINT, save(plain, metadata=header))


def load_pupil(out: Path, shape: NetworkShape, device: str) -> tuple[EvaluatorState, Pupil]:
    """The checkpoint in `out`; InputError if there is none, InvalidFile if it is damaged."""
    path = out / CHECKPOINT
    if not path.is_file():
        raise InputError(f"There is nothing to resume in {out}: {CHECKPOINT} is missing.")
    try:
        with safe_open(path, framework="pt", device=device) as file:
            state = EvaluatorState(**json.loads((file.metadata() or {})["counters"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        pupil = Pupil(shape, 0, device)
        pupil.net.load_state_dict(part_of(tensors, "net."))
        pupil.average.load_state_dict(part_of(tensors, "average."))
        for name, parameter in pupil.net.named_parameters():
            if moments := part_of(tensors, f"moments.{name}."):
                pupil.optimizer.state[parameter] = moments
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError, OSError) as error:
        raise InvalidFile(path, None, f"not a checkpoint of this training ({error})") from error
    return state, pupil
