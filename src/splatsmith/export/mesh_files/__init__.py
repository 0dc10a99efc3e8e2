"""Meshes as files: glTF, OBJ, PLY, STL, USDZ."""

from splatsmith.export.mesh_files.glb import Material
from splatsmith.export.mesh_files.placing import Placing, placing
from splatsmith.export.mesh_files.write import (
    FORMATS,
    check_beside,
    check_destination,
    write_mesh,
)

__all__ = [
    "FORMATS",
    "Material",
    "Placing",
    "check_beside",
    "check_destination",
    "placing",
    "write_mesh",
]
