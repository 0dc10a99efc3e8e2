"""What a user takes away: splat files, films and sheets; a reader beside each writer."""

from splatsmith.export.ply import read_ply, write_arrays, write_ply
from splatsmith.export.sheet import contact_sheet, labeled_grid, progress_sheet, save_png
from splatsmith.export.splats import read_splats, write_splats
from splatsmith.export.video import write_turntable, write_video

__all__ = [
    "contact_sheet",
    "labeled_grid",
    "progress_sheet",
    "read_ply",
    "read_splats",
    "save_png",
    "write_arrays",
    "write_ply",
    "write_splats",
    "write_turntable",
    "write_video",
]
