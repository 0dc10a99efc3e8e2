"""Where the networks work in bfloat16: where it multiplies in hardware, and nowhere else."""

import torch


def fast_bfloat16(device: torch.device | str) -> bool:
    """Whether bfloat16 multiplies in hardware.

    On a CPU that only imitates it, it is fifteen times slower than float32 in training.
    """
    if torch.device(device).type != "cpu":
        return True
    return bool(torch.cpu._is_avx512_bf16_supported())


def fast_precision(device: torch.device | str) -> torch.autocast:
    """A context in which networks work in bfloat16 if that is fast, else as they are."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=fast_bfloat16(device))


def fast_type(device: torch.device | str) -> torch.dtype:
    """bfloat16 where that is fast, else float32."""
    return torch.bfloat16 if fast_bfloat16(device) else torch.float32
