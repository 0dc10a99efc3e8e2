import letter_cube
import numpy as np
import pytest
import torch
from letter_cube import CELLS, FACES, FOVY, GLYPHS, HALF, RADIUS, SIZE, glyph
from PIL import Image

from splatsmith.cameras.convention import focal_of


@pytest.fixture(scope="module")
def views():
    return letter_cube.draw()


def read_ink(view: torch.Tensor) -> torch.Tensor:
    """The 7 x 5 cells of a face that is seen straight on: True where it is dark."""
    cell = focal_of(FOVY, SIZE) * (2 * HALF / CELLS) / (RADIUS - HALF)  # pixels
    columns = (SIZE / 2 + (torch.arange(5) - 2) * cell).long()
    rows = (SIZE / 2 + (torch.arange(7) - 3) * cell).long()
    return view.mean(dim=-1)[rows[:, None], columns] < 0.5


@pytest.mark.parametrize("letter", list(FACES))
def test_each_face_shows_its_letter_upright_and_not_mirrored(views, letter):
    seen = read_ink(views[list(FACES).index(letter)])
    assert torch.equal(seen, glyph(letter))
    readable = {other for other in GLYPHS if torch.equal(seen, glyph(other))}
    assert readable == {letter}


@pytest.mark.parametrize("letter", ["F", "L", "R"])
def test_the_letters_could_tell_a_mirrored_or_turned_picture(letter):
    shape = glyph(letter)
    assert not torch.equal(shape.flip(0), shape)
    assert not torch.equal(shape.flip(1), shape)
    assert not torch.equal(shape.flip(0, 1), shape)


def test_the_cube_looks_like_the_golden_picture(views):
    golden = torch.from_numpy(np.array(Image.open(letter_cube.GOLDEN)).astype(np.float32)) / 255
    difference = (letter_cube.montage(views) - golden).abs()
    assert difference.mean() < 0.002
    assert difference.max() < 0.02
