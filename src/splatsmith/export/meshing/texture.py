"""Pictures on meshes: looked up, filled, widened beyond the seams."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from splatsmith.export.meshing.extras import needed
from splatsmith.export.meshing.mesh import Mesh
from splatsmith.render.mesh_preview import Paint, vertex_paint


def texture_at(
    texture: UInt8[np.ndarray, "rows columns 3"], uvs: Float[Tensor, "points 2"]
) -> Float[Tensor, "points 3"]:
    """What a texture shows at places, 0..1, evenly between its pixels' centers."""
    picture = torch.from_numpy(texture).permute(2, 0, 1)[None].float() / 255
    found = torch.nn.functional.grid_sample(
        picture, 2 * uvs[None, None] - 1, align_corners=False, padding_mode="border"
    )
    return found[0, :, 0].T


def colored_by_texture(mesh: Mesh) -> Mesh:
    """The mesh with the texture's colors at its vertices, if it has a texture."""
    if mesh.texture is None or mesh.uvs is None:
        return mesh
    return replace(mesh, colors=texture_at(mesh.texture, mesh.uvs))


def nearest_known(known: Bool[np.ndarray, "rows columns"]) -> Int[np.ndarray, "rows columns"]:
    """For each pixel the nearest known one, as row * columns + column; at least one must be."""
    rows, columns = needed("scipy.ndimage").distance_transform_edt(
        ~known, return_distances=False, return_indices=True
    )
    return rows.astype(np.int64) * known.shape[1] + columns


def spread(
    picture: Float[np.ndarray, "rows columns channels"], known: Bool[np.ndarray, "rows columns"]
) -> Float[np.ndarray, "rows columns channels"]:
    """The picture with each unknown pixel as the nearest known one (all zero if none is)."""
    if not known.any():
        return np.zeros_like(picture)
    return picture.reshape(-1, picture.shape[-1])[nearest_known(known)]


def texture_paint(
    texture: UInt8[np.ndarray, "rows columns 3"],
    uvs: Float[Tensor, "vertices 2"],
    faces: Int[Tensor, "faces 3"],
) -> Paint:
    """A texture on a mesh, for `render.mesh_preview`."""
    between = vertex_paint(uvs, faces)
    return lambda triangle, share: texture_at(texture, between(triangle, share))


def paint_of(mesh: Mesh) -> Paint:
    """The mesh's texture, or its colors, or else a gray."""
    if mesh.texture is not None and mesh.uvs is not None:
        return texture_paint(mesh.texture, mesh.uvs, mesh.faces)
    colors = torch.full_like(mesh.vertices, 0.5) if mesh.colors is None else mesh.colors
    return vertex_paint(colors, mesh.faces)
