"""Surfaces in tetrahedra: the grid fills its cube, surfaces close, gradients arrive."""

import math

import pytest
import torch
from torch import nn

from mesh_scenes import views
from splatsmith.errors import InputError
from splatsmith.render.mesh import face_normals
from splatsmith.scenes.tetrahedra import (
    EDGES,
    Tetrahedra,
    cut_points,
    grid,
    marching_tetrahedra,
)


def volumes(points, cells):
    a, b, c, d = points[cells].double().unbind(1)
    return (torch.linalg.cross(b - a, c - a) * (d - a)).sum(1) / 6


def edge_counts(faces):
    """How many times each directed edge occurs."""
    directed = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return directed.unique(dim=0, return_counts=True)


def assert_closed(faces):
    edges, counts = edge_counts(faces)
    assert (counts == 1).all()  # each edge once each way: two faces, turned alike
    there = {tuple(edge) for edge in edges.tolist()}
    assert all((b, a) in there for a, b in there)


def enclosed(vertices, faces):
    return float((vertices[faces][:, 0] * face_normals(vertices, faces)).sum() / 6)


@pytest.mark.parametrize("resolution", [8, 16])
def test_the_cells_fill_the_cube_without_overlap(resolution):
    at = grid(resolution)
    cubes = resolution // 2
    assert len(at.points) == (cubes + 1) ** 3 + cubes**3
    each = volumes(at.points, at.cells)
    assert (each > 0).all()
    assert abs(float(each.sum()) - 8.0) < 1e-4
    a, b = at.points[at.cells[:, EDGES]].unbind(-2)
    assert (a - b).norm(dim=-1).max() < 1.5 * at.cube
    triples = at.cells[:, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]].reshape(-1, 3)
    faces, counts = triples.sort(dim=1).values.unique(dim=0, return_counts=True)
    assert counts.max() == 2  # cells meet in whole faces
    alone = at.points[faces[counts == 1]]
    assert (alone.abs() == 1).all(dim=1).any(dim=1).all()  # only those on the cube's sides


@pytest.mark.parametrize("resolution", [16, 32])
def test_a_sphere_is_closed_and_as_large_as_it_should_be(resolution):
    scene = Tetrahedra.sphere(resolution, 0.6).requires_grad_(False)
    vertices, faces, _, _ = scene.surface()
    assert_closed(faces)
    assert len(vertices) - len(faces) // 2 == 2  # Euler: a sphere
    radii = vertices.norm(dim=1)
    cube = scene.grid.cube
    assert (radii - 0.6).abs().max() < 0.1 * cube
    volume = enclosed(vertices, faces)
    assert volume > 0  # faces turn outward
    assert abs(volume / (4 / 3 * math.pi * 0.6**3) - 1) < 0.25 * cube


def test_any_field_of_distances_gives_a_closed_surface(gen):
    scene = Tetrahedra.sphere(8).requires_grad_(False)
    with torch.no_grad():
        scene.sdf.copy_(torch.randn(scene.sdf.shape, generator=gen))
        scene.deformation.copy_(5 * torch.randn(scene.deformation.shape, generator=gen))
    vertices, faces, _, _ = scene.surface()
    assert torch.isfinite(vertices).all()
    assert_closed(faces)
    scene.sdf.data.fill_(-1.0)  # all inside: the rim still closes it
    vertices, faces, _, _ = scene.surface()
    assert_closed(faces)
    assert enclosed(vertices, faces) > 6.0


def test_no_cell_turns_over_however_far_its_points_move(gen):
    scene = Tetrahedra.sphere(8).requires_grad_(False)
    for _ in range(20):
        signs = torch.randint(0, 2, scene.deformation.shape, generator=gen) * 2.0 - 1
        scene.deformation.data = 50 * signs
        inner = volumes(scene.points, scene.grid.cells)
        assert (inner > 0).all()


def test_one_cell_with_each_set_of_corners_inside():
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    cells = torch.arange(4)[None]
    for case in range(16):
        inside = torch.tensor([bool(case >> i & 1) for i in range(4)])
        sdf = torch.where(inside, -1.0, 1.0).double()
        cut = marching_tetrahedra(sdf, cells)
        assert len(cut.faces) == {0: 0, 4: 0, 1: 1, 3: 1, 2: 2}[int(inside.sum())]
        if len(cut.faces) == 0:
            continue
        vertices = cut_points(cut, sdf, points)
        outward = points[~inside].mean(0) - points[inside].mean(0)
        assert (face_normals(vertices, cut.faces) @ outward > 0).all()


def test_gradients_reach_distances_movements_and_colors():
    scene = Tetrahedra.sphere(16, 0.6)
    picture = scene.render(views(2, 32, 32), torch.ones(3))
    assert 0.1 < float(picture.alpha.detach().mean()) < 0.6
    picture.color.sum().backward()
    for name, parameter in scene.parameters_by_name().items():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name
    # A larger grey ball before white is darker: smaller distances, smaller sum.
    assert scene.sdf.grad.sum() > 0


def test_cut_points_follow_central_differences(gen):
    at = grid(8)
    sdf = at.points.double().norm(dim=1) - 0.55
    cut = marching_tetrahedra(sdf, at.cells)
    used, place = cut.ends.unique(return_inverse=True)
    small = type(cut)(place.reshape(-1, 2)[:40], cut.faces)
    values = at.points.double()[used]
    inputs = (sdf[used].requires_grad_(), values.requires_grad_())
    assert torch.autograd.gradcheck(lambda s, v: cut_points(small, s, v), inputs)


def test_a_ball_grows_to_a_larger_silhouette():
    cameras, scene = views(2, 32, 32), Tetrahedra.sphere(16, 0.4)
    with torch.no_grad():
        goal = Tetrahedra.sphere(16, 0.6).render(cameras, torch.ones(3)).alpha
    optimizer = torch.optim.Adam(scene.parameters_by_name().values(), lr=0.02)
    losses = []
    for _ in range(18):
        optimizer.zero_grad()
        loss = (scene.render(cameras, torch.ones(3)).alpha - goal).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.15 * losses[0]


class Ramp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0, 0.0, 1.0]))

    def forward(self, points):
        return torch.sigmoid(points * self.weight)


def test_state_brings_the_scene_back_exactly(gen):
    for field in (None, Ramp()):
        scene = Tetrahedra.sphere(8, field=field)
        scene.deformation.data = torch.randn(scene.deformation.shape, generator=gen)
        again = Tetrahedra.from_state(scene.state(), field=Ramp())
        assert again.state().keys() == scene.state().keys()
        assert all(torch.equal(again.state()[k], v) for k, v in scene.state().items())
        cameras = views(1, 16, 16)
        pictures = [s.render(cameras, torch.ones(3)).color for s in (scene, again)]
        assert torch.equal(*pictures)
        mesh = scene.mesh()
        shown = mesh.render(cameras, torch.ones(3))
        torch.testing.assert_close(shown.color, pictures[0], atol=0.02, rtol=0.0)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match=r"even and in 8\.\.256"):
        grid(9)
    with pytest.raises(InputError, match="within the grid"):
        Tetrahedra.sphere(8, 2.0)
    with pytest.raises(InputError, match="sdf of resolution 8"):
        Tetrahedra(8, torch.zeros(5))
    with pytest.raises(InputError, match="no surface"):
        Tetrahedra(8, grid(8).points.norm(dim=1) + 1).mesh()
    with pytest.raises(InputError, match="has the tensors"):
        Tetrahedra.from_state({"sdf": torch.zeros(3)})
    empty = Tetrahedra(8, grid(8).points.norm(dim=1) + 1)
    picture = empty.render(views(1, 8, 8), torch.ones(3))
    assert torch.equal(picture.color, torch.ones(1, 8, 8, 3))
