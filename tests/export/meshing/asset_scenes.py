"""Small scenes whose surfaces and colors are known."""

import math

import torch

from splatsmith.scenes.gaussians import Gaussians, color_to_sh

RED, BLUE = (0.9, 0.1, 0.1), (0.1, 0.2, 0.9)


def splats(means, scale, opacity=0.9, color=None):
    """Round splats of one size and opacity; gray without a color."""
    means = torch.as_tensor(means, dtype=torch.float32).reshape(-1, 3)
    count = len(means)
    color = torch.full((count, 3), 0.5) if color is None else torch.as_tensor(color)
    return Gaussians(
        means,
        torch.full((count, 3), math.log(scale)),
        torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        torch.full((count,), math.log(opacity / (1 - opacity))),
        color_to_sh(color.expand(count, 3).float()),
    )


def spiral(count, radius=1.0):
    """Points evenly over a sphere."""
    height = 1 - 2 * (torch.arange(count) + 0.5) / count
    turn = math.pi * (3 - math.sqrt(5)) * torch.arange(count)
    flat = torch.sqrt(1 - height**2)
    return radius * torch.stack([flat * turn.cos(), flat * turn.sin(), height], dim=1)


def two_colored_ball(count=400, radius=0.6):
    """A shell of splats, red where x > 0 (the front) and blue behind."""
    means = spiral(count, radius)
    color = torch.where(means[:, :1] > 0, torch.tensor(RED), torch.tensor(BLUE))
    return splats(means, 0.07, 0.95, color)
