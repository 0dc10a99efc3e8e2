"""Whole scenes turned, moved, resized, cut and thinned out; each gives a new scene.

Everything with a direction turns along: centers, quaternions, and harmonics, whose coefficients
mix within their degree. Numbers are worked out with 64 bits and stored as they were.
"""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.render.harmonics import turn_of_harmonics
from splatsmith.scenes.gaussians import Gaussians

AxisUp = Literal["z-up", "z-down", "y-up", "y-down", "x-up", "x-down"]

# Rows are the new axes x, y and z in the old ones; the front stays in front where it can.
UPRIGHT: dict[str, list[list[float]]] = {
    "z-up": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "z-down": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "y-up": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "y-down": [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
    "x-up": [[0, 0, -1], [0, 1, 0], [1, 0, 0]],
    "x-down": [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
}
ORTHOGONAL_WITHIN = 1e-4  # of R R^T to the identity: files store matrices with 32 bits


def turned(scene: Gaussians, rotation: Float64[Tensor, "3 3"]) -> Gaussians:
    """The scene turned about the origin; raises InputError for a matrix that is no rotation."""
    own = rotation @ rotation.T - torch.eye(3, dtype=torch.float64)
    if float(own.abs().max()) > ORTHOGONAL_WITHIN or float(torch.linalg.det(rotation)) < 0:
        raise InputError(
            f"A rotation is needed, without mirror or shear; got {rotation.tolist()}."
        )
    state = scene.state()
    count = scene.sh.shape[1]
    turn = turn_of_harmonics(rotation)[:count, :count]
    return _changed(
        scene,
        means=state["means"].double() @ rotation.T,
        quats=quaternion_product(quaternion_of(rotation), state["quats"].double()),
        sh=torch.einsum("ij,sjc->sic", turn, state["sh"].double()),
    )


def moved(scene: Gaussians, offset: Float64[Tensor, "3"]) -> Gaussians:
    """The scene with `offset` added to every center."""
    return _changed(scene, means=scene.means.detach().double() + offset)


def resized(scene: Gaussians, factor: float) -> Gaussians:
    """The scene `factor` times as large, seen from the origin."""
    if not 0 < factor < math.inf:
        raise InputError(f"A scene can be resized by a factor above 0, got {factor}.")
    return _changed(
        scene,
        means=scene.means.detach().double() * factor,
        log_scales=scene.log_scales.detach().double() + math.log(factor),
    )


def kept(scene: Gaussians, which: Bool[Tensor, "splats"]) -> Gaussians:
    """Only the marked splats, in their order; raises InputError if that is none."""
    return Gaussians(**{name: value[which] for name, value in scene.state().items()})


def with_degree(scene: Gaussians, degree: int) -> Gaussians:
    """The scene with harmonics up to `degree`, 0 to 3: cut off, or filled up with zeros."""
    if degree not in (0, 1, 2, 3):
        raise InputError(f"The degree of harmonics must be 0, 1, 2 or 3, got {degree}.")
    state, count = scene.state(), (degree + 1) ** 2
    sh = state["sh"].new_zeros(scene.count, count, 3)
    shared = min(count, state["sh"].shape[1])
    sh[:, :shared] = state["sh"][:, :shared]
    return Gaussians(**(state | {"sh": sh}))


def importance(scene: Gaussians) -> Float[Tensor, "splats"]:
    """How much each splat shows: its opacity times its mean extent from the three sides."""
    a, b, c = scene.scales.detach().double().unbind(-1)
    return scene.opacities.detach().double() * (a * b + b * c + c * a)


def quaternion_of(rotation: Float64[Tensor, "3 3"]) -> Float64[Tensor, "4"]:
    """A rotation as a unit quaternion wxyz with w >= 0 (Bar-Itzhack 2000)."""
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    symmetric = torch.tensor(
        [
            [a + e + i, h - f, c - g, d - b],
            [h - f, a - e - i, b + d, c + g],
            [c - g, b + d, e - a - i, f + h],
            [d - b, c + g, f + h, i - a - e],
        ],
        dtype=torch.float64,
    )
    quaternion = torch.linalg.eigh(symmetric).eigenvectors[:, -1]
    # A zero that is not quite zero would leave a trace in every quaternion.
    quaternion[quaternion.abs() < 1e-12] = 0.0
    return quaternion if quaternion[0] >= 0 else -quaternion


def quaternion_product(
    left: Float64[Tensor, "4"], right: Float64[Tensor, "splats 4"]
) -> Float64[Tensor, "splats 4"]:
    """Rotations wxyz that turn by `right` first and by `left` then; lengths multiply."""
    a, b, c, d = left.tolist()
    w, x, y, z = right.unbind(-1)
    product = [
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    ]
    return torch.stack(product, dim=-1)


def _changed(scene: Gaussians, **changes: Tensor) -> Gaussians:
    """The scene with other values, in the number format that it has."""
    state = scene.state()
    return Gaussians(**(state | {n: v.to(state[n].dtype) for n, v in changes.items()}))
