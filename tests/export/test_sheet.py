import numpy as np
import pytest
import torch
from dialects import random_scene
from PIL import Image

from splatsmith.cameras import sheet_cameras
from splatsmith.errors import InputError
from splatsmith.export import contact_sheet, labeled_grid, progress_sheet, save_png
from splatsmith.export.sheet import LABEL_HEIGHT, MARGIN, to_uint8


def test_bytes_are_rounded_and_clamped():
    color = torch.tensor([[[-1.0, 0.0, 0.4 / 255], [0.6 / 255, 1.0, 7.0]]])
    assert to_uint8(color).tolist() == [[[0, 0, 0], [1, 255, 255]]]


def test_each_cell_of_a_grid_holds_its_picture():
    rows = [torch.rand(3, 10, 20, 3), torch.rand(2, 10, 20, 3)]
    sheet = labeled_grid(rows, ["first", "second"])
    step_y, step_x = 10 + LABEL_HEIGHT + MARGIN, 20 + MARGIN
    assert sheet.shape == (2 * step_y, 3 * step_x - MARGIN, 3)
    for line, row in enumerate(rows):
        for column, picture in enumerate(row):
            y, x = line * step_y + LABEL_HEIGHT, column * step_x
            np.testing.assert_array_equal(sheet[y : y + 10, x : x + 20], to_uint8(picture))
    missing = sheet[step_y + LABEL_HEIGHT :, 2 * step_x :]
    assert (missing == 255).all()


def test_labels_are_written_and_differ():
    row = [torch.ones(1, 40, 80, 3)]
    one, two = labeled_grid(row, ["8"]), labeled_grid(row, ["a mug"])
    for sheet in (one, two):
        assert (sheet[:LABEL_HEIGHT] < 128).any()
        assert (sheet[LABEL_HEIGHT:] == 255).all()
    assert (one != two).any()


def test_a_contact_sheet_shows_the_views_of_the_scene():
    scene, size = random_scene(1, count=40), 24
    sheet = contact_sheet(scene, size=size, azimuths=4, elevations=(0.0, 50.0), background=0.5)
    cameras = sheet_cameras(size, size, azimuths=4, elevations=(0.0, 50.0))
    views = to_uint8(scene.render(cameras, torch.full((3,), 0.5)).color)
    step_y, step_x = size + LABEL_HEIGHT + MARGIN, size + MARGIN
    for number, view in enumerate(views):
        y = LABEL_HEIGHT + (number // 4) * step_y + LABEL_HEIGHT
        x = (number % 4) * step_x
        np.testing.assert_array_equal(sheet[y : y + size, x : x + size], view)
    assert scene.means.grad is None


def test_a_contact_sheet_of_a_scene_in_double_precision():
    scene = random_scene(1, count=5, dtype=torch.float64)
    single = contact_sheet(random_scene(1, count=5).double(), size=16, like=scene.means)
    assert single.shape[2] == 3


def test_a_progress_sheet_sets_render_above_its_target():
    renders, targets = list(torch.rand(3, 12, 12, 3)), list(torch.rand(3, 12, 12, 3))
    sheet = progress_sheet(renders, targets, ["0", "50", "100"])
    top = 2 * LABEL_HEIGHT
    below = top + 12 + MARGIN + LABEL_HEIGHT
    x = 12 + MARGIN
    np.testing.assert_array_equal(sheet[top : top + 12, x : x + 12], to_uint8(renders[1]))
    np.testing.assert_array_equal(sheet[below : below + 12, x : x + 12], to_uint8(targets[1]))


def test_a_saved_picture_is_the_picture_and_always_the_same_file(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    save_png(tmp_path / "a.png", picture)
    save_png(tmp_path / "b.png", picture)
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "a.png")), picture)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("rows", "labels"),
    [
        ([], []),
        ([torch.ones(1, 4, 4, 3)], []),
        ([torch.ones(1, 4, 4, 3), torch.ones(1, 5, 4, 3)], "ab"),
    ],
)
def test_grids_that_do_not_fit_are_refused(rows, labels):
    with pytest.raises(InputError, match="A grid needs"):
        labeled_grid(rows, list(labels))


def test_a_progress_sheet_needs_pairs():
    with pytest.raises(InputError, match="got 1, 2 and 1"):
        progress_sheet([torch.ones(4, 4, 3)], [torch.ones(4, 4, 3)] * 2, ["0"])
