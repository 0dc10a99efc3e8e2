"""Colors end up on the sides where they were, in textures without overlaps or seams."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from asset_scenes import BLUE, RED, two_colored_ball

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.export.meshing import bake
from splatsmith.export.meshing.bake import (
    depth_buffers,
    gathered,
    with_texture,
    with_vertex_colors,
)
from splatsmith.export.meshing.likeness import likeness
from splatsmith.export.meshing.mesh import plain_mesh
from splatsmith.export.meshing.surface import decimated, density_surface
from splatsmith.export.meshing.texture import paint_of, spread, texture_at
from splatsmith.export.meshing.topology import topology, welded
from splatsmith.export.meshing.unwrap import texels, unwrapped
from splatsmith.export.meshing.views import Views, seen, sphere_cameras
from splatsmith.render.mesh_preview import draw_mesh

SIZE = 128


@pytest.fixture(scope="module")
def scene():
    return two_colored_ball()


@pytest.fixture(scope="module")
def ball(scene):
    return decimated(density_surface(scene, resolution=24).mesh, 600)


@pytest.fixture(scope="module")
def views(scene, ball):
    return seen(scene, sphere_cameras(16, *ball.bounds, 64))


@pytest.fixture(scope="module")
def baked(ball, views):
    return with_texture(ball, views, SIZE)


def assert_two_colored(points, colors):
    """Red in front, blue behind; the splats between mix."""
    front, back = points[:, 0] > 0.15, points[:, 0] < -0.15
    assert int(front.sum()) > 20
    assert int(back.sum()) > 20
    assert float((colors[front] - torch.tensor(RED)).abs().max()) < 0.08
    assert float((colors[back] - torch.tensor(BLUE)).abs().max()) < 0.08


def test_vertices_take_the_colors_of_their_sides(ball, views):
    colored = with_vertex_colors(ball, views)
    assert_two_colored(colored.vertices, colored.colors)


def test_the_texture_has_the_colors_of_the_sides(baked):
    mesh, unseen = baked
    center = mesh.corners.mean(dim=1)
    assert_two_colored(center, texture_at(mesh.texture, mesh.uvs[mesh.faces].mean(dim=1)))
    assert unseen < 0.01


def test_seams_do_not_show(baked):
    # A corner of a piece blends with pixels beyond its border: they must have its color too.
    mesh, _ = baked
    assert_two_colored(mesh.vertices, texture_at(mesh.texture, mesh.uvs))


def test_a_piece_too_thin_to_hold_a_pixel_has_its_own_color():
    # Three triangles: two fill most of the picture, one is a fifth of a pixel wide.
    corners = torch.tensor([[0.1, 0.1], [0.7, 0.1], [0.1, 0.7], [0.7, 0.7]])
    thin = torch.tensor([[0.9 + 0.3 / 64, 0.1], [0.9 + 0.49 / 64, 0.1], [0.9 + 0.4 / 64, 0.8]])
    uvs = torch.cat([corners, thin])
    faces = torch.tensor([[0, 1, 2], [1, 3, 2], [4, 5, 6]])
    mesh = replace(plain_mesh(torch.rand(7, 3), faces), uvs=uvs)
    found = texels(mesh, 64)
    own = found.sample[found.triangle == 2]
    rows, columns = own // 64, own % 64
    assert set(columns.tolist()) <= {57, 58}
    assert set(rows.tolist()) == set(range(int(0.1 * 64), int(0.8 * 64) + 1))
    assert len(own) == len(own.unique())
    torch.testing.assert_close(found.weight.sum(dim=1), torch.ones(len(found.weight)))
    place = torch.einsum("fc,fcx->fx", found.weight, uvs[faces[found.triangle]])
    center = torch.stack([found.sample % 64 + 0.5, found.sample // 64 + 0.5], dim=1) / 64
    assert float((place - center).abs().max()) < 1 / 64
    assert len(found.sample[found.triangle < 2]) == pytest.approx(0.36 * 64**2, rel=0.05)


def test_uvs_lie_in_the_picture_and_do_not_overlap(ball, baked):
    mesh, _ = baked
    assert float(mesh.uvs.min()) >= 0
    assert float(mesh.uvs.max()) <= 1
    fine = 4 * SIZE
    found = texels(mesh, fine)
    inner = found[(found.weight > 1e-3).all(dim=1)]  # Edges belong to both of their faces.
    doubled = len(inner.sample) - len(inner.sample.unique())
    assert doubled <= 1e-4 * len(inner.sample)  # A sliver's edge may still be counted.
    assert len(inner.sample) > 0.3 * fine**2
    # Cutting open moved nothing.
    torch.testing.assert_close(mesh.corners, ball.corners)
    assert topology(welded(mesh).faces).watertight
    with pytest.raises(InputError, match="64 to 8192"):
        unwrapped(ball, 16)


def test_what_is_hidden_takes_no_color_from_what_hides_it():
    # A red wall behind a blue one, the views all from the front of both.
    square = torch.tensor([[0.0, -1, -1], [0.0, 1, -1], [0.0, 1, 1], [0.0, -1, 1]])
    both = torch.cat([0.3 * square + torch.tensor([0.5, 0, 0]), 0.9 * square])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    mesh = plain_mesh(both, faces)
    paint = paint_of(mesh)
    cameras = orbit([0.0, 20.0], [0.0, 0.0], width=64, height=64)
    blue = torch.tensor([[[0.0, 0, 1]]])

    def two(triangle, share):
        return torch.where(triangle[:, None] < 2, blue[0], torch.tensor([[1.0, 0, 0]]))

    drawn = draw_mesh(mesh.vertices, mesh.faces, cameras, two, torch.zeros(3), samples=1)
    views = Views(cameras, drawn.color, drawn.alpha, drawn.depth)
    y, z = torch.meshgrid(
        torch.linspace(-0.8, 0.8, 33), torch.linspace(-0.8, 0.8, 33), indexing="ij"
    )
    points = torch.stack([torch.zeros(33 * 33), y.flatten(), z.flatten()], dim=1)
    normals = torch.tensor([1.0, 0, 0]).expand_as(points)
    color, weight = gathered(points, normals, views, depth_buffers(mesh, views))
    told = weight > 0
    assert 0.4 < float(told.float().mean()) < 0.95
    torch.testing.assert_close(
        color[told], torch.tensor([1.0, 0, 0]).expand(int(told.sum()), 3)
    )
    assert paint(torch.tensor([0]), torch.tensor([[1.0, 0, 0]])).tolist() == [[0.5, 0.5, 0.5]]


def test_kernels_and_twin_bake_the_same(ball, views):
    flat = unwrapped(ball, SIZE)
    ours, theirs = (
        bake.baked(ball, flat, views, SIZE, backend=backend)
        for backend in ("native", "reference")
    )
    assert (ours.known == theirs.known).all()
    assert ours.unseen == pytest.approx(theirs.unseen, abs=1e-3)
    # Rounding may decide whether a view sees a point.
    error = np.abs(ours.picture - theirs.picture)
    assert (error > 1e-4).mean() < 1e-3
    depths, twins = (
        depth_buffers(ball, views, backend=backend) for backend in ("native", "reference")
    )
    assert depths.shape == (16, 64, 64)
    assert 0.2 < float(depths.isfinite().float().mean()) < 0.8
    off = ~torch.isclose(depths, twins, rtol=0, atol=1e-4)
    assert float(off.float().mean()) < 1e-3


def test_depths_are_those_of_a_known_plane_from_either_side():
    # A square in x = 0.25 that looks to the front; the camera stands before, then behind it.
    square = torch.tensor([[0.25, -1, -1], [0.25, 1, -1], [0.25, 1, 1], [0.25, -1, 1]])
    mesh = plain_mesh(square, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    cameras = orbit([0.0, 180.0], [0.0, 0.0], radius=4.0, width=64, height=64)
    empty = torch.zeros(2, 64, 64, 3)
    views = Views(cameras, empty, empty[..., :1], empty[..., :1])
    depths = depth_buffers(mesh, views)
    there = depths.isfinite()
    assert bool(there[:, 32, 32].all())
    assert not bool(there[:, 0, 0].any())
    for found, hit, depth in zip(depths, there, (3.75, 4.25), strict=True):
        torch.testing.assert_close(found[hit], torch.full((int(hit.sum()),), depth))


def test_the_picture_of_the_mesh_is_that_of_the_splats(scene, ball, baked):
    mesh, _ = baked
    found = likeness(scene, mesh)
    gray = likeness(scene, ball)
    assert found.object > gray.object + 3
    assert found.object > 12  # The splats' soft rim over white keeps it low,
    assert found.object < found.hard_edge + 1  # as it would any surface.
    assert found.picture > found.object  # Around the object both are white.


def test_unknown_pixels_take_the_nearest_known_one():
    picture = np.zeros((4, 5, 3), dtype=np.float32)
    known = np.zeros((4, 5), dtype=bool)
    assert (spread(picture, known) == 0).all()
    picture[0, 0], picture[3, 4] = 1.0, 0.5
    known[0, 0] = known[3, 4] = True
    full = spread(picture, known)
    assert full[0, 1] == pytest.approx(np.ones(3))
    assert full[1, 0] == pytest.approx(np.ones(3))
    assert full[3, 3] == pytest.approx(np.full(3, 0.5))
