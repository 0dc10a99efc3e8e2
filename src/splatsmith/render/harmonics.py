"""View-dependent color: real spherical harmonics up to degree 3, in the order of 3DGS."""

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor

DEGREE_OF_COUNT = {1: 0, 4: 1, 9: 2, 16: 3}
"""Degree of the harmonics, by how many coefficients a color channel has."""


def harmonics(
    direction: Float[Tensor, "splats 3"], degree: int
) -> Float[Tensor, "splats coefficients"]:
    """The basis functions at unit directions: 1, 4, 9 or 16 of them (Sloan 2013, JCGT 2(2))."""
    x, y, z = direction.unbind(-1)
    basis = [torch.full_like(x, 0.28209479177387814)]
    if degree >= 1:
        basis += [-0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x]
    if degree >= 2:
        basis += [
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.9461746957575601 * z * z - 0.3153915652525201,
            -1.0925484305920792 * x * z,
            0.5462742152960396 * (x * x - y * y),
        ]
    if degree >= 3:
        basis += [
            -0.5900435899266435 * y * (3 * x * x - y * y),
            2.890611442640554 * x * y * z,
            y * (0.4570457994644658 - 2.285228997322329 * z * z),
            z * (1.865881662950577 * z * z - 1.119528997770346),
            x * (0.4570457994644658 - 2.285228997322329 * z * z),
            1.445305721320277 * z * (x * x - y * y),
            -0.5900435899266435 * x * (x * x - 3 * y * y),
        ]
    return torch.stack(basis, dim=-1)


def color_from(
    sh: Float[Tensor, "splats coefficients 3"], direction: Float[Tensor, "splats 3"]
) -> Float[Tensor, "splats 3"]:
    """RGB seen along `direction` (camera to splat, any length): max(0, 0.5 + harmonics)."""
    unit = torch.nn.functional.normalize(direction, dim=-1)
    basis = harmonics(unit, DEGREE_OF_COUNT[sh.shape[1]])
    return (torch.einsum("sk,skc->sc", basis, sh) + 0.5).clamp_min(0.0)


def turn_of_harmonics(rotation: Float64[Tensor, "3 3"]) -> Float64[Tensor, "16 16"]:
    """What `rotation` does to coefficients of degree 0 to 3: colors turn along with the splat.

    Fit by least squares from 64 directions, each degree by itself: a turned function of degree
    l is a sum of functions of degree l (Wigner), so the fit is exact.
    """
    direction = _directions(64)
    before, after = harmonics(direction, 3), harmonics(direction @ rotation.T, 3)
    turn = torch.zeros(16, 16, dtype=torch.float64)
    for degree in range(4):
        part = slice(degree**2, (degree + 1) ** 2)
        turn[part, part] = torch.linalg.lstsq(after[:, part], before[:, part]).solution
    return turn


def _directions(count: int) -> Float64[Tensor, "directions 3"]:
    """Unit vectors spread over the sphere (a Fibonacci lattice)."""
    index = torch.arange(count, dtype=torch.float64) + 0.5
    height, turn = 1 - 2 * index / count, math.pi * (1 + 5**0.5) * index
    radius = torch.sqrt(1 - height**2)
    return torch.stack([radius * torch.cos(turn), radius * torch.sin(turn), height], dim=1)
