import math

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.scenes import STARTS, Ball, Gaussians, SmallBall, begin, from_points


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def colors(scene: Gaussians) -> torch.Tensor:
    return 0.5 + scene.sh.detach()[:, 0] * 0.28209479177387814


def test_a_ball_is_uniform(gen):
    scene = begin(Ball(count=20_000, radius=0.7), gen)
    distance = scene.means.detach().norm(dim=-1)
    assert distance.max() <= 0.7 * (1 + 1e-6)
    share = torch.histc((distance / 0.7) ** 3, bins=10, min=0, max=1) / 20_000
    assert (share - 0.1).abs().max() < 0.01  # the volume within a radius is its cube
    octant = (scene.means > 0).long() @ torch.tensor([1, 2, 4])
    assert (torch.bincount(octant, minlength=8) / 20_000 - 0.125).abs().max() < 0.01


def test_opacity_falls_linearly_outward(gen):
    scene = begin(Ball(count=1000, radius=0.7, opacity=0.6), gen)
    fall = 1 - scene.means.norm(dim=-1) / 0.7
    expected = (0.6 * fall).clamp_min(0.01)
    torch.testing.assert_close(scene.opacities, expected, atol=1e-5, rtol=0)
    flat = begin(Ball(count=10, opacity=0.6, falloff="constant"), gen)
    torch.testing.assert_close(flat.opacities, torch.full((10,), 0.6))


def test_a_very_faint_ball_is_not_brightened_at_its_rim(gen):
    scene = begin(Ball(count=100, opacity=0.002), gen)
    assert scene.opacities.max() <= 0.002 * (1 + 1e-5)


def test_colors_spread_from_grey_to_the_whole_cube(gen):
    grey = colors(begin(Ball(count=50), gen))
    torch.testing.assert_close(grey, torch.full_like(grey, 0.5))
    wild = colors(begin(Ball(count=5000, color_spread=1.0), gen))
    assert wild.min() < 0.02
    assert wild.max() > 0.98
    assert (wild.mean(dim=0) - 0.5).abs().max() < 0.03


def test_the_small_ball_is_dreamgaussians(gen):
    scene = begin(SmallBall(), gen)
    assert scene.count == 5000
    assert scene.sh_degree == 0
    distance = scene.means.detach().norm(dim=-1)
    assert 0.49 < distance.max() <= 0.5 * (1 + 1e-6)
    torch.testing.assert_close(scene.opacities, torch.full((5000,), 0.1))
    assert (colors(scene) - 0.5).abs().max() < 0.002
    assert scene.sh.std() > 0
    # A point of a uniform cloud has its third neighbor where a ball holds three points.
    assert 0.01 < scene.scales.mean() < 0.5 * (3 / 5000) ** (1 / 3)


def test_the_same_seed_gives_the_same_scene():
    for name, settings in STARTS.items():
        assert settings().kind == name
        one, two, other = (begin(settings(), seeded(seed)).state() for seed in (3, 3, 4))
        assert all(torch.equal(one[key], two[key]) for key in one)
        assert not torch.equal(one["means"], other["means"])


def test_scales_are_the_mean_distance_to_three_neighbors():
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3], [0, 0, 9]])
    scene = from_points(points)
    assert scene.scales[0].tolist() == pytest.approx([2.0, 2.0, 2.0])
    assert scene.scales[4, 0].item() == pytest.approx((6 + 9 + math.sqrt(82)) / 3)
    doubled = from_points(points, scale=2.0)
    torch.testing.assert_close(doubled.scales, 2 * scene.scales)
    torch.testing.assert_close(colors(scene), torch.full((5, 3), 0.5))


def test_few_or_equal_points_still_get_a_size():
    assert from_points(torch.zeros(1, 3)).scales[0, 0].item() == pytest.approx(0.1)
    pair = from_points(torch.tensor([[0.0, 0, 0], [0, 0, 0.5]]))
    assert pair.scales[:, 0].tolist() == pytest.approx([0.5, 0.5])
    same = from_points(torch.zeros(7, 3))
    torch.testing.assert_close(same.scales, torch.full((7, 3), 1e-4))


def test_points_keep_their_colors_opacities_and_degree(gen):
    points, color = torch.randn(40, 3, generator=gen), torch.rand(40, 3, generator=gen)
    opacity = 0.1 + 0.8 * torch.rand(40, generator=gen)
    scene = from_points(points, color, opacity=opacity, sh_degree=2)
    assert torch.equal(scene.means, points)
    assert scene.sh_degree == 2
    torch.testing.assert_close(colors(scene), color)
    torch.testing.assert_close(scene.opacities, opacity)
    assert torch.equal(scene.quats, torch.tensor([1.0, 0, 0, 0]).expand(40, 4))


@pytest.mark.parametrize(
    ("kind", "keywords", "said"),
    [
        (Ball, {"count": 0}, "at least one splat"),
        (Ball, {"radius": 0.0}, "radius of a start must be positive"),
        (Ball, {"opacity": 1.0}, "opacity must lie between"),
        (Ball, {"falloff": "sudden"}, "linear or constant"),
        (Ball, {"color_spread": 1.5}, "color_spread"),
        (Ball, {"scale": 0.0}, "scale must be positive"),
        (SmallBall, {"sh_degree": 4}, "sh_degree"),
    ],
)
def test_impossible_starts_are_refused(kind, keywords, said):
    with pytest.raises(InputError, match=said):
        kind(**keywords)


def test_impossible_clouds_are_refused():
    with pytest.raises(InputError, match="Opacities"):
        from_points(torch.zeros(2, 3), opacity=0.0)
    with pytest.raises(InputError, match="shape"):
        from_points(torch.zeros(0, 3))
    with pytest.raises(InputError, match="finite"):
        from_points(torch.full((2, 3), math.inf))
