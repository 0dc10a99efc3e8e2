"""The sheet of all categories: `python -m splatsmith.toybox.sheet toybox.png [pixels]`.

One category after another, four views in its natural dress (front, side, back, three quarters),
then two instances of other shapes and colors.
"""

import sys
from pathlib import Path

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from splatsmith.cameras.convention import orbit
from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.drawing import render
from splatsmith.toybox.objects import build, object_with

VIEWS = ((0.0, 12.0), (90.0, 12.0), (180.0, 12.0), (40.0, 25.0), (40.0, 25.0), (-50.0, 20.0))
COLUMNS = 3  # categories side by side


def sheet(size: int = 96) -> UInt8[Tensor, "height width 3"]:
    """All categories, six pictures of size x size pixels each; the same every time."""
    generator = torch.Generator().manual_seed(3)
    strips = []
    for name, kind in CATEGORIES.items():
        others = [object_with(name, generator) for _ in range(2)]
        toys = [build(name, color=kind.dress)] * 4 + others
        azimuth, elevation = zip(*VIEWS, strict=True)
        cameras = orbit(azimuth, elevation, width=size, height=size)
        strips.append(torch.cat(list(render(toys, cameras, samples=4).color), dim=1))
    rows = -(-len(strips) // COLUMNS)
    blank = [torch.ones_like(strips[0])] * (rows * COLUMNS - len(strips))
    strips += blank
    columns = [torch.cat(strips[i * rows : (i + 1) * rows]) for i in range(COLUMNS)]
    return (torch.cat(columns, dim=1) * 255).round().to(torch.uint8)


def main(path: str, size: str = "96") -> None:
    """Write the sheet as a PNG."""
    Image.fromarray(sheet(int(size)).numpy()).save(Path(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
