"""What surfaces are asked to be: values in closed form, gradients by central differences."""

import math

import torch

from mesh_scenes import sphere
from splatsmith.optimize.surface_regularizers import (
    edge_length,
    eikonal,
    laplacian,
    normal_consistency,
    sign_changes,
)
from splatsmith.render.raster import face_neighbors
from splatsmith.scenes.tetrahedra import grid, marching_tetrahedra


def hinge(angle):
    """Two unit right triangles that share the edge along y; 0 degrees is flat."""
    turn = math.radians(angle)
    vertices = torch.tensor(
        [[0.0, 0, 0], [0, 1, 0], [-1, 0, 0], [math.cos(turn), 0, math.sin(turn)]],
        dtype=torch.float64,
    )
    return vertices, torch.tensor([[0, 1, 2], [0, 3, 1]])


def consistency(vertices, faces):
    return normal_consistency(vertices, faces, face_neighbors(faces, len(vertices)))


def test_normals_of_a_hinge_disagree_by_its_angle():
    for angle in (0.0, 30.0, 90.0, 180.0):
        found = float(consistency(*hinge(angle)))
        assert abs(found - (1 - math.cos(math.radians(angle)))) < 1e-9
    lone = hinge(0.0)[0], torch.tensor([[0, 1, 2]])
    assert float(consistency(*lone)) == 0


def test_laplacian_of_a_pyramid_is_its_height_squared():
    """The tip stands over four neighbors; each of those lies off the mean of its own."""
    tip = torch.tensor([[0.0, 0, 0.5]])
    base = torch.tensor([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]])
    vertices = torch.cat([tip, base, torch.full((1, 3), 9.0)])  # the last has no face
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]])
    # (1,0,0): its neighbors (0,1,0) and (0,-1,0) count once, the tip twice.
    side = 1 + 0.25**2
    expected = (0.25 + 4 * side) / 5
    assert abs(float(laplacian(vertices, faces)) - expected) < 1e-6
    squares = (4 * 2 * 1.25 + 4 * 2.0) / 12
    assert abs(float(edge_length(vertices, faces)) - squares) < 1e-6


def test_smoothing_makes_a_rough_sphere_smooth(gen):
    vertices, faces = sphere(10)
    rough = (vertices + 0.05 * torch.randn(vertices.shape, generator=gen)).requires_grad_()
    around = face_neighbors(faces, len(vertices))
    first = float(normal_consistency(rough.detach(), faces, around))
    optimizer = torch.optim.Adam([rough], lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        loss = normal_consistency(rough, faces, around) + 5 * laplacian(rough, faces)
        loss.backward()
        optimizer.step()
    assert float(normal_consistency(rough.detach(), faces, around)) < 0.6 * first


def test_a_distance_rises_by_one():
    at = grid(16)
    points = at.points.double()
    straight = points @ torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    assert float(eikonal(straight, points, at.cells)) < 1e-9
    assert abs(float(eikonal(2 * straight, points, at.cells)) - 1) < 1e-6
    ball = points.norm(dim=1) - 0.5
    assert float(eikonal(ball, points, at.cells, reach=0.2)) < 0.01
    assert float(eikonal(ball + 9, points, at.cells, reach=0.2)) == 0


def test_sign_changes_in_closed_form():
    """One cell, one corner inside: three edges, each with logits of -1 against 1 and 2 of 0."""
    sdf = torch.tensor([-1.0, 2.0, 2.0, 2.0])
    cells = torch.arange(4)[None]
    each = math.log(1 + math.exp(1.0)) + math.log(1 + math.exp(2.0))
    found = sign_changes(sdf, marching_tetrahedra(sdf, cells).ends)
    assert abs(float(found) - each) < 1e-5
    assert float(sign_changes(sdf, marching_tetrahedra(sdf.abs(), cells).ends)) == 0


def test_gradients_are_those_of_central_differences(gen):
    vertices, faces = sphere(3, dtype=torch.float64)
    vertices = vertices + 0.05 * torch.randn(vertices.shape, generator=gen, dtype=torch.float64)
    for term in (consistency, laplacian, edge_length):
        assert torch.autograd.gradcheck(
            lambda v, t=term: t(v, faces), vertices.requires_grad_(), fast_mode=True
        )
    at = grid(8)
    points, cells = at.points.double(), at.cells[:60]
    used, place = cells.unique(return_inverse=True)
    sdf = torch.randn(len(used), generator=gen, dtype=torch.float64).requires_grad_()
    ends = marching_tetrahedra(sdf.detach(), place).ends
    local = points[used].clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s, p: eikonal(s, p, place), (sdf, local), fast_mode=True
    )
    assert torch.autograd.gradcheck(lambda s: sign_changes(s, ends), sdf)
