"""What the tests of priors for several views are asked: words, a picture, cameras, noise."""

import numpy as np
import torch

from splatsmith.cameras import orbit
from splatsmith.images import Reference
from splatsmith.prompts import Prompt

WORDS = Prompt(text="a red ball", views=None)
CAMERAS = orbit([20.0, 110.0, 200.0, 290.0] * 2, 15.0, width=16, height=16)


def picture(value=200, azimuth=20.0):
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[16:48, 20:40] = (value, 30, 90, 255)
    rgba[20:30, 20:30] = (20, value, 30, 128)
    return Reference.of(rgba, azimuth, 15.0)


def seen(value=200):
    return Prompt(text="a red ball", views=None, image=picture(value))


def noisy(prior, gen, count=8):
    """x_t and t of two groups of four."""
    shape = (count, prior.channels, prior.resolution, prior.resolution)
    return torch.randn(shape, generator=gen), torch.tensor([0.2, 0.7]).repeat_interleave(4)
