"""Cutting a mesh open and laying it flat, by xatlas (Young; MIT)."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.export.meshing.extras import needed
from splatsmith.export.meshing.mesh import Mesh
from splatsmith.render.triangles import Fragments, covered

PADDING = 4  # pixels between pieces
STEPS_A_PIXEL = 3  # along the edges of pieces that hold no pixel's center
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
    """The pixels of a texture whose centers lie on the mesh; `weight` is barycentric.

    A piece may be too thin to hold a center, and would have no color of its own: of such ones,
    the pixels that their edges pass through.
    """
    assert mesh.uvs is not None, "only an unwrapped mesh has texels"
    flat = mesh.uvs[mesh.faces] * size
    place = torch.cat([flat, torch.ones_like(flat[..., :1])], dim=-1)
    view = torch.zeros(len(flat), dtype=torch.long)
    centers = covered(place, view, size, size, both_sides=True)
    thin = _slivers(flat, size, centers)
    return Fragments(
        *(
            torch.cat([getattr(part, name) for part in (centers, thin)])
            for name in ("sample", "triangle", "weight", "nearness")
        )
    )


def _slivers(flat: Float[Tensor, "triangles 3 2"], size: int, centers: Fragments) -> Fragments:
    """Pixels along edges with no center of any piece in or beside them, one fragment each."""
    known = torch.zeros(1, 1, size, size)
    known.view(-1)[centers.sample] = 1.0
    lonely = torch.nn.functional.max_pool2d(known, 3, stride=1, padding=1).view(-1) == 0
    found = []
    for first in range(3):
        begin, end = flat[:, first], flat[:, (first + 1) % 3]
        # Only edges with a lonely end or middle are walked along; there are few.
        ends = torch.stack([begin, (begin + end) / 2, end], dim=1)
        edge = lonely[_pixels(ends, size)].any(dim=1).nonzero()[:, 0]
        if not len(edge):
            continue
        length = (end[edge] - begin[edge]).norm(dim=1)
        steps = int(length.max().ceil()) * STEPS_A_PIXEL + 1
        share = torch.linspace(0, 1, steps)
        place = begin[edge, None] + share[:, None] * (end - begin)[edge, None]
        pixel = _pixels(place, size).flatten()
        weight = torch.zeros(len(edge), steps, 3)
        weight[..., first], weight[..., (first + 1) % 3] = 1 - share, share
        kept = lonely[pixel]
        triangle = edge.repeat_interleave(steps)
        found.append((pixel[kept], triangle[kept], weight.flatten(0, 1)[kept]))
    if not found:
        return centers[torch.zeros(0, dtype=torch.long)]
    pixel, triangle, weight = (torch.cat(part) for part in zip(*found, strict=True))
    once = torch.full((size * size,), -1, dtype=torch.long)
    once[pixel] = torch.arange(len(pixel))
    chosen = once[once >= 0]
    return Fragments(pixel[chosen], triangle[chosen], weight[chosen], torch.ones(len(chosen)))


def _pixels(place: Float[Tensor, "*places 2"], size: int) -> Int[Tensor, "*places"]:
    """The pixel that each place of a texture lies in."""
    column, row = place.floor().long().clamp(0, size - 1).unbind(dim=-1)
    return row * size + column


def owners(found: Fragments, count: int) -> Int[Tensor, "pixels"]:
    """One fragment's number for each pixel, -1 where there is none."""
    owner = torch.full((count,), -1, dtype=torch.long)
    owner[found.sample] = torch.arange(len(found.sample))
    return owner
