"""A cube of Gaussians with a letter on each face, to pin axes and handedness.

The frames of the faces below are written out by hand from the convention in words (+X front, +Z
up, right-handed, the object's own left is +Y) and never computed by the code under test.
`python tests/cameras/letter_cube.py` draws the golden picture anew: look at it before you keep
it.
"""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from splatsmith.cameras import Cameras, orbit
from splatsmith.render import splat

GOLDEN = Path(__file__).parent / "golden" / "letter_cube.png"
HALF = 0.5  # Half the side of the cube, world units.
CELLS = 11  # A face has this many cells a side, of which the glyph takes the middle 5 x 7.
FINE = 3  # Splats a side in each cell.
SIZE = 66  # Pixels a side of each view.
RADIUS, FOVY = 3.2, 40.0

GLYPHS = {
    "F": "##### #.... #.... ####. #.... #.... #....",
    "L": "#.... #.... #.... #.... #.... #.... #####",
    "B": "####. #...# #...# ####. #...# #...# ####.",
    "R": "####. #...# #...# ####. #.#.. #..#. #...#",
    "T": "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
    "D": "####. #...# #...# #...# #...# #...# ####.",
}

# letter: (azimuth, elevation) from which it is read, outward normal, the reader's right and up.
FACES = {
    "F": ((0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "L": ((90, 0), (0, 1, 0), (-1, 0, 0), (0, 0, 1)),
    "B": ((180, 0), (-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "R": ((270, 0), (0, -1, 0), (1, 0, 0), (0, 0, 1)),
    "T": ((0, 90), (0, 0, 1), (0, 1, 0), (-1, 0, 0)),
    "D": ((0, -90), (0, 0, -1), (0, 1, 0), (1, 0, 0)),
}

COLORS = {
    "F": (1.0, 0.75, 0.75),
    "L": (0.75, 1.0, 0.75),
    "B": (0.75, 1.0, 1.0),
    "R": (1.0, 0.75, 1.0),
    "T": (0.75, 0.75, 1.0),
    "D": (1.0, 1.0, 0.75),
}


def glyph(letter: str) -> Tensor:
    """7 x 5, True where there is ink, first row on top."""
    rows = GLYPHS[letter].split()
    return torch.tensor([[mark == "#" for mark in row] for row in rows])


def face(letter: str) -> tuple[Tensor, Tensor]:
    """Means and colors of one face."""
    _, normal, right, up = (torch.tensor(v, dtype=torch.float32) for v in FACES[letter])
    ink = torch.zeros(CELLS, CELLS, dtype=torch.bool)
    ink[2:9, 3:8] = glyph(letter)
    ink = ink.repeat_interleave(FINE, 0).repeat_interleave(FINE, 1)
    count = CELLS * FINE
    along = ((torch.arange(count) + 0.5) / count * 2 - 1) * HALF
    means = (
        HALF * normal
        + along[None, :, None] * right  # Columns run to the reader's right,
        - along[:, None, None] * up  # rows run down.
    )
    color = torch.where(ink[..., None], 0.1, torch.tensor(COLORS[letter]))
    return means.reshape(-1, 3), color.reshape(-1, 3)


def cameras() -> Cameras:
    """One camera in front of each face, in the order of FACES, and two that see a corner."""
    angles = [view for view, *_ in FACES.values()] + [(30, 25), (210, -25)]
    azimuth, elevation = (list(column) for column in zip(*angles, strict=True))
    return orbit(azimuth, elevation, radius=RADIUS, fovy=FOVY, width=SIZE, height=SIZE)


def draw(backend: str = "reference") -> Tensor:
    """The pictures [views, height, width, 3] that `cameras` take of the cube."""
    parts = [face(letter) for letter in FACES]
    means, colors = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    count = len(means)
    return splat(
        means,
        torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(count, 1),
        torch.full((count, 3), 0.45 * 2 * HALF / (CELLS * FINE)),
        torch.full((count,), 0.95),
        ((colors - 0.5) / 0.28209479177387814)[:, None],
        cameras(),
        torch.ones(3),
        backend=backend,
    ).color


def montage(views: Tensor) -> Tensor:
    """Eight views as one picture of two rows."""
    rows = [torch.cat(list(row), dim=1) for row in views.split(4)]
    return torch.cat(rows, dim=0)


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    picture = (montage(draw()).clamp(0, 1) * 255).round().to(torch.uint8)
    Image.fromarray(picture.numpy()).save(GOLDEN, optimize=True)
