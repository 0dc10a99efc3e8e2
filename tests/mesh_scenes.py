"""Meshes that the tests draw, and the plainest truths about triangles."""

import math
from contextlib import contextmanager

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.export.meshing import textured


def sphere(rings: int = 12, radius: float = 0.7, dtype=torch.float32):
    """A closed sphere of latitude rings; faces counter-clockwise seen from outside."""
    vertices, faces, around = [[0.0, 0.0, 1.0]], [], 2 * rings
    for i in range(1, rings):
        tilt = math.pi * i / rings
        for j in range(around):
            turn = 2 * math.pi * j / around
            vertices.append(
                [
                    math.sin(tilt) * math.cos(turn),
                    math.sin(tilt) * math.sin(turn),
                    math.cos(tilt),
                ]
            )
    vertices.append([0.0, 0.0, -1.0])
    place = lambda i, j: 1 + (i - 1) * around + j % around  # noqa: E731
    for j in range(around):
        faces.append([0, place(1, j), place(1, j + 1)])
        faces.append([len(vertices) - 1, place(rings - 1, j + 1), place(rings - 1, j)])
        for i in range(1, rings - 1):
            faces.append([place(i, j), place(i + 1, j), place(i + 1, j + 1)])
            faces.append([place(i, j), place(i + 1, j + 1), place(i, j + 1)])
    return radius * torch.tensor(vertices, dtype=dtype), torch.tensor(faces)


def soup(gen: torch.Generator, count: int, size: float = 0.4):
    """Triangles that share nothing and cut each other."""
    centers = torch.rand(count, 1, 3, generator=gen) * 1.4 - 0.7
    corners = centers + size * torch.randn(count, 3, 3, generator=gen)
    return corners.reshape(-1, 3), torch.arange(3 * count).reshape(-1, 3)


def views(count: int = 2, width: int = 48, height: int = 40, radius: float = 2.5):
    azimuth = [20.0 + 100.0 * i for i in range(count)]
    elevation = [15.0 - 25.0 * i for i in range(count)]
    return orbit(azimuth, elevation, radius=radius, fovy=45.0, width=width, height=height)


def flat(corners, dtype=torch.float32):
    """Corners (x, y, w) in pixels and camera z as homogeneous pixels of one view."""
    at = torch.tensor(corners, dtype=dtype)
    return torch.cat([at[:, :2] * at[:, 2:], at[:, 2:]], dim=1)[None]


@contextmanager
def baked_from(views, size):
    """Textured scenes take their colors from fewer and smaller pictures, to be quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textured, "VIEWS", views)
        patch.setattr(textured, "VIEW_SIZE", size)
        yield
