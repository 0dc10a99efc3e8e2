"""Reading meshes of strangers, through trimesh: .glb, .obj, .ply and .stl, with their colors.

A texture, colors at corners or on faces, and a material's plain color are understood; light,
normal maps and transparency are left out. Coordinates come into our world as `placing` takes
them out of it.
"""

import warnings
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.errors import InvalidFile
from splatsmith.export.mesh_files.placing import FRAMES, UP
from splatsmith.export.meshing.extras import needed
from splatsmith.export.untrusted import contents
from splatsmith.scenes.given import Surface
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.paint import ImageTexture, Paint, VertexColors, colors_to_logits

ENDINGS = (".glb", ".obj", ".ply", ".stl")
MOST_BYTES = 256 << 20  # of the file, and of each file beside it
MOST_FACES = 5_000_000
MOST_CORNERS = 3 * MOST_FACES  # of all placements, as each has its own
MOST_PIXELS = 50_000_000  # of a texture
FAR = 1e18  # so that squares fit 32 bits


class Beside(Mapping[str, bytes]):
    """The files in the folder of an .obj, and below it, which it may name; no others."""

    def __init__(self, path: Path) -> None:
        self.folder = path.parent.resolve()

    def __getitem__(self, name: str) -> bytes:
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder) or not path.is_file():
            raise KeyError(name)
        return contents(path, MOST_BYTES)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def read_surface(path: str | Path, ending: str | None = None) -> Surface:
    """The triangles of a file in our world, as float32; `ending` says the format.

    Needs the extra "mesh" (trimesh); InputError if it is missing. Raises InvalidFile for any
    file without proper triangles.
    """
    path = Path(path)
    ending = ending or path.suffix.lower()
    trimesh = needed("trimesh")
    data = contents(path, MOST_BYTES)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            scene = trimesh.load_scene(
                BytesIO(data),
                file_type=ending[1:],
                resolver=Beside(path) if ending == ".obj" else None,
                process=False,
            )
            parts = [part for part in _parts(path, scene, ending) if part is not None]
    except InvalidFile:
        raise
    except Exception as error:  # Parsers of many formats fail in many ways on broken files.
        reason = " ".join(str(error).split())[:200]
        raise InvalidFile(path, None, f"this is no proper {ending} mesh ({reason})") from error
    if not parts:
        raise InvalidFile(path, None, "the file holds no triangles")
    return Surface(tuple(parts))


def _parts(path: Path, scene: Any, ending: str) -> Iterator[Mesh | None]:
    """Every mesh of the scene, as often as it is placed."""
    frame, total, corners_there = FRAMES[UP[ending]].inverse, 0, 0
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        geometry = scene.geometry[name]
        faces = getattr(geometry, "faces", None)
        if faces is None or len(faces) == 0:
            continue
        total += len(faces)
        if total > MOST_FACES:
            raise InvalidFile(path, None, f"more than {MOST_FACES:,} triangles")
        corners_there += len(geometry.vertices)
        if corners_there > MOST_CORNERS:
            raise InvalidFile(path, None, f"more than {MOST_CORNERS:,} corners")
        matrix = np.asarray(matrix, dtype=np.float64)
        places = np.asarray(geometry.vertices, dtype=np.float64)
        places = frame.points(places @ matrix[:3, :3].T + matrix[:3, 3])
        corners = torch.from_numpy(np.array(faces, dtype=np.int64))
        used = places[np.unique(np.asarray(faces))]
        if not (np.abs(used) <= FAR).all():
            raise InvalidFile(path, None, "places of corners are too far away, or no numbers")
        if np.linalg.det(matrix[:3, :3]) < 0:
            corners = corners.flip(1)  # A mirrored part would be inside out.
        vertices = torch.from_numpy(np.nan_to_num(places, posinf=0, neginf=0)).float()
        yield _painted(path, vertices, corners, geometry.visual, ending)


def _painted(
    path: Path,
    vertices: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
    visual: Any,
    ending: str,
) -> Mesh:
    """The mesh in its colors; gray if it has none."""
    if visual.kind == "face":
        # Corners that faces share have no one color.
        colors = torch.from_numpy(np.array(visual.face_colors[:, :3]) / 255.0).float()
        vertices = vertices[faces.reshape(-1)]
        faces = torch.arange(len(vertices)).reshape(-1, 3)
        return Mesh.colored(vertices, faces, colors.repeat_interleave(3, dim=0))
    if visual.kind == "vertex":
        told = np.array(visual.vertex_colors[:, :3]) / 255.0
        told = displayed(told) if ending == ".glb" else told
        return Mesh.colored(vertices, faces, torch.from_numpy(told).float())
    if visual.kind != "texture":
        return Mesh.colored(vertices, faces)
    return Mesh(vertices, faces, _paint(path, faces, len(vertices), visual, ending == ".glb"))


def _paint(
    path: Path, faces: Int[Tensor, "faces 3"], count: int, visual: Any, in_light: bool
) -> Paint:
    """A material's texture or colors; in .glb, plain numbers are amounts of light."""
    material = visual.material
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    plain = getattr(material, "baseColorFactor", None)
    plain = getattr(material, "diffuse", None) if plain is None else plain
    tint = np.ones(3) if plain is None else np.asarray(plain, dtype=np.float64)[:3] / 255
    tint = displayed(tint) if in_light else tint
    if picture is not None and visual.uv is not None and len(visual.uv) == count:
        if picture.width * picture.height > MOST_PIXELS:
            raise InvalidFile(path, None, f"a texture has more than {MOST_PIXELS:,} pixels")
        texture = np.array(picture.convert("RGB"), dtype=np.float32) / 255
        # Of a picture in an .obj, the plain color is for programs that cannot show it.
        texture = texture * (tint if in_light else 1.0)
        uv = torch.from_numpy(np.array(visual.uv, dtype=np.float32))[faces]
        # A texture goes on beyond its rim; each face is moved to where its middle is in it.
        uv = (uv - uv.mean(dim=1, keepdim=True).floor()).reshape(-1, 2).nan_to_num()
        logits = colors_to_logits(torch.from_numpy(texture.astype(np.float32)))
        return ImageTexture(logits, uv, torch.arange(len(uv)).reshape(-1, 3))
    colors = np.ones((count, 3))
    at_corners = (getattr(visual, "vertex_attributes", None) or {}).get("color")
    if at_corners is not None and len(at_corners) == count:
        told = np.asarray(at_corners)[:, :3]
        white = {"uint8": 255.0, "uint16": 65535.0}.get(told.dtype.name, 1.0)
        colors = told.astype(np.float64) / white
        colors = displayed(np.clip(colors, 0, 1)) if in_light else colors
    elif plain is None:
        colors = np.full((count, 3), 0.5)
    shown = torch.from_numpy((colors * tint).astype(np.float32)).nan_to_num(0.5)
    return VertexColors(colors_to_logits(shown))


def displayed(light: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Amounts of light, 0..1, as display-referred values; the inverse of `placing.linear`."""
    bright = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, bright)
