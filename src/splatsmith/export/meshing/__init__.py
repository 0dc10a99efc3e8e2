"""From Gaussians to a mesh that an engine takes: shape, and what it needs to look like one."""

from splatsmith.export.meshing.mesh import Mesh
from splatsmith.export.meshing.surface import decimated, density_surface

__all__ = ["Mesh", "decimated", "density_surface"]
