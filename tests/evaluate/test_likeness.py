"""Matching and distances, held to objects whose truth is known exactly."""

import math

import pytest
import torch

from splatsmith.evaluate import matching
from splatsmith.evaluate.geometry import (
    aligned,
    haze,
    likeness,
    nearest,
    psnr,
    surface_distance,
    thinned,
)
from splatsmith.evaluate.instances import (
    Frame,
    frame_of,
    main_paint,
    outlines,
    spread,
    true_object,
)
from splatsmith.evaluate.matching import (
    Match,
    best_match,
    fitted,
    turned,
    turned_overlap,
)
from splatsmith.evaluate.truth import as_gaussians
from splatsmith.evaluate.views import camera_points, ring, unproject
from splatsmith.evaluate.wanted import wanted
from splatsmith.render.picture import Picture
from splatsmith.scenes import Ball, begin, from_points
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.toybox import build, render
from splatsmith.toybox.geometry import distance
from splatsmith.toybox.split import BAND


class Exact:
    """An object of the toybox, drawn exactly, moved, scaled and turned."""

    def __init__(self, toy, yaw=0.0, scale=1.0, shift=(0.0, 0.0, 0.0)):
        self.toy, self.yaw, self.scale, self.shift = toy, yaw, scale, torch.tensor(shift)

    def render(self, cameras, background):
        """What the cameras would see: they are moved the other way instead."""
        viewmat = cameras.viewmat.clone()
        turn = turned(torch.eye(3), self.yaw).T
        viewmat[:, :3, 3] += viewmat[:, :3, :3] @ self.shift
        viewmat[:, :3, :3] = viewmat[:, :3, :3] @ turn
        viewmat[:, :3, 3] /= self.scale
        moved = type(cameras)(**{**vars(cameras), "viewmat": viewmat})
        drawn = render(self.toy, moved, background=background)
        return Picture(drawn.color, drawn.alpha, drawn.depth * self.scale)


ASKED = wanted("a yellow duck")


def instance(number):
    return true_object(ASKED, outlines(ASKED).shapes[number])


def test_instances_are_spread_over_the_band_and_beyond():
    shapes = torch.tensor(spread(5))
    low, high = BAND
    band = ((shapes >= low) & (shapes <= high)).all(dim=1)
    assert shapes.shape == (64, 5)
    assert (shapes[0] == 0.5).all()
    assert band[:16].all()
    assert shapes.amin() < 0.03
    assert shapes.amax() > 0.97
    # Even: every fifth of every parameter has about its share of the 48.
    for parameter in shapes[16:].T:
        counts = torch.histc(parameter, 4, 0, 1)
        assert ((counts - 12).abs() <= 2).all()
    assert spread(0) == ((),)
    assert spread(5) == spread(5)


def test_a_depth_is_carried_back_to_the_surface():
    toy, cameras = build("duck"), ring(6, 20.0, 48)
    seen = render(toy, cameras, samples=1)
    points = unproject(seen.alpha, seen.depth, cameras)
    assert len(points) > 500
    off = distance(toy, points)[0].abs()
    assert off.quantile(0.95) < 2e-3
    x, y = camera_points(seen.depth * 0 + 2, cameras)[0, 24, 24, :2].tolist()
    half_pixel = math.tan(math.radians(20)) * 2 / 48
    assert (x, y) == pytest.approx((half_pixel, half_pixel), rel=1e-4)


def test_a_frame_is_mean_and_spread(gen):
    points = torch.randn(4000, 3, generator=gen) * 0.3 + torch.tensor([1.0, 2.0, 3.0])
    frame = frame_of(points)
    torch.testing.assert_close(frame.center, points.mean(dim=0))
    assert frame.size == pytest.approx(0.3 * math.sqrt(3), rel=0.03)
    assert frame_of(points[:1]) is None


def test_turned_overlap_finds_the_turn(gen):
    truth = torch.rand(3, 24, 50, generator=gen) > 0.5
    scene = truth[1, (torch.arange(12) * 2 + 7) % 24]
    overlap = turned_overlap(scene, truth)
    assert overlap.shape == (3, 24)
    assert divmod(int(overlap.argmax()), 24) == (1, 7)
    assert float(overlap.max()) == 1
    both = (scene[3] & truth[2, 10]).sum() / (scene[3] | truth[2, 10]).sum()
    one = turned_overlap(scene[3:4], truth)[2, 10]
    assert float(one) == pytest.approx(float(both))


@pytest.mark.parametrize(
    ("number", "yaw", "scale", "shift"),
    [
        (0, 0.0, 1.0, (0.0, 0.0, 0.0)),
        (20, 75.0, 0.7, (0.1, -0.2, 0.15)),
        (40, -120.0, 1.1, (0.0, 0.1, 0.0)),
    ],
)
def test_an_instance_is_found_again_wherever_it_stands(number, yaw, scale, shift, gen):
    scene = Exact(instance(number), yaw, scale, shift)
    match = best_match(scene, ASKED)
    assert match.yaw == pytest.approx(-yaw % 360)
    found = likeness(scene, match, aligned(scene, match), gen)
    assert found.iou > 0.96
    assert found.psnr > 22  # The light hangs at the camera, which a turned copy sees the same.
    assert found.fscore > 0.97
    assert found.chamfer < 2e-4
    assert found.haze < 1e-6


@pytest.mark.parametrize(("scale", "shift"), [(1.0, (0.0, 0.0, 0.0)), (0.8, (0.1, -0.2, 0.1))])
def test_center_and_size_are_fitted(scale, shift):
    toy = instance(20)
    truth = outlines(ASKED).frames[20]
    center = turned(truth.center, 30.0) * scale + torch.tensor(shift)
    rough = Frame(center + torch.tensor([0.05, -0.04, 0.03]), truth.size * scale * 1.08)
    match = fitted(Exact(toy, 30.0, scale, shift), Match(toy, 330.0, 0.0, rough, truth))
    assert match.iou > 0.98
    assert match.scene.size / truth.size == pytest.approx(scale, rel=0.01)
    torch.testing.assert_close(match.scene.center, center, atol=0.01, rtol=0)


def test_points_go_to_the_frame_of_the_truth(gen):
    toy = instance(5)
    match = best_match(Exact(toy, 45.0, 0.8, (0.2, 0.0, 0.1)), ASKED)
    points = torch.rand(50, 3, generator=gen) - 0.5
    moved = turned(points, 45.0) * 0.8 + torch.tensor([0.2, 0.0, 0.1])
    torch.testing.assert_close(match.to_truth(moved), points, atol=0.03, rtol=0)


def test_true_objects_as_gaussians_score_high_and_a_ball_low(gen):
    scene = as_gaussians(instance(3), gen)
    match = best_match(scene, ASKED)
    found = likeness(scene, match, aligned(scene, match), gen)
    assert found.iou > 0.9
    assert found.fscore > 0.8
    ball = begin(Ball(), torch.Generator().manual_seed(0))
    worse = best_match(ball, ASKED)
    poor = likeness(ball, worse, aligned(ball, worse), gen)
    assert poor.iou < found.iou - 0.2
    assert poor.fscore < 0.4
    assert poor.psnr < found.psnr
    assert poor.haze > found.haze


def test_a_scene_without_a_surface_has_no_match():
    faint = from_points(torch.rand(20, 3) - 0.5, opacity=0.01)
    assert best_match(faint, ASKED) is None


def test_two_things_are_compared_as_one(gen):
    asked = wanted("a yellow duck on a green barrel")
    toy = true_object(asked, outlines(asked).shapes[2])
    match = best_match(Exact(toy), asked)
    assert match.toy.second.color == "green"
    assert match.iou > 0.97


def test_psnr_and_haze_by_hand():
    first, second = torch.zeros(1, 4, 4, 3), torch.full((1, 4, 4, 3), 0.1)
    everywhere = torch.ones(1, 4, 4, dtype=torch.bool)
    assert psnr(first, second, everywhere) == pytest.approx(20)
    truth, alpha = torch.zeros(1, 21, 21, 1), torch.full((1, 21, 21, 1), 0.25)
    truth[0, 10, 10] = 1
    alpha[0, 7:14, 7:14] = 1  # Within three pixels: no haze.
    assert haze(alpha, truth) == pytest.approx(0.25)
    alpha[0, 6, 10] = 1
    assert haze(alpha, truth) > 0.25
    assert haze(alpha, torch.ones_like(truth)) == 0


def test_points_are_thinned_to_their_cells_means():
    points = torch.tensor([[0.1, 0.1, 0.1], [0.3, 0.1, 0.1], [1.5, 0.1, -0.1]])
    kept = thinned(points, 1.0)
    torch.testing.assert_close(kept, torch.tensor([[0.2, 0.1, 0.1], [1.5, 0.1, -0.1]]))
    assert len(thinned(points[:0], 1.0)) == 0


def test_nearest_is_the_least_of_all_distances(gen):
    asked, given = torch.rand(30, 3, generator=gen), torch.rand(40, 3, generator=gen)
    every = (asked[:, None] - given[None]).norm(dim=-1)
    torch.testing.assert_close(nearest(asked, given), every.amin(dim=1), atol=1e-3, rtol=0)


def test_a_larger_shell_is_at_its_distance(gen):
    toy = instance(0)
    match = best_match(Exact(toy), ASKED)
    smaller = matching.replace(match, scene=Frame(match.scene.center, match.scene.size * 1.2))
    chamfer, fscore = surface_distance(Exact(toy), smaller, gen)
    assert chamfer > 1e-3
    assert fscore < 0.6


def test_main_paint_names_the_parts_of_the_main_color():
    toy = build("duck", color="yellow")
    kept = main_paint(toy)
    assert kept.any()
    assert not kept.all()
    for paint, mine in zip(toy.paints, kept.tolist(), strict=True):
        assert (paint == "main") == mine


def test_nothing_is_asked_to_learn(gen):
    scene = as_gaussians(build("duck"), gen)
    assert isinstance(scene, Gaussians)
    best_match(scene, ASKED)
    assert all(value.grad is None for value in scene.parameters())
