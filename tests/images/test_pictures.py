"""A file of somebody's becomes a cut-out, centered picture, or a sentence about why not."""

import io
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from splatsmith.errors import InputError, InvalidFile
from splatsmith.images import Reference, read_reference
from splatsmith.images.center import centered
from splatsmith.images.decode import decode_picture, read_picture
from splatsmith.images.mask import has_mask, reached, without_plain_background


def square(height=120, width=100, top=30, left=20, side=40, color=(200, 30, 30)):
    """An opaque square on nothing."""
    picture = np.zeros((height, width, 4), np.uint8)
    picture[top : top + side, left : left + side] = (*color, 255)
    return picture


def photo(ground=(240, 240, 240)):
    """The square before one color, without alpha."""
    picture = np.full((120, 100, 3), ground, np.uint8)
    picture[30:70, 20:60] = (200, 30, 30)
    return picture


def saved(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def test_a_square_is_centered_exactly():
    result = centered(square(), 64, 0.75)
    inside = result[..., 3] > 127
    expected = np.zeros((64, 64), bool)
    expected[8:56, 8:56] = True
    assert (inside == expected).all()
    assert (abs(result[inside][:, :3].astype(int) - (200, 30, 30)) <= 2).all()  # eight bits


@pytest.mark.parametrize("share", [0.5, 0.8, 1.0])
def test_the_longer_side_has_the_share_it_should(share):
    picture = np.zeros((90, 200, 4), np.uint8)
    picture[10:50, 5:195] = 255  # wide, and near the border
    inside = centered(picture, 128, share)[..., 3] > 127
    rows, columns = (np.flatnonzero(inside.any(axis=a)) for a in (1, 0))
    assert abs(len(columns) - 128 * share) <= 1
    assert abs(len(rows) - 128 * share * 40 / 190) <= 1
    assert abs(rows[0] + rows[-1] - 127) <= 1
    assert abs(columns[0] + columns[-1] - 127) <= 1


def test_what_lies_under_transparency_does_not_bleed_in():
    picture = square()
    picture[picture[..., 3] == 0, :3] = (0, 255, 0)
    result = centered(picture, 96, 0.8)
    seen = result[..., 3] > 0
    assert result[seen][:, 1].max() < 60


def test_a_plain_background_is_flooded_and_holes_stay():
    picture = square(color=(30, 30, 200))
    picture[..., 3] = 255
    picture[picture[..., 2] == 0, :3] = 250
    picture[45:50, 35:40, :3] = 250  # of the background's color, but enclosed
    picture[100, 90, :3] = 0  # a speck
    result = without_plain_background(picture)
    assert ((result[..., 3] == 255) == (square()[..., 3] == 255)).all()


def test_a_background_of_many_colors_is_refused(gen):
    noise = torch.randint(0, 256, (64, 64, 4), generator=gen, dtype=torch.uint8).numpy()
    with pytest.raises(InputError, match=r"not plain; give .* --matting rembg"):
        without_plain_background(noise)


def test_reaching_follows_a_winding_path():
    free = np.zeros((31, 31), bool)
    free[1::2] = True
    for row in range(2, 30, 2):
        free[row, 0 if row % 4 else 30] = True
    free[29, 10] = False
    seeds = np.zeros_like(free)
    seeds[1, 30] = True
    found = reached(seeds, free)
    slow = seeds.copy()
    while True:
        wide = np.pad(slow, 1)
        wider = wide[1:-1, 1:-1] | wide[2:, 1:-1] | wide[:-2, 1:-1]
        wider = (wider | wide[1:-1, 2:] | wide[1:-1, :-2]) & free
        if (wider == slow).all():
            break
        slow = wider
    assert (found == slow).all()
    assert 200 < found.sum() < free.sum()


@pytest.mark.parametrize(("kind", "options"), [("png", {}), ("webp", {"lossless": True})])
def test_files_are_read_as_they_were_written(tmp_path, kind, options):
    path = saved(tmp_path / f"a.{kind}", square(), **options)
    picture = read_picture(path)
    assert has_mask(picture)
    seen = square()[..., 3] > 0
    assert (picture[seen] == square()[seen]).all()


def test_a_jpeg_with_a_plain_background_is_cut_out(tmp_path):
    path = saved(tmp_path / "a.jpg", photo(), quality=95)
    reference = read_reference(path, size=64)
    alpha = reference.alpha(64)[..., 0]
    assert alpha[20:44, 20:44].min() == 1
    assert alpha[:5].max() == 0
    color = reference.over(torch.ones(3), 64)[32, 32]
    torch.testing.assert_close(color, torch.tensor([200.0, 30, 30]) / 255, atol=0.05, rtol=0)


def test_other_modes_are_understood(tmp_path):
    deep = np.full((40, 40), 65535, np.uint16)
    deep[10:30, 10:30] = 1000
    saved(tmp_path / "deep.png", deep)
    assert read_picture(tmp_path / "deep.png")[20, 20, 0] == 4
    palette = Image.fromarray(photo()).convert("P")
    palette.save(tmp_path / "palette.png")
    assert read_picture(tmp_path / "palette.png").shape == (120, 100, 4)
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held sideways
    Image.fromarray(photo()).save(tmp_path / "turned.jpg", exif=turned)
    assert read_picture(tmp_path / "turned.jpg").shape == (100, 120, 4)


def bomb(width, height):
    """A PNG of a few bytes that claims to be huge."""

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\x00" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows)


@pytest.mark.parametrize("side", [8_000, 12_000, 60_000])
def test_a_decompression_bomb_is_refused_unopened(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(side, side))
    with pytest.raises(InvalidFile, match=r"bomb\.png"):
        read_picture(path)


def test_what_is_no_picture_is_refused(tmp_path):
    path = tmp_path / "x.png"
    whole = io.BytesIO()
    Image.fromarray(square()).save(whole, format="PNG")
    gif = io.BytesIO()
    Image.fromarray(photo()).save(gif, format="GIF")
    cut = whole.getvalue()[:-40]
    for data in (b"", b"hello", cut, gif.getvalue(), b"\x80\x04pickle.", bomb(64, 64)):
        path.write_bytes(data)
        with pytest.raises(InvalidFile, match=r"x\.png"):
            read_reference(path)
    with pytest.raises(InputError, match=r"none\.png: cannot be read"):
        read_reference(tmp_path / "none.png")
    with pytest.raises(InvalidFile, match="16 a side are the least"):
        read_reference(saved(path, square()[:8, :8]))


def test_damaged_bytes_are_always_an_input_error(gen):
    """A hundred pictures with a few bytes changed: read or refused, never a traceback."""
    for kind in ("PNG", "JPEG", "WEBP"):
        whole = io.BytesIO()
        Image.fromarray(photo()).save(whole, format=kind)
        for _ in range(35):
            data = bytearray(whole.getvalue())
            for place in torch.randint(0, len(data), (4,), generator=gen).tolist():
                data[place] ^= 1 + place % 255
            try:
                decode_picture(bytes(data), "x")
            except InvalidFile:
                continue


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((40, 40, 4), np.uint8), "No object stands out"),
        (np.full((40, 40, 3), 9, np.uint8), "No object stands out"),
        (square(40, 40, 0, 0, 40), "No object stands out"),
    ],
)
def test_a_picture_of_nothing_is_refused(tmp_path, pixels, message):
    path = saved(tmp_path / "x.png", pixels)
    with pytest.raises(InputError, match=rf"x\.png: {message}"):
        read_reference(path)


def test_rembg_is_asked_or_its_extra_named(tmp_path, monkeypatch):
    path = saved(tmp_path / "x.png", photo())
    monkeypatch.setitem(sys.modules, "rembg", None)
    with pytest.raises(InputError, match=r"pip install 'splatsmith\[rembg\]'"):
        read_reference(path, matting="rembg")

    class Rembg:
        @staticmethod
        def remove(picture):
            assert picture.mode == "RGB"
            return Image.fromarray(square())

    monkeypatch.setitem(sys.modules, "rembg", Rembg)
    reference = read_reference(path, matting="rembg", size=64)
    assert reference.alpha(64).mean() == pytest.approx((2 / 3) ** 2, abs=0.03)
    with pytest.raises(InputError, match="matting must be one of auto, plain, rembg"):
        read_reference(path, matting="magic")


def test_equal_pictures_are_equal_and_blend_as_they_should():
    first, second = Reference.of(square(64, 64)), Reference.of(square(64, 64))
    assert first == second
    assert first.digest == second.digest
    assert first != Reference.of(square(64, 64), azimuth=30.0)
    ground = torch.tensor([0.1, 0.5, 0.9])
    over = first.over(ground, 64)
    torch.testing.assert_close(over[0, 0], ground)
    torch.testing.assert_close(over[40, 40], torch.tensor([200.0, 30, 30]) / 255)
    small = first.rgba(16)  # color is times alpha: at an edge neither is too bright
    torch.testing.assert_close(small[..., 0], small[..., 3] * 200 / 255, atol=1e-5, rtol=0)
    camera = Reference.of(square(64, 64), azimuth=30.0).seen_from(2.0, 49.1).camera(32)
    assert (camera.azimuth.item(), camera.radius.item(), camera.width) == (30.0, 2.0, 32)
    with pytest.raises(InputError, match="elevation within"):
        Reference.of(square(64, 64), elevation=95.0)


def test_what_is_no_file_is_refused_unread(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero"), tmp_path):
        with pytest.raises(InvalidFile, match="is not a regular file"):
            read_picture(path)
