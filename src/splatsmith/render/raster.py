"""Triangles to pixels, differentiably: `rasterize`, `interpolate`, `antialias`.

After Laine et al. 2020 ("Modular primitives for high-performance differentiable rendering").
`rasterize` finds the triangle that each pixel shows and where in it; `interpolate` gives the
pixel what the corners have; `antialias` blends pixels across silhouettes, which is the only way
by which the gradient of a picture reaches the outline of a shape. `raster_reference.py` (plain
torch, any device) defines the answers, `raster_native.py` is the fast way on a CPU.

Vertices are given as homogeneous pixels `(x w, y w, w)`: w is camera z, x and y are pixels with
centers at +0.5, so `clip = K (R p + t)`. Nothing is clipped: triangles that reach behind the
camera are cut at w = `NEAR`. Both sides of a triangle are seen.
"""

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render import raster_native, raster_reference

Backend = Literal["auto", "reference", "native"]


@dataclass(frozen=True, eq=False)
class Fragments:
    """What each pixel shows of a mesh; all zero where it shows nothing."""

    triangle: Int[Tensor, "views height width"]  # row of `faces`, -1 where there is none
    barycentric: Float[Tensor, "views height width 3"]  # of the corners, perspective-correct
    depth: Float[Tensor, "views height width 1"]  # camera z


def to_clip(
    vertices: Float[Tensor, "vertices 3"], cameras: Cameras
) -> Float[Tensor, "views vertices 3"]:
    """Where cameras see points of the world: homogeneous pixels, w = camera z."""
    clip_from_world = cameras.K @ cameras.viewmat[:, :3]
    return vertices @ clip_from_world[:, :, :3].mT + clip_from_world[:, None, :, 3]


def rasterize(
    clip: Float[Tensor, "views vertices 3"],
    faces: Int[Tensor, "faces 3"],
    width: int,
    height: int,
    *,
    backend: Backend = "auto",
) -> Fragments:
    """The nearest triangle at each pixel's center, of equally near ones the first.

    Barycentric coordinates and depth are differentiable in `clip`; which triangle is seen is
    not. A center on a shared edge belongs to one of its triangles: there are no cracks.

    Raises InputError if `faces` name vertices that are not there, `clip` is not finite, or the
    picture has no pixel.
    """
    if width < 1 or height < 1:
        raise InputError(f"A picture needs at least one pixel a side, got {width} x {height}.")
    check_faces(faces, clip.shape[1])
    if not bool(torch.isfinite(clip).all()):
        bad = (~torch.isfinite(clip)).nonzero()[0].tolist()
        raise InputError(
            f"Vertex {bad[1]} in view {bad[0]} is {clip[bad[0], bad[1]].tolist()}, but every "
            "vertex must be finite; look for the step that made it so."
        )
    draw = raster_native if _native(clip, backend) else raster_reference
    return Fragments(*draw.rasterize(clip, faces.long(), width, height))


def interpolate(
    attributes: Float[Tensor, "vertices channels"] | Float[Tensor, "views vertices channels"],
    faces: Int[Tensor, "faces 3"],
    fragments: Fragments,
    *,
    backend: Backend = "auto",
) -> Float[Tensor, "views height width channels"]:
    """What lies between the corners: sum of barycentric * attribute; 0 where nothing is seen.

    Differentiable in the attributes and, through the fragments, in the vertices. `faces` may
    differ from those that were rasterized, as those of texture coordinates do.
    """
    check_faces(faces, attributes.shape[-2])
    if attributes.ndim == 3 and attributes.shape[0] != fragments.triangle.shape[0]:
        raise InputError(
            f"Attributes of {attributes.shape[0]} views do not fit fragments of "
            f"{fragments.triangle.shape[0]}; give one set for all, or one for each."
        )
    last = int(fragments.triangle.max()) if fragments.triangle.numel() else -1
    if last >= len(faces):
        raise InputError(
            f"The fragments show triangle {last}, and there are {len(faces)} faces; give as "
            "many as were rasterized."
        )
    _check_same("attributes", attributes, fragments.barycentric)
    draw = raster_native if _native(attributes, backend) else raster_reference
    return draw.interpolate(attributes, faces.long(), fragments.triangle, fragments.barycentric)


def interpolate_at(
    attributes: Float[Tensor, "vertices channels"],
    faces: Int[Tensor, "faces 3"],
    triangle: Int[Tensor, "points"],
    barycentric: Float[Tensor, "points 3"],
    *,
    backend: Backend = "auto",
) -> Float[Tensor, "points channels"]:
    """The same for single points of a surface, in a row."""
    row = Fragments(
        triangle[None, None], barycentric[None, None], barycentric[None, None, :, :1]
    )
    return interpolate(attributes, faces, row, backend=backend)[0, 0]


def antialias(
    color: Float[Tensor, "views height width channels"],
    fragments: Fragments,
    clip: Float[Tensor, "views vertices 3"],
    faces: Int[Tensor, "faces 3"],
    neighbors: Int[Tensor, "faces 3"],
    *,
    backend: Backend = "auto",
) -> Float[Tensor, "views height width channels"]:
    """The picture with pixels blended where a silhouette passes between their centers.

    A pixel takes from its neighbor the share by which the silhouette, where it crosses the line
    between both centers, leaves it; each silhouette edge is measured along the axis to which
    it stands steeper, so that a straight outline covers its exact area. Gradients reach `color`
    and, through the crossing, `clip`. Pixels with silhouettes on several sides can leave the
    range of the colors by a little. `neighbors` are those of `face_neighbors`.
    """
    _check_same("color", color, fragments.barycentric)
    _check_same("clip", clip, fragments.barycentric)
    check_faces(faces, clip.shape[1])
    there = fragments.triangle.shape
    if color.shape[:3] != there or len(clip) != there[0] or neighbors.shape != faces.shape:
        raise InputError(
            f"Color of {tuple(color.shape[:3])}, corners of {len(clip)} views and neighbors "
            f"of {len(neighbors)} faces do not fit fragments of {tuple(there)} and "
            f"{len(faces)} faces."
        )
    draw = raster_native if _native(color, backend) else raster_reference
    return draw.antialias(
        color, fragments.triangle, fragments.depth, clip, faces.long(), neighbors
    )


def normal_sums(
    vertices: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
    *,
    backend: Backend = "auto",
) -> Float[Tensor, "vertices 3"]:
    """For each vertex the sum of its faces' outward normals, each twice the area long."""
    check_faces(faces, len(vertices))
    draw = raster_native if _native(vertices, backend) else raster_reference
    return draw.normal_sums(vertices, faces.long())


def face_neighbors(
    faces: Int[Tensor, "faces 3"], vertices: int, *, backend: Backend = "auto"
) -> Int[Tensor, "faces 3"]:
    """The face across the edge opposite to each corner, -1 where the surface ends.

    Where more than two faces share an edge, each has the next one as its neighbor, by index and
    round about. `vertices` is their number.
    """
    check_faces(faces, vertices)
    draw = raster_native if _native(faces, backend) else raster_reference
    return draw.face_neighbors(faces.long(), vertices)


def check_faces(faces: Int[Tensor, "faces 3"], vertices: int) -> None:
    """Raise InputError unless every index names one of so many vertices."""
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise InputError(f"Faces must have shape (faces, 3), got {tuple(faces.shape)}.")
    if len(faces) and not 0 <= int(faces.min()) <= int(faces.max()) < vertices:
        raise InputError(
            f"Faces name the vertices {int(faces.min())} to {int(faces.max())}, "
            f"but there are {vertices}, counted from 0."
        )


def _check_same(name: str, tensor: Tensor, other: Tensor) -> None:
    if tensor.dtype != other.dtype or tensor.device != other.device:
        raise InputError(
            f"{name} is {tensor.dtype} on {tensor.device}, but the fragments are {other.dtype} "
            f"on {other.device}; move it with .to(fragments.depth)."
        )


def _native(tensor: Tensor, backend: Backend) -> bool:
    """Whether the kernels serve; raises InputError where they were asked for and cannot."""
    dtypes = (torch.float32, torch.int64, torch.int32)
    fits = tensor.device.type == "cpu" and tensor.dtype in dtypes
    if backend == "native" and not (fits and raster_native.available()):
        raise InputError(
            f"The native mesh kernels draw float32 on the CPU where they were built, got "
            f'{tensor.dtype} on {tensor.device}; choose backend="auto".'
        )
    if backend == "auto" and fits and not raster_native.available():
        _warn_once()
    return backend != "reference" and fits and raster_native.available()


@cache
def _warn_once() -> None:
    warnings.warn(
        "The native mesh kernels were not built; the far slower torch reference draws.",
        stacklevel=4,
    )
