"""Normal maps: the fine surface's normals on the coarse one.

A pixel holds the fine normal in the coarse surface's own axes, as glTF 2.0 (3.9.3) reads it:
red along the tangent, green along the bitangent, which points up in the picture, blue along
the normal; a component c is stored as (c + 1) / 2. The tangents go into the file with it, so
that every program uses the same axes.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.export.meshing.extras import needed
from splatsmith.export.meshing.mesh import Mesh
from splatsmith.export.meshing.texture import spread
from splatsmith.export.meshing.unwrap import texels
from splatsmith.render.mesh_preview import vertex_paint

NEIGHBORS = 4  # vertices of the fine mesh between which a normal is taken


def with_normal_map(mesh: Mesh, fine: Mesh) -> Mesh:
    """The textured mesh with tangents, and with a map of the fine mesh's normals."""
    assert mesh.texture is not None, "a normal map lies on the texture's pixels"
    size = len(mesh.texture)
    with_axes = replace(mesh, tangents=vertex_tangents(mesh))
    found = texels(mesh, size)
    place = vertex_paint(mesh.vertices, mesh.faces)(found.triangle, found.weight)
    wanted = _nearest_normals(place, fine)
    local = to_tangent_space(with_axes, found.triangle, found.weight, wanted)
    # What points inward cannot be shown; it is laid flat.
    local = torch.cat([local[:, :2], local[:, 2:].clamp(min=0.05)], dim=1)
    local = torch.nn.functional.normalize(local, dim=-1)
    picture = np.zeros((size * size, 3), dtype=np.float32)
    known = np.zeros(size * size, dtype=bool)
    picture[found.sample.numpy()] = local.numpy()
    known[found.sample.numpy()] = True
    full = spread(picture.reshape(size, size, 3), known.reshape(size, size))
    return replace(
        with_axes, normal_map=np.round((full + 1) / 2 * 255).clip(0, 255).astype(np.uint8)
    )


def to_tangent_space(
    mesh: Mesh,
    triangle: Tensor,
    share: Float[Tensor, "points 3"],
    vectors: Float[Tensor, "points 3"],
) -> Float[Tensor, "points 3"]:
    """World vectors in the axes that a shader has at points of the mesh."""
    tangent, bitangent, normal = shading_axes(mesh, triangle, share)
    rows = torch.stack([tangent, bitangent, normal], dim=1)
    # The axes need not be square to each other, so the inverse is not the transpose.
    return torch.linalg.solve(rows.transpose(1, 2), vectors)


def shading_axes(
    mesh: Mesh, triangle: Tensor, share: Float[Tensor, "points 3"]
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3"], Float[Tensor, "points 3"]]:
    """Tangent, bitangent and normal, as a shader interpolates and normalizes them."""
    assert mesh.tangents is not None
    normal = vertex_paint(mesh.normals, mesh.faces)(triangle, share)
    normal = torch.nn.functional.normalize(normal, dim=-1)
    both = vertex_paint(mesh.tangents, mesh.faces)(triangle, share)
    tangent = torch.nn.functional.normalize(both[:, :3], dim=-1)
    bitangent = torch.linalg.cross(normal, tangent) * both[:, 3:].sign()
    return tangent, torch.nn.functional.normalize(bitangent, dim=-1), normal


def vertex_tangents(mesh: Mesh) -> Float[Tensor, "vertices 4"]:
    """Unit directions of growing u, square to the normals, and the bitangents' signs.

    The bitangent, w (normal x tangent), points to falling v: up in the picture.
    """
    assert mesh.uvs is not None
    corners, uvs = mesh.corners, mesh.uvs[mesh.faces]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    (u1, v1), (u2, v2) = _spans(uvs)
    turn = torch.sign(u1 * v2 - u2 * v1)[:, None]
    along = (one * v2[:, None] - two * v1[:, None]) * turn
    rising = (one * u2[:, None] - two * u1[:, None]) * turn  # toward falling v
    totals = torch.zeros(2, len(mesh.vertices), 3)
    for corner in range(3):
        totals[0].index_add_(0, mesh.faces[:, corner], along)
        totals[1].index_add_(0, mesh.faces[:, corner], rising)
    tangent = totals[0] - mesh.normals * (totals[0] * mesh.normals).sum(-1, keepdim=True)
    tangent = torch.nn.functional.normalize(tangent, dim=-1)
    lost = tangent.norm(dim=-1, keepdim=True) < 0.5
    tangent = torch.where(lost, _any_square(mesh.normals), tangent)
    side = (torch.linalg.cross(mesh.normals, tangent) * totals[1]).sum(-1, keepdim=True)
    return torch.cat([tangent, torch.where(side < 0, -1.0, 1.0)], dim=1)


def _spans(
    uvs: Float[Tensor, "faces 3 2"],
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """(u, v) from the first corner to the second, and to the third."""
    one, two = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    return (one[:, 0], one[:, 1]), (two[:, 0], two[:, 1])


def _any_square(normals: Float[Tensor, "vertices 3"]) -> Float[Tensor, "vertices 3"]:
    """Unit vectors at right angles to the normals."""
    axis = torch.nn.functional.one_hot(normals.abs().argmin(dim=1), 3).to(normals.dtype)
    return torch.nn.functional.normalize(torch.linalg.cross(normals, axis), dim=-1)


def _nearest_normals(
    points: Float[Tensor, "points 3"], fine: Mesh
) -> Float[Tensor, "points 3"]:
    """Normals of the fine mesh at the nearest of its vertices, the nearer the more."""
    tree = needed("scipy.spatial").cKDTree(fine.vertices.numpy())
    distance, index = tree.query(points.numpy(), k=min(NEIGHBORS, len(fine.vertices)))
    weight = torch.from_numpy(1 / (np.asarray(distance, dtype=np.float32) + 1e-6))
    normals = fine.normals[torch.from_numpy(np.asarray(index))]
    total = (weight.reshape(len(points), -1, 1) * normals.reshape(len(points), -1, 3)).sum(1)
    return torch.nn.functional.normalize(total, dim=-1)
