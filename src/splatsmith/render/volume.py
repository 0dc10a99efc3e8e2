"""Draw a radiance field: a medium and cameras in, `Picture` out.

Five steps: `cast` rays, `march` along them (steps in empty cells are left out), ask the medium
what is there, light it, `composite` front to back. `volume_reference.py` defines the answer,
`fields_native.py` is the fast way on a CPU; there are no kernels of our own for CUDA, where the
plain twin works.
"""

import warnings
from dataclasses import replace
from functools import cache
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render import fields_native, volume_reference
from splatsmith.render.picture import Picture
from splatsmith.render.samples import Rays, Samples, cast
from splatsmith.render.shading import Shading, shaded

PROBE = 16  # one in so many rays is looked at first
PAYS = 0.7  # if so large a part of their samples is seen, looking at all does not pay

Backend = Literal["auto", "reference", "native"]


@runtime_checkable
class Medium(Protocol):
    """What a volume renderer needs to know of a scene; points are in the world."""

    radius: float  # the scene lies in this ball about the origin
    samples: int  # steps along a diameter

    def occupied(self) -> Bool[Tensor, "cells cells cells"]:
        """Which cells (x, y, z) of the cube around the ball may hold something."""
        ...

    def density(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """Absorption per world unit, 0 or more."""
        ...

    def matter(
        self, points: Float[Tensor, "points 3"]
    ) -> tuple[Float[Tensor, "points"], Float[Tensor, "points channels"]]:
        """Density and color."""
        ...

    def normals(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
        """Unit vectors toward where density falls most."""
        ...


def volume(
    medium: Medium,
    cameras: Cameras,
    background: Float[Tensor, "views channels"]
    | Float[Tensor, "channels"]
    | Float[Tensor, "views height width channels"],
    *,
    generator: torch.Generator | None = None,
    shading: Shading | None = None,
    normals: bool = False,
    backend: Backend = "auto",
) -> Picture:
    """Pictures of a medium, differentiable in all that it is made of and in the background.

    Args:
        medium: the scene.
        cameras: one picture is drawn for each.
        background: what shows through: one color, a color for each view, or whole pictures.
        generator: draws where in its steps each ray is sampled; None samples their middles.
        shading: light for each view; None shows the color as it is. Color has 3 channels then.
        normals: whether the picture has normals; views that a lamp lights have them anyway,
            and where nothing else asks for them those of the other views are zero.
        backend: "auto" takes the native kernels for float32 on a CPU if they were built;
            otherwise the reference, on a CPU with a warning.

    Raises:
        InputError: the background or the light does not fit the cameras, or a back end is
            asked for that cannot serve.
    """
    rays = cast(cameras, medium.radius)
    samples, sums, color = _see(
        medium, rays, _jitter(rays, generator), cameras, shading, normals, backend
    )
    channels = color.shape[1]
    size = (len(cameras), cameras.height, cameras.width)
    behind = _background(background, size, channels)
    alpha = sums.alpha.reshape(*size, 1)
    mean = torch.where(sums.alpha > 0, sums.distance / sums.alpha.clamp_min(1e-12), 0.0)
    normal = None
    if samples.normals is not None:
        total = sums.totals[:, channels:]
        normal = torch.nn.functional.normalize(total, dim=-1).reshape(*size, 3)
    return Picture(
        color=sums.totals[:, :channels].reshape(*size, channels) + (1 - alpha) * behind,
        alpha=alpha,
        depth=(mean * rays.cosine).reshape(*size, 1),
        normal=normal,
        samples=samples,
    )


def _see(
    medium: Medium,
    rays: Rays,
    jitter: Tensor,
    cameras: Cameras,
    shading: Shading | None,
    with_normals: bool,
    backend: Backend,
) -> tuple[Samples, volume_reference.Sums, Tensor]:
    """Samples with their weights, what they sum to, and the color of each."""
    native = _is_native(rays.near, backend)
    samples = _samples(medium, rays, jitter, native)
    density, color = medium.matter(samples.points)
    values = color
    if shading is not None:
        _check_light(shading, cameras, color.shape[1])
    if with_normals:
        samples = replace(samples, normals=medium.normals(samples.points))
    elif shading is not None and shading.needs_normals:
        samples = replace(samples, normals=_normals_in_light(medium, samples, shading, cameras))
    if shading is not None:
        values = color = _light(samples, color, shading, cameras)
    if samples.normals is not None:
        values = torch.cat([color, samples.normals], dim=-1)
    composite = fields_native.composite if native else volume_reference.composite
    sums = composite(samples, density, values)
    return replace(samples, weights=sums.weights), sums, color


def _samples(medium: Medium, rays: Rays, jitter: Tensor, native: bool) -> Samples:
    step = 2 * medium.radius / medium.samples
    place = medium.occupied(), medium.radius, step
    if not native:
        return volume_reference.march(rays, jitter, *place)
    samples, steps = fields_native.march(rays, jitter, *place)
    # Samples behind something opaque have weight zero: a look at the density alone saves
    # asking for their color and walking back through them. A few rays tell whether it pays.
    few = slice(None, None, PROBE)
    probe, probe_steps = fields_native.march(rays[few], jitter[few].contiguous(), *place)
    seen = _seen(medium, probe, probe_steps)
    if len(seen.points) > PAYS * len(probe.points):
        return samples
    return _seen(medium, samples, steps)


@torch.no_grad()
def _seen(medium: Medium, samples: Samples, steps: fields_native.Steps) -> Samples:
    return fields_native.shorten(steps, samples, medium.density(samples.points))


def _check_light(shading: Shading, cameras: Cameras, channels: int) -> None:
    if channels != 3 or len(shading.ambient) != len(cameras):
        raise InputError(
            f"Light for {len(shading.ambient)} views on {channels} channels does not "
            f"fit {len(cameras)} cameras; it is for 3 channels and one lamp per camera."
        )


def _normals_in_light(
    medium: Medium, samples: Samples, shading: Shading, cameras: Cameras
) -> Float[Tensor, "samples 3"]:
    """Normals in the views that a lamp lights and zero elsewhere: they cost four densities."""
    lit = (shading.ambient < 1)[view_of(samples, cameras)]
    normals = torch.zeros_like(samples.points)
    return normals.index_put((lit,), medium.normals(samples.points[lit]))


def _light(samples: Samples, color: Tensor, shading: Shading, cameras: Cameras) -> Tensor:
    view = view_of(samples, cameras)
    if samples.normals is not None:
        return shaded(color, samples.normals, samples.points, view, shading)
    # Ambient light alone: normals do not matter, any will do.
    return shaded(color, torch.zeros_like(samples.points), samples.points, view, shading)


def view_of(samples: Samples, cameras: Cameras) -> Int[Tensor, "samples"]:
    """The view that sees each sample."""
    return samples.rays // (cameras.width * cameras.height)


def _jitter(rays: Rays, generator: torch.Generator | None) -> Float[Tensor, "rays"]:
    if generator is None:
        return torch.full_like(rays.near, 0.5)
    return torch.rand(
        rays.near.shape,
        generator=generator,
        dtype=rays.near.dtype,
        device=rays.near.device,
    )


def _background(background: Tensor, size: tuple[int, int, int], channels: int) -> Tensor:
    """In a form that broadcasts over pictures."""
    allowed = {(channels,), (size[0], channels), (*size, channels)}
    if tuple(background.shape) not in allowed:
        raise InputError(
            f"background has shape {tuple(background.shape)}, but for {size[0]} pictures of "
            f"{size[2]} x {size[1]} pixels and {channels} channels it must be one of "
            f"{', '.join(map(str, sorted(allowed)))}."
        )
    return background[:, None, None] if background.ndim == 2 else background


def _is_native(tensor: Tensor, backend: Backend) -> bool:
    if backend != "auto":
        return backend == "native"
    if tensor.device.type == "cpu" and not fields_native.available():
        _warn_once()
    return fields_native.serves(tensor)


@cache
def _warn_once() -> None:
    warnings.warn(
        "The native kernels of radiance fields were not built; the far slower torch reference "
        "draws.",
        stacklevel=5,
    )
