"""The one place where axes, angles and matrices are decided.

World: right-handed, +Z up, +X is the front of an object. Azimuth 0 looks at the front, 90
stands on +Y (counter-clockwise seen from above); elevation 90 is straight above. Objects fit
the unit ball. Camera: x right, y down, z forward (OpenCV). `viewmat` takes world points to
camera points; `K` takes camera points to pixels, whose centers lie at +0.5. Angles are degrees
at every public edge and radians inside.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError

Angles = float | Sequence[float] | Tensor


@dataclass(frozen=True, eq=False)
class Cameras:
    """A batch of pinhole cameras that share one picture size.

    `azimuth`, `elevation` (degrees) and `radius` are kept as they were asked for, because at
    the poles they cannot be read back from `viewmat`.
    """

    viewmat: Float[Tensor, "views 4 4"]
    K: Float[Tensor, "views 3 3"]
    width: int
    height: int
    azimuth: Float[Tensor, "views"]
    elevation: Float[Tensor, "views"]
    radius: Float[Tensor, "views"]

    def __len__(self) -> int:
        return self.viewmat.shape[0]

    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> "Cameras":
        return Cameras(
            viewmat=self.viewmat[index],
            K=self.K[index],
            width=self.width,
            height=self.height,
            azimuth=self.azimuth[index],
            elevation=self.elevation[index],
            radius=self.radius[index],
        )

    @property
    def position(self) -> Float[Tensor, "views 3"]:
        """Where each camera stands in the world."""
        rotation, translation = self.viewmat[:, :3, :3], self.viewmat[:, :3, 3]
        return -torch.einsum("vij,vi->vj", rotation, translation)

    def to(self, target: torch.device | torch.dtype | str) -> "Cameras":
        """The same cameras on another device or in another dtype."""
        names = ("viewmat", "K", "azimuth", "elevation", "radius")
        moved = {name: getattr(self, name).to(target) for name in names}
        return Cameras(width=self.width, height=self.height, **moved)

    def resized(self, width: int, height: int) -> "Cameras":
        """The same views as pictures of another size."""
        scale = self.K.new_tensor([width / self.width, height / self.height, 1.0])
        return Cameras(
            viewmat=self.viewmat,
            K=self.K * scale[:, None],
            width=width,
            height=height,
            azimuth=self.azimuth,
            elevation=self.elevation,
            radius=self.radius,
        )


def intrinsics(
    fovy: Float[Tensor, "views"], width: int, height: int
) -> Float[Tensor, "views 3 3"]:
    """Pinhole matrices: square pixels, principal point in the middle; `fovy` in degrees."""
    if width < 1 or height < 1:
        raise InputError(f"A picture needs at least one pixel a side, got {width} x {height}.")
    if not bool(((fovy > 0) & (fovy < 180)).all()):
        raise InputError(f"fovy must lie between 0 and 180 degrees, got {fovy.tolist()}.")
    focal = 0.5 * height / torch.tan(torch.deg2rad(fovy) / 2)
    K = fovy.new_zeros(fovy.shape[0], 3, 3)
    K[:, 0, 0] = K[:, 1, 1] = focal
    K[:, 0, 2], K[:, 1, 2], K[:, 2, 2] = width / 2, height / 2, 1.0
    return K


def orbit(
    azimuth: Angles,
    elevation: Angles,
    *,
    radius: Angles = 3.2,
    fovy: Angles = 40.0,
    width: int,
    height: int,
) -> Cameras:
    """Cameras on a sphere about the origin that look at it; angles in degrees, broadcast.

    The rotation is built from the angles themselves, not from a cross product with "up", so the
    poles are ordinary places: there, the azimuth still says which way the picture is turned.
    """
    azimuth_, elevation_, radius_, fovy_ = _as_vectors(azimuth, elevation, radius, fovy)
    if not bool((radius_ > 0).all()):
        raise InputError(f"The orbit's radius must be positive, got {radius_.tolist()}.")
    rotation = _orbit_rotation(torch.deg2rad(azimuth_), torch.deg2rad(elevation_))
    viewmat = torch.zeros(len(azimuth_), 4, 4, dtype=rotation.dtype, device=rotation.device)
    viewmat[:, :3, :3] = rotation
    viewmat[:, 2, 3] = radius_  # The eye lies `radius` behind the origin.
    viewmat[:, 3, 3] = 1.0
    K = intrinsics(fovy_, width, height)
    return Cameras(viewmat, K, width, height, azimuth_, elevation_, radius_)


def look_at(
    eye: Float[Tensor, "views 3"],
    target: Float[Tensor, "views 3"],
    up: Float[Tensor, "3"] | None = None,
) -> Float[Tensor, "views 4 4"]:
    """World-to-camera matrices for cameras at `eye` that look at `target`; `up` defaults to +Z.

    A camera that looks along `up` has no defined roll; it then gets the one that an orbit
    camera of azimuth 0 has, instead of a degenerate matrix.
    """
    up = eye.new_tensor([0.0, 0.0, 1.0]) if up is None else up
    forward = torch.nn.functional.normalize(target - eye, dim=-1)
    right = torch.linalg.cross(forward, up.expand_as(forward))
    spare = eye.new_tensor([0.0, 1.0, 0.0]).expand_as(forward)
    right = torch.where(right.norm(dim=-1, keepdim=True) < 1e-6, spare, right)
    right = torch.nn.functional.normalize(right, dim=-1)
    down = torch.linalg.cross(forward, right)
    rotation = torch.stack([right, down, forward], dim=1)
    viewmat = torch.eye(4, dtype=eye.dtype, device=eye.device).repeat(len(eye), 1, 1)
    viewmat[:, :3, :3] = rotation
    viewmat[:, :3, 3] = -torch.einsum("vij,vj->vi", rotation, eye)
    return viewmat


def wrap_degrees(angle: Tensor) -> Tensor:
    """The same angles in -180 (included) to 180 (excluded)."""
    return (angle + 180.0) % 360.0 - 180.0


def focal_of(fovy: float, height: int) -> float:
    """Focal length in pixels of a camera with this vertical field of view (degrees)."""
    return 0.5 * height / math.tan(math.radians(fovy) / 2)


def _as_vectors(*values: Angles) -> list[Tensor]:
    """One number per view for each value; tensors among them decide the device and dtype."""
    tensors = [value for value in values if isinstance(value, Tensor)]
    floats = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
    dtype = (
        functools.reduce(torch.promote_types, floats, floats[0]) if floats else torch.float32
    )
    device = tensors[0].device if tensors else None
    vectors = [torch.as_tensor(v, dtype=dtype, device=device).reshape(-1) for v in values]
    views = max(len(vector) for vector in vectors)
    if any(len(vector) not in (1, views) for vector in vectors):
        counts = [len(vector) for vector in vectors]
        raise InputError(
            f"Azimuth, elevation, radius and fovy must have one value each, or one per view, "
            f"got {counts} values."
        )
    return [vector.expand(views).clone() for vector in vectors]


def _orbit_rotation(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Rows are the camera's right, down and forward axes in the world; angles in radians."""
    cos_a, sin_a = torch.cos(azimuth), torch.sin(azimuth)
    cos_e, sin_e = torch.cos(elevation), torch.sin(elevation)
    zero = torch.zeros_like(cos_a)
    right = torch.stack([-sin_a, cos_a, zero], dim=-1)
    down = torch.stack([sin_e * cos_a, sin_e * sin_a, -cos_e], dim=-1)
    forward = torch.stack([-cos_e * cos_a, -cos_e * sin_a, -sin_e], dim=-1)
    return torch.stack([right, down, forward], dim=1)
