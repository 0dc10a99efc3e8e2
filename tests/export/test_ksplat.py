"""What the last viewer of .ksplat wrote is read, at each of its three levels."""

import struct

import pytest
from dialects import random_scene
from kept import BYTE, COLOR, Kept, errors, excess
from ksplat_bytes import ksplat_bytes

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export import read_splats, write_splats

LEVELS = {
    0: Kept(1e-7, 3e-6, BYTE * 1.01, COLOR, 1e-6),
    1: Kept(1e-5, 0.02, BYTE * 1.01, COLOR, 2e-3),
    2: Kept(1e-5, 0.02, BYTE * 1.01, COLOR, 0.015),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("sections", [1, 3])
def test_every_level_is_read(tmp_path, level, degree, sections):
    scene = random_scene(degree, count=37, degree=degree)
    scene.log_scales.data.clamp_(-5, 0)
    path = tmp_path / "a.ksplat"
    path.write_bytes(ksplat_bytes(scene, level, sections=sections))
    back = read_splats(path)
    assert back.sh_degree == degree
    assert not excess(errors(scene, back), LEVELS[level])


def test_another_programs_file_says_the_same(tmp_path):
    gaussforge = pytest.importorskip(
        "gaussforge", reason="NOT JUDGED BY OTHERS: gaussforge is not installed"
    )
    scene = random_scene(5, count=50, degree=1)
    write_splats(tmp_path / "a.ply", scene)
    data = (tmp_path / "a.ply").read_bytes()
    made = gaussforge.GaussForge().convert(data, "ply", "ksplat")
    (tmp_path / "a.ksplat").write_bytes(made["data"])
    found = errors(scene, read_splats(tmp_path / "a.ksplat"))
    rounded_down = Kept(1e-7, 3e-6, 2 * LEVELS[0].opacity, 2 * COLOR, 1e-6)
    assert not excess(found, rounded_down)


def test_it_is_not_written(tmp_path):
    with pytest.raises(InputError, match=r"Write a\.spz or a\.ply instead"):
        write_splats(tmp_path / "a.ksplat", random_scene(0))


@pytest.mark.parametrize(
    ("offset", "form", "value", "reason"),
    [
        (1, "B", 0, "no .ksplat of version"),
        (20, "<H", 3, "level 3"),
        (4, "<I", 2000, "2000 sections"),
        (4, "<I", 500, "ends within the sections"),
        (16, "<I", 0, "holds no splats"),
        (16, "<I", 10, "10 splats are promised"),
        (16, "<I", 2**32 - 1, "at most"),
        (4096, "<I", 38, "38 of 37 splats"),
        (4100, "<I", 2**32 - 1, "runs past the end"),
        (4096 + 12, "<I", 1, "bucket|below 0|ends within|must lie|runs past"),
        (4096 + 20, "<H", 11, "bucket|below 0|ends within|must lie|runs past"),
        (4096 + 36, "<I", 2**32 - 1, "ends within"),
        (4096 + 40, "<H", 4, "degree 4"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path, offset, form, value, reason):
    data = bytearray(ksplat_bytes(random_scene(1, count=37), 1))
    struct.pack_into(form, data, offset, value)
    (tmp_path / "a.ksplat").write_bytes(data)
    with pytest.raises(InvalidFile, match=reason):
        read_splats(tmp_path / "a.ksplat")
