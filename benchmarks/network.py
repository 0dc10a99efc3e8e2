"""How much faster the frozen prior answers by the network's kernels than by torch's layers.

    python benchmarks/network.py [--threads N ...] [--ways WAY ...] [--rounds N]

By torch, by kernels called layer by layer, and by one call for all of them; all in one run, by
turns, float32; agreement first. Each figure is the least that passed, and in parentheses the
least time that all threads together were at work, which other jobs disturb less.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from splatsmith.priors import denoiser, network_native
from splatsmith.priors.embedded import EmbeddedPrior, load_embedded

WAYS = ["torch", "layers", "call"]


@contextmanager
def by_torch(prior: EmbeddedPrior) -> Iterator[None]:
    """Weights that could learn are left to torch."""
    prior.net.requires_grad_(True)
    try:
        yield
    finally:
        prior.net.requires_grad_(False)


@contextmanager
def by_layers() -> Iterator[None]:
    """As if there were no program of the whole network."""
    served = denoiser.served
    denoiser.served = lambda *args: None
    try:
        yield
    finally:
        denoiser.served = served


def question(prior: EmbeddedPrior, views: int) -> Callable[[], Tensor]:
    """What is timed: one pass for so many pictures."""
    generator = torch.Generator().manual_seed(0)
    shape = prior.net.shape
    sizes = (views, shape.channels, shape.resolution, shape.resolution)
    x = torch.randn(*sizes, generator=generator).contiguous(memory_format=torch.channels_last)
    tokens = torch.ones(views, shape.words, dtype=torch.long)
    camera = torch.randn(views, 7, generator=generator)
    text = prior.text_of(tokens)
    return lambda: prior.net(x, torch.zeros(views), tokens, camera, None, text)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    prior = load_embedded(asked.prior)
    print(f"{prior.name}, kernels {network_native.isas()}; least of {asked.rounds} rounds, ms")
    ways = {
        "torch": lambda: by_torch(prior),
        "layers": by_layers,
        "call": nullcontext,
    }
    for views in (1, 4, 8):
        answer = question(prior, views)
        found: dict[str, Tensor] = {}
        least: dict[tuple[str, int], tuple[float, float]] = {}
        for _ in range(asked.rounds):
            for threads in asked.threads:
                torch.set_num_threads(threads)
                for name in asked.ways:
                    with ways[name]():
                        found[name], *took = timed(answer)
                    before = least.get((name, threads), took)
                    least[name, threads] = min(took[0], before[0]), min(took[1], before[1])
        with by_torch(prior):
            exact = answer()
        off = max(float((y - exact).abs().max() / exact.abs().max()) for y in found.values())
        assert off < 1e-4, f"the kernels are off by {off}"
        for threads in asked.threads:
            figures = [(name, *least[name, threads]) for name in asked.ways]
            took = "  ".join(f"{name} {a:6.1f} ({b:6.1f})" for name, a, b in figures)
            print(f"{views} pictures, {threads} threads: {took}  off by {off:.1e}")


def timed(answer: Callable[[], Tensor]) -> tuple[Tensor, float, float]:
    """The answer, and the milliseconds that passed and that threads were at work."""
    begun, worked = time.perf_counter(), time.process_time()
    found = answer()
    return found, 1e3 * (time.perf_counter() - begun), 1e3 * (time.process_time() - worked)


if __name__ == "__main__":
    main()
