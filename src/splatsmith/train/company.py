"""Several workers teach one network, each with cores and lessons of its own.

They meet once a minute and go on from the mean of what each has learned (local SGD: Stich 2019,
Local SGD converges fast and communicates little). So no worker waits for another at every step,
and a core that is busy with something else holds nobody up.
"""

import os
import tempfile
from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.memory import keep_memory

MEET_EVERY = 60.0  # seconds of training

T = TypeVar("T")


class Company:
    """One worker's view of all of them; alone, it never meets anybody."""

    def __init__(self, rank: int = 0, workers: int = 1) -> None:
        self.rank = rank
        self.workers = workers
        self.met = 0  # meetings so far
        self.step = 0  # of this worker at the last of them

    @property
    def leads(self) -> bool:
        """Whether this worker writes files and shows progress."""
        return self.rank == 0

    def number(self, step: int) -> int:
        """Which lesson of all is this worker's at its own step."""
        return step * self.workers + self.rank

    def rejoin(self, seconds: float, step: int) -> None:
        """Count the meetings of the first `seconds` as held, and the steps as shared."""
        self.met, self.step = int(seconds // MEET_EVERY), step

    def agreed(self, seconds: float) -> float:
        """The time by which all decide alike: alone the present, else the last meeting."""
        return seconds if self.workers == 1 else self.met * MEET_EVERY

    def due(self, seconds: float, whole: float) -> bool:
        """Whether a meeting is due; the last one comes after the `whole` time."""
        passed = (self.met + 1) * MEET_EVERY
        return self.workers > 1 and passed <= seconds and passed < whole

    def meet(self, tensors: Iterable[Tensor], step: int) -> None:
        """Replace each tensor by its mean over the workers; waits for all of them.

        `step` counts a worker's own steps so far: one that took more of them since the last
        meeting counts more (McMahan et al. 2017, Communication-efficient learning of deep
        networks from decentralized data, algorithm 1).
        """
        self.met += 1
        taken, self.step = max(1, step - self.step), step
        if self.workers == 1:
            return
        own = [tensor for tensor in tensors if tensor.is_floating_point()]
        flat = torch.cat([tensor.detach().reshape(-1).float().cpu() for tensor in own])
        flat = torch.cat([flat * taken, flat.new_tensor([taken])])
        self._sum(flat)
        means = (flat[:-1] / flat[-1]).split([tensor.numel() for tensor in own])
        with torch.no_grad():
            for tensor, mean in zip(own, means, strict=True):
                tensor.copy_(mean.view(tensor.shape))

    def total(self, count: int) -> int:
        """The sum of every worker's count."""
        if self.workers == 1:
            return count
        counts = torch.tensor([count])
        self._sum(counts)
        return int(counts)

    def _sum(self, tensor: Tensor) -> None:
        try:
            dist.all_reduce(tensor)
        except RuntimeError as error:
            raise InputError(
                "Another worker of this training has ended; go on with --resume."
            ) from error


def together(workers: int, task: Callable[[Company], T]) -> T:
    """Run `task` in `workers` processes and return what the leading one, this one, returns.

    `task` is pickled for the others, so it is a module's function or a partial of one.
    """
    if workers == 1:
        return task(Company())
    context = torch.multiprocessing.get_context("spawn")
    before = _cores(), torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meeting"
        others = [
            context.Process(target=_join, args=(rank, workers, meeting, before, task))
            for rank in range(1, workers)
        ]
        for other in others:
            other.daemon = True  # ends with this process
            other.start()
        try:
            result = _join(0, workers, meeting, before, task)
            for other in others:
                other.join()
        finally:
            _settle(*before)
            if dist.is_initialized():
                dist.destroy_process_group()
    return result


def _join(
    rank: int,
    workers: int,
    meeting: str,
    had: tuple[list[int], int],
    task: Callable[[Company], T],
) -> T:
    cores, threads = had
    keep_memory()
    share = cores[rank::workers] or cores
    _settle(share, max(1, threads // workers))
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=workers)
    return task(Company(rank, workers))


def _cores() -> list[int]:
    """The cores that this process may use; none where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _settle(cores: list[int], threads: int) -> None:
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    torch.set_num_threads(threads)
