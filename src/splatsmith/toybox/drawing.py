"""Pictures of toybox objects: any number of objects and cameras in one call.

The native kernel draws when it could be built, else its torch twin in `sdf.py`; both give the
same picture. The light hangs at the camera, up and to the left of it, and can be jittered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.cameras.convention import Cameras
from splatsmith.errors import InputError
from splatsmith.toybox.objects import Toy
from splatsmith.toybox.tape import Integers, Tape, joined

native: Any
try:
    native = import_module("splatsmith._toybox")
except ImportError:  # No compiler at installation: the twin draws.
    native = None

KEY = (-0.45, -0.65, -1.0)  # toward the light in camera axes: left, up, and behind the camera


@dataclass(frozen=True)
class ToyPicture:
    """What cameras see of objects; float32 on the CPU."""

    color: Float[Tensor, "views height width 3"]  # the background already blended in
    alpha: Float[Tensor, "views height width 1"]
    depth: Float[Tensor, "views height width 1"]  # mean camera z of what is seen, 0 beside it
    normal: Float[Tensor, "views height width 3"]  # unit, world; 0 beside the object
    part: Int[Tensor, "views height width"]  # index into the tape, -1 beside the object


def render(
    toys: Sequence[Toy] | Toy,
    cameras: Cameras,
    *,
    background: Float[Tensor, "views 3"] | Float[Tensor, "3"] | float = 1.0,
    light: Float[Tensor, "views 3"] | None = None,
    samples: int = 2,
    threads: int = 1,
) -> ToyPicture:
    """Draw one object from all cameras, or as many objects as cameras, each from its own.

    `light` points toward the light in the world (any length), one per view; None hangs it at
    the camera. A pixel is the mean of samples x samples rays, 1 to 8 a side.
    """
    toys = [toys] if isinstance(toys, Toy) else list(toys)
    views = len(cameras)
    if len(toys) not in (1, views):
        raise InputError(
            f"{len(toys)} objects cannot be seen by {views} cameras: give one each."
        )
    if not 1 <= samples <= 8:
        raise InputError(f"samples must lie in 1..8, got {samples}.")
    tape, starts = joined([toy.tape for toy in toys])
    which = np.arange(views, dtype=np.int32) if len(toys) > 1 else np.zeros(views, np.int32)
    light = camera_light(cameras) if light is None else torch.nn.functional.normalize(light)
    ground = torch.as_tensor(background, dtype=torch.float32).expand(views, 3)
    return render_tape(tape, starts, which, cameras, light, ground, samples, threads)


def camera_light(
    cameras: Cameras, shift: Float[Tensor, "views 3"] | None = None
) -> Float[Tensor, "views 3"]:
    """Unit vectors toward a light at each camera; `shift` moves it, in camera axes."""
    key = cameras.viewmat.new_tensor(KEY).expand(len(cameras), 3)
    local = torch.nn.functional.normalize(key if shift is None else key + shift)
    return torch.einsum("vij,vi->vj", cameras.viewmat[:, :3, :3], local)


def render_tape(
    tape: Tape,
    starts: Integers,
    which: Integers,
    cameras: Cameras,
    light: Float[Tensor, "views 3"],
    background: Float[Tensor, "views 3"],
    samples: int,
    threads: int,
) -> ToyPicture:
    """Draw packed objects; `which` names the object of each view."""
    if native is None:
        from splatsmith.toybox.sdf import trace_views

        return ToyPicture(
            *trace_views(tape, starts, which, cameras, light, background, samples)
        )
    size = (len(cameras), cameras.height, cameras.width)
    color, normal = torch.empty(*size, 3), torch.empty(*size, 3)
    alpha, depth = torch.empty(size), torch.empty(size)
    part = torch.empty(size, dtype=torch.int32)
    given = (_plain(t) for t in (cameras.viewmat, cameras.K, light, background))
    out = (t.numpy() for t in (color, alpha, depth, normal, part))
    native.render(tape.rows, tape.heads, starts, which, *given, *out, samples, threads)
    return ToyPicture(color, alpha[..., None], depth[..., None], normal, part)


def _plain(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy()
