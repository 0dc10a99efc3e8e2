"""A triangle mesh with what an engine wants to know of it."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from splatsmith.scenes.mesh import enclosed_volume


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in our world; faces are counter-clockwise seen from outside.

    Attributes:
        normals: unit, outward, shared by the faces around a vertex.
        colors: RGB in 0..1 at the vertices, display-referred.
        uvs: places in the texture, 0..1; (0, 0) is the outer corner of its first pixel, so v
            grows downward, as in glTF.
        texture: display-referred RGB.
        normal_map: tangent-space normals as glTF wants them, +Y up in the picture.
        tangents: unit x, y, z along growing u, and the sign w of the bitangent.
    """

    vertices: Float[Tensor, "vertices 3"]
    faces: Int[Tensor, "faces 3"]
    normals: Float[Tensor, "vertices 3"]
    colors: Float[Tensor, "vertices 3"] | None = None
    uvs: Float[Tensor, "vertices 2"] | None = None
    texture: UInt8[np.ndarray, "rows columns 3"] | None = None
    normal_map: UInt8[np.ndarray, "rows columns 3"] | None = None
    tangents: Float[Tensor, "vertices 4"] | None = None

    @property
    def corners(self) -> Float[Tensor, "faces 3 3"]:
        """The places of each triangle's corners."""
        return self.vertices[self.faces]

    @property
    def bounds(self) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
        """The lowest and the highest coordinates."""
        return self.vertices.amin(dim=0), self.vertices.amax(dim=0)


def plain_mesh(vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]) -> Mesh:
    """A mesh of which only the shape is known."""
    return Mesh(vertices, faces, vertex_normals(vertices, faces))


def vertex_normals(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, "vertices 3"]:
    """Unit normals: faces around a vertex, weighted by area and by the angle that they fill."""
    corners = vertices[faces]
    across = face_normals(corners)
    total = torch.zeros_like(vertices)
    for here in range(3):
        ahead = corners[:, (here + 1) % 3] - corners[:, here]
        back = corners[:, (here + 2) % 3] - corners[:, here]
        cosine = torch.nn.functional.cosine_similarity(ahead, back, dim=-1)
        angle = torch.arccos(cosine.clamp(-1, 1))
        total.index_add_(0, faces[:, here], across * angle[:, None])
    return torch.nn.functional.normalize(total, dim=-1)


def face_normals(corners: Float[Tensor, "faces 3 3"]) -> Float[Tensor, "faces 3"]:
    """Outward normals as long as twice the triangles' areas."""
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return torch.linalg.cross(one, two)


def area(mesh: Mesh) -> float:
    """Area of the surface, world units squared."""
    return 0.5 * float(face_normals(mesh.corners).norm(dim=-1).sum())


def volume(mesh: Mesh) -> float:
    """What a closed mesh encloses, world units cubed; negative if its faces look inward."""
    return enclosed_volume(mesh.corners)


def surface_samples(
    mesh: Mesh, count: int, generator: torch.Generator
) -> Float[Tensor, "count 3"]:
    """Points drawn uniformly from the surface."""
    areas = face_normals(mesh.corners).norm(dim=-1)
    face = torch.multinomial(areas, count, replacement=True, generator=generator)
    u, v = torch.rand(2, count, 1, generator=generator)
    # The square root turns a uniform draw into one that is uniform over the triangle.
    u = u.sqrt()
    a, b, c = mesh.corners[face].unbind(1)
    return (1 - u) * a + u * (1 - v) * b + u * v * c
