"""Pictures to the x of a published prior and back, with frozen weights and a live gradient.

The encoder is a large network between the picture and x: what the prior says about x reaches
the scene only through its gradient. So encoding is never done without one; what is frozen are
the weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from splatsmith.priors.pixels import decode_pixels, encode_pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentShape:
    """What an autoencoder's configuration says about its latents."""

    channels: int
    shrink: int  # pixels a side of one latent cell
    scale: float  # latents are (mean - shift) * scale
    shift: float
    fragile: bool  # overflows in half precision, so works in float32

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "LatentShape":
        """From the configuration of an AutoencoderKL."""
        return cls(
            channels=int(config.get("latent_channels", 4)),
            shrink=2 ** (len(config.get("block_out_channels", (64,))) - 1),
            scale=float(config.get("scaling_factor") or 0.18215),
            shift=float(config.get("shift_factor") or 0.0),
            fragile=bool(config.get("force_upcast", False)),
        )


def encode_latents(
    autoencoder: nn.Module,
    shape: LatentShape,
    color: Float[Tensor, "views height width 3"],
    size: int,
    *,
    frugal: bool,
) -> Float[Tensor, "views channels rows columns"]:
    """float32 latents of pictures in 0..1, brought to `size`; differentiable.

    The mean of the encoder's distribution, not a draw from it: its deviation is far below the
    noise that distillation adds. `frugal` encodes one picture at a time and keeps nothing but
    the picture; the rest is computed again on the way back. The values are the same.
    """
    x = encode_pixels(color.to(_place(autoencoder)), size)

    def encoded(pictures: Tensor) -> Tensor:
        working = pictures.to(_dtype(autoencoder))
        mean = autoencoder.encode(working).latent_dist.mean.float()  # type: ignore[operator]
        return (mean - shape.shift) * shape.scale

    if not frugal:
        return encoded(x)
    rows = [
        checkpoint(encoded, one, use_reentrant=False, preserve_rng_state=False)
        for one in x.split(1)
    ]
    return torch.cat(rows)


@torch.no_grad()
def decode_latents(
    autoencoder: nn.Module,
    shape: LatentShape,
    latents: Float[Tensor, "views channels rows columns"],
) -> Float[Tensor, "views height width 3"]:
    """Pictures in 0..1, one at a time; without gradients."""
    plain = (latents.to(_place(autoencoder)) / shape.scale + shape.shift).to(
        _dtype(autoencoder)
    )
    pictures = [autoencoder.decode(one).sample.float() for one in plain.split(1)]  # type: ignore[operator]
    return decode_pixels(torch.cat(pictures))


def _place(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _dtype(model: nn.Module) -> torch.dtype:
    return next(model.parameters()).dtype
