"""Clean pictures made to look as distillation leaves them: bumpy, blotchy, oversaturated.

Each picture gets its own mixture, and about a quarter of them none, so that the evaluators are
at home with true objects and with generated ones.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Pictures = Float[Tensor, "views 3 height width"]

CLEAN = 0.25  # share of the pictures that stay as they are
WOBBLE = 2.0  # pixels by which outlines are pushed about, at most in the mean
BLUR = 1.4  # standard deviation in pixels, at most
BLOTCH, GRAIN = 0.08, 0.05  # standard deviations of coarse and of pixel noise, at most
CONTRAST, SATURATION, BRIGHTNESS = (0.8, 1.3), (0.7, 1.6), 0.08
BLOBS = 4  # a picture, at most
BLOB_SIZE = (1.0, 3.5)  # standard deviations along its axes, pixels


def degrade(pictures: Pictures, generator: torch.Generator) -> Pictures:
    """The pictures (0 to 1), most of them spoiled; depends on the arguments alone."""
    views = len(pictures)
    draws = torch.rand(views, 12, generator=generator)
    spoiled = _blobs(_wobbled(pictures, draws[:, 0], generator), draws[:, 1], generator)
    spoiled = _blurred(spoiled, BLUR * draws[:, 2] * (draws[:, 3] < 0.6))
    thing = _thing(spoiled)
    changed = _recolored(spoiled, draws[:, 4:7])
    changed = _noisy(changed, draws[:, 7:9] * (draws[:, 9:11] < 0.5), generator)
    spoiled = spoiled + thing * (changed - spoiled)
    clean = (draws[:, 11] < CLEAN)[:, None, None, None]
    mixed = torch.where(clean, pictures, spoiled.clamp(0, 1))
    return mixed.contiguous(memory_format=torch.channels_last)


def _thing(pictures: Pictures) -> Float[Tensor, "views 1 height width"]:
    """How much of the thing each pixel shows: its difference from the corners' color.

    Backgrounds are left even, because those of rendered scenes always are.
    """
    corners = pictures[:, :, :: pictures.shape[2] - 1, :: pictures.shape[3] - 1]
    ground = corners.flatten(2).median(dim=2).values[:, :, None, None]
    return ((pictures - ground).abs().amax(1, keepdim=True) * 8).clamp(max=1)


def _wobbled(
    pictures: Pictures, amount: Float[Tensor, "views"], generator: torch.Generator
) -> Pictures:
    """Push every place by a smooth random field, as uneven splats do to an outline."""
    views, _, height, width = pictures.shape
    coarse = torch.randn(views, 2, height // 8, width // 8, generator=generator)
    coarse = coarse * (WOBBLE * amount)[:, None, None, None] * (2 / width)
    field = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    still = torch.eye(2, 3).expand(views, 2, 3)
    grid = F.affine_grid(still, [views, 3, height, width], align_corners=False)
    moved = grid + field.permute(0, 2, 3, 1)
    return F.grid_sample(pictures, moved, padding_mode="border", align_corners=False)


def _blobs(
    pictures: Pictures, amount: Float[Tensor, "views"], generator: torch.Generator
) -> Pictures:
    """Lay small soft ellipses over half of the pictures, in colors that occur in them."""
    views, _, height, width = pictures.shape
    rows = torch.arange(height).view(1, height, 1) + 0.5
    columns = torch.arange(width).view(1, 1, width) + 0.5
    low, high = BLOB_SIZE
    for k in range(BLOBS):
        draws = torch.rand(views, 8, generator=generator)
        place = (height * (0.5 + 0.3 * torch.randn(views, 2, generator=generator))).clamp(0)
        from_row, from_column = (draws[:, :2] * height).long().unbind(-1)
        color = pictures[torch.arange(views), :, from_row, from_column]
        color = (color + 0.3 * (draws[:, 2:5] - 0.5)).clamp(0, 1)
        down = rows - place[:, :1, None]
        across = columns - place[:, 1:, None]
        size = low + (high - low) * draws[:, 5:7, None, None] ** 2
        turn = draws[:, 7, None, None] * math.pi
        along = across * turn.cos() + down * turn.sin()
        beside = down * turn.cos() - across * turn.sin()
        cover = torch.exp(-0.5 * ((along / size[:, 0]) ** 2 + (beside / size[:, 1]) ** 2))
        there = amount * 2 - 1 > k / BLOBS
        cover = (cover * 1.3).clamp(max=1) * there[:, None, None]
        pictures = pictures + cover[:, None] * (color[:, :, None, None] - pictures)
    return pictures


def _blurred(pictures: Pictures, sigma: Float[Tensor, "views"]) -> Pictures:
    """Blur each picture by its own Gaussian; 0 leaves it sharp."""
    views, channels, height, width = pictures.shape
    reach = torch.arange(-4, 5)
    kernel = torch.exp(-0.5 * (reach / sigma.clamp(min=0.05)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    flat = pictures.reshape(1, views * channels, height, width)
    padded = F.pad(flat, (4, 4, 4, 4), mode="replicate")
    once = F.conv2d(padded, kernel[:, None, :, None], groups=views * channels)
    return F.conv2d(once, kernel[:, None, None], groups=views * channels).view_as(pictures)


def _recolored(pictures: Pictures, draws: Float[Tensor, "views 3"]) -> Pictures:
    """Change contrast about mid-gray, saturation about the luma, and brightness."""

    def between(limits: tuple[float, float], draw: Tensor) -> Tensor:
        return (limits[0] + (limits[1] - limits[0]) * draw)[:, None, None, None]

    luma = (pictures * pictures.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(
        1, keepdim=True
    )
    pictures = luma + between(SATURATION, draws[:, 0]) * (pictures - luma)
    pictures = 0.5 + between(CONTRAST, draws[:, 1]) * (pictures - 0.5)
    return pictures + between((-BRIGHTNESS, BRIGHTNESS), draws[:, 2])


def _noisy(
    pictures: Pictures, amount: Float[Tensor, "views 2"], generator: torch.Generator
) -> Pictures:
    """Add blotches of some four pixels, and grain of one."""
    views, _, height, width = pictures.shape
    coarse = torch.randn(views, 3, height // 4, width // 4, generator=generator)
    blotch = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    grain = torch.randn(pictures.shape, generator=generator)
    shares = (
        amount[:, :, None, None, None]
        * pictures.new_tensor([BLOTCH, GRAIN])[:, None, None, None]
    )
    return pictures + shares[:, 0] * blotch + shares[:, 1] * grain
