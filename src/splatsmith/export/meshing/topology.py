"""How triangles hang together: open and doubled edges, parts, and how to mend them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from splatsmith.export.meshing.extras import needed
from splatsmith.export.meshing.mesh import Mesh, face_normals, plain_mesh
from splatsmith.export.meshing.pinch import balanced, directed_edges, parted, unstuck

ROUNDS = 12  # times that a mesh is mended before it is taken as it is


@dataclass(frozen=True)
class Topology:
    """What is wrong with a mesh, in numbers; a closed mesh has zeros but for `parts`."""

    open_edges: int  # with one face
    crowded_edges: int  # with more than two faces
    turned_edges: int  # whose two faces do not agree about what is outside
    parts: int

    @property
    def watertight(self) -> bool:
        """Whether every edge has two faces that agree about what is outside."""
        return self.open_edges == self.crowded_edges == self.turned_edges == 0


def topology(faces: Int[Tensor, "faces 3"]) -> Topology:
    """Look at every edge; a mesh without faces has no part and is not open."""
    ends = directed_edges(faces.numpy())
    low, high = ends.min(axis=1), ends.max(axis=1)
    key = low * (int(faces.max()) + 1 if len(faces) else 1) + high
    _, where, count = np.unique(key, return_inverse=True, return_counts=True)
    balance = np.zeros(len(count))
    np.add.at(balance, where, np.where(ends[:, 0] < ends[:, 1], 1, -1))
    labels = part_of_faces(faces)
    return Topology(
        open_edges=int((count == 1).sum()),
        crowded_edges=int((count > 2).sum()),
        turned_edges=int(((count == 2) & (balance != 0)).sum()),
        parts=int(labels.max()) + 1 if len(labels) else 0,
    )


def part_of_faces(faces: Int[Tensor, "faces 3"]) -> Int[Tensor, "faces"]:
    """Numbers, from 0, of the connected parts that faces belong to (by shared vertices)."""
    if not len(faces):
        return torch.zeros(0, dtype=torch.long)
    flat = faces.numpy()
    count = int(flat.max()) + 1
    ends = directed_edges(flat)
    links = needed("scipy.sparse").coo_matrix(
        (np.ones(len(ends), dtype=bool), (ends[:, 0], ends[:, 1])), shape=(count, count)
    )
    labels = needed("scipy.sparse.csgraph").connected_components(links, directed=False)[1]
    # Vertices without faces are parts of their own; they get no number.
    _, compact = np.unique(labels[flat[:, 0]], return_inverse=True)
    return torch.from_numpy(compact.astype(np.int64))


def without_small_parts(mesh: Mesh, share: float) -> Mesh:
    """Drop hollows (closed parts that look inward) and parts smaller than a share.

    Size is the area of the surface, compared to that of the largest part.
    """
    labels = part_of_faces(mesh.faces)
    count = int(labels.max()) + 1 if len(labels) else 0
    corners = mesh.corners.double()
    areas = torch.zeros(count, dtype=torch.float64)
    areas.index_add_(0, labels, face_normals(corners).norm(dim=-1))
    volumes = torch.zeros(count, dtype=torch.float64)
    volumes.index_add_(0, labels, torch.linalg.det(corners - corners.mean(dim=(0, 1))))
    kept = volumes > 0
    largest = areas[kept].max() if bool(kept.any()) else 0.0
    kept &= areas >= share * largest
    return compacted(mesh.vertices, mesh.faces[kept[labels]])


def mended(mesh: Mesh) -> Mesh:
    """Close what little is open, as after decimation.

    Round by round: faces without area, and pairs of faces back to back, go. Where the surface
    then touches itself along an edge, it is parted (`pinch.parted`). If it is open, faces at
    edges that appear twice in one direction go, and loops of open edges are filled by triangles
    about one of their corners. A mesh that is closed comes back as it was.
    """
    vertices, faces = mesh.vertices, mesh.faces
    for _ in range(ROUNDS):
        if topology(faces).watertight:
            break
        faces = _distinct(faces)
        if not balanced(faces):
            faces = _filled(_uncrowded(faces))
        else:
            vertices, faces = parted(vertices, faces)
    return compacted(vertices, faces)


def welded(mesh: Mesh) -> Mesh:
    """The mesh with vertices of the same place made one, as before it was cut for a texture."""
    vertices, index = torch.unique(mesh.vertices, dim=0, return_inverse=True)
    return plain_mesh(vertices, index[mesh.faces])


def parted_places(mesh: Mesh) -> Mesh:
    """The mesh with no two vertices at one place (`pinch.unstuck`); often the very same."""
    vertices = unstuck(mesh.vertices, mesh.faces)
    return mesh if vertices is mesh.vertices else plain_mesh(vertices, mesh.faces)


def compacted(vertices: Tensor, faces: Int[Tensor, "faces 3"]) -> Mesh:
    """The mesh without vertices that no face uses."""
    used, index = torch.unique(faces, return_inverse=True)
    return plain_mesh(vertices[used], index.reshape(-1, 3))


def _distinct(faces: Tensor) -> Tensor:
    """Without faces that use a vertex twice, and without both of two that cover each other."""
    a, b, c = faces.unbind(1)
    faces = faces[(a != b) & (b != c) & (c != a)]
    _, where, count = torch.unique(
        faces.sort(dim=1).values, dim=0, return_inverse=True, return_counts=True
    )
    return faces[count[where] == 1]


def _uncrowded(faces: Tensor) -> Tensor:
    """Without the faces at edges that appear twice in one direction."""
    ends = torch.from_numpy(directed_edges(faces.numpy()))
    _, where, count = torch.unique(ends, dim=0, return_inverse=True, return_counts=True)
    crowded = (count[where] > 1).reshape(3, -1).any(dim=0)
    return faces[~crowded]


def _filled(faces: Tensor) -> Tensor:
    """With the loops of open edges filled; a corner where loops meet is left for later."""
    ends = directed_edges(faces.numpy())
    there = {(int(a), int(b)) for a, b in ends}
    following: dict[int, list[int]] = {}
    for a, b in there:
        if (b, a) not in there:
            following.setdefault(b, []).append(a)  # The hole is walked against the faces.
    extra = []
    while following:
        start = next(iter(following))
        loop = [start]
        while loop[-1] in following:
            here = loop[-1]
            onward = following[here].pop()
            if not following[here]:
                del following[here]
            if onward == start:
                extra += [(start, loop[i], loop[i + 1]) for i in range(1, len(loop) - 1)]
                break
            loop.append(onward)
    added = torch.tensor(extra, dtype=torch.long).reshape(-1, 3)
    return torch.cat([faces, added])
