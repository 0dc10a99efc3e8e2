"""Still pictures of a scene and of a run: grids with small labels, saved as PNG.

The same input gives the same bytes: labels are drawn in Pillow's built-in font, and the files
carry no dates.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from splatsmith.cameras import Cameras, sheet_cameras
from splatsmith.errors import InputError
from splatsmith.files import replace_file
from splatsmith.render.picture import Picture

LABEL_HEIGHT = 16  # pixels that a line of text takes
FONT_SIZE = 12  # pixels
MARGIN = 2  # pixels between cells
PAPER, INK = (255, 255, 255), (60, 60, 60)


@runtime_checkable
class Drawable(Protocol):
    """Anything that cameras can look at, such as a scene of Gaussians."""

    def render(self, cameras: Cameras, background: Float[Tensor, "3"]) -> Picture:
        """Pictures of it, one for each camera, over one background color."""
        ...


def draw_views(
    scene: Drawable, cameras: Cameras, background: float = 1.0
) -> Float[Tensor, "views height width 3"]:
    """Pictures of a scene over a gray (0 to 1), on the CPU, drawn one by one to save memory."""
    gray = torch.full((3,), background, dtype=cameras.K.dtype, device=cameras.K.device)
    with torch.no_grad():
        views = [scene.render(cameras[[i]], gray).color[0] for i in range(len(cameras))]
    return torch.stack([view.cpu() for view in views])


def contact_sheet(
    scene: Drawable,
    *,
    size: int = 192,
    azimuths: int = 8,
    elevations: Sequence[float] = (10.0, 35.0),
    radius: float = 3.2,
    fovy: float = 40.0,
    background: float = 1.0,
    like: Tensor | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """A scene from all sides: one row for each elevation (degrees), front first.

    `size` is the side of one view in pixels; `background` a gray from 0 to 1. `like` is any
    tensor of the scene if that is not float32 on the CPU. Raises InputError for a sheet
    without views.
    """
    cameras = sheet_cameras(
        size, size, azimuths=azimuths, elevations=elevations, radius=radius, fovy=fovy
    )
    labels = [f"{azimuth:.0f}°" for azimuth in cameras.azimuth[:azimuths].tolist()]
    if like is not None:
        cameras = cameras.to(like.dtype).to(like.device)
    views = draw_views(scene, cameras, background)
    rows = list(views.reshape(len(elevations), azimuths, size, size, 3))
    names = [f"elevation {elevation:g}°" for elevation in elevations]
    return labeled_grid(rows, names, columns=labels)


def progress_sheet(
    renders: Sequence[Float[Tensor, "height width 3"]],
    targets: Sequence[Float[Tensor, "height width 3"]],
    labels: Sequence[str],
) -> UInt8[np.ndarray, "sheet_height sheet_width 3"]:
    """What a run drew and what it was pulled toward, moment by moment (StableDreamer, 2023).

    Columns are moments with their labels, the upper row holds the renders and the lower row the
    pseudo-ground-truths of the same views.
    """
    if not len(renders) == len(targets) == len(labels) or not renders:
        raise InputError(
            "A progress sheet needs one render, one pseudo-ground-truth and one label for each "
            f"moment, got {len(renders)}, {len(targets)} and {len(labels)}."
        )
    rows = [torch.stack(list(renders)), torch.stack(list(targets))]
    return labeled_grid(rows, ["render", "pseudo-ground-truth"], columns=labels)


def labeled_grid(
    rows: Sequence[Float[Tensor, "views height width 3"]],
    labels: Sequence[str],
    *,
    columns: Sequence[str] = (),
) -> UInt8[np.ndarray, "sheet_height sheet_width 3"]:
    """Rows of pictures (0 to 1, all of one size), each under its label.

    `columns` are labels for the columns, written once at the top. A label that is wider than
    the sheet is cut off. Raises InputError if rows and labels do not pair up, if there is
    nothing to show, or if the pictures differ in size.
    """
    shapes = {tuple(row.shape[1:]) for row in rows}
    if not rows or len(rows) != len(labels) or len(shapes) != 1:
        raise InputError(
            f"A grid needs one label for each row and pictures of one size, got {len(rows)} "
            f"rows, {len(labels)} labels and sizes {sorted(shapes)}."
        )
    height, width, _ = next(iter(shapes))
    count = max(len(row) for row in rows)
    top = LABEL_HEIGHT if columns else 0
    step_x, step_y = width + MARGIN, height + LABEL_HEIGHT + MARGIN
    sheet = Image.new("RGB", (count * step_x - MARGIN, top + len(rows) * step_y), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, text in enumerate(columns):
        _write(pen, number * step_x, 0, text)
    for line, (row, text) in enumerate(zip(rows, labels, strict=True)):
        _write(pen, 0, top + line * step_y, text)
        for number, picture in enumerate(to_uint8(row)):
            corner = (number * step_x, top + line * step_y + LABEL_HEIGHT)
            sheet.paste(Image.fromarray(picture), corner)
    return np.array(sheet)


def to_uint8(
    color: Float[Tensor, "*batch height width 3"],
) -> UInt8[np.ndarray, "*batch height width 3"]:
    """Colors from 0 to 1 as bytes, rounded to the nearest; what lies outside is clamped."""
    scaled = color.detach().clamp(0, 1).mul(255).round()
    return scaled.to(device="cpu", dtype=torch.uint8).numpy()


def save_png(path: Path, picture: UInt8[np.ndarray, "height width 3"]) -> None:
    """Put a picture at `path`, whole or not at all; equal pictures give equal bytes."""
    draft = io.BytesIO()
    Image.fromarray(picture).save(draft, format="PNG", optimize=False)
    replace_file(path, draft.getvalue())


def _write(pen: ImageDraw.ImageDraw, x: int, y: int, text: str) -> None:
    pen.text((x + 2, y + 1), text, fill=INK, font=ImageFont.load_default(FONT_SIZE))
