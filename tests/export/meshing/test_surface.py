"""Densities by their formula, levels whose surfaces are known, meshes that stay closed."""

import math

import pytest
import torch
from asset_scenes import spiral, splats, two_colored_ball

from splatsmith.errors import InputError
from splatsmith.export.meshing.density import Grid, density, grid_between
from splatsmith.export.meshing.level import fitting_level
from splatsmith.export.meshing.mesh import area, plain_mesh, surface_samples, volume
from splatsmith.export.meshing.surface import decimated, density_surface, level_set
from splatsmith.export.meshing.topology import (
    mended,
    parted_places,
    topology,
    welded,
    without_small_parts,
)
from splatsmith.export.meshing.tsdf import HOLE, closed_depths, fused
from splatsmith.export.meshing.views import Views, rays, sphere_cameras
from splatsmith.render.density import SMALLEST
from splatsmith.scenes.gaussians import Gaussians


def some_splats(gen, count=25):
    return Gaussians(
        torch.randn(count, 3, generator=gen) * 0.4,
        torch.randn(count, 3, generator=gen) * 0.6 - 2,
        torch.randn(count, 4, generator=gen),
        torch.randn(count, generator=gen) * 2,
        torch.zeros(count, 1, 3),
    )


def by_formula(scene, points):
    """Every splat at every point, one by one, through the covariance matrix itself."""
    total = torch.zeros(len(points), dtype=torch.float64)
    for i in range(scene.count):
        w, x, y, z = torch.nn.functional.normalize(scene.quats[i].double(), dim=0).tolist()
        axes = torch.tensor(
            [
                [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
            ],
            dtype=torch.float64,
        )
        covariance = axes @ torch.diag(scene.scales[i].double() ** 2) @ axes.T
        away = points.double() - scene.means[i].double()
        power = -0.5 * (away @ torch.linalg.inv(covariance) * away).sum(1)
        adds = scene.opacities[i].double() * torch.exp(power)
        total += torch.where(adds >= SMALLEST, adds, 0.0)
    return total


def test_density_is_the_sum_of_the_splats(gen):
    scene = some_splats(gen)
    grid = grid_between(torch.full((3,), -1.0), torch.tensor([1.0, 0.7, 0.5]), 14)
    points = torch.stack(
        torch.meshgrid(*(grid.axis(i) for i in range(3)), indexing="ij"), -1
    ).reshape(-1, 3)
    found = density(scene, grid)
    expected = by_formula(scene.requires_grad_(False), points).reshape(grid.shape)
    assert found.shape == grid.shape
    # A value that just misses the cut-off may fall on either side of it in 32 bits.
    far = (found - expected).abs() > 1e-4
    assert float((found - expected).abs().max()) < 1.1 * SMALLEST
    assert int(far.sum()) <= 3


@pytest.mark.parametrize("level", [0.2, 0.45])
def test_one_splat_gives_the_ball_of_the_formula(level):
    scene = splats([[0.1, -0.2, 0.3]], 0.3, 0.9)
    found = density_surface(scene, resolution=40, level=level).mesh
    radius = 0.3 * math.sqrt(2 * math.log(0.9 / level))
    distance = (found.vertices - torch.tensor([0.1, -0.2, 0.3])).norm(dim=1)
    torch.testing.assert_close(distance, torch.full_like(distance, radius), rtol=0.01, atol=0)
    assert topology(found.faces).watertight
    assert volume(found) == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.02)
    assert area(found) == pytest.approx(4 * math.pi * radius**2, rel=0.02)
    outward = torch.nn.functional.normalize(found.vertices - torch.tensor([0.1, -0.2, 0.3]))
    assert float((found.normals * outward).sum(1).min()) > 0.95


def test_the_level_fits_outline_and_depth():
    # The picture of one splat falls to one half where its density does, if seen from afar.
    found = density_surface(splats([[0.0, 0, 0]], 0.3, 0.9), resolution=24)
    assert found.level == pytest.approx(0.5, abs=0.06)
    assert found.overlap > 0.9


def ball_views(count, radius, size):
    """Views of a ball about the origin, its depths by the equation of a ray and a sphere."""
    cameras = sphere_cameras(count, torch.full((3,), -1.0), torch.full((3,), 1.0), size)
    origin, direction = rays(cameras)
    a = direction.square().sum(-1)
    half = (direction * origin[:, None, None]).sum(-1)
    root = half**2 - a * (origin.square().sum(-1)[:, None, None] - radius**2)
    depth = torch.where(root > 0, (-half - root.clamp(min=0).sqrt()) / a, 0.0)[..., None]
    return Views(cameras, torch.zeros(count, size, size, 3), (depth > 0).float(), depth)


def test_depths_decide_where_the_outline_cannot():
    # A solid ball with a sharp edge, in a haze so thin that its alpha is just above one half.
    grid = grid_between(torch.full((3,), -1.0), torch.full((3,), 1.0), 32)
    points = torch.stack(torch.meshgrid(*(grid.axis(i) for i in range(3)), indexing="ij"), -1)
    radius = points.norm(dim=-1)
    values = torch.where(radius < 0.5, 2.0, 0.3) * (radius < 0.9)
    level, overlap = fitting_level(values, grid, ball_views(4, 0.5, 48))
    assert 0.3 < level < 2.0
    assert overlap > 0.9


def test_rays_that_slip_through_do_not_hollow_a_fused_ball(gen):
    views = ball_views(24, 0.5, 96)
    grid = grid_between(torch.full((3,), -0.6), torch.full((3,), 0.6), 32, margin=3)
    # Holes of up to 5 x 5 pixels in which the far side, or nothing at all, is seen.
    holes = torch.rand(views.depth.shape, generator=gen) < 0.004
    holes = torch.nn.functional.max_pool2d(holes[..., 0].float(), 5, 1, 2)[..., None] > 0
    far = torch.where(torch.rand(holes.shape, generator=gen) < 0.5, views.depth + 0.8, 0.0)
    depth = torch.where(holes & (views.depth > 0), far, views.depth)
    leaky = Views(views.cameras, views.color, (depth > 0).float(), depth)
    assert int((leaky.depth != views.depth).sum()) > 500
    for given in (views, leaky):
        solid = without_small_parts(level_set(1 - fused(given, grid), grid, 1.0), 0.02)
        assert topology(solid.faces).parts == 1
        assert volume(solid) == pytest.approx(4 / 3 * math.pi * 0.5**3, rel=0.08)


def test_closing_fills_narrow_holes_and_leaves_outlines_alone():
    depth = torch.zeros(1, 40, 40, 1)
    depth[0, 10:30, 10:30] = 2.0
    depth[0, 15 : 15 + HOLE - 1, 15:25] = 3.0  # a slit that is deeper
    depth[0, 29, 29] = 0.0  # a corner that is missing is no hole
    alpha = (depth > 0).float()
    cameras = sphere_cameras(1, torch.full((3,), -1.0), torch.full((3,), 1.0), 40)
    found = closed_depths(Views(cameras, torch.zeros(1, 40, 40, 3), alpha, depth))[0]
    expected = torch.full((40, 40), torch.inf)
    expected[10:30, 10:30] = 2.0
    expected[29, 29] = torch.inf
    torch.testing.assert_close(found, expected)


@pytest.fixture(scope="module")
def shell():
    return density_surface(two_colored_ball(), resolution=32)


def test_a_shell_becomes_a_closed_ball_without_a_hollow(shell):
    found = shell
    looks = topology(found.mesh.faces)
    assert looks.watertight
    assert looks.parts == 1
    radius = found.mesh.vertices.norm(dim=1)
    # The shell's standard deviation is 0.07; its outline, at two of them, decides.
    assert 0.58 < float(radius.mean()) < 0.75
    assert float(radius.std()) < 0.04


def test_splats_thinner_than_a_cell_leave_no_holes():
    # Disks on a sphere, a hundredth of a cell thick.
    means = spiral(300, 0.5)
    scales = torch.tensor([0.06, 0.06, 5e-4]).log().expand(300, 3)
    up = torch.tensor([0.0, 0, 1]).expand(300, 3)
    normal = torch.nn.functional.normalize(means, dim=1)
    quats = torch.cat([1 + normal[:, 2:], torch.linalg.cross(up, normal)], dim=1)
    disks = Gaussians(means, scales, quats, torch.full((300,), 2.0), torch.zeros(300, 1, 3))
    found = density_surface(disks, resolution=20, level=0.4).mesh
    looks = topology(found.faces)
    assert (looks.watertight, looks.parts) == (True, 1)
    # Full and not a leaking shell; widened by some two standard deviations of 0.7 cells.
    assert 4 / 3 * math.pi * 0.5**3 < volume(found) < 4 / 3 * math.pi * 0.62**3
    assert area(found) < 1.5 * 4 * math.pi * 0.5**2


def test_islands_go_and_stay_as_asked():
    ball, crumb = spiral(200, 0.5), torch.tensor([[1.2, 0.0, 0.0]])
    scene = splats(torch.cat([ball, crumb]), 0.06, 0.95)
    apart = density_surface(scene, resolution=40, level=0.4, smallest_part=0.0).mesh
    assert topology(apart.faces).parts == 2
    alone = density_surface(scene, resolution=40, level=0.4, smallest_part=0.1).mesh
    assert topology(alone.faces).parts == 1
    assert float(alone.vertices[:, 0].max()) < 0.8


def test_an_empty_result_says_why_and_what_would_not_be_empty():
    faint = splats(spiral(50, 0.5), 0.03, 0.05)
    with pytest.raises(InputError, match=r"nowhere opaque.* 0\.\d+, .*a level below 0\.0"):
        density_surface(faint)
    with pytest.raises(InputError, match=r"density 2: .*empty.* up to 0\.\d+"):
        density_surface(splats([[0.0, 0, 0]], 0.3, 0.9), resolution=16, level=2.0)
    with pytest.raises(InputError, match="nothing to make a mesh of"):
        density_surface(splats([[0.0, 0, 0]], 0.3, 1e-4))
    with pytest.raises(InputError, match=r"8\.\.480"):
        density_surface(splats([[0.0, 0, 0]], 0.3), resolution=4)


def test_what_touches_the_grids_end_is_closed_there():
    grid = Grid((0.0, 0.0, 0.0), 0.1, (6, 6, 6))
    full = level_set(torch.ones(6, 6, 6), grid, 0.5)
    assert topology(full.faces).watertight
    assert volume(full) == pytest.approx(0.6**3, rel=0.05)


@pytest.mark.parametrize("faces", [2000, 300, 60])
def test_decimation_keeps_the_budget_the_shape_and_the_closure(shell, faces):
    whole = shell.mesh
    less = decimated(whole, faces)
    assert len(less.faces) <= faces
    assert len(less.faces) > 0.8 * faces
    assert topology(less.faces).watertight
    assert volume(less) == pytest.approx(volume(whole), rel=0.1)
    assert decimated(whole, len(whole.faces)) is whole
    with pytest.raises(InputError, match="at least 4 faces"):
        decimated(whole, 3)


def test_topology_counts_what_is_wrong():
    tetrahedron = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    assert topology(tetrahedron).watertight
    assert topology(tetrahedron[:3]).open_edges == 3
    turned = topology(torch.cat([tetrahedron[:3], tetrahedron[3:].flip(1)]))
    assert (turned.turned_edges, turned.watertight) == (3, False)
    crowded = topology(torch.cat([tetrahedron, torch.tensor([[0, 1, 4]])]))
    assert (crowded.crowded_edges, crowded.open_edges) == (1, 2)
    assert topology(torch.cat([tetrahedron, tetrahedron + 4])).parts == 2
    assert topology(torch.zeros(0, 3, dtype=torch.long)).parts == 0


def test_a_hole_is_filled_and_a_fin_cut_off():
    ball = density_surface(splats([[0.0, 0, 0]], 0.3), resolution=16, level=0.4).mesh
    around = (ball.faces == ball.faces[0, 0]).any(dim=1)
    holed = plain_mesh(ball.vertices, ball.faces[~around])
    assert not topology(holed.faces).watertight
    assert topology(mended(holed).faces).watertight
    assert volume(mended(holed)) == pytest.approx(volume(ball), rel=0.02)
    fin = torch.cat([ball.faces, ball.faces[:1]])
    assert topology(mended(plain_mesh(ball.vertices, fin)).faces).watertight
    assert mended(ball).faces.shape == ball.faces.shape


def test_two_solids_that_share_an_edge_are_parted():
    # Two wedges on one edge, with four faces there; and three with six.
    edge = torch.tensor([[0.0, 0, 0], [0, 0, 1]])
    for wedges in (2, 3):
        places, faces = [edge], []
        for i in range(wedges):
            turn = torch.tensor([0.3, 1.0]) + 2 * math.pi * i / wedges
            places.append(torch.stack([turn.cos(), turn.sin(), torch.full((2,), 0.5)], 1))
            c, d = 2 + 2 * i, 3 + 2 * i
            faces += [[0, 1, d], [1, 0, c], [0, d, c], [1, c, d]]
        joined = plain_mesh(torch.cat(places), torch.tensor(faces))
        assert topology(joined.faces).crowded_edges == 1
        apart = mended(joined)
        assert topology(welded(apart).faces).watertight
        assert len(apart.faces) == len(joined.faces) + 2 * wedges
        assert volume(apart) == pytest.approx(volume(joined), rel=0.05)
        assert volume(joined) > 0


def test_solids_that_touch_stay_two_when_joined_by_place():
    # Two tetrahedra that have an edge in common, each with vertices of its own there.
    one = torch.tensor([[0.0, 0, 0], [0, 0, 1], [1, 0.3, 0.5], [1, -0.3, 0.5]])
    two = one * torch.tensor([-1.0, -1, 1])
    faces = torch.tensor([[0, 3, 1], [1, 2, 0], [0, 2, 3], [1, 3, 2]])
    both = plain_mesh(torch.cat([one, two]), torch.cat([faces, faces + 4]))
    assert topology(both.faces).watertight
    assert topology(welded(both).faces).crowded_edges == 1
    apart = parted_places(both)
    assert topology(welded(apart).faces).watertight
    assert volume(apart) == pytest.approx(volume(both), rel=0.1)
    assert volume(both) > 0
    assert torch.equal(apart.vertices[2:4], one[2:])
    assert parted_places(apart) is apart


def test_a_hollow_looks_inward_and_goes():
    small = density_surface(splats([[0.0, 0, 0]], 0.1), resolution=16, level=0.4).mesh
    large = density_surface(splats([[0.0, 0, 0]], 0.3), resolution=16, level=0.4).mesh
    both = plain_mesh(
        torch.cat([large.vertices, small.vertices]),
        torch.cat([large.faces, small.faces.flip(1) + len(large.vertices)]),
    )
    assert len(without_small_parts(both, 0.0).faces) == len(large.faces)


def test_samples_lie_evenly_on_the_surface(gen):
    square = plain_mesh(
        torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 3, 0], [0, 3, 0]]),
        torch.tensor([[0, 1, 2], [0, 2, 3]]),
    )
    points = surface_samples(square, 20000, gen)
    torch.testing.assert_close(points.mean(0), torch.tensor([0.5, 1.5, 0.0]), atol=0.02, rtol=0)
    torch.testing.assert_close(
        points.var(0), torch.tensor([1 / 12, 9 / 12, 0.0]), atol=0.02, rtol=0
    )
