"""What a mesh looks like beside its splats: colors, normals, wires."""

from pathlib import Path

import torch
from jaxtyping import UInt8
from numpy import ndarray

from splatsmith.cameras import orbit, shifted
from splatsmith.export.meshing.mesh import Mesh
from splatsmith.export.meshing.texture import paint_of
from splatsmith.export.meshing.views import ROOM, seen
from splatsmith.export.sheet import labeled_grid, save_png
from splatsmith.render.mesh_preview import draw_mesh, normal_paint, wire_paint
from splatsmith.scenes.gaussians import Gaussians

AZIMUTHS, ELEVATION = (30.0, 120.0, 210.0, 300.0), 20.0  # degrees
FOVY = 30.0  # degrees
WIRE = 0.004  # of the mesh's diagonal


def mesh_sheet(
    scene: Gaussians, mesh: Mesh, *, size: int = 256
) -> UInt8[ndarray, "height width 3"]:
    """Four views, one row for each: the splats, the mesh, its normals, its wires."""
    low, high = mesh.bounds
    reach = float((high - low).norm())
    radius = ROOM * reach / 2 / float(torch.sin(torch.deg2rad(torch.tensor(FOVY / 2))))
    cameras = orbit(
        list(AZIMUTHS), ELEVATION, radius=radius, fovy=FOVY, width=size, height=size
    )
    cameras = shifted(cameras, ((low + high) / 2).expand(len(AZIMUTHS), 3))
    paints = (
        paint_of(mesh),
        normal_paint(mesh.normals, mesh.faces),
        wire_paint(mesh.vertices, mesh.normals, mesh.faces, WIRE * reach),
    )
    white = torch.ones(3)
    rows = [seen(scene, cameras).over(1.0)]
    rows += [draw_mesh(mesh.vertices, mesh.faces, cameras, p, white).color for p in paints]
    return labeled_grid(
        rows,
        [f"{len(scene.means)} splats", f"{len(mesh.faces)} faces", "normals", "wires"],
    )


def write_pictures(path: Path, scene: Gaussians, mesh: Mesh) -> Path:
    """Put the sheet at `path` as PNG."""
    save_png(path, mesh_sheet(scene, mesh))
    return path
