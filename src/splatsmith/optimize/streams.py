"""Random numbers that depend on (seed, stream, step) and on nothing else.

A run never carries the state of a generator from one step to the next. That is why a checkpoint
needs none, and why a resumed run draws what the uninterrupted one would have drawn.
"""

import hashlib

import torch


def stream(
    seed: int, name: str, step: int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """The generator for one kind of draw, such as "noise", at one step of a run."""
    text = f"{seed}/{name}/{step}".encode()
    # 63 bits: torch takes seeds as signed 64-bit numbers.
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1
    return torch.Generator(device).manual_seed(number)
