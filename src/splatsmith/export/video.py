"""Films: pictures in, an .mp4 that browsers play out.

The codec is Cisco's OpenH264 where the installed PyAV has it, else VP9, else MPEG-4 Part 2; all
three are free of copyleft. x264 is never used, though PyAV's wheels may carry it. One thread,
one fixed quality and no dates: equal frames give equal bytes on the same PyAV.
"""

import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from splatsmith.cameras import turntable
from splatsmith.errors import InputError
from splatsmith.export.sheet import Drawable, draw_views, to_uint8
from splatsmith.files import replace_file

CODECS: dict[str, dict[str, str]] = {
    # Best first. Options set a fixed quality: about 40 dB on our pictures.
    "libopenh264": {"rc_mode": "off", "qmin": "18", "qmax": "18"},
    "libvpx-vp9": {"crf": "20", "b": "0", "deadline": "good", "cpu-used": "5"},
    "mpeg4": {"qmin": "2", "qmax": "3"},
}
MPEG4_BITS = 8  # bits per pixel and frame that MPEG-4 may use; its quantizer range decides
BT709 = 1  # FFmpeg's number for ITU-R BT.709, as matrix, primaries and transfer curve alike
STUDIO_RANGE = 1  # FFmpeg's number for luma from 16 to 235, which players expect
BITEXACT = 1 << 23  # AV_CODEC_FLAG_BITEXACT: no version or build in the stream


def write_turntable(
    path: Path,
    scene: Drawable,
    *,
    frames: int = 120,
    size: int = 256,
    elevation: float = 15.0,
    radius: float = 3.2,
    fovy: float = 40.0,
    fps: int = 30,
    background: float = 1.0,
    like: Tensor | None = None,
) -> None:
    """Film one full turn around a scene, front first, the camera going counter-clockwise.

    `size` is the side of the picture in pixels, even; `elevation` and `fovy` are degrees and
    `background` a gray from 0 to 1. `like` is any tensor of the scene if that is not float32 on
    the CPU. Raises InputError for sizes or numbers of frames that make no film.
    """
    cameras = turntable(
        frames, elevation=elevation, radius=radius, fovy=fovy, width=size, height=size
    )
    if like is not None:
        cameras = cameras.to(like.dtype).to(like.device)
    views = (draw_views(scene, cameras[[i]], background)[0] for i in range(frames))
    write_video(path, (to_uint8(view) for view in views), fps=fps)


def write_video(
    path: Path, frames: Iterable[UInt8[np.ndarray, "height width 3"]], *, fps: int = 30
) -> None:
    """Put a film of RGB frames at `path`, whole or not at all.

    All frames have one size with even sides (chroma has half the resolution in 4:2:0 video).
    The index stands at the front, so that a browser can begin before the file has arrived.
    Raises InputError for frames that break this, for no frames, and for an odd rate.
    """
    if not 1 <= fps <= 240:
        raise InputError(f"A film has 1 to 240 pictures per second, got {fps}.")
    # The index can move to the front only in a file of its own: memory will not do for FFmpeg.
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.mp4"
        _encode(draft, _checked(frames), fps)
        replace_file(path, draft.read_bytes())


def best_codec() -> str:
    """The name of the first codec of `CODECS` that the installed PyAV can write with."""
    import av

    for name in CODECS:
        try:
            av.codec.Codec(name, "w")
        except (av.error.FFmpegError, ValueError):
            continue
        return name
    raise InputError(
        f"The installed PyAV {av.__version__} has none of the codecs {', '.join(CODECS)}; "
        "install a wheel from PyPI: pip install av."
    )


def _checked(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    shape = None
    for number, frame in enumerate(frames):
        shape = frame.shape if shape is None else shape
        height, width, _ = shape
        if height % 2 or width % 2 or min(height, width) < 16:
            raise InputError(
                f"A film's sides must be even and at least 16 pixels, got {width} x {height}."
            )
        if frame.shape != shape:
            raise InputError(
                f"All frames of a film must have one size; frame {number} has shape "
                f"{frame.shape}, the first has {shape}."
            )
        yield frame
    if shape is None:
        raise InputError("A film needs at least one frame, got none.")


def _encode(draft: Path, frames: Iterator[np.ndarray], fps: int) -> None:
    import av
    from av.video.reformatter import Colorspace, VideoReformatter

    scaler = VideoReformatter()  # kept: it takes longer to begin than to convert
    to_yuv = partial(scaler.reformat, format="yuv420p", dst_colorspace=Colorspace.ITU709)
    first = next(frames)
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(draft), "w", format="mp4", options=options) as film:
        stream = _open_stream(film, first, fps)
        for frame in _with_first(first, frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            film.mux(stream.encode(to_yuv(picture)))
        film.mux(stream.encode(None))


def _open_stream(film: Any, first: np.ndarray, fps: int) -> Any:
    name = best_codec()
    stream = film.add_stream(name, rate=fps, options=dict(CODECS[name]))
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    context.flags |= BITEXACT
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = STUDIO_RANGE
    if name == "mpeg4":
        context.bit_rate = MPEG4_BITS * fps * first.shape[0] * first.shape[1]
    return stream


def _with_first(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest
