"""One scene into another and back: what was there is there still."""

import math

import pytest
import torch

from mesh_scenes import sphere, views
from splatsmith.errors import InputError
from splatsmith.render.density import Lattice
from splatsmith.render.mesh import face_normals
from splatsmith.render.reference import rotation_matrices
from splatsmith.scenes.convert import (
    field_to_mesh,
    field_to_tetrahedra,
    gaussians_to_mesh,
    mesh_to_gaussians,
    mesh_to_tetrahedra,
    quats_to,
    read_lattice,
)
from splatsmith.scenes.distance import check_closed, signed_distance, triangle_distance
from splatsmith.scenes.mesh import Mesh


def half_red(vertices):
    """Red where x > 0, green elsewhere."""
    red = (vertices[:, :1] > 0).float()
    return torch.cat([red, 1 - red, torch.zeros_like(red)], dim=1)


def ball(rings=24, radius=0.6, move=0.0):
    vertices, faces = sphere(rings, radius)
    return Mesh.colored(vertices + move, faces, half_red(vertices))


def blob(points):
    """A density that is 1 at distance 0.5 from (0.1, 0, 0)."""
    return torch.exp(3 * (0.5 - (points - torch.tensor([0.1, 0.0, 0.0])).norm(dim=1)))


def enclosed(vertices, faces):
    return float(
        (vertices.detach()[faces][:, 0] * face_normals(vertices.detach(), faces)).sum() / 6
    )


def off(points, radius=0.6):
    """Largest distance of points from a sphere about the origin."""
    return float((points.detach().norm(dim=1) - radius).abs().max())


def test_a_field_becomes_a_closed_mesh_where_its_level_lies():
    mesh = field_to_mesh(blob, 1.0, resolution=32, color=half_red)
    check_closed(mesh.faces)
    away = mesh.vertices - torch.tensor([0.1, 0.0, 0.0])
    assert off(away, 0.5) < 0.1 * 2 / 32
    assert enclosed(mesh.vertices, mesh.faces) > 0
    red = torch.sigmoid(mesh.paint.logit_colors)[mesh.vertices[:, 0] > 0.1]
    assert red[:, 0].min() > 0.99
    full = field_to_mesh(lambda points: torch.ones(len(points)), 0.5, resolution=8)
    check_closed(full.faces)  # what fills the cube ends at its sides
    with pytest.raises(InputError, match="No surface at level 9"):
        field_to_mesh(blob, 9.0, resolution=8)
    with pytest.raises(InputError, match="finite"):
        field_to_mesh(lambda points: points[:, 0] / 0, 1.0, resolution=8)


def test_a_mesh_becomes_gaussians_that_lie_in_it_and_a_mesh_again(gen):
    mesh = ball()
    splats = mesh_to_gaussians(mesh, 3000, gen)
    assert splats.count == 3000
    assert off(splats.means) < 0.01  # the chords of a sphere of 24 rings
    thin = rotation_matrices(splats.quats)[:, :, 2]
    radial = torch.nn.functional.normalize(splats.means, dim=1)
    assert (thin * radial).sum(1).min() > 0.98
    eighths = (splats.means > 0).long() @ torch.tensor([1, 2, 4])
    assert (torch.bincount(eighths, minlength=8) / 3000 - 0.125).abs().max() < 0.01
    cameras = views(1, 64, 64)
    pictures = [scene.render(cameras, torch.ones(3)) for scene in (mesh, splats)]
    # Splats reach over the outline by about a pixel.
    assert (pictures[0].alpha - pictures[1].alpha).abs().mean() < 0.06
    assert (pictures[0].color - pictures[1].color).abs().mean() < 0.06
    again = gaussians_to_mesh(splats, resolution=40)
    # The shell of splats has an outer and an inner side.
    outer = again.vertices[again.vertices.norm(dim=1) > 0.6]
    assert off(outer) < 0.06
    color = torch.sigmoid(again.paint.logit_colors)
    assert color[again.vertices[:, 0] > 0.1][:, 0].min() > 0.9
    assert color[again.vertices[:, 0] < -0.1][:, 1].min() > 0.9
    with pytest.raises(InputError, match="densities reach"):
        gaussians_to_mesh(splats, level=50.0, resolution=16)


def test_draws_are_those_of_the_generator():
    draws = [
        mesh_to_gaussians(ball(8), 50, torch.Generator().manual_seed(seed)).means
        for seed in (1, 1, 2)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_a_mesh_becomes_tetrahedra_and_the_same_mesh():
    mesh = ball(16)
    scene = mesh_to_tetrahedra(mesh, 24)
    again = scene.mesh()
    check_closed(again.faces)
    assert off(again.vertices) < 0.03
    assert len(again.vertices) - len(again.faces) // 2 == 2
    color = torch.sigmoid(again.paint.logit_colors)
    assert color[again.vertices[:, 0] > 0.1][:, 0].min() > 0.9
    with pytest.raises(InputError, match="not closed"):
        mesh_to_tetrahedra(Mesh.colored(mesh.vertices, mesh.faces[1:]), 16)
    with pytest.raises(InputError, match="scale it down"):
        mesh_to_tetrahedra(ball(8, 2.0), 16)


def test_a_field_becomes_tetrahedra_where_its_level_lies():
    scene = field_to_tetrahedra(blob, 1.0, resolution=32, color=half_red)
    mesh = scene.mesh()
    assert off(mesh.vertices - torch.tensor([0.1, 0.0, 0.0]), 0.5) < 0.1 * scene.grid.cube
    assert torch.sigmoid(mesh.paint.logit_colors)[mesh.vertices[:, 0] > 0.2][:, 0].min() > 0.9
    with pytest.raises(InputError, match="No surface"):
        field_to_tetrahedra(blob, 9.0, resolution=8)


def test_signed_distance_is_that_of_a_sphere():
    vertices, faces = sphere(20, 0.6)
    lattice = Lattice((-0.9, -0.8, -0.85), (0.9, 0.8, 0.85), (19, 17, 18))
    found = signed_distance(vertices, faces, lattice, 0.2)
    points = torch.stack(torch.meshgrid(*lattice.axes(vertices), indexing="ij"), dim=-1)
    expected = (points.norm(dim=-1) - 0.6).clamp(-0.2, 0.2)
    assert (found - expected).abs().max() < 0.008
    both = torch.cat([vertices, vertices + 0.3]), torch.cat([faces, faces + len(vertices)])
    union = signed_distance(*both, lattice, 0.2)
    inside = torch.minimum(expected, (points - 0.3).norm(dim=-1) - 0.6) < -0.01
    assert (union[inside] < 0).all()  # parts may overlap


def test_distance_to_one_triangle_by_many_of_its_points(gen):
    corners = torch.randn(6, 3, 3, generator=gen, dtype=torch.float64)
    corners[5, 2] = 0.3 * corners[5, 0] + 0.7 * corners[5, 1]  # no area
    steps = torch.linspace(0, 1, 101, dtype=torch.float64)
    u, v = torch.meshgrid(steps, steps, indexing="ij")
    u, v = u[u + v <= 1 + 1e-9], v[u + v <= 1 + 1e-9]
    weight = torch.stack([1 - u - v, u, v], dim=1)
    points = 2 * torch.randn(6, 3, generator=gen, dtype=torch.float64)
    on = torch.einsum("wk,tkc->twc", weight, corners)
    expected = (on - points[:, None]).norm(dim=-1).amin(dim=1)
    found = triangle_distance(points, corners)
    assert (found <= expected + 1e-12).all()
    assert (expected - found).max() < 0.01


def test_a_grid_is_read_between_its_points(gen):
    lattice = Lattice((-1.0, 0.0, 1.0), (1.0, 3.0, 2.0), (4, 5, 6))
    at = torch.stack(torch.meshgrid(*lattice.axes(torch.zeros(())), indexing="ij"), dim=-1)
    slope = torch.randn(3, 2, generator=gen)
    points = torch.rand(20, 3, generator=gen) * torch.tensor([2.0, 3, 1]) + torch.tensor(
        [-1.0, 0, 1]
    )
    torch.testing.assert_close(read_lattice(at @ slope, lattice, points), points @ slope)


def test_rotations_to_normals(gen):
    normals = torch.nn.functional.normalize(torch.randn(50, 3, generator=gen), dim=1)
    normals = torch.cat([normals, torch.tensor([[0.0, 0, 1], [0, 0, -1]])])
    turned = rotation_matrices(quats_to(normals))[:, :, 2]
    torch.testing.assert_close(turned, normals, atol=1e-5, rtol=0.0)
    assert math.isclose(float(quats_to(normals).norm(dim=1).min()), 1.0, abs_tol=1e-5)
