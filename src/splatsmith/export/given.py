"""Whatever a run can begin from: splats of any format, a cloud of points, or a mesh.

As with splats, a file is what its content shows it to be; only .obj and .stl, which have no
mark of their own, go by their names.
"""

from pathlib import Path

import numpy as np

from splatsmith.export.clouds import read_cloud
from splatsmith.export.gltf import EXTENSION, Document
from splatsmith.export.mesh_files.read import read_surface
from splatsmith.export.ply_header import MAX_HEADER, parse_header
from splatsmith.export.splats import read_splats
from splatsmith.export.untrusted import contents, head_of
from splatsmith.scenes.given import Given

BY_NAME = (".obj", ".stl")
OF_SPLATS = ("packed_position", "f_dc_0", "scale_0", "rot_0")  # columns that only splats have


def read_given(path: str | Path) -> Given:
    """Splats, a cloud or a surface in our world, as float32 on the CPU.

    Raises InvalidFile for any file that is not a whole and proper one of these, and InputError
    where a mesh needs a package that is not installed.
    """
    path = Path(path)
    head = head_of(path, MAX_HEADER)
    if head.startswith(b"ply"):
        return _read_ply(path, head)
    if head.startswith(b"glTF"):
        return read_splats(path) if _has_splats(path) else read_surface(path, ".glb")
    if path.suffix.lower() in BY_NAME:
        return read_surface(path)
    return read_splats(path)


def _read_ply(path: Path, head: bytes) -> Given:
    """By its tables: a mesh has faces, and splats have columns of their own."""
    header = parse_header(path, head)
    vertex, face = header.element("vertex"), header.element("face")
    if vertex is None or any(name in vertex.names for name in OF_SPLATS):
        return read_splats(path)
    if face is not None and face.count:
        return read_surface(path, ".ply")
    with np.errstate(all="ignore"):
        return read_cloud(path)


def _has_splats(path: Path) -> bool:
    """Whether a glTF file says that it uses the extension for Gaussians."""
    used = Document(path, contents(path)).fields.get("extensionsUsed")
    return isinstance(used, list) and EXTENSION in used
