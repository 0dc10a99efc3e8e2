"""How far a color is from the one that was asked for, as an eye would measure it.

CIE 1976 L*a*b* under D65: L* is lightness from 0 to 100, a* runs from green to red, b* from
blue to yellow; a distance of about 2.3 can just be seen.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# IEC 61966-2-1: linear sRGB to CIE XYZ, 2 degree observer.
XYZ_FROM_RGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
KNEE = 6 / 29  # CIE 15:2004, below the cube of it the cube root is replaced by a line


def lab_from_rgb(color: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """CIE L*a*b* of display-referred sRGB in 0..1; white is that of the matrix, (1, 1, 1)."""
    rgb = color.clamp(0, 1)
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    matrix = rgb.new_tensor(XYZ_FROM_RGB)
    xyz = linear @ matrix.T / matrix.sum(dim=1)
    line = xyz / (3 * KNEE**2) + 4 / 29
    x, y, z = torch.where(xyz > KNEE**3, xyz.clamp_min(KNEE**3) ** (1 / 3), line).unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-1)


def color_distance(
    color: Float[Tensor, "*batch 3"],
    where: Bool[Tensor, "*batch"],
    palette: tuple[float, float, float],
) -> float | None:
    """Mean distance (Delta E, CIE 1976) of the pixels of a mask to a palette color (RGB).

    Shading is removed by giving every pixel the median lightness L* of them all: light and
    shadow on one object then make no distance, but an object too dark or too light as a whole
    does. None if the mask is empty.
    """
    if not bool(where.any()):
        return None
    lab = lab_from_rgb(color[where])
    lab[:, 0] = lab[:, 0].median()
    return float((lab - lab_from_rgb(lab.new_tensor(palette))).norm(dim=-1).mean())


def color_difference(
    color: Float[Tensor, "*batch 3"],
    truth: Float[Tensor, "*batch 3"],
    where: Bool[Tensor, "*batch"],
) -> float | None:
    """Mean distance (Delta E, CIE 1976) of the pixels of a mask to those of another picture.

    Every pixel of either picture is first taken as in the light under which it would have the
    median lightness of that picture: light that is s times as strong multiplies a*, b* and
    L* + 16 by the cube root of s. None if the mask is empty.
    """
    if not bool(where.any()):
        return None
    ours, theirs = evenly_lit(color[where]), evenly_lit(truth[where])
    return float((ours - theirs).norm(dim=-1).mean())


def evenly_lit(color: Float[Tensor, "pixels 3"]) -> Float[Tensor, "pixels 3"]:
    """L*a*b* of pixels as if light fell on all of them so that they were equally light."""
    lab = lab_from_rgb(color)
    lightness = lab[:, :1] + 16
    middle = lightness.median()
    return torch.cat([middle.expand_as(lightness) - 16, lab[:, 1:] * middle / lightness], dim=1)
