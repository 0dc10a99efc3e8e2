"""Draw Gaussians: activated parameters and cameras in, `Picture` out, by three back ends.

`reference` (plain torch) defines the answer, `native` (our C++ kernels) is the fast one on a
CPU, `gsplat` the fast one on CUDA. All follow the conventions that `reference.py` spells out.
"""

import warnings
from functools import cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render import native, reference
from splatsmith.render.harmonics import DEGREE_OF_COUNT
from splatsmith.render.picture import Picture

Backend = Literal["auto", "reference", "native", "gsplat"]


def splat(
    means: Float[Tensor, "splats 3"],
    quats: Float[Tensor, "splats 4"],
    scales: Float[Tensor, "splats 3"],
    opacities: Float[Tensor, "splats"],
    sh: Float[Tensor, "splats coefficients 3"],
    cameras: Cameras,
    background: Float[Tensor, "views 3"]
    | Float[Tensor, "3"]
    | Float[Tensor, "views height width 3"],
    *,
    screen_offset: Float[Tensor, "views splats 2"] | None = None,
    backend: Backend = "auto",
) -> Picture:
    """Pictures of Gaussians, differentiable in every tensor but the cameras.

    Args:
        means: centers in the world.
        quats: rotations wxyz of any length; zero means "not rotated".
        scales: standard deviations along the three axes, linear, in world units.
        opacities: 0 to 1.
        sh: harmonics, 1, 4, 9 or 16 coefficients a channel; color is max(0, 0.5 + harmonics).
        cameras: one picture is drawn for each.
        background: what shows through: one color, a color for each view, or whole pictures.
        screen_offset: pixels added to every projected center. Its gradient at zero is the
            screen-space gradient that density control works from.
        backend: "auto" takes gsplat on CUDA, and on a CPU the native kernels for float32 if
            they were built; otherwise the reference, with a warning.

    Raises:
        InputError: shapes, dtypes or devices do not fit together, a value is NaN or infinite
            (named with its first index), or a back end is asked for that cannot serve.
    """
    scene = {"means": means, "quats": quats, "scales": scales, "opacities": opacities, "sh": sh}
    background = _background(background, cameras)
    _check(scene, cameras, background, screen_offset)
    chosen = _choose(means) if backend == "auto" else backend
    arguments = (means, quats, scales, opacities, sh, cameras, background, screen_offset)
    if chosen == "native":
        parts = native.draw(*arguments)
    else:
        _check_finite(scene | _rest(cameras, background, screen_offset))
        if chosen == "gsplat":
            from splatsmith.render import gsplat_cuda

            parts = gsplat_cuda.draw(*arguments)
        else:
            parts = reference.draw(*arguments)
    if parts is None:  # The native kernels met a value that is not finite.
        _check_finite(scene | _rest(cameras, background, screen_offset))
        raise AssertionError("the kernels reported a value that is not finite, but all are")
    color, alpha, depth, radii = parts
    return Picture(color=color, alpha=alpha, depth=depth, radii=radii)


def _background(background: Tensor, cameras: Cameras) -> Tensor:
    """One color is repeated for each view; other forms pass."""
    return background.expand(len(cameras), 3) if background.ndim == 1 else background


def _choose(means: Tensor) -> str:
    if means.is_cuda:
        return "gsplat"
    if means.device.type == "cpu" and means.dtype == torch.float32:
        if native.available():
            return "native"
        _warn_once()
    return "reference"


@cache
def _warn_once() -> None:
    warnings.warn(
        "The native splat kernels were not built; the far slower torch reference draws.",
        stacklevel=4,
    )


def _check(
    scene: dict[str, Tensor],
    cameras: Cameras,
    background: Tensor,
    offset: Tensor | None,
) -> None:
    means, sh = scene["means"], scene["sh"]
    count, views = means.shape[0], len(cameras)
    if sh.ndim != 3 or sh.shape[1] not in DEGREE_OF_COUNT:
        raise InputError(
            f"sh has shape {tuple(sh.shape)}, but must be (splats, coefficients, 3) with 1, "
            "4, 9 or 16 coefficients."
        )
    whole = (views, cameras.height, cameras.width, 3)
    expected = {
        "means": (count, 3),
        "quats": (count, 4),
        "scales": (count, 3),
        "opacities": (count,),
        "sh": (count, sh.shape[1], 3),
        "background": whole if background.ndim == 4 else (views, 3),
        "screen_offset": (views, count, 2),
    }
    given = scene | {"background": background}
    given |= {} if offset is None else {"screen_offset": offset}
    for name, tensor in given.items():
        if tensor.shape != expected[name]:
            raise InputError(
                f"{name} has shape {tuple(tensor.shape)}, but beside {count} means and {views} "
                f"cameras it must be {expected[name]}."
            )
        _check_kind(name, tensor, means)
    _check_kind("cameras", cameras.viewmat, means)
    _check_kind("cameras", cameras.K, means)


def _check_kind(name: str, tensor: Tensor, means: Tensor) -> None:
    if tensor.dtype != means.dtype or tensor.device != means.device:
        raise InputError(
            f"{name} is {tensor.dtype} on {tensor.device}, but means is {means.dtype} on "
            f"{means.device}; move it with .to(means)."
        )


def _rest(cameras: Cameras, background: Tensor, offset: Tensor | None) -> dict[str, Tensor]:
    rest = {
        "cameras.viewmat": cameras.viewmat,
        "cameras.K": cameras.K,
        "background": background,
    }
    return rest if offset is None else rest | {"screen_offset": offset}


def _check_finite(tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        finite = torch.isfinite(tensor)
        if not bool(finite.all()):
            index = tuple((~finite).nonzero()[0].tolist())
            where = ", ".join(str(i) for i in index)
            raise InputError(
                f"{name}[{where}] is {tensor[index].item()}, but every value must be finite; "
                "look for the step that made it so."
            )
