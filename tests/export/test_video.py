import ast
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from dialects import random_scene

from splatsmith.cameras import turntable
from splatsmith.errors import InputError
from splatsmith.export import video, write_turntable, write_video
from splatsmith.export.sheet import to_uint8


def moving_disc(frames: int = 12, height: int = 64, width: int = 96) -> list[np.ndarray]:
    y, x = np.mgrid[:height, :width]
    shade = np.stack([180 + x // 3, 60 + y, 90 + 0 * x], axis=2).astype(np.uint8)
    film = []
    for number in range(frames):
        disc = (x - 30 - 3 * number) ** 2 + (y - 32) ** 2 < 400
        film.append(np.where(disc[..., None], shade, 255).astype(np.uint8))
    return film


def decoded(path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        frames = [
            frame.reformat(format="rgb24", src_colorspace="ITU709")
            for frame in film.decode(video=0)
        ]
    return [frame.to_ndarray() for frame in frames]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / ((a.astype(float) - b) ** 2).mean()))


def available() -> list[str]:
    """Those of our codecs that the installed PyAV can write with; wheels differ."""
    names = []
    for name in video.CODECS:
        try:
            av.codec.Codec(name, "w")
        except ValueError:
            continue
        names.append(name)
    return names


@pytest.fixture(params=available())
def codec(request, monkeypatch):
    """Each of them, as if it were the best."""
    monkeypatch.setattr(video, "CODECS", {request.param: video.CODECS[request.param]})
    assert video.best_codec() == request.param


def test_a_film_decodes_to_its_frames(tmp_path, codec):
    frames = moving_disc()
    write_video(tmp_path / "film.mp4", iter(frames), fps=24)
    seen = decoded(tmp_path / "film.mp4")
    assert len(seen) == len(frames)
    assert min(psnr(a, b) for a, b in zip(seen, frames, strict=True)) > 30
    assert psnr(seen[0], frames[-1]) < 25  # The bound tells frames apart.
    with av.open(str(tmp_path / "film.mp4")) as film:
        stream = film.streams.video[0]
        assert stream.average_rate == 24
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.codec_context.colorspace == video.BT709


def test_equal_frames_make_equal_files_that_begin_with_their_index(tmp_path, codec):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, iter(moving_disc()))
    data = (tmp_path / "a.mp4").read_bytes()
    assert data == (tmp_path / "b.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_the_best_codec_that_there_is_is_taken_and_never_x264():
    assert video.best_codec() == available()[0]
    assert not any("264" in name for name in video.CODECS if name != "libopenh264")


def test_a_build_without_our_codecs_is_named(monkeypatch):
    monkeypatch.setattr(video, "CODECS", {"nonsense": {}})
    with pytest.raises(InputError, match="none of the codecs nonsense"):
        video.best_codec()


def test_a_turntable_shows_the_scene_from_its_cameras(tmp_path):
    scene = random_scene(2, count=60)
    write_turntable(tmp_path / "turn.mp4", scene, frames=4, size=64, elevation=20.0)
    cameras = turntable(4, elevation=20.0, width=64, height=64)
    views = to_uint8(scene.render(cameras, torch.ones(3)).color.detach())
    seen = decoded(tmp_path / "turn.mp4")
    assert len(seen) == 4
    for a, b in zip(seen, views, strict=True):
        assert psnr(a, b) > 22  # Small splats on few pixels suffer most from halved chroma.
    quality = [[psnr(a, b) for b in views] for a in seen]
    assert np.argmax(quality, axis=1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("frames", "fps", "reason"),
    [
        ([], 30, "at least one frame"),
        ([np.zeros((17, 32, 3), np.uint8)], 30, "must be even"),
        ([np.zeros((32, 32, 3), np.uint8), np.zeros((32, 34, 3), np.uint8)], 30, "frame 1 has"),
        ([np.zeros((8, 8, 3), np.uint8)], 30, "at least 16"),
        ([np.zeros((32, 32, 3), np.uint8)], 0, "1 to 240"),
    ],
)
def test_what_makes_no_film_is_refused_and_leaves_no_file(tmp_path, frames, fps, reason):
    with pytest.raises(InputError, match=reason):
        write_video(tmp_path / "film.mp4", iter(frames), fps=fps)
    assert list(tmp_path.iterdir()) == []


def test_av_is_imported_only_when_a_film_is_written():
    tree = ast.parse(Path(video.__file__).read_text())
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert top
    assert not any("av" in [alias.name for alias in node.names] for node in top)
