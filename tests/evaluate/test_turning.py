"""T, S and the number of faces, against closed forms."""

import math

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.evaluate.turning import (
    Turning,
    mean_azimuth,
    repeat_score,
    turning,
    turning_cameras,
    turning_score,
)

AZIMUTH = torch.arange(24) * 15.0
CENTERS = torch.arange(12) * 30.0


def sure(azimuth, width=15.0):
    """Posteriors that fall off around each view's azimuth (von Mises), degrees."""
    gap = torch.deg2rad(azimuth[:, None] - CENTERS)
    return (gap.cos() * (180 / (math.pi * width)) ** 2).softmax(-1)


def test_one_bin_and_two_bins_have_their_mean_in_the_middle():
    read = torch.zeros(3, 12)
    read[0, 11], read[1, 3], read[1, 4] = 1, 0.5, 0.5
    read[2, 11], read[2, 0] = 0.5, 0.5
    found = mean_azimuth(read)
    torch.testing.assert_close(found, torch.tensor([-30.0, 105.0, -15.0]))


@pytest.mark.parametrize("offset", [0.0, 37.0, -170.0])
def test_a_look_that_turns_with_the_camera_scores_one_whatever_the_offset(offset):
    assert turning_score(AZIMUTH + offset, AZIMUTH) == pytest.approx(1.0)
    whole = turning(sure(AZIMUTH + offset), AZIMUTH)
    assert whole.score > 0.99
    assert whole.faces == 1
    assert not whole.janus


def test_a_look_that_stands_still_or_turns_the_wrong_way_scores_zero():
    assert turning_score(torch.full((24,), 20.0), AZIMUTH) == pytest.approx(0.0, abs=1e-6)
    assert turning_score(-AZIMUTH, AZIMUTH) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("faces", [2, 3, 4])
def test_faces_that_come_back_are_counted(faces):
    """n faces show the front sector n times: the look jumps back every 360 / n degrees."""
    sector = 360.0 / faces
    look = (AZIMUTH + sector / 2) % sector - sector / 2
    found = turning(sure(look), AZIMUTH)
    assert found.janus
    assert found.faces == faces
    assert found.shift == pytest.approx(sector)
    assert found.repeat == pytest.approx(1.0, abs=1e-5)


def test_the_sawtooth_of_two_faces_scores_its_closed_form():
    """Half the views read as they are, half turned by 180: the two halves cancel."""
    look = (AZIMUTH + 90) % 180 - 90
    assert turning_score(look, AZIMUTH) == pytest.approx(0.0, abs=1e-6)
    # Three faces: offsets 0, 120, 240 in equal numbers cancel as well.
    assert turning_score(AZIMUTH % 120, AZIMUTH) == pytest.approx(0.0, abs=1e-6)
    # A quarter of the views off by 180: 3/4 - 1/4.
    off = AZIMUTH + 180 * (torch.arange(24) < 6)
    assert turning_score(off, AZIMUTH) == pytest.approx(0.5)


def test_overlap_is_bhattacharyyas():
    read = torch.zeros(4, 12)
    read[:, 0], read[:, 1] = 0.36, 0.64
    read[1::2] = read[1::2].flip(1)  # these share no bin with the others
    score, shift = repeat_score(read)
    assert (score, shift) == (pytest.approx(1.0), 180.0)  # views 2 apart are equal
    with pytest.raises(InputError, match="four views"):
        repeat_score(read[:3])


def test_janus_is_decided_by_turning_alone():
    assert Turning(0.499, 0.0, 180.0, 2).janus
    assert not Turning(0.5, 1.0, 180.0, 1).janus


def test_cameras_stand_evenly_around():
    cameras = turning_cameras()
    torch.testing.assert_close(cameras.azimuth, AZIMUTH)
    assert (cameras.elevation == 15).all()
    assert (cameras.width, cameras.height) == (96, 96)
