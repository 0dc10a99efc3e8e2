"""In which coordinates each file format is written: the one table.

Our world has the front at +X and up at +Z. Every format turns it by a fixed rotation, and
everything that has a direction turns along: centers, quaternions and spherical harmonics.
Rotations here only exchange axes and flip signs, so centers survive to the last bit.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float64

from splatsmith.render.harmonics import turn_of_harmonics
from splatsmith.scenes.transforms import quaternion_of, quaternion_product


@dataclass(frozen=True)
class Frame:
    """Coordinates that differ from our world's by a turn that maps axes onto axes.

    `axes[i]` and `signs[i]` say which world axis the file's coordinate i is, and its sign.
    """

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]

    @cached_property
    def rotation(self) -> Float64[np.ndarray, "3 3"]:
        """The matrix that takes world coordinates to the file's; its determinant is +1."""
        matrix = np.zeros((3, 3))
        matrix[(0, 1, 2), self.axes] = self.signs
        assert round(np.linalg.det(matrix)) == 1, "a mirrored frame would mirror the object"
        return matrix

    @property
    def inverse(self) -> "Frame":
        """The frame that leads back."""
        back = [self.axes.index(axis) for axis in range(3)]
        return Frame(
            axes=(back[0], back[1], back[2]),
            signs=(self.signs[back[0]], self.signs[back[1]], self.signs[back[2]]),
        )

    @cached_property
    def quaternion(self) -> Float64[np.ndarray, "4"]:
        """`rotation` as a unit quaternion wxyz with w >= 0."""
        return quaternion_of(torch.from_numpy(self.rotation)).numpy()

    @cached_property
    def harmonics(self) -> Float64[np.ndarray, "16 16"]:
        """What takes coefficients of 3DGS's real harmonics, degree 0 to 3, to the file's frame.

        Entries that miss a multiple of 1/8 by rounding errors only are put onto it, which makes
        degree 1 a pure exchange of axes: exact to the last bit.
        """
        matrix = turn_of_harmonics(torch.from_numpy(self.rotation)).numpy()
        near = np.round(matrix * 8) / 8
        return np.where(np.abs(matrix - near) < 1e-12, near, matrix) + 0.0  # no negative zeros

    def points(self, points: Float[np.ndarray, "splats 3"]) -> Float[np.ndarray, "splats 3"]:
        """World positions in the file's coordinates, exactly."""
        return points[:, self.axes] * np.array(self.signs, dtype=points.dtype)

    def quats(self, quats: Float[np.ndarray, "splats 4"]) -> Float[np.ndarray, "splats 4"]:
        """Rotations wxyz, turned along; their lengths stay as they are."""
        right = torch.from_numpy(quats.astype(np.float64))
        product = quaternion_product(torch.from_numpy(self.quaternion), right)
        return product.numpy().astype(quats.dtype)

    def sh(
        self, sh: Float[np.ndarray, "splats coefficients 3"]
    ) -> Float[np.ndarray, "splats coefficients 3"]:
        """Spherical harmonics, turned so that each splat shows the same colors as before."""
        count = sh.shape[1]
        turn = self.harmonics[:count, :count]
        return np.einsum("ij,sjc->sic", turn, sh.astype(np.float64)).astype(sh.dtype)


WORLD = Frame(axes=(0, 1, 2), signs=(1, 1, 1))
"""Our own coordinates, which USD can hold as they are: it says which axis is up."""

PLY = Frame(axes=(1, 2, 0), signs=(-1, -1, 1))
"""Splat .ply: x right, y down, z to the front; (-y, -z, x) of our world. Viewers turn y up.

So are .compressed.ply, .splat, .ksplat and .sog.
"""

SPZ = Frame(axes=(1, 2, 0), signs=(-1, 1, -1))
"""SPZ: x right, y up, z to the back ("RUB"); (-y, z, -x) of our world."""

GLTF = Frame(axes=(1, 2, 0), signs=(1, 1, 1))
"""glTF: y up, the front of an object at +z; (y, z, x) of our world. So is USD with y up."""

MESH_Z_UP = Frame(axes=(1, 0, 2), signs=(1, -1, 1))
"""Meshes with z up, -y to the front, as in Blender and slicers: (y, -x, z) of our world."""
