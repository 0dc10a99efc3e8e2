"""`splatsmith render`: pictures of a scene that was made before."""

from pathlib import Path
from typing import Annotated

import tyro

from splatsmith.errors import InputError


def render(
    scene: Annotated[Path, tyro.conf.Positional],
    *,
    out: Path,
    orbit: int = 120,
    size: int = 256,
    elevation: float = 15.0,
    fps: int = 24,
) -> None:
    """Draw splats as a film (.mp4) of one turn or as a contact sheet (.png).

    Args:
        scene: a file of 3D Gaussians of any format that `splatsmith convert` reads.
        out: what to write; .mp4 for a turn, .png for 8 azimuths x 2 elevations.
        orbit: pictures in one turn, 1 to 3600.
        size: pixels a side, even, 16 to 2048.
        elevation: of the camera of the film, degrees.
        fps: pictures per second of the film.
    """
    if out.suffix not in (".mp4", ".png"):
        raise InputError(f"{out} must end in .mp4 (a film) or .png (a contact sheet).")
    if not 1 <= orbit <= 3600 or not 16 <= size <= 2048 or size % 2 or not 1 <= fps <= 240:
        raise InputError(
            f"--orbit must lie in 1 to 3600, --size in 16 to 2048 and be even, --fps in 1 to "
            f"240; got {orbit}, {size} and {fps}."
        )
    if not -90 <= elevation <= 90:
        raise InputError(f"--elevation must lie in -90 to 90 degrees, got {elevation}.")
    if not out.parent.is_dir():
        raise InputError(f"There is no folder {out.parent} to write {out.name} into.")
    from splatsmith.export import contact_sheet, read_splats, save_png, write_turntable

    made = read_splats(scene)
    if out.suffix == ".png":
        save_png(out, contact_sheet(made, size=size))
    else:
        write_turntable(out, made, frames=orbit, size=size, elevation=elevation, fps=fps)
    print(out)
