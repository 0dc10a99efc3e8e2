import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from splatsmith.cameras import Cameras, intrinsics, look_at, orbit
from splatsmith.cameras.convention import focal_of, wrap_degrees
from splatsmith.errors import InputError

angles = st.floats(-720, 720, allow_nan=False, width=32)
elevations = st.floats(-90, 90, allow_nan=False, width=32)


def project(cameras: Cameras, point: list[float]) -> torch.Tensor:
    """Pixels [views, 2] and depth at which a world point is seen."""
    world = torch.tensor([*point, 1.0], dtype=cameras.viewmat.dtype)
    seen = torch.einsum("vij,j->vi", cameras.viewmat, world)[:, :3]
    pixels = torch.einsum("vij,vj->vi", cameras.K, seen)
    return torch.cat([pixels[:, :2] / pixels[:, 2:], seen[:, 2:]], dim=1)


def test_from_the_front_the_objects_left_is_on_the_right_and_its_top_is_up():
    front = orbit(0.0, 0.0, width=64, height=64)
    x, y, depth = project(front, [0.0, 0.5, 0.0])[0].tolist()
    assert x > 33
    assert y == pytest.approx(32)
    assert depth == pytest.approx(3.2)
    x, y, _ = project(front, [0.0, 0.0, 0.5])[0].tolist()
    assert x == pytest.approx(32)
    assert y < 31
    assert project(front, [1.0, 0.0, 0.0])[0, 2].item() == pytest.approx(2.2)


def test_azimuth_90_stands_on_plus_y_and_sees_the_front_on_its_left():
    side = orbit(90.0, 0.0, width=64, height=64)
    torch.testing.assert_close(side.position[0], torch.tensor([0.0, 3.2, 0.0]))
    assert project(side, [0.5, 0.0, 0.0])[0, 0] < 31


def test_from_straight_above_at_azimuth_0_the_front_is_at_the_bottom():
    above = orbit(0.0, 90.0, width=64, height=64)
    torch.testing.assert_close(above.position[0], torch.tensor([0.0, 0.0, 3.2]))
    x, y, _ = project(above, [0.5, 0.0, 0.0])[0].tolist()
    assert x == pytest.approx(32, abs=1e-4)
    assert y > 33


def test_the_unit_ball_just_fits_the_default_view():
    # The rim is seen at asin(1 / radius) off the axis, 18.2 of the 20 degrees there are.
    edge = focal_of(40.0, 64) * math.tan(math.asin(1 / 3.2))
    assert 0.85 * 32 < edge < 32


@given(azimuth=angles, elevation=elevations, radius=st.floats(0.5, 50, width=32))
def test_rotations_are_proper_and_the_eye_is_where_the_angles_say(azimuth, elevation, radius):
    cameras = orbit(azimuth, elevation, radius=radius, width=8, height=8)
    rotation = cameras.viewmat[0, :3, :3]
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-6, rtol=0)
    assert torch.linalg.det(rotation).item() == pytest.approx(1, abs=1e-5)
    a, e = math.radians(azimuth), math.radians(elevation)
    where = [math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)]
    expected = radius * torch.tensor(where)
    torch.testing.assert_close(cameras.position[0], expected, atol=1e-4 * radius, rtol=0)


@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_poles_are_ordinary_places(pole):
    azimuth = torch.arange(0.0, 360.0, 15.0, dtype=torch.float64)
    at = orbit(azimuth, pole, width=8, height=8)
    near = orbit(azimuth, pole * (1 - 1e-6), width=8, height=8)
    eye = torch.eye(3, dtype=torch.float64).expand(24, 3, 3)
    rotation = at.viewmat[:, :3, :3]
    torch.testing.assert_close(rotation @ rotation.mT, eye)
    assert (at.viewmat - near.viewmat).abs().max() < 1e-5
    # The azimuth still turns the picture, by as much as the angle.
    turn = torch.einsum("vi,vi->v", rotation[:-1, 0], rotation[1:, 0])
    torch.testing.assert_close(turn, torch.full_like(turn, math.cos(math.radians(15))))


@given(azimuth=angles, elevation=st.floats(-89.5, 89.5, width=32))
def test_orbit_and_look_at_agree(azimuth, elevation):
    cameras = orbit(torch.tensor([azimuth], dtype=torch.float64), elevation, width=8, height=8)
    again = look_at(cameras.position, torch.zeros(1, 3, dtype=torch.float64))
    torch.testing.assert_close(again, cameras.viewmat, atol=1e-9, rtol=0)


@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_look_at_along_up_is_the_orbit_camera_of_azimuth_0(pole):
    cameras = orbit(0.0, pole, width=8, height=8)
    eye = torch.tensor([[0.0, 0.0, math.copysign(3.2, pole)]])
    torch.testing.assert_close(
        look_at(eye, torch.zeros(1, 3)), cameras.viewmat, atol=1e-6, rtol=0
    )


def test_resized_pictures_show_the_same_rays():
    cameras = orbit([0.0, 70.0], [10.0, 20.0], width=64, height=48)
    small = cameras.resized(16, 12)
    assert (small.width, small.height, len(small)) == (16, 12, 2)
    point = [0.3, -0.2, 0.4]
    torch.testing.assert_close(project(small, point)[:, :2] * 4, project(cameras, point)[:, :2])
    direct = intrinsics(torch.full((2,), 40.0), 16, 12)
    torch.testing.assert_close(small.K, direct)


def test_indexing_picks_views():
    cameras = orbit([0.0, 90.0, 180.0], 10.0, width=8, height=8)
    assert cameras[1:].azimuth.tolist() == [90.0, 180.0]
    assert cameras[torch.tensor([2, 0])].azimuth.tolist() == [180.0, 0.0]
    assert cameras[[1]].viewmat.shape == (1, 4, 4)


def test_a_float64_angle_makes_float64_cameras():
    cameras = orbit(torch.tensor([1.0], dtype=torch.float64), 0.0, width=8, height=8)
    assert {cameras.viewmat.dtype, cameras.K.dtype, cameras.radius.dtype} == {torch.float64}
    assert cameras.to(torch.float32).K.dtype == torch.float32


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"fovy": 0.0}, "fovy must lie between 0 and 180"),
        ({"fovy": 180.0}, "fovy must lie between 0 and 180"),
        ({"radius": 0.0}, "radius must be positive"),
        ({"width": 0}, "at least one pixel"),
        ({"radius": [1.0, 2.0, 3.0]}, "one value each, or one per view"),
    ],
)
def test_impossible_cameras_are_refused(keywords, said):
    arguments = {"width": 8, "height": 8} | keywords
    with pytest.raises(InputError, match=said):
        orbit([0.0, 10.0], 0.0, **arguments)


@given(angle=st.floats(-5000, 5000))
def test_wrapped_angles_point_the_same_way(angle):
    wrapped = wrap_degrees(torch.tensor(angle, dtype=torch.float64)).item()
    assert -180 <= wrapped < 180
    assert math.cos(math.radians(wrapped - angle)) == pytest.approx(1)
