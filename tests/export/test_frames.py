import numpy as np
import pytest
import torch

from splatsmith.export.frames import PLY, Frame
from splatsmith.render.harmonics import color_from, harmonics

FRONT, LEFT, UP = np.eye(3)
OTHER = Frame(axes=(1, 2, 0), signs=(1, 1, 1))
TURN = Frame(axes=(1, 0, 2), signs=(-1, 1, 1))


def matrix_of(quats: np.ndarray) -> np.ndarray:
    """Rotation matrices by rotating the axes with q v q*; another formula than the code's."""
    unit = quats / np.linalg.norm(quats, axis=1, keepdims=True)
    w, v = unit[:, :1], unit[:, 1:]
    columns = [e + 2 * np.cross(v, np.cross(v, e) + w * e) for e in np.eye(3)]
    return np.stack(columns, axis=2)


def test_up_is_minus_y_and_front_is_plus_z_in_a_ply():
    turned = PLY.points(np.stack([FRONT, LEFT, UP]))
    np.testing.assert_array_equal(turned, [[0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def test_the_matrix_says_the_same_as_the_table():
    points = np.random.default_rng(0).normal(size=(9, 3))
    np.testing.assert_allclose(PLY.points(points), points @ PLY.rotation.T, rtol=0, atol=0)


@pytest.mark.parametrize("frame", [PLY, OTHER, TURN, PLY.inverse])
def test_the_inverse_undoes_everything(frame):
    rng = np.random.default_rng(1)
    points, quats = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
    sh = rng.normal(size=(5, 16, 3))
    back = frame.inverse
    np.testing.assert_array_equal(back.points(frame.points(points)), points)
    np.testing.assert_allclose(back.sh(frame.sh(sh)), sh, atol=1e-12)
    ours, again = matrix_of(quats), matrix_of(back.quats(frame.quats(quats)))
    np.testing.assert_allclose(again, ours, atol=1e-12)


@pytest.mark.parametrize("frame", [PLY, OTHER, TURN, PLY.inverse])
def test_quaternions_turn_as_matrices_do(frame):
    quats = np.random.default_rng(2).normal(size=(20, 4))
    np.testing.assert_allclose(
        matrix_of(frame.quats(quats)), frame.rotation @ matrix_of(quats), atol=1e-12
    )


@pytest.mark.parametrize("frame", [PLY, OTHER, TURN, PLY.inverse])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_colors_along_turned_directions_are_the_colors_before(frame, degree):
    rng = np.random.default_rng(3)
    sh = rng.normal(size=(200, (degree + 1) ** 2, 3)) * 0.2
    direction = rng.normal(size=(200, 3))
    before = color_from(torch.from_numpy(sh), torch.from_numpy(direction))
    turned = torch.from_numpy(direction @ frame.rotation.T)
    after = color_from(torch.from_numpy(frame.sh(sh)), turned)
    torch.testing.assert_close(after, before, rtol=0, atol=1e-12)
    if degree:  # Not turning them is seen.
        wrong = color_from(torch.from_numpy(sh), turned)
        assert (wrong - before).abs().max() > 0.1


def test_turning_harmonics_keeps_their_power():
    product = PLY.harmonics @ PLY.harmonics.T
    np.testing.assert_allclose(product, np.eye(16), atol=1e-12)


def test_degree_one_is_exact_and_follows_the_signs_of_3dgs():
    # The coefficients of a gradient g are (-gy, gz, -gx); in the file g is (-gy, -gz, gx).
    expected = [[0, 1, 0], [0, 0, -1], [-1, 0, 0]]
    np.testing.assert_array_equal(PLY.harmonics[1:4, 1:4], expected)
    direction = torch.tensor([[0.2, -0.5, 0.7]], dtype=torch.float64)
    y, z, x = harmonics(direction, 1)[0, 1:] / 0.4886025119029199
    assert torch.allclose(torch.stack([-x, -y, z]), direction[0])


def test_single_precision_stays_single_precision():
    points = np.ones((2, 3), dtype=np.float32)
    assert PLY.points(points).dtype == np.float32
    assert PLY.quats(np.ones((2, 4), dtype=np.float32)).dtype == np.float32
    assert PLY.sh(np.ones((2, 4, 3), dtype=np.float32)).dtype == np.float32


def test_a_mirror_is_not_a_frame():
    with pytest.raises(AssertionError, match="mirror"):
        _ = Frame(axes=(0, 1, 2), signs=(-1, 1, 1)).rotation
