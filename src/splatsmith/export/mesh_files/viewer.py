"""A page that shows a mesh and its splats: one file, for any browser with WebGL 2, offline."""

import base64
import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from splatsmith.export.mesh_files.glb import png_bytes
from splatsmith.export.meshing.mesh import Mesh
from splatsmith.export.meshing.texture import colored_by_texture
from splatsmith.files import replace_file
from splatsmith.render.reference import rotation_matrices
from splatsmith.scenes.gaussians import SH_C0, Gaussians

PAGE = Path(__file__).with_name("viewer.html")
MOST_SPLATS = 200_000  # of the largest mass; more would make a browser slow


def write_viewer(path: Path, mesh: Mesh, scene: Gaussians) -> Path:
    """Put the page at `path`; colors of splats are those of harmonics of degree 0."""
    low, high = mesh.bounds
    data: dict[str, Any] = {
        "center": ((low + high) / 2).tolist(),
        "reach": float((high - low).norm()) / 2,
        "faces": len(mesh.faces),
        "mesh": _packed(_triangle_soup(mesh)),
        "splats": _packed(_splat_rows(scene)),
        "texture": "",
    }
    if mesh.texture is not None:
        png = base64.b64encode(png_bytes(mesh.texture)).decode()
        data["texture"] = f"data:image/png;base64,{png}"
    page = PAGE.read_text(encoding="utf-8")
    page = page.replace("TITLE", html.escape(path.stem))
    # Nothing in the data can end the script: base64 has no "<".
    replace_file(path, page.replace('"DATA"', json.dumps(data)).encode())
    return path


def _triangle_soup(mesh: Mesh) -> np.ndarray:
    """Rows of three corners for each face: place, normal, uv, color; float32."""
    colored = colored_by_texture(mesh)
    colors = torch.full_like(mesh.vertices, 0.5) if colored.colors is None else colored.colors
    uvs = torch.zeros(len(mesh.vertices), 2) if mesh.uvs is None else mesh.uvs
    rows = torch.cat([mesh.vertices, mesh.normals, uvs, colors], dim=1)
    return rows[mesh.faces.reshape(-1)].numpy()


def _splat_rows(scene: Gaussians) -> np.ndarray:
    """Rows of place, opacity, color, 0, and the covariance's six entries; float32."""
    with torch.no_grad():
        axes = rotation_matrices(scene.quats) * scene.scales[:, None, :]
        covariance = axes @ axes.transpose(1, 2)
        color = (0.5 + SH_C0 * scene.sh[:, 0]).clamp(0, 1)
        empty = torch.zeros(scene.count, 1)
        upper = covariance.reshape(-1, 9)[:, [0, 1, 2, 4, 5, 8]]
        columns = [scene.means, scene.opacities[:, None], color, empty, upper]
        mass = scene.opacities * scene.scales.prod(dim=1)
        kept = mass.topk(min(scene.count, MOST_SPLATS)).indices
        return torch.cat([c.float().cpu() for c in columns], dim=1)[kept.cpu()].numpy()


def _packed(rows: np.ndarray) -> str:
    return base64.b64encode(rows.astype("<f4").tobytes()).decode()
