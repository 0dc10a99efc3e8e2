"""Colors from many views onto a mesh: into a texture, or at its vertices.

Every point of the surface asks all views that see it, and takes the mean of what they show
there. A view counts by the cosine of the angle at which it looks, to the power `SHARPNESS`, and
by how much the splats cover the pixel; the splats' own light is taken out of the blend with the
background first. What no view sees takes the color of the nearest point on the surface that
one does.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.export.meshing.extras import needed
from splatsmith.export.meshing.mesh import Mesh
from splatsmith.export.meshing.texture import spread
from splatsmith.export.meshing.unwrap import texels, unwrapped
from splatsmith.export.meshing.views import Views
from splatsmith.render.mesh_preview import vertex_paint
from splatsmith.render.raster import Backend, rasterize, to_clip

SHARPNESS = 4  # views that look straight count most; 1 would blur
LEAST_COSINE = 0.15  # flatter looks tell nothing
SLACK = 2.0  # pixels; how far a visible point may lie behind the depth buffer
COVER = 0.3  # alpha below which a pixel tells nothing


def with_vertex_colors(mesh: Mesh, views: Views) -> Mesh:
    """The mesh with a color at each vertex."""
    color, weight = gathered(mesh.vertices, mesh.normals, views, depth_buffers(mesh, views))
    return replace(mesh, colors=_completed(mesh.vertices, color, weight))


def with_texture(mesh: Mesh, views: Views, size: int) -> tuple[Mesh, float]:
    """The mesh, cut open, with a texture; and the share of its pixels that no view saw."""
    flat = unwrapped(mesh, size)
    found = baked(mesh, flat, views, size)
    full = spread(found.picture, found.known)
    bytes_ = np.round(full.clip(0, 1) * 255).astype(np.uint8)
    return replace(flat, texture=bytes_), found.unseen


@dataclass(frozen=True, eq=False)
class Baked:
    """A texture before it is widened beyond the seams; row 0 is v = 0."""

    picture: Float[np.ndarray, "rows columns 3"]  # 0..1, 0 where nothing is known
    known: Bool[np.ndarray, "rows columns"]  # pixels whose center lies on the surface
    unseen: float  # share of those that no view saw


def baked(
    mesh: Mesh, flat: Mesh, views: Views, size: int, *, backend: Backend = "auto"
) -> Baked:
    """What the views show of a mesh, laid out as in `flat`, which is the same mesh cut open."""
    found = texels(flat, size)
    place = vertex_paint(flat.vertices, flat.faces)(found.triangle, found.weight)
    normal = vertex_paint(flat.normals, flat.faces)(found.triangle, found.weight)
    normal = torch.nn.functional.normalize(normal, dim=-1)
    depths = depth_buffers(mesh, views, backend=backend)
    color, weight = gathered(place, normal, views, depths)
    unseen = float((weight == 0).float().mean())
    picture = np.zeros((size * size, 3), dtype=np.float32)
    known = np.zeros(size * size, dtype=bool)
    picture[found.sample.numpy()] = _completed(place, color, weight).numpy()
    known[found.sample.numpy()] = True
    return Baked(picture.reshape(size, size, 3), known.reshape(size, size), unseen)


@torch.no_grad()
def depth_buffers(
    mesh: Mesh, views: Views, *, backend: Backend = "auto"
) -> Float[Tensor, "views height width"]:
    """Camera z of the mesh, whichever side it shows, at each pixel; infinite beside it."""
    width, height = views.cameras.width, views.cameras.height
    depths = []
    for i in range(len(views.cameras)):  # one after the other to save memory
        clip = to_clip(mesh.vertices, views.cameras[[i]])
        shown = rasterize(clip, mesh.faces, width, height, backend=backend)
        depths.append(torch.where(shown.triangle < 0, torch.inf, shown.depth[..., 0]))
    return torch.cat(depths)


@torch.no_grad()
def gathered(
    points: Float[Tensor, "points 3"],
    normals: Float[Tensor, "points 3"],
    views: Views,
    depths: Float[Tensor, "views height width"],
) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points"]]:
    """The mean color that the views show at points of a surface, and the sum of weights.

    A point is hidden where the least depth in 3 x 3 pixels around it lies before it: next to
    the edge of something nearer, a picture's color is not the point's alone.
    """
    total = torch.zeros(len(points), 3)
    weights = torch.zeros(len(points))
    near = -torch.nn.functional.max_pool2d(-depths[:, None], 3, stride=1, padding=1)
    ahead = (points * normals).sum(dim=-1)
    for i in range(len(views.cameras)):
        camera = views.cameras[[i]]
        # Cosines first: half of the points look away.
        distance = torch.cdist(points, camera.position).squeeze(1)
        cosine = (normals @ camera.position[0] - ahead) / distance
        told = (cosine > LEAST_COSINE).nonzero()[:, 0]
        cosine, local = cosine[told], _in_camera(points[told], camera)
        pixel = (local @ camera.K[0].T)[:, :2] / local[:, 2:]
        unit = 2 * pixel / pixel.new_tensor([camera.width, camera.height]) - 1
        # A pixel's depth changes by a pixel's width over the cosine, within itself.
        slack = SLACK * local[:, 2] / camera.K[0, 0, 0] / cosine
        front = _sampled(near[i], unit, "nearest")[:, 0]
        sees = (local[:, 2] < front + slack) & front.isfinite() & (unit.abs() < 1).all(dim=1)
        told, cosine = told[sees], cosine[sees]
        both = torch.cat([views.color[i], views.alpha[i]], dim=-1).permute(2, 0, 1)
        shown = _sampled(both, unit[sees], "bilinear")
        alpha = shown[:, 3]
        weight = cosine**SHARPNESS * torch.where(alpha > COVER, alpha, 0.0)
        total[told] += (weight / alpha.clamp(min=COVER))[:, None] * shown[:, :3]
        weights[told] += weight
    return total / weights.clamp(min=1e-12)[:, None], weights


def _in_camera(points: Float[Tensor, "points 3"], camera: Cameras) -> Tensor:
    return points @ camera.viewmat[0, :3, :3].T + camera.viewmat[0, :3, 3]


def _sampled(picture: Tensor, unit: Float[Tensor, "points 2"], mode: str) -> Tensor:
    """Values of a picture at places in -1..1, one row for each."""
    whole = picture.reshape(1, -1, *picture.shape[-2:])
    found = torch.nn.functional.grid_sample(
        whole, unit[None, None], mode=mode, align_corners=False, padding_mode="border"
    )
    return found[0, :, 0].T


def _completed(
    points: Float[Tensor, "points 3"],
    color: Float[Tensor, "points 3"],
    weight: Float[Tensor, "points"],
) -> Float[Tensor, "points 3"]:
    """Colors of all points: those without a weight take the nearest other's."""
    seen = weight > 0
    if not bool(seen.any()):
        return torch.full_like(color, 0.5)
    if bool(seen.all()):
        return color
    tree = needed("scipy.spatial").cKDTree(points[seen].numpy())
    _, index = tree.query(points[~seen].numpy())
    full = color.clone()
    full[~seen] = color[seen][torch.from_numpy(np.asarray(index))]
    return full
