"""What is peculiar to .spz, .sog, .compressed.ply and .splat: versions, ranges, older files."""

import gzip
import io
import json
import struct
import zipfile

import numpy as np
import pytest
import torch
from dialects import random_scene
from kept import KEPT, errors, excess

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export import read_splats, write_splats
from splatsmith.export.codebook import codebook, palette
from splatsmith.export.frames import PLY
from splatsmith.export.splats import recognized

WITHOUT_ZSTANDARD = "NOT TESTED: .spz 4 needs the extra `spz`"


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("degree", [0, 3])
def test_every_version_of_spz_comes_back(tmp_path, version, degree):
    if version == 4:
        pytest.importorskip("zstandard", reason=WITHOUT_ZSTANDARD)
    scene = random_scene(1, count=50, degree=degree)
    scene.log_scales.data.clamp_(-6, 0)
    scene.sh.data.clamp_(-0.5, 0.5)
    path = tmp_path / "a.spz"
    write_splats(path, scene, spz_version=version)
    assert recognized(path).name == ".spz"
    data = path.read_bytes()
    head = data if version == 4 else gzip.decompress(data)
    assert struct.unpack_from("<4sIIBBBB", head)[:6] == (b"NGSP", version, 50, degree, 12, 0)
    found = errors(scene, read_splats(path))
    if version == 2:  # Quaternions have 8 bits in place of 9, and w has none.
        found["covariance"] /= 2
    assert not excess(found, KEPT[".spz"])


def test_version_1_of_spz_is_read(tmp_path):
    """It was never released, but its centers of half precision are simple."""
    scene = random_scene(2, count=3)
    write_splats(tmp_path / "a.spz", scene, spz_version=2)
    plain = gzip.decompress((tmp_path / "a.spz").read_bytes())
    half = PLY.points(scene.means.detach().numpy()) * [1, -1, -1]
    head = struct.pack("<4sIIBBBB", b"NGSP", 1, 3, 0, 12, 0, 0)
    data = head + half.astype("<f2").tobytes() + plain[16 + 27 :]
    (tmp_path / "b.spz").write_bytes(gzip.compress(data))
    found = errors(scene, read_splats(tmp_path / "b.spz"))
    assert found["position"] < 1e-3


@pytest.mark.parametrize(("size", "bits"), [(1e-3, 21), (0.4, 13), (100.0, 12), (5000.0, 10)])
def test_centers_have_4096_steps_in_scenes_of_every_size(tmp_path, size, bits):
    scene = random_scene(3, count=20)
    scene.means.data *= size / scene.means.data.abs().max()
    scene.log_scales.data.clamp_(-8, -2)
    write_splats(tmp_path / "a.spz", scene)
    assert gzip.decompress((tmp_path / "a.spz").read_bytes())[13] == bits
    assert errors(scene, read_splats(tmp_path / "a.spz"))["position"] <= max(
        size / 4096, 2**-13
    )


def test_what_an_spz_cannot_hold_is_refused(tmp_path):
    scene = random_scene(4)
    scene.log_scales.data[0] = 7
    with pytest.raises(InputError, match="scale the scene down first"):
        write_splats(tmp_path / "a.spz", scene)
    scene = random_scene(4)
    scene.means.data[0] = 1e9
    with pytest.raises(InputError, match="move the scene to the origin"):
        write_splats(tmp_path / "a.spz", scene)
    with pytest.raises(InputError, match="must be 2, 3 or 4"):
        write_splats(tmp_path / "a.spz", scene, spz_version=1)


def test_without_zstandard_the_extra_is_named(tmp_path, monkeypatch):
    import splatsmith.export.spz as module

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(module, "import_module", missing)
    with pytest.raises(InputError, match=r"splatsmith\[spz\]"):
        write_splats(tmp_path / "a.spz", random_scene(0), spz_version=4)


@pytest.mark.parametrize(("axes", "good"), [(4, True), (0, True), (6, False)])
def test_other_axes_in_an_extension_are_refused(tmp_path, axes, good):
    write_splats(tmp_path / "a.spz", random_scene(5))
    plain = bytearray(gzip.decompress((tmp_path / "a.spz").read_bytes()))
    plain[14] = 2
    plain += struct.pack("<II3s", 0x12340001, 3, b"abc") + struct.pack(
        "<III", 0xADBE0003, 4, axes
    )
    (tmp_path / "a.spz").write_bytes(gzip.compress(plain))
    if good:
        assert read_splats(tmp_path / "a.spz").count == 7
    else:
        with pytest.raises(InvalidFile, match="its axes are not those"):
            read_splats(tmp_path / "a.spz")


def test_equal_scenes_make_equal_files(tmp_path):
    for suffix in KEPT:
        if suffix.startswith(".usd"):
            continue
        for name in "ab":
            write_splats(tmp_path / f"{name}{suffix}", random_scene(6, degree=1))
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_an_older_compressed_ply_has_no_bounds_of_colors(tmp_path):
    """Chunks of 12 bounds: colors lie in 0 to 1."""
    scene = random_scene(7, count=300)
    scene.sh.data.clamp_(-1.7, 1.7)
    path = tmp_path / "a.compressed.ply"
    write_splats(path, scene)
    head, mark, body = path.read_bytes().partition(b"end_header\n")
    lines = [line for line in head.split(b"\n") if not line.endswith((b"_r", b"_g", b"_b"))]
    chunks = np.frombuffer(body, "<f4", 2 * 18).reshape(2, 18)
    words = np.frombuffer(body, "<u4", offset=2 * 18 * 4).reshape(300, 4).copy()
    shown = np.stack([(words[:, 3] >> shift & 255) / 255 for shift in (24, 16, 8)], axis=1)
    row = np.arange(300) // 256
    color = chunks[row, 12:15] * (1 - shown) + chunks[row, 15:18] * shown
    level = np.rint(255 * color).astype(np.uint32)
    words[:, 3] = level[:, 0] << 24 | level[:, 1] << 16 | level[:, 2] << 8 | words[:, 3] & 255
    new = b"\n".join(lines) + mark + chunks[:, :12].tobytes() + words.tobytes()
    path.write_bytes(new)
    found = errors(scene, read_splats(path))
    assert found["harmonics"] < 2 * KEPT[".compressed.ply"].harmonics
    assert found["position"] <= KEPT[".compressed.ply"].position


def test_splat_quaternions_use_the_byte_that_all_readers_agree_on(tmp_path):
    scene = random_scene(8, count=4)
    scene.quats.data[:] = torch.eye(4)
    write_splats(tmp_path / "a.splat", scene)
    stored = np.frombuffer((tmp_path / "a.splat").read_bytes(), np.uint8).reshape(4, 32)[:, 28:]
    back = read_splats(tmp_path / "a.splat")
    assert errors(scene, back)["covariance"] < 0.01
    assert (stored < 255).all()


def test_codebooks_are_exact_for_few_values_and_close_for_many():
    few = np.repeat([0.5, -2.0, 7.0], 40)
    entries, index = codebook(few)
    np.testing.assert_array_equal(entries[index], few)
    assert len(entries) == 256
    rng = np.random.default_rng(0)
    many = np.concatenate([rng.normal(size=9000), [40.0]])
    entries, index = codebook(many.reshape(-1, 1))
    gap = np.abs(entries[index][:, 0] - many)
    assert gap.max() < 0.25  # half of a step of the half of the entries that are even
    assert np.sqrt((gap**2).mean()) < 0.02
    nearest = np.abs(many[::50, None] - entries).argmin(axis=1)
    np.testing.assert_allclose(entries[index[::50, 0]], entries[nearest], rtol=0, atol=1e-12)


def test_palettes_are_exact_for_few_rows_and_halve_the_widest_for_many():
    rng = np.random.default_rng(1)
    few = rng.normal(size=(30, 9))[rng.integers(0, 30, 200)]
    entries, index = palette(few, 64)
    np.testing.assert_array_equal(entries[index], few)
    many = rng.normal(size=(5000, 3)) * [10, 1, 0.1]
    entries, index = palette(many, 256)
    assert len(entries) == 256
    counts = np.bincount(index)
    assert counts.max() <= 2 * counts.min()
    for number in (0, 100, 255):
        np.testing.assert_allclose(entries[number], many[index == number].mean(axis=0))
    error = np.sqrt(((entries[index] - many) ** 2).sum() / (many**2).sum())
    assert error < 0.06


def test_a_sog_of_another_program_may_have_shorter_codebooks(tmp_path):
    scene = random_scene(9, count=30, degree=1)
    write_splats(tmp_path / "a.sog", scene)
    before = read_splats(tmp_path / "a.sog")

    def shorten(meta):
        for entry in ("scales", "sh0", "shN"):
            numbers = meta[entry]["codebook"]
            meta[entry]["codebook"] = numbers[: len(set(numbers))]

    edit(tmp_path / "a.sog", shorten)
    after = read_splats(tmp_path / "a.sog")
    assert max(errors(before, after).values()) == 0


def edit(path, change) -> None:
    """Change meta.json of a .sog."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    meta = json.loads(members["meta.json"])
    change(meta)
    members["meta.json"] = json.dumps(meta).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    path.write_bytes(out.getvalue())


@pytest.mark.parametrize(
    ("keys", "value", "reason"),
    [
        (["version"], 3, "version 2"),
        (["count"], 0, "no splats"),
        (["count"], 10**6, "cannot hold"),
        (["count"], 31.0, "whole number"),
        (["means", "mins"], [0, 0], "must be 3 numbers"),
        (["means", "mins"], [0, 0, float("nan")], "must be 3 numbers"),
        (["means", "maxs"], [0, 0, 1e9], "must lie in|must be"),
        (["means", "files"], ["means_l.webp"], "must name its pictures"),
        (["means", "files"], ["../../etc/passwd", "x"], "lacks ../../etc/passwd"),
        (["scales", "codebook"], [], "256 numbers"),
        (["scales", "files"], ["meta.json"], "no lossless WebP"),
        (["shN", "bands"], 4, "4 bands"),
        (["shN", "count"], 0, "0 entries"),
        (["shN", "count"], 3, "a label is"),
        (["shN", "bands"], 2, "does not fit"),
    ],
)
def test_a_meta_json_that_lies_is_refused(tmp_path, keys, value, reason):
    write_splats(tmp_path / "a.sog", random_scene(9, count=30, degree=1))

    def change(meta):
        for key in keys[:-1]:
            meta = meta[key]
        meta[keys[-1]] = value

    edit(tmp_path / "a.sog", change)
    with pytest.raises(InvalidFile, match=reason):
        read_splats(tmp_path / "a.sog")
