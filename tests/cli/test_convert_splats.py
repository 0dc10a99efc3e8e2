"""`splatsmith convert` does what it says and says what it does."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))

from dialects import random_scene

from splatsmith.export import read_splats, write_splats
from splatsmith.scenes.transforms import importance, turned


@pytest.fixture
def source(tmp_path):
    scene = random_scene(1, count=60, degree=2)
    write_splats(tmp_path / "a.ply", scene)
    return tmp_path / "a.ply", read_splats(tmp_path / "a.ply")


def test_it_writes_another_format_and_says_what_came_of_it(source, call, tmp_path):
    path, scene = source
    code, said, complaint = call("convert", path, tmp_path / "b.spz")
    assert (code, complaint) == (0, "")
    first, last = said.splitlines()
    assert first == f"{path}: 60 splats, degree 2, {path.stat().st_size:,} bytes"
    size = (tmp_path / "b.spz").stat().st_size
    assert last.startswith(f"{tmp_path / 'b.spz'}: 60 splats, degree 2, {size:,} bytes (")
    back = read_splats(tmp_path / "b.spz")
    torch.testing.assert_close(back.means.data, scene.means.data, rtol=0, atol=2e-4)


def test_a_change_without_a_format_change_is_exact(source, call, tmp_path):
    path, scene = source
    assert call("convert", path, tmp_path / "b.ply")[0] == 0
    for name, value in read_splats(tmp_path / "b.ply").state().items():
        torch.testing.assert_close(value, scene.state()[name], rtol=0, atol=2e-7)


def test_what_the_format_cannot_hold_is_said(source, call, tmp_path):
    code, said, _ = call("convert", source[0], tmp_path / "b.splat")
    assert code == 0
    assert ".splat keeps one color a splat: what depends on the view is left out" in said
    assert "60 splats, degree 0" in said


def changed(source, call, tmp_path, *options):
    """The scene after `convert`, and what was said between the first line and the last."""
    code, said, complaint = call("convert", source[0], tmp_path / "b.ply", *options)
    assert (code, complaint) == (0, "")
    return read_splats(tmp_path / "b.ply"), said.splitlines()[1:-1]


def test_axes(source, call, tmp_path):
    """The axis that was up is z afterwards; harmonics and needles turn along."""
    _, scene = source
    for axes, axis, sign in (
        ("y-up", 1, 1),
        ("y-down", 1, -1),
        ("x-up", 0, 1),
        ("x-down", 0, -1),
    ):
        back, said = changed(source, call, tmp_path, "--axes", axes)
        assert said == [f"turned from {axes} to z-up"]
        torch.testing.assert_close(back.means.data[:, 2], sign * scene.means.data[:, axis])
    back, _ = changed(source, call, tmp_path, "--axes", "z-down")
    flip = torch.diag(torch.tensor([1.0, -1, -1], dtype=torch.float64))
    torch.testing.assert_close(back.sh.data, turned(scene, flip).sh.data, rtol=0, atol=1e-6)


def test_rotate_is_about_x_then_y_then_z(source, call, tmp_path):
    _, scene = source
    back, said = changed(source, call, tmp_path, "--rotate", 90, 0, -90)
    x, y, z = scene.means.data.unbind(-1)
    # 90 about x: (x, -z, y); then -90 about z: (-z, -x, y).
    torch.testing.assert_close(back.means.data, torch.stack([-z, -x, y], 1), rtol=0, atol=1e-6)
    assert said == ["turned by 90, 0 and -90 degrees about x, y and z"]


def test_crops(source, call, tmp_path):
    _, scene = source
    x = scene.means.data
    back, said = changed(source, call, tmp_path, "--crop-box", -1, -1, 0, 1, 1, 1)
    expected = x[x[:, 2] >= 0]
    torch.testing.assert_close(back.means.data, expected)
    assert said == [f"kept centers in the box (--crop-box): {len(expected)} of 60 splats"]
    back, _ = changed(source, call, tmp_path, "--crop-ball", 0.5, 0, 0, 0.5)
    near = (x - torch.tensor([0.5, 0, 0])).norm(dim=1) <= 0.5
    torch.testing.assert_close(back.means.data, x[near])


def test_pruning_and_a_limit(source, call, tmp_path):
    _, scene = source
    back, said = changed(source, call, tmp_path, "--min-opacity", 0.4, "--max-size", 0.2)
    keep = (scene.opacities >= 0.4) & (scene.scales.amax(dim=1) <= 0.2)
    torch.testing.assert_close(back.means.data, scene.means.data[keep])
    assert [line.split(":")[0] for line in said] == [
        "kept opacity at least 0.4 (--min-opacity)",
        "kept size at most 0.2 (--max-size)",
    ]
    back, _ = changed(source, call, tmp_path, "--most", 7)
    best = importance(scene).topk(7).indices.sort().values
    torch.testing.assert_close(back.means.data, scene.means.data[best])
    assert changed(source, call, tmp_path, "--most", 100)[1] == []
    back, _ = changed(source, call, tmp_path, "--min-size", 0.1)
    assert back.scales.amax(dim=1).min() >= 0.1


def test_recenter_scale_fit_and_degree(source, call, tmp_path):
    _, scene = source
    back, said = changed(source, call, tmp_path, "--recenter", "--scale", 2, "--sh-degree", 0)
    middle = (back.means.amin(dim=0) + back.means.amax(dim=0)) / 2
    assert middle.abs().max() < 1e-6
    torch.testing.assert_close(back.scales, 2 * scene.scales)
    assert back.sh_degree == 0
    assert len(said) == 3
    back, _ = changed(source, call, tmp_path, "--fit", 5)
    assert back.means.norm(dim=1).max().item() == pytest.approx(5)
    assert changed(source, call, tmp_path, "--sh-degree", 3)[0].sh_degree == 3


def test_a_file_may_be_converted_into_itself(source, call):
    path, _ = source
    assert call("convert", path, path, "--most", 5)[0] == 0
    assert read_splats(path).count == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["b.obj"], "must end in one of"),
        (["b.ksplat"], "can be read, but not written"),
        (["no/b.spz"], "There is no folder no"),
        (["b.ply", "--spz-version", "4"], "Only .spz files have a version"),
        (["b.spz", "--spz-version", "9"], "must be 2, 3 or 4"),
        (["b.ply", "--crop-box", "0", "0", "0", "1", "1", "-1"], "the lower corner first"),
        (["b.ply", "--crop-ball", "0", "0", "0", "0"], "a radius above 0"),
        (["b.ply", "--crop-ball", "9", "9", "9", "1"], "none is left with centers in the ball"),
        (["b.ply", "--min-opacity", "1.5"], "--min-opacity must lie in 0 to 1"),
        (["b.ply", "--min-opacity", "nan"], "--min-opacity must lie in 0 to 1"),
        (["b.ply", "--min-size", "2", "--max-size", "1"], "--min-size must lie below"),
        (["b.ply", "--max-size", "1e-9"], "none is left with size at most 1e-09"),
        (["b.ply", "--scale", "-1"], "--scale must be above 0; to turn a scene over"),
        (["b.ply", "--scale", "2", "--fit", "1"], "not both"),
        (["b.ply", "--most", "0"], "--most must be 1 or more"),
        (["b.ply", "--sh-degree", "4"], "--sh-degree must be 0, 1, 2 or 3"),
        (["b.ply", "--rotate", "nan", "0", "0"], "three finite angles"),
        (["b.spz", "--scale", "1e6"], "scale the scene down first"),
    ],
)
def test_nonsense_is_refused_with_a_remedy(
    source, call, tmp_path, monkeypatch, options, message
):
    monkeypatch.chdir(tmp_path)
    code, _, complaint = call("convert", source[0], *options)
    assert code == 2
    assert complaint.startswith("error: ")
    assert message in complaint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ply"]


def test_a_missing_or_broken_source_is_refused(call, tmp_path):
    code, _, complaint = call("convert", tmp_path / "none.spz", tmp_path / "b.ply")
    assert code == 2
    assert "No such file" in complaint
    (tmp_path / "a.sog").write_bytes(b"PK\x03\x04 no zip")
    code, _, complaint = call("convert", tmp_path / "a.sog", tmp_path / "b.ply")
    assert code == 2
    assert "not a whole zip file" in complaint


def test_render_takes_every_format(source, call, tmp_path):
    write_splats(tmp_path / "a.sog", source[1])
    code, said, _ = call(
        "render", tmp_path / "a.sog", "--size", 32, "--out", tmp_path / "b.png"
    )
    assert code == 0
    assert said.strip() == str(tmp_path / "b.png")
