"""What a training's checkpoint holds: weights, their average, moments, counters."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from splatsmith.errors import InputError, InvalidFile
from splatsmith.files import part_of, replace_file
from splatsmith.priors.denoiser import Denoiser, DenoiserShape
from splatsmith.train.average import twin_of

if TYPE_CHECKING:
    from splatsmith.train.prior import Student

CHECKPOINT = "checkpoint.safetensors"


@dataclass
class TrainingState:
    """Where a training stands; `tensors` is what was loaded, None at the start."""

    shape: DenoiserShape
    step: int = 0
    seconds: float = 0.0  # of training so far
    grown_at: int = 0  # the step at which the network grew to 64 x 64
    tensors: dict[str, Tensor] | None = None
    seed: int | None = None  # of the data; None: from a time when it was not written down
    kind: str | None = None  # of the training

    def student(self, seed: int, device: str) -> "Student":
        """The network of this state; at the start, one with weights drawn from `seed`."""
        from splatsmith.train.prior import Student

        student = Student(first_weights(self.shape, seed), device)
        if self.tensors is not None:
            student.net.load_state_dict(part_of(self.tensors, "net."))
            student.average.load_state_dict(part_of(self.tensors, "average."))
            if teacher := part_of(self.tensors, "teacher."):
                student.teacher = twin_of(student.average)
                student.teacher.load_state_dict(teacher)
            for name, parameter, optimizer in _moved(student):
                moments = part_of(self.tensors, f"moments.{name}.")
                if moments:
                    there = {key: value.to(parameter.device) for key, value in moments.items()}
                    optimizer.state[parameter] = there
        return student


def first_weights(shape: DenoiserShape, seed: int) -> Denoiser:
    """A network that has learned nothing yet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # nn.Module knows no other way to draw its weights
        return Denoiser(shape)


def save_state(out: Path, state: TrainingState, student: "Student") -> None:
    """Write the checkpoint, whole or not at all."""
    state.shape = student.net.shape
    tensors = {f"net.{k}": v for k, v in student.net.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in student.average.state_dict().items()}
    if student.teacher is not None:
        tensors |= {f"teacher.{k}": v for k, v in student.teacher.state_dict().items()}
    for name, parameter, optimizer in _moved(student):
        for key, value in optimizer.state[parameter].items():
            tensors[f"moments.{name}.{key}"] = value
    kept = ("step", "seconds", "grown_at", "seed", "kind")
    counters = {name: getattr(state, name) for name in kept}
    counters["shape"] = asdict(state.shape)
    plain = {k: v.detach().contiguous() for k, v in tensors.items()}
    replace_file(out / CHECKPOINT, save(plain, metadata={"counters": json.dumps(counters)}))


def load_state(out: Path) -> TrainingState:
    """The checkpoint in `out`; InputError if there is none, InvalidFile if it is damaged."""
    path = out / CHECKPOINT
    if not path.is_file():
        raise InputError(f"There is nothing to resume in {out}: {CHECKPOINT} is missing.")
    try:
        with safe_open(path, framework="pt") as file:
            counters = json.loads((file.metadata() or {})["counters"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        shape = DenoiserShape.from_plain(counters.pop("shape"))
        return TrainingState(shape=shape, tensors=tensors, **counters)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise InvalidFile(path, None, f"not a training checkpoint ({error})") from error


def check_same(out: Path, state: TrainingState, seed: int, kind: str) -> None:
    """InputError if a training that is resumed is another one than it was begun as."""
    if state.seed not in (None, seed):
        raise InputError(f"{out} was begun with --seed {state.seed}; resume it with that seed.")
    if state.kind not in (None, kind):
        raise InputError(f"{out} holds a training of {state.kind!r}, not of {kind!r}.")


def _moved(student: "Student") -> list[tuple[str, nn.Parameter, torch.optim.Optimizer]]:
    """Every parameter with its name and the optimizer that moves it."""
    names = {parameter: name for name, parameter in student.net.named_parameters()}
    groups = [(group, o) for o in student.optimizers for group in o.param_groups]
    return [(names[p], p, o) for group, o in groups for p in group["params"]]
