"""Cutting a mesh open and laying it flat, by xatlas (Young; MIT)."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.export.meshing.extras import needed
from splatsmith.export.meshing.mesh import Mesh
from splatsmith.render.triangles import Fragments, covered

PADDING = 4  # pixels between pieces
SIZES = (64, 8192)  # pixels a side


def unwrapped(mesh: Mesh, size: int) -> Mesh:
    """The mesh with uvs for a square texture of `size` pixels (64 to 8192) a side.

    Vertices on seams are doubled; all copies keep place and normal. Raises InputError for
    another size, or if the mesh cannot be laid out.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise InputError(f"A texture must have {SIZES[0]} to {SIZES[1]} pixels, got {size}.")
    xatlas = needed("xatlas")
    atlas = xatlas.Atlas()
    atlas.add_mesh(
        mesh.vertices.numpy().astype(np.float32), mesh.faces.numpy().astype(np.uint32)
    )
    options = xatlas.PackOptions()
    options.resolution = size
    options.padding = PADDING
    options.bilinear = True
    atlas.generate(pack_options=options)
    if atlas.atlas_count != 1 or not atlas.width or not atlas.height:
        raise InputError(
            f"The mesh of {len(mesh.faces)} faces does not fit on one texture of {size} "
            "pixels; allow a larger texture or fewer faces."
        )
    old, faces, uvs = atlas.get_mesh(0)
    # Both directions are scaled alike, so that pixels stay square.
    pixels = uvs.astype(np.float64) * [atlas.width, atlas.height]
    flat = (pixels / max(atlas.width, atlas.height)).astype(np.float32)
    source = torch.from_numpy(old.astype(np.int64))
    return replace(
        mesh,
        vertices=mesh.vertices[source],
        faces=torch.from_numpy(faces.astype(np.int64)),
        normals=mesh.normals[source],
        colors=None if mesh.colors is None else mesh.colors[source],
        uvs=torch.from_numpy(flat),
    )


def texels(mesh: Mesh, size: int) -> Fragments:
    """The pixels of a texture whose centers lie on the mesh; `weight` is barycentric."""
    assert mesh.uvs is not None, "only an unwrapped mesh has texels"
    flat = mesh.uvs[mesh.faces] * size
    place = torch.cat([flat, torch.ones_like(flat[..., :1])], dim=-1)
    view = torch.zeros(len(flat), dtype=torch.long)
    return covered(place, view, size, size, both_sides=True)


def owners(found: Fragments, count: int) -> Int[Tensor, "pixels"]:
    """One fragment's number for each pixel, -1 where there is none."""
    owner = torch.full((count,), -1, dtype=torch.long)
    owner[found.sample] = torch.arange(len(found.sample))
    return owner
