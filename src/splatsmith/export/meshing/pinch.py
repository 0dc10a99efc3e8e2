"""Where a closed surface touches itself along an edge, part it.

Decimation likes to press thin walls together until two sheets share an edge, which then has
four faces: closed, but no program takes it for a solid. Around such an edge, solid and empty
wedges take turns; pairing the two faces of each solid wedge tells which sheet goes on into
which, and every sheet gets a middle of the edge of its own, which splits its two faces.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.export.meshing.extras import needed

APART = 0.02  # of the way to its own faces' corners that an edge's new middle lies


def directed_edges(faces: np.ndarray) -> np.ndarray:
    """The edges as faces walk them: all faces' 0 -> 1 first, then 1 -> 2, then 2 -> 0."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def balanced(faces: Int[Tensor, "faces 3"]) -> bool:
    """Whether every edge is walked as often in one direction as in the other."""
    ends = directed_edges(faces.numpy())
    _, where = np.unique(np.sort(ends, axis=1), axis=0, return_inverse=True)
    sums = np.zeros(where.max() + 1 if len(where) else 0)
    np.add.at(sums, where.reshape(-1), np.where(ends[:, 0] < ends[:, 1], 1, -1))
    return not sums.any()


def parted(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]
) -> tuple[Float[Tensor, "more 3"], Int[Tensor, "triangles 3"]]:
    """Split crowded edges; of those that share a face, all but one wait for the next call.

    Needs balanced faces.
    """
    flat, places = faces.numpy(), vertices.double().numpy()
    ends = directed_edges(flat)
    key = ends.min(axis=1) * (int(flat.max()) + 1) + ends.max(axis=1)
    _, where, counts = np.unique(key, return_inverse=True, return_counts=True)
    busy: set[int] = set()
    points: list[np.ndarray] = []
    made: list[tuple[int, int, int]] = []
    for edge in np.flatnonzero(counts > 2):
        walks = np.flatnonzero(where == edge)
        owners = {int(walk) % len(flat) for walk in walks}
        if owners & busy or len(owners) < len(walks):
            continue
        busy |= owners
        a, b = ends[walks[0]].tolist()
        there = [_turned(flat, int(walk)) for walk in walks if ends[walk, 0] == a]
        back = [_turned(flat, int(walk)) for walk in walks if ends[walk, 0] == b]
        for (_, _, c), (_, _, d) in _wedges(places, there, back):
            middle = len(places) + len(points)
            own = (places[c] + places[d]) / 2
            points.append((1 - APART) * (places[a] + places[b]) / 2 + APART * own)
            made += [(a, middle, c), (middle, b, c), (b, middle, d), (middle, a, d)]
    kept = np.delete(flat, sorted(busy), axis=0)
    grown = np.concatenate([places, np.array(points).reshape(-1, 3)])
    whole = np.concatenate([kept, np.array(made, dtype=np.int64).reshape(-1, 3)])
    return torch.from_numpy(grown).to(vertices.dtype), torch.from_numpy(whole)


def unstuck(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, "vertices 3"]:
    """Where several vertices lie at one place, each goes a little toward its own faces.

    Two sheets that touch would else be one sheet to any reader that joins vertices by place.
    Places that are nobody else's stay, and if all are, the very tensor comes back.
    """
    _, where, count = torch.unique(vertices, dim=0, return_inverse=True, return_counts=True)
    stuck = count[where] > 1
    if not bool(stuck.any()):
        return vertices
    total, uses = torch.zeros_like(vertices), torch.zeros(len(vertices), 1)
    middles, ones = vertices[faces].mean(dim=1), torch.ones(len(faces), 1)
    for index in faces.unbind(dim=1):
        total.index_add_(0, index, middles)
        uses.index_add_(0, index, ones)
    center = total / uses.clamp(min=1)
    return torch.where(stuck[:, None], torch.lerp(vertices, center, APART), vertices)


def _turned(faces: np.ndarray, walk: int) -> tuple[int, int, int]:
    """The corners of a directed edge's face, the edge's first."""
    side, face = divmod(walk, len(faces))
    a, b, c = np.roll(faces[face], -side)
    return int(a), int(b), int(c)


def _wedges(
    places: np.ndarray, there: list[tuple[int, int, int]], back: list[tuple[int, int, int]]
) -> list[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    """Pairs of faces that have the solid between them: one walks a -> b, one b -> a."""
    a, b, _ = there[0]
    thirds = [face[2] for face in there + back]
    turn = _angles(places[a], places[b], places[thirds])
    # The solid lies at smaller angles from a face that walks a -> b.
    gap = (turn[: len(there), None] - turn[None, len(there) :]) % (2 * np.pi)
    partner = needed("scipy.optimize").linear_sum_assignment(gap)[1]
    return [(face, back[number]) for face, number in zip(there, partner, strict=True)]


def _angles(a: np.ndarray, b: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Angles of points around the axis from a to b, right-handed, from the first one on."""
    axis = (b - a) / max(float(np.linalg.norm(b - a)), 1e-30)
    away = points - a
    away = away - (away @ axis)[:, None] * axis
    across = np.cross(axis, away[0])
    return np.arctan2(away @ across, away @ away[0])
