"""From Gaussians to a mesh that an engine takes: shape, and what it needs to look like one."""

from splatsmith.export.meshing.make import MadeMesh, MeshSettings, make_mesh
from splatsmith.export.meshing.mesh import Mesh
from splatsmith.export.meshing.surface import decimated, density_surface, tsdf_surface

__all__ = [
    "MadeMesh",
    "Mesh",
    "MeshSettings",
    "decimated",
    "density_surface",
    "make_mesh",
    "tsdf_surface",
]
