"""A small autoencoder: pictures of 128 x 128 to latents of 4 x 32 x 32 and back.

What Stable Diffusion's is in large (Rombach et al. 2022), with a quarter of the side instead
of an eighth. Latents are scaled to a standard deviation of about one, so that they can be
noised like pictures. The encoder is deterministic: it answers with its distribution's mean.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SHRINK = 4  # pixels a side of one latent cell


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoencoderShape:
    """Everything that decides the shapes of the weights."""

    resolution: int = 128  # pixels a side of its pictures
    channels: int = 4  # of the latents
    fine_width: int = 32  # channels at half the resolution
    coarse_width: int = 96  # channels at a quarter of it
    blocks: int = 2  # at the coarse level, on either side


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_in, self.norm_out = nn.GroupNorm(8, width), nn.GroupNorm(8, width)
        self.conv_in = nn.Conv2d(width, width, 3, padding=1)
        self.conv_out = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)

    def forward(
        self, x: Float[Tensor, "views width rows columns"]
    ) -> Float[Tensor, "views width rows columns"]:
        """The same cells with new features."""
        h = self.conv_in(F.silu(self.norm_in(x)))
        return x + self.conv_out(F.silu(self.norm_out(h)))


class Autoencoder(nn.Module):
    """Encoder and decoder; `scale` and `shift` bring latents to about a standard normal."""

    scale: Tensor
    shift: Tensor

    def __init__(self, shape: AutoencoderShape) -> None:
        super().__init__()
        self.shape = shape
        fine, coarse = shape.fine_width, shape.coarse_width
        self.enter = nn.Conv2d(12, fine, 3, padding=1)
        self.fine_down = Residual(fine)
        self.shrink = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.coarse_down = nn.Sequential(*(Residual(coarse) for _ in range(shape.blocks)))
        self.to_latent = nn.Sequential(
            nn.GroupNorm(8, coarse), nn.SiLU(), nn.Conv2d(coarse, 2 * shape.channels, 1)
        )
        self.from_latent = nn.Conv2d(shape.channels, coarse, 3, padding=1)
        self.coarse_up = nn.Sequential(*(Residual(coarse) for _ in range(shape.blocks)))
        self.widen = nn.Conv2d(coarse, fine, 3, padding=1)
        self.fine_up = Residual(fine)
        self.leave = nn.Sequential(
            nn.GroupNorm(8, fine), nn.SiLU(), nn.Conv2d(fine, 12, 3, padding=1)
        )
        self.register_buffer("scale", torch.ones(shape.channels))
        self.register_buffer("shift", torch.zeros(shape.channels))

    def distribution(
        self, x: Float[Tensor, "views 3 height width"]
    ) -> tuple[Float[Tensor, "views channels rows columns"], Tensor]:
        """Mean and logarithm of the variance, before scaling; `x` is a picture in -1..1."""
        h = self.fine_down(self.enter(F.pixel_unshuffle(x, 2)))
        mean, log_variance = self.to_latent(self.coarse_down(self.shrink(h))).chunk(2, dim=1)
        return mean, log_variance.clamp(-20, 5)

    def encode(
        self, x: Float[Tensor, "views 3 height width"]
    ) -> Float[Tensor, "views channels rows columns"]:
        """Latents of pictures in -1..1; differentiable: the gradient goes to a scene."""
        mean = self.distribution(x)[0]
        return (mean - self.shift[:, None, None]) * self.scale[:, None, None]

    def decode(
        self, latents: Float[Tensor, "views channels rows columns"]
    ) -> Float[Tensor, "views 3 height width"]:
        """Pictures, about -1..1."""
        return self.rebuilt(latents / self.scale[:, None, None] + self.shift[:, None, None])

    def rebuilt(
        self, mean: Float[Tensor, "views channels rows columns"]
    ) -> Float[Tensor, "views 3 height width"]:
        """Pictures of latents that were not scaled."""
        h = self.coarse_up(self.from_latent(mean))
        h = self.fine_up(self.widen(F.interpolate(h, scale_factor=2.0)))
        return F.pixel_shuffle(self.leave(h), 2)
