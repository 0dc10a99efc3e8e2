"""Point clouds out of .ply files: places, and colors where there are some.

Coordinates are those of meshes in such files: z up, the front at -y (`frames.MESH_Z_UP`).
"""

from pathlib import Path

import numpy as np
import torch

from splatsmith.errors import InvalidFile
from splatsmith.export.frames import MESH_Z_UP
from splatsmith.export.ply_body import read_table
from splatsmith.export.ply_header import MAX_HEADER, Element, Header, parse_header
from splatsmith.export.untrusted import head_of
from splatsmith.scenes.clouds import Cloud

PLACES = ("x", "y", "z")
COLORS = (
    ("red", "green", "blue"),
    ("r", "g", "b"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
)
WHITE = {"u1": 255.0, "u2": 65535.0, "f4": 255.0, "f8": 255.0}  # the largest color, by its kind
FAR = 1e18  # so that squares fit 32 bits


def read_cloud(path: str | Path) -> Cloud:
    """The points of a .ply in our world, as float32.

    Colors may be bytes, 16 bits, or fractions, which go up to 1, or to 255 if one exceeds 1.
    Raises InvalidFile for any file that is not a whole and proper cloud.
    """
    path = Path(path)
    table = read_table(path, "vertex", _columns)
    points = torch.from_numpy(MESH_Z_UP.inverse.points(np.ascontiguousarray(table[:, :3])))
    if table.shape[1] == 3:
        return Cloud(points)
    vertex = parse_header(path, head_of(path, MAX_HEADER)).element("vertex")
    assert vertex is not None
    kind = _kind(vertex, (_color_names(vertex) or PLACES)[0])
    colors = torch.from_numpy(np.ascontiguousarray(table[:, 3:]))
    white = 1.0 if kind.startswith("f") and float(colors.max()) <= 1 else WHITE[kind]
    return Cloud(points, (colors / white).clamp(0, 1))


def _color_names(vertex: Element) -> tuple[str, str, str] | None:
    """What a table calls its colors, if it has some of kinds that we know."""
    return next((names for names in COLORS if set(names) <= set(vertex.names)), None)


def _kind(vertex: Element, name: str) -> str:
    return next(column.kind for column in vertex.properties if column.name == name)


def _columns(path: Path, header: Header) -> dict[str, float]:
    """The columns that a cloud needs, colors last, and their largest magnitudes."""
    vertex = header.element("vertex")
    assert vertex is not None
    missing = [name for name in PLACES if name not in vertex.names]
    if missing:
        raise InvalidFile(path, header.size, f"element vertex lacks {', '.join(missing)}")
    names = _color_names(vertex) or ()
    kinds = {_kind(vertex, name) for name in names}
    if len(kinds) > 1 or not kinds <= set(WHITE):
        raise InvalidFile(
            path,
            header.size,
            f"colors must be bytes, 16 bits without sign, or fractions, all alike, "
            f"but are of {', '.join(sorted(kinds))}",
        )
    return dict.fromkeys(PLACES, FAR) | {name: WHITE[_kind(vertex, name)] for name in names}
