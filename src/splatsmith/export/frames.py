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

from splatsmith.render.harmonics import harmonics


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
        """`rotation` as a unit quaternion wxyz with w >= 0 (Bar-Itzhack 2000)."""
        (a, b, c), (d, e, f), (g, h, i) = self.rotation
        symmetric = np.array(
            [
                [a + e + i, h - f, c - g, d - b],
                [h - f, a - e - i, b + d, c + g],
                [c - g, b + d, e - a - i, f + h],
                [d - b, c + g, f + h, i - a - e],
            ]
        )
        quaternion = np.linalg.eigh(symmetric)[1][:, -1]
        # A zero that is not quite zero would leave a trace in every quaternion.
        quaternion[np.abs(quaternion) < 1e-12] = 0.0
        return quaternion if quaternion[0] >= 0 else -quaternion

    @cached_property
    def harmonics(self) -> Float64[np.ndarray, "16 16"]:
        """What takes coefficients of 3DGS's real harmonics, degree 0 to 3, to the file's frame.

        Fit by least squares from 64 directions, each degree by itself, in float64: a turned
        function of degree l is a sum of functions of degree l (Wigner), so the fit is exact.
        """
        direction = _directions(64)
        before = _basis(direction)
        after = _basis(direction @ self.rotation.T)
        matrix = np.zeros((16, 16))
        for degree in range(4):
            part = slice(degree**2, (degree + 1) ** 2)
            matrix[part, part] = np.linalg.lstsq(after[:, part], before[:, part], rcond=None)[0]
        return _snapped(matrix)

    def points(self, points: Float[np.ndarray, "splats 3"]) -> Float[np.ndarray, "splats 3"]:
        """World positions in the file's coordinates, exactly."""
        return points[:, self.axes] * np.array(self.signs, dtype=points.dtype)

    def quats(self, quats: Float[np.ndarray, "splats 4"]) -> Float[np.ndarray, "splats 4"]:
        """Rotations wxyz, turned along; their lengths stay as they are."""
        w, x, y, z = quats.astype(np.float64).T
        a, b, c, d = self.quaternion
        turned = [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ]
        return np.stack(turned, axis=1).astype(quats.dtype)

    def sh(
        self, sh: Float[np.ndarray, "splats coefficients 3"]
    ) -> Float[np.ndarray, "splats coefficients 3"]:
        """Spherical harmonics, turned so that each splat shows the same colors as before."""
        count = sh.shape[1]
        turn = self.harmonics[:count, :count]
        return np.einsum("ij,sjc->sic", turn, sh.astype(np.float64)).astype(sh.dtype)


PLY = Frame(axes=(1, 2, 0), signs=(-1, -1, 1))
"""Splat .ply: x right, y down, z to the front; (-y, -z, x) of our world. Viewers turn y up."""

MESH_Y_UP = Frame(axes=(1, 2, 0), signs=(1, 1, 1))
"""Meshes with y up, z to the front, as glTF says: (y, z, x) of our world."""

MESH_Z_UP = Frame(axes=(1, 0, 2), signs=(1, -1, 1))
"""Meshes with z up, -y to the front, as in Blender and slicers: (y, -x, z) of our world."""


def _directions(count: int) -> Float64[np.ndarray, "directions 3"]:
    """Unit vectors spread over the sphere (a Fibonacci lattice)."""
    index = np.arange(count) + 0.5
    height, turn = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)


def _basis(
    direction: Float64[np.ndarray, "directions 3"],
) -> Float64[np.ndarray, "directions 16"]:
    return harmonics(torch.from_numpy(direction), 3).numpy()


def _snapped(matrix: np.ndarray) -> np.ndarray:
    """Entries that miss a multiple of 1/8 by rounding errors only, put onto it.

    This makes degree 1 a pure exchange of axes, which is then exact to the last bit.
    """
    near = np.round(matrix * 8) / 8
    return np.where(np.abs(matrix - near) < 1e-12, near, matrix) + 0.0  # no negative zeros
