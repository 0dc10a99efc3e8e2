"""Pieces, masses, needles and view dependence against closed forms and a plain flood fill."""

import itertools
import math

import pytest
import torch

from splatsmith.evaluate.mass import (
    CELLS,
    EDGE,
    connected,
    masses,
    needle_share,
    pieces,
    view_dependence,
)
from splatsmith.evaluate.views import standard_views
from splatsmith.render.reference import rotation_matrices
from splatsmith.scenes import from_points
from splatsmith.scenes.gaussians import Gaussians

CELL = 2 * EDGE / CELLS
NO_LINKS = (torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long))


def splats(means, scale=0.05, opacity=0.9):
    means = torch.tensor(means, dtype=torch.float32)
    count = len(means)
    scales = torch.as_tensor(scale).expand(count, 3)
    logits = torch.logit(torch.as_tensor(opacity).expand(count))
    quats = torch.tensor([1.0, 0, 0, 0]).expand(count, 4)
    return Gaussians(means, scales.log(), quats, logits, torch.zeros(count, 1, 3))


def flood(cells):
    left, label, number = set(cells), {}, 0
    while left:
        stack = [left.pop()]
        while stack:
            x, y, z = cell = stack.pop()
            label[cell] = number
            for i, j, k in itertools.product((-1, 0, 1), repeat=3):
                other = (x + i, y + j, z + k)
                if other in left:
                    left.remove(other)
                    stack.append(other)
        number += 1
    return label


@pytest.mark.parametrize("chance", [0.02, 0.05, 0.1])
def test_pieces_are_those_of_a_flood_fill(gen, chance):
    small = torch.rand(12, 12, 12, generator=gen) < chance
    places = small.nonzero() + 52  # At the far corner, where nothing must wrap around.
    cells = (places[:, 0] * CELLS + places[:, 1]) * CELLS + places[:, 2]
    label = connected(cells, NO_LINKS).tolist()
    expected = flood([tuple(place) for place in places.tolist()])
    expected = [expected[tuple(place)] for place in places.tolist()]
    assert len(set(zip(label, expected, strict=True))) == len(set(label)) == len(set(expected))


def test_a_long_winding_piece_is_one():
    row = torch.arange(0, CELLS, 1)
    snake = [(x, y, 0) for y in range(0, CELLS, 2) for x in row.tolist()]
    snake += [(CELLS - 1 if y % 4 == 1 else 0, y, 0) for y in range(1, CELLS - 1, 2)]
    cells = torch.tensor(sorted((x * CELLS + y) * CELLS + z for x, y, z in snake))
    assert connected(cells, NO_LINKS).max() == 0


def test_links_join_what_does_not_touch():
    cells = torch.tensor([0, 500, 100_000])
    assert connected(cells, NO_LINKS).tolist() == [0, 1, 2]
    assert connected(cells, (torch.tensor([2]), torch.tensor([0]))).tolist() == [0, 1, 0]


def test_one_body_floats_not_at_all():
    line = [(0.06 * i, 0.0, 0.0) for i in range(-8, 9)]
    found = pieces(splats(line))
    assert (found.floating, found.count) == (pytest.approx(0, abs=1e-6), 1)


def test_a_floater_weighs_its_share():
    scene = splats([(0.0, 0, 0), (0.06, 0, 0), (0.12, 0, 0), (0.0, 0.9, 0)])
    found = pieces(scene)
    assert (found.floating, found.count) == (pytest.approx(1 / 4), 2)


def test_faint_splats_float_unless_they_lie_within():
    opacity = torch.tensor([0.9, 0.05, 0.05])
    scene = splats([(0.0, 0, 0), (0.01, 0, 0), (0.0, 0.8, 0)], opacity=opacity)
    found = pieces(scene)
    assert (found.floating, found.count) == (pytest.approx(0.05 / 1.0), 1)
    assert pieces(splats([(0.0, 0, 0)], opacity=0.05)).floating == 1


def test_a_wide_splat_is_one_piece_and_what_lies_beyond_the_grid_counts():
    assert pieces(splats([(0.0, 0, 0)], scale=0.3)).count == 1
    found = pieces(splats([(0.0, 0, 0), (50.0, 0, 0)]))
    assert (found.floating, found.count) == (pytest.approx(0.5), 2)


def test_mass_is_opacity_times_the_mean_shadow():
    scene = splats([(0.0, 0, 0)], scale=torch.tensor([0.1, 0.2, 0.4]), opacity=0.5)
    assert float(masses(scene)) == pytest.approx(0.5 * (0.02 + 0.08 + 0.04) / 3)


def test_needles_are_long_and_not_flat():
    scales = torch.tensor([[0.5, 0.01, 0.01], [0.5, 0.5, 0.001], [0.1, 0.1, 0.1]])
    opacity = torch.tensor([0.9, 0.9, 0.9])
    assert needle_share(splats([(0.0, 0, 0)] * 3, scales, opacity)) == pytest.approx(1 / 3)
    faint = torch.tensor([0.05, 0.9, 0.9])
    assert needle_share(splats([(0.0, 0, 0)] * 3, scales, faint)) == 0


def test_rotations_turn_as_the_renderer_does():
    half = math.radians(30) / 2
    quats = torch.tensor([[math.cos(half), 0, 0, math.sin(half)], [0.0, 0, 0, 0]])
    turned = rotation_matrices(quats * 3) @ torch.tensor([1.0, 0, 0])
    c, s = math.cos(math.radians(30)), math.sin(math.radians(30))
    torch.testing.assert_close(turned, torch.tensor([[c, s, 0], [1.0, 0, 0]]))


def test_color_that_depends_on_the_direction_is_measured(gen):
    points = torch.randn(20, 3, generator=gen) * 0.2
    assert view_dependence(from_points(points), standard_views()) == 0
    scene = from_points(points, sh_degree=1)
    assert view_dependence(scene, standard_views()) == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        scene.sh[:, 1:] = 0.3
    assert 0.02 < view_dependence(scene, standard_views()) < 0.3
