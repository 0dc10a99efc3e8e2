"""How much faster the frozen prior answers by the network's kernels than by torch's layers.

    python benchmarks/network.py [--threads N] [--rounds N]

Both in one run, by turns, float32; agreement first. What counts is the ratio.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from splatsmith.priors import network_native
from splatsmith.priors.embedded import EmbeddedPrior, load_embedded


@contextmanager
def by_torch(prior: EmbeddedPrior) -> Iterator[None]:
    """Weights that could learn are left to torch."""
    prior.net.requires_grad_(True)
    try:
        yield
    finally:
        prior.net.requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    prior = load_embedded(asked.prior)
    print(f"{prior.name}, {torch.get_num_threads()} threads, kernels {network_native.isas()}")
    generator = torch.Generator().manual_seed(0)
    for views in (1, 4, 8):
        size = prior.net.shape.resolution
        x = torch.randn(views, 3, size, size, generator=generator)
        tokens = torch.ones(views, prior.net.shape.words, dtype=torch.long)
        camera = torch.randn(views, 7, generator=generator)

        def answer(x: Tensor = x, tokens: Tensor = tokens, camera: Tensor = camera) -> Tensor:
            text = prior.text_of(tokens)
            noisy = x.contiguous(memory_format=torch.channels_last)
            return prior.net(noisy, torch.zeros(len(x)), tokens, camera, None, text)

        with torch.no_grad():
            ours = answer()
            with by_torch(prior):
                theirs = answer()
            off = float((ours - theirs).abs().max() / theirs.abs().max())
            assert off < 1e-4, f"the kernels are off by {off}"
            fast = slow = float("inf")
            for _ in range(asked.rounds):
                fast = min(fast, timed(answer))
                with by_torch(prior):
                    slow = min(slow, timed(answer))
        print(
            f"{views} pictures: torch {1e3 * slow:6.1f} ms, kernels {1e3 * fast:6.1f} ms, "
            f"{slow / fast:.2f}x, off by {off:.1e}"
        )


def timed(answer) -> float:
    begun = time.perf_counter()
    answer()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
