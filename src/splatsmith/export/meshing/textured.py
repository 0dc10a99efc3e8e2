"""Meshes with a texture as scenes: made of any scene to be optimized, and back to be written.

The scene keeps the surface whole and has the layout beside it, so that vertices on a seam are
one vertex however they move. A file wants them doubled.
"""

import torch

from splatsmith.errors import InputError
from splatsmith.export.meshing.bake import baked
from splatsmith.export.meshing.mesh import Mesh, plain_mesh, vertex_normals
from splatsmith.export.meshing.surface import decimated, density_surface
from splatsmith.export.meshing.texture import nearest_known
from splatsmith.export.meshing.topology import without_small_parts
from splatsmith.export.meshing.unwrap import unwrapped
from splatsmith.export.meshing.views import Views, seen, sphere_cameras
from splatsmith.scenes import mesh as scenes
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.handover import surface_of
from splatsmith.scenes.kinds import Scene
from splatsmith.scenes.paint import ImageTexture, colors_to_logits

VIEWS, VIEW_SIZE = 40, 384  # from which colors come, pixels a side; as in `make.MeshSettings`
SMALLEST_PART = 0.02  # of the largest part's area; smaller parts go


@torch.no_grad()
def textured_scene(scene: Scene, *, resolution: int, faces: int, texture: int) -> scenes.Mesh:
    """The surface of a scene with its colors in a texture, ready to be optimized.

    Gaussians are meshed and looked at as `make_mesh` does it; other kinds have a surface of
    their own, with colors at its vertices. No more than `faces` triangles, out of `resolution`
    cells along the longest side, and `texture` pixels a side. The same scene gives the same
    mesh to the last bit. Raises InputError if there is no surface, or the texture is too small.
    """
    if isinstance(scene, Gaussians):
        found = density_surface(scene, resolution=resolution, smallest_part=SMALLEST_PART)
        shown: Scene = scene
        surface = found.mesh
    else:
        whole = surface_of(scene, resolution)
        shown = whole
        surface = plain_mesh(whole.vertices.detach().float().cpu(), whole.faces.cpu())
        surface = without_small_parts(surface, SMALLEST_PART)
    less = decimated(surface, faces)
    views = seen(shown, sphere_cameras(VIEWS, *less.bounds, VIEW_SIZE))
    return painted(less, views, texture)


def painted(mesh: Mesh, views: Views, size: int) -> scenes.Mesh:
    """A mesh whose texture of `size` pixels a side shows what the views do."""
    flat = unwrapped(mesh, size)
    if not torch.equal(flat.corners, mesh.corners):
        raise InputError(
            f"The layout of {len(mesh.faces)} faces has lost some of them; allow fewer faces."
        )
    assert flat.uvs is not None
    found = baked(mesh, flat, views, size)
    if not found.known.any():
        raise InputError(f"A texture of {size} pixels is too small for this mesh.")
    repeats = torch.from_numpy(nearest_known(found.known))
    colors = torch.from_numpy(found.picture).reshape(-1, 3)[repeats]
    uv = torch.stack([flat.uvs[:, 0], 1 - flat.uvs[:, 1]], dim=1)
    paint = ImageTexture(colors_to_logits(colors), uv, flat.faces, repeats)
    return scenes.Mesh(mesh.vertices, mesh.faces, paint)


@torch.no_grad()
def textured_asset(scene: scenes.Mesh) -> Mesh:
    """A scene with an image around it as a mesh for files: seams doubled, colors as bytes."""
    paint = scene.paint
    if not isinstance(paint, ImageTexture):
        raise InputError("This mesh has its colors at its vertices and no texture to write.")
    vertices, faces = scene.vertices.detach().float().cpu(), scene.faces.cpu()
    pairs = torch.stack([faces, paint.uv_faces.cpu().long()], dim=-1).reshape(-1, 2)
    corners, which = pairs.unique(dim=0, return_inverse=True)
    uv = paint.uv.float().cpu()[corners[:, 1]]
    return Mesh(
        vertices=vertices[corners[:, 0]],
        faces=which.reshape(-1, 3),
        normals=vertex_normals(vertices, faces)[corners[:, 0]],
        uvs=torch.stack([uv[:, 0], 1 - uv[:, 1]], dim=1),
        texture=(paint.image() * 255).round().to(torch.uint8).cpu().numpy(),
    )
