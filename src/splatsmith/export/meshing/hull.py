"""A convex hull of few faces, for collisions."""

import math

import numpy as np
import torch

from splatsmith.export.meshing.extras import needed
from splatsmith.export.meshing.mesh import Mesh, plain_mesh

POINTS = 64  # engines take hulls of up to 255 vertices; fewer are faster


def collision_hull(mesh: Mesh, points: int = POINTS) -> Mesh:
    """The convex hull of the vertices that lie farthest in `points` directions all around.

    It lies within the mesh's full hull and touches it in all these directions.
    """
    step = (torch.arange(points) + 0.5) / points
    height, turn = 1 - 2 * step, math.pi * (1 + 5**0.5) * torch.arange(points)
    flat = torch.sqrt(1 - height**2)
    direction = torch.stack([flat * turn.cos(), flat * turn.sin(), height], dim=1)
    farthest = mesh.vertices[(mesh.vertices @ direction.T).argmax(dim=0)].unique(dim=0)
    hull = needed("scipy.spatial").ConvexHull(farthest.double().numpy())
    faces = torch.from_numpy(hull.simplices.astype(np.int64))
    # Qhull leaves the order of corners open; its planes say what is outside.
    corners = farthest[faces]
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    plane = torch.from_numpy(hull.equations[:, :3].astype(np.float32))
    inward = (normal * plane).sum(dim=1) < 0
    faces[inward] = faces[inward].flip(1)
    used, index = torch.unique(faces, return_inverse=True)
    return plain_mesh(farthest[used], index)
