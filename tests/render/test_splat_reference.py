"""The reference against closed forms: it defines the answer, so it must be right by itself."""

import math

import pytest
import torch
from splat_scenes import random_scene

from splatsmith.cameras import orbit
from splatsmith.render import Picture, splat
from splatsmith.render.harmonics import harmonics
from splatsmith.render.reference import rotation_matrices

SIZE, RADIUS = 33, 3.0  # an odd size puts a pixel's center in the middle
C0 = 0.28209479177387814


def at_depths(depths, colors, opacities, scale=0.1, background=(0.2, 0.3, 0.4), **kwargs):
    """Isotropic splats on the axis of a camera at azimuth 0, that many units in front of it."""
    means = torch.tensor([[RADIUS - depth, 0.0, 0.0] for depth in depths])
    count = len(depths)
    return splat(
        means,
        torch.tensor([[1.0, 0, 0, 0]]).expand(count, 4),
        torch.full((count, 3), scale),
        torch.tensor(opacities),
        ((torch.tensor(colors) - 0.5) / C0)[:, None],
        orbit(0.0, 0.0, radius=RADIUS, fovy=40.0, width=SIZE, height=SIZE),
        torch.tensor(background),
        backend="reference",
        **kwargs,
    )


def middle(picture: Picture) -> tuple[torch.Tensor, float, float]:
    at = (0, SIZE // 2, SIZE // 2)
    return picture.color[at], picture.alpha[at].item(), picture.depth[at].item()


def test_one_splat_has_its_opacity_in_the_middle_and_falls_off_as_a_gaussian():
    picture = at_depths([2.0], [[0.9, 0.1, 0.5]], [0.6])
    color, alpha, depth = middle(picture)
    background = torch.tensor([0.2, 0.3, 0.4])
    expected = 0.6 * torch.tensor([0.9, 0.1, 0.5]) + 0.4 * background
    torch.testing.assert_close(color, expected)
    assert alpha == pytest.approx(0.6, rel=1e-5)
    assert depth == pytest.approx(2.0, rel=1e-5)
    focal = 0.5 * SIZE / math.tan(math.radians(20))
    variance = (focal * 0.1 / 2.0) ** 2 + 0.3
    beside = picture.alpha[0, SIZE // 2, SIZE // 2 + 2].item()
    assert beside == pytest.approx(0.6 * math.exp(-0.5 * 4 / variance), rel=1e-5)
    assert picture.radii is not None
    assert picture.radii[0, 0] == math.ceil(3 * math.sqrt(variance))


@pytest.mark.parametrize("near_first", [True, False])
def test_layers_blend_front_to_back_whatever_their_order_in_the_scene(near_first):
    layers = [(1.5, [1.0, 0.0, 0.0], 0.4), (2.5, [0.0, 1.0, 0.0], 0.7)]
    depths, colors, opacities = zip(*(layers if near_first else layers[::-1]), strict=True)
    color, alpha, depth = middle(at_depths(depths, colors, list(opacities)))
    front, back = 0.4, 0.6 * 0.7
    expected = torch.tensor([front, back, 0.0])
    expected += (1 - front - back) * torch.tensor([0.2, 0.3, 0.4])
    torch.testing.assert_close(color, expected)
    assert alpha == pytest.approx(front + back, rel=1e-5)
    assert depth == pytest.approx((front * 1.5 + back * 2.5) / (front + back), rel=1e-5)


def test_equal_depths_keep_the_order_of_the_scene():
    color, _, _ = middle(at_depths([2.0, 2.0], [[1.0, 0, 0], [0, 1.0, 0]], [0.9, 0.9]))
    assert color[0] > 0.89
    assert color[1] < 0.13


def test_alpha_is_clamped_and_opaque_pixels_stop():
    assert middle(at_depths([2.0], [[1.0, 1, 1]], [1.0]))[1] == pytest.approx(0.999, rel=1e-6)
    # A second layer would leave 1e-6, less than the stop, so it is not drawn.
    assert middle(at_depths([2.0, 2.1], [[1.0] * 3] * 2, [1.0, 1.0]))[1] < 0.9991


def test_marks_fainter_than_one_step_of_8_bits_are_left_out():
    assert at_depths([2.0], [[1.0, 1, 1]], [1 / 256]).alpha.max() == 0
    assert at_depths([2.0], [[1.0, 1, 1]], [1 / 254]).alpha.max() > 0


def test_nothing_is_drawn_at_or_behind_the_near_plane():
    picture = at_depths([0.009, -1.0, 1e11], [[1.0] * 3] * 3, [0.9] * 3)
    assert picture.alpha.max() == 0
    assert picture.depth.max() == 0
    assert picture.radii is not None
    assert picture.radii.max() == 0


def test_a_screen_offset_moves_the_picture():
    still = at_depths([2.0], [[1.0, 0, 0]], [0.8])
    moved = at_depths([2.0], [[1.0, 0, 0]], [0.8], screen_offset=torch.tensor([[[3.0, -2.0]]]))
    torch.testing.assert_close(moved.alpha[:, :-2, 3:], still.alpha[:, 2:, :-3])


def test_no_splats_leave_the_background(gen):
    scene = random_scene(gen, 0, views=2, background="picture")
    picture = scene.draw(scene.tensors(), "reference")
    assert torch.equal(picture.color, scene.background)
    assert picture.alpha.max() == 0


def test_a_quarter_turn_swaps_the_axes(gen):
    scene = random_scene(gen, 20)
    half = math.sqrt(0.5)
    scene.quats[:] = torch.tensor([1.0, 0, 0, 0])
    straight = scene.draw(scene.tensors(), "reference")
    scene.quats[:] = torch.tensor([half, 0, 0, half]) * 3.0  # about z, not normalized
    scene.scales[:] = scene.scales[:, [1, 0, 2]]
    turned = scene.draw(scene.tensors(), "reference")
    torch.testing.assert_close(turned.color, straight.color, atol=1e-5, rtol=0)


def test_rotations_are_rotations(gen):
    quats = torch.randn(50, 4, generator=gen, dtype=torch.float64)
    matrices = rotation_matrices(quats)
    eye = torch.eye(3, dtype=torch.float64).expand(50, 3, 3)
    torch.testing.assert_close(matrices @ matrices.mT, eye)
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(50, dtype=torch.float64))


def test_harmonics_are_orthonormal_and_have_the_signs_of_3dgs():
    # Gauss-Legendre in z times equal steps of the angle is exact for products of degree 6.
    z, weight = (torch.as_tensor(a) for a in _legendre(8))
    angle = torch.arange(16, dtype=torch.float64) * (2 * math.pi / 16)
    z, angle = (grid.reshape(-1) for grid in torch.meshgrid(z, angle, indexing="ij"))
    side = torch.sqrt(1 - z * z)
    points = torch.stack([side * torch.cos(angle), side * torch.sin(angle), z], dim=-1)
    area = weight.repeat_interleave(16) * (2 * math.pi / 16)
    basis = harmonics(points, 3)
    gram = torch.einsum("p,pi,pj->ij", area, basis, basis)
    torch.testing.assert_close(gram, torch.eye(16, dtype=torch.float64), atol=1e-7, rtol=0)
    first = harmonics(torch.eye(3, dtype=torch.float64), 1)[:, 1:]
    expected = 0.4886025119029199 * torch.tensor([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]])
    torch.testing.assert_close(first, expected.double(), atol=1e-7, rtol=0)


def _legendre(count):
    import numpy as np

    return np.polynomial.legendre.leggauss(count)


@pytest.mark.parametrize("output", ["color", "alpha", "depth"])
@pytest.mark.parametrize("background", ["color", "picture"])
def test_gradients_match_finite_differences(gen, output, background):
    scene = random_scene(
        gen, 5, width=9, height=8, degree=2, background=background, dtype=torch.float64
    )
    tensors = [tensor.requires_grad_() for tensor in scene.tensors()]
    assert torch.autograd.gradcheck(
        lambda *given: getattr(scene.draw(list(given), "reference"), output),
        tensors,
        fast_mode=output != "color",
    )
