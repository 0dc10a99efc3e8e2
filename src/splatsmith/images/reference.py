"""The picture that a scene is made from: cut out, centered, and seen from a known place."""

import hashlib
import io
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from splatsmith.cameras import Cameras, orbit
from splatsmith.errors import InputError
from splatsmith.images.center import centered
from splatsmith.images.decode import decode_picture, read_picture
from splatsmith.images.mask import (
    check_object,
    has_mask,
    without_background_by_rembg,
    without_plain_background,
)

Matting = Literal["auto", "plain", "rembg"]
SIZE = 256  # pixels a side of a prepared picture
# Of the side that the object covers: the median of toybox objects at a distance of 3.2 and 40
# degrees. The papers' 0.78 to 0.85 would be their largest, with no room for wider sides.
SHARE = 2 / 3
LARGEST_WORKED = 1024  # pixels of the longer side on which the background is looked for


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A prepared picture, and the camera that it is taken to be seen by.

    The bytes are the picture: two references of equal bytes and cameras are equal, and what is
    stored with a run is exactly what the run saw.
    """

    png: bytes  # RGBA, square; color is not multiplied by alpha
    azimuth: float = 0.0  # degrees; 0 makes what the picture shows the front
    elevation: float = 15.0  # degrees
    radius: float = 3.2  # world units from the origin
    fovy: float = 40.0  # degrees

    def __post_init__(self) -> None:
        if not -360 <= self.azimuth <= 360 or not -90 <= self.elevation <= 90:
            raise InputError(
                f"A picture is seen from an azimuth within -360 to 360 and an elevation within "
                f"-90 to 90 degrees, got {self.azimuth} and {self.elevation}."
            )

    @classmethod
    def of(
        cls,
        rgba: UInt8[np.ndarray, "size size 4"],
        azimuth: float = 0.0,
        elevation: float = 15.0,
    ) -> "Reference":
        """A square picture that needs no preparing."""
        draft = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(rgba)).save(draft, format="PNG")
        return cls(png=draft.getvalue(), azimuth=azimuth, elevation=elevation)

    @classmethod
    def over_white(
        cls,
        color: Float[Tensor, "size size 3"],
        alpha: Float[Tensor, "size size 1"],
        azimuth: float = 0.0,
        elevation: float = 15.0,
    ) -> "Reference":
        """From a drawing over white, 0..1; where something is drawn, the white is taken out."""
        own = (color - (1 - alpha)) / alpha.clamp(min=1e-3)
        rgba = torch.cat([own, alpha], dim=-1).clamp(0, 1)
        return cls.of((rgba * 255).round().byte().numpy(), azimuth, elevation)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the picture."""
        return hashlib.sha256(self.png).hexdigest()

    @cached_property
    def _rgba(self) -> Float[Tensor, "4 size size"]:
        picture = decode_picture(self.png, Path("the reference picture"))
        return torch.from_numpy(picture).permute(2, 0, 1).float() / 255

    def rgba(self, size: int) -> Float[Tensor, "size size 4"]:
        """Color times alpha, and alpha, 0..1, at `size` pixels a side."""
        premultiplied = torch.cat([self._rgba[:3] * self._rgba[3:], self._rgba[3:]])
        if premultiplied.shape[-1] != size:
            premultiplied = torch.nn.functional.interpolate(
                premultiplied[None], size=(size, size), mode="bilinear", antialias=True
            )[0]
        return premultiplied.clamp(0, 1).permute(1, 2, 0)

    def over(self, background: Float[Tensor, "3"], size: int) -> Float[Tensor, "size size 3"]:
        """The object before one color, 0..1."""
        rgba = self.rgba(size)
        return rgba[..., :3] + (1 - rgba[..., 3:]) * background

    def alpha(self, size: int) -> Float[Tensor, "size size 1"]:
        """How much of each pixel the object covers, 0..1."""
        return self.rgba(size)[..., 3:]

    def camera(self, size: int) -> Cameras:
        """The one camera that sees this picture."""
        return orbit(
            [self.azimuth],
            [self.elevation],
            radius=self.radius,
            fovy=self.fovy,
            width=size,
            height=size,
        )

    def seen_from(self, radius: float, fovy: float) -> "Reference":
        """The same picture by a camera at another distance (world units, degrees)."""
        return replace(self, radius=radius, fovy=fovy)


def read_reference(
    path: Path | str,
    *,
    azimuth: float = 0.0,
    elevation: float = 15.0,
    matting: Matting = "auto",
    size: int = SIZE,
    share: float = SHARE,
) -> Reference:
    """A picture file, cut out, centered and brought to `size` pixels a side.

    The longer side of the object covers `share` of the picture. A picture that is framed as the
    cameras of the scene will frame it needs none of this: `Reference.of` takes it as it is.

    `matting` says how the object is found: auto by the file's alpha, or else by a plain
    background; plain by the background alone; rembg by the package of that name.

    Raises InputError if the file is no picture or if no object can be found in it.
    """
    if matting not in get_args(Matting):
        raise InputError(
            f"matting must be one of {', '.join(get_args(Matting))}, got {matting!r}."
        )
    picture = _shrunk(read_picture(Path(path)))
    try:
        if matting == "rembg":
            picture = without_background_by_rembg(picture)
        elif matting == "plain" or not has_mask(picture):
            picture = without_plain_background(_flattened(picture))
        check_object(picture)
        square = centered(picture, size, share)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return Reference.of(square, azimuth, elevation)


def _shrunk(
    picture: UInt8[np.ndarray, "height width 4"],
) -> UInt8[np.ndarray, "rows columns 4"]:
    """No side longer than is needed; color weighs by alpha."""
    height, width = picture.shape[:2]
    scale = LARGEST_WORKED / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


def _flattened(
    picture: UInt8[np.ndarray, "height width 4"],
) -> UInt8[np.ndarray, "height width 4"]:
    """The picture before white, opaque."""
    alpha = picture[..., 3:].astype(np.float32) / 255
    color = picture[..., :3] * alpha + 255 * (1 - alpha)
    opaque = np.full_like(picture[..., 3:], 255)
    return np.concatenate([color.round().astype(np.uint8), opaque], axis=-1)
