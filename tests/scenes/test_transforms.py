"""Turned scenes look as before to turned eyes; the rest does what its name says."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.render.harmonics import color_from, turn_of_harmonics
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.surgery import rotate
from splatsmith.scenes.transforms import (
    importance,
    kept,
    moved,
    quaternion_of,
    quaternion_product,
    resized,
    turned,
    with_degree,
)

DOUBLE = torch.float64


def random_rotation(seed: int) -> torch.Tensor:
    """Any rotation: the Q of a random matrix, made proper."""
    gen = torch.Generator().manual_seed(seed)
    q, r = torch.linalg.qr(torch.randn(3, 3, generator=gen, dtype=DOUBLE))
    q = q * torch.sign(torch.diagonal(r))
    return q * torch.linalg.det(q)


def scene_of(seed: int, count: int = 12, degree: int = 3) -> Gaussians:
    gen = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=gen, dtype=DOUBLE)

    return Gaussians(
        means=normal(count, 3) * 0.3,
        log_scales=normal(count, 3) * 0.5 - 2,
        quats=normal(count, 4),
        logit_opacities=normal(count),
        sh=normal(count, (degree + 1) ** 2, 3) * 0.3,
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), degree=st.integers(0, 3))
def test_colors_along_turned_directions_are_the_colors_before(seed, degree):
    rotation, scene = random_rotation(seed), scene_of(seed + 1, degree=degree)
    direction = torch.randn(
        scene.count, 3, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE
    )
    before = color_from(scene.sh, direction)
    after = color_from(turned(scene, rotation).sh, direction @ rotation.T)
    torch.testing.assert_close(after, before, rtol=0, atol=1e-11)


def test_turns_of_harmonics_follow_turns():
    """They multiply as rotations do, keep lengths, and leave degrees by themselves."""
    a, b = random_rotation(1), random_rotation(2)
    product = turn_of_harmonics(a) @ turn_of_harmonics(b)
    torch.testing.assert_close(turn_of_harmonics(a @ b), product, rtol=0, atol=1e-11)
    eye = torch.eye(16, dtype=DOUBLE)
    torch.testing.assert_close(turn_of_harmonics(eye[:3, :3]), eye, rtol=0, atol=1e-12)
    turn = turn_of_harmonics(a)
    torch.testing.assert_close(turn @ turn.T, eye, rtol=0, atol=1e-11)
    assert not turn[1:4, 4:].any()
    assert (turn - turn_of_harmonics(a.T)).abs().max() > 0.1  # The other way is another turn.


def test_degree_one_turns_as_a_vector_does():
    """Coefficients of a gradient g are (-gy, gz, -gx), so they can be turned by hand."""
    rotation, g = random_rotation(3), torch.tensor([0.3, -0.8, 0.5], dtype=DOUBLE)
    x, y, z = rotation @ g
    turn = turn_of_harmonics(rotation)[1:4, 1:4]
    found = turn @ torch.stack([-g[1], g[2], -g[0]])
    torch.testing.assert_close(found, torch.stack([-y, z, -x]), rtol=0, atol=1e-12)


def test_a_turned_scene_looks_the_same_to_turned_cameras():
    scene, rotation = scene_of(4), random_rotation(5)
    cameras = orbit([0, 100], [10, -30], width=32, height=32).to(DOUBLE)
    background = torch.tensor([0.2, 0.5, 0.9], dtype=DOUBLE)
    picture = scene.render(cameras, background, backend="reference").color
    placed = torch.eye(4, dtype=DOUBLE)
    placed[:3, :3] = rotation.T
    cameras.viewmat[:] = cameras.viewmat @ placed
    seen = turned(scene, rotation).render(cameras, background, backend="reference").color
    torch.testing.assert_close(seen, picture, rtol=0, atol=1e-8)
    assert picture.std() > 0.05


def test_quaternions_are_the_rotations_that_they_come_from():
    for seed in range(8):
        rotation = random_rotation(seed)
        vectors = torch.eye(3, dtype=DOUBLE)
        quats = quaternion_of(rotation).repeat(3, 1)
        torch.testing.assert_close(rotate(quats, vectors), rotation.T, rtol=0, atol=1e-12)
        other = torch.randn(3, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))
        both = quaternion_product(quaternion_of(rotation), other)
        expected = rotate(other, vectors) @ rotation.T
        torch.testing.assert_close(rotate(both, vectors), expected, rtol=0, atol=1e-12)


def test_what_is_no_rotation_is_refused():
    for matrix in (torch.diag(torch.tensor([1.0, 1, -1])), 2 * torch.eye(3), torch.zeros(3, 3)):
        with pytest.raises(InputError, match="A rotation is needed"):
            turned(scene_of(0), matrix.to(DOUBLE))


def test_moving_and_resizing():
    scene = scene_of(6)
    there = moved(resized(scene, 3.0), torch.tensor([1.0, 2, 3], dtype=DOUBLE))
    torch.testing.assert_close(
        there.means.data, 3 * scene.means.data + torch.tensor([1.0, 2, 3], dtype=DOUBLE)
    )
    torch.testing.assert_close(there.scales, 3 * scene.scales)
    torch.testing.assert_close(there.sh.data, scene.sh.data)
    for factor in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InputError, match="factor above 0"):
            resized(scene, factor)


def test_keeping_and_degrees():
    scene = scene_of(7, count=5, degree=2)
    some = kept(scene, torch.tensor([True, False, True, False, False]))
    torch.testing.assert_close(some.quats.data, scene.quats.data[[0, 2]])
    with pytest.raises(InputError, match="at least one splat"):
        kept(scene, torch.zeros(5, dtype=torch.bool))
    assert with_degree(scene, 0).sh.shape == (5, 1, 3)
    more = with_degree(scene, 3)
    torch.testing.assert_close(more.sh.data[:, :9], scene.sh.data)
    assert not more.sh.data[:, 9:].any()
    with pytest.raises(InputError, match="0, 1, 2 or 3"):
        with_degree(scene, 4)


def test_importance_grows_with_opacity_and_size():
    scene = scene_of(8, count=3)
    scene.log_scales.data[:] = torch.tensor([-3.0, -2.0, -2.0], dtype=DOUBLE)[:, None]
    scene.logit_opacities.data[:] = torch.tensor([0.0, 0.0, 1.0], dtype=DOUBLE)
    values = importance(scene)
    assert values[0] < values[1] < values[2]


def test_numbers_stay_in_their_format():
    scene = scene_of(9).float()
    for other in (
        turned(scene, random_rotation(1)),
        resized(scene, 2.0),
        with_degree(scene, 1),
    ):
        assert all(p.dtype == torch.float32 for p in other.parameters())
