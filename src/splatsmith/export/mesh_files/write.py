"""Writing a mesh under the format that its name ends in."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from splatsmith.errors import InputError
from splatsmith.export.mesh_files.glb import Material, glb_bytes, png_bytes
from splatsmith.export.mesh_files.placing import PER_METER, UP, Placing, Up, placed
from splatsmith.export.mesh_files.usdz import usdz_bytes
from splatsmith.export.meshing.extras import needed
from splatsmith.export.meshing.mesh import Mesh
from splatsmith.export.meshing.texture import colored_by_texture
from splatsmith.export.meshing.topology import topology, welded
from splatsmith.files import replace_file

FORMATS = tuple(UP)
BESIDE = {".obj": (".mtl", ".png")}  # what else is written, under the same name


def write_mesh(
    path: Path,
    mesh: Mesh,
    place: Placing,
    *,
    material: Material | None = None,
    up: Up | None = None,
) -> list[Path]:
    """Write .glb, .obj (with .mtl and .png), .ply, .stl or .usdz; returns what was written.

    Meters, except for .stl, which is in millimeters. `up` is by default what each format's
    readers expect: y for .glb, .obj and .usdz, z for .ply and .stl. A .ply carries colors at
    its vertices, an .stl none at all; an .stl that is not closed brings a warning. Raises
    InputError for another ending, for .glb with z up, and for a folder that is not there.
    """
    ending = check_destination(path, up)
    material = material or Material()
    up = up or UP[ending]
    there = placed(mesh, place, up, PER_METER[ending])
    if ending == ".obj":
        return _write_obj(path, there, material)
    if ending == ".glb":
        data = glb_bytes(there, path.stem, material)
    elif ending == ".usdz":
        data = usdz_bytes(there, material, up)
    elif ending == ".stl":
        data = _stl_bytes(there, path)
    else:
        data = _ply_bytes(colored_by_texture(there))
    replace_file(path, data)
    return [path]


def check_destination(path: Path, up: Up | None = None) -> str:
    """The ending of a path that `write_mesh` would accept; InputError if it would not."""
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise InputError(f"{path} must end in {', '.join(FORMATS)}.")
    if ending == ".glb" and up == "z":
        raise InputError("glTF has y up by its standard; give another format for z up.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} to write {path.name} into.")
    check_beside(path, [path.with_suffix(end) for end in BESIDE.get(ending, ())])
    return ending


def check_beside(path: Path, others: Sequence[Path]) -> None:
    """Raise InputError if files that are written beside a new `path` are somebody's already.

    Where `path` is there, they are taken to be its own, and are replaced with it.
    """
    taken = next((other for other in others if other.exists()), None)
    if taken is not None and not path.exists():
        raise InputError(
            f"{taken} is there already and would be replaced, as it belongs to {path.name}; "
            "choose another --out."
        )


def _write_obj(path: Path, mesh: Mesh, material: Material) -> list[Path]:
    """Wavefront text; a texture's v grows upward there.

    Without a texture, colors follow the places of vertices, as many programs read them, and no
    material covers them.
    """
    textured = mesh.texture is not None and mesh.uvs is not None
    rows, lines, written = mesh.vertices, [f"o {path.stem.replace(' ', '_')}"], [path]
    if textured:
        written += _write_library(path, mesh, material)
        lines = [f"mtllib {path.with_suffix('.mtl').name}", *lines, "usemtl surface"]
    elif mesh.colors is not None:
        rows = torch.cat([rows, mesh.colors.clamp(0, 1)], dim=1)
    lines += _lines("v", rows)
    lines += _lines("vn", mesh.normals)
    if mesh.uvs is not None:
        lines += _lines("vt", torch.stack([mesh.uvs[:, 0], 1 - mesh.uvs[:, 1]], dim=1))
    corner = "{0}/{0}/{0}" if mesh.uvs is not None else "{0}//{0}"
    for face in (mesh.faces + 1).tolist():
        lines.append("f " + " ".join(corner.format(number) for number in face))
    replace_file(path, _text(lines))
    return written


def _write_library(path: Path, mesh: Mesh, material: Material) -> list[Path]:
    """The material and its picture, beside the mesh and under its name."""
    library, picture = path.with_suffix(".mtl"), path.with_suffix(".png")
    lines = ["newmtl surface", "Kd 1 1 1", "Ks 0 0 0", f"Pr {material.roughness:g}"]
    lines += [f"Pm {material.metallic:g}", f"map_Kd {picture.name}"]
    assert mesh.texture is not None
    replace_file(picture, png_bytes(mesh.texture))
    replace_file(library, _text(lines))
    return [library, picture]


def _lines(key: str, rows: torch.Tensor) -> list[str]:
    return [f"{key} {' '.join(f'{value:.7g}' for value in row)}" for row in rows.tolist()]


def _text(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _stl_bytes(mesh: Mesh, path: Path) -> bytes:
    looks = topology(welded(mesh).faces)
    if not looks.watertight:
        warnings.warn(
            f"{path} is not closed ({looks.open_edges} open edges, {looks.crowded_edges} with "
            "more than two faces); a slicer will have to repair it.",
            stacklevel=3,
        )
    return _by_trimesh(mesh).export(file_type="stl")


def _ply_bytes(mesh: Mesh) -> bytes:
    return _by_trimesh(mesh).export(file_type="ply", vertex_normal=True)


def _by_trimesh(mesh: Mesh) -> Any:
    colors = None
    if mesh.colors is not None:
        colors = (mesh.colors.clamp(0, 1) * 255).round().numpy().astype(np.uint8)
    return needed("trimesh").Trimesh(
        vertices=mesh.vertices.numpy(),
        faces=mesh.faces.numpy(),
        vertex_normals=mesh.normals.numpy(),
        vertex_colors=colors,
        process=False,
    )
