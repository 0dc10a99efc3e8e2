"""`splatsmith mesh`, and the mesh of a run."""

import json
import struct
import sys
from pathlib import Path

import pytest

from mesh_scenes import baked_from
from splatsmith.cli.mesh import add_mesh
from splatsmith.export import write_ply
from splatsmith.export.meshing import MeshSettings
from splatsmith.optimize.folder import RunFolder

sys.path.append(str(Path(__file__).parents[1] / "export" / "meshing"))
from asset_scenes import splats, two_colored_ball


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("scenes") / "ball.ply"
    write_ply(path, two_colored_ball(150))
    return path


def test_a_ply_becomes_all_that_was_asked_for(call, scene, tmp_path):
    out = tmp_path / "ball.glb"
    code, said, wrong = call(
        "mesh", scene, "--out", out, "--faces", 300, "--texture", 64, "--resolution", 16,
        "--normal-map", "--lods", "0.5", "--collision", "--pictures", "--viewer", "--size", 0.2,
    )  # fmt: skip
    assert code == 0, wrong
    first, *paths = said.splitlines()
    assert "watertight" in first
    assert "dB against the splats" in first
    names = ["ball.glb", "ball_lod1.glb", "ball_collision.glb", "ball_mesh.png", "ball.html"]
    assert paths == [str(tmp_path / name) for name in names]
    data = out.read_bytes()
    (size,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + size])
    places = document["accessors"][0]
    sides = [b - a for a, b in zip(places["min"], places["max"], strict=True)]
    assert max(sides) == pytest.approx(0.2, rel=1e-3)
    assert places["min"][1] == pytest.approx(0, abs=1e-6)
    assert len(document["images"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "a.fbx"], "must end in .glb, .obj"),
        (["--out", "a.glb", "--faces", "2"], "faces must lie in 4"),
        (["--out", "a.glb", "--level", "99"], "the mesh would be empty"),
        (["--out", "a.glb", "--up", "z"], "y up by its standard"),
        (["--out", "a.glb", "--size", "-1"], "--size must lie in"),
        (["--out", "no/a.glb"], "no folder"),
        (["--out", "a.obj", "--unlit"], "--unlit and --normal-map are for .glb"),
        (["--out", "a.ply", "--normal-map"], "--unlit and --normal-map are for .glb"),
        (["--out", "a.glb", "--normal-map", "--unlit"], "give one"),
    ],
)
def test_mistakes_are_one_message(call, scene, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, wrong = call("mesh", scene, *arguments)
    assert code == 2
    assert wrong.count("\n") == 1
    assert message in wrong


REFINED = """
title = "Refined, tiny"
output = { save_every = 9, snapshots = 1, frames = 2, size = 16 }

[[stage]]
name = "shape"
steps = 1
views = 1
size = 16
start = { kind = "ball", count = 60, radius = 0.5, opacity = 0.9, falloff = "constant" }

[[stage]]
name = "texture"
steps = 1
views = 1
size = 16
convert = { kind = "textured", texture = 64, faces = 100, resolution = 12 }
score = { kind = "refine", steps = 1 }
rates = { kind = "textured" }
regularize = { kind = "surface" }
"""


def test_a_run_that_ended_in_a_textured_mesh_hands_that_out(call, prior_file, tmp_path):
    recipe, out = tmp_path / "refined.toml", tmp_path / "run"
    recipe.write_text(REFINED)
    told = ("--recipe", recipe, "--prior", prior_file, "--out", out, "--mesh")
    with baked_from(6, 32):
        code, said, wrong = call("generate", "a red ball", *told)
    assert code == 0, wrong
    first, *paths, summary, asset = said.splitlines()
    assert "faces in" in first
    assert str(out / "asset.glb") in paths  # The run wrote it; --mesh only says what it is.
    assert asset == str(out / "asset.glb")
    assert summary.endswith("texture of 64 x 64 from the run")


def test_a_run_gets_its_mesh_and_says_so(tmp_path):
    folder = RunFolder(tmp_path)
    write_ply(folder.scene, splats([[0.0, 0, 0]], 0.3, 0.95))
    folder.write_report({"status": "done", "sha256": {"scene.ply": "0"}})
    add_mesh(folder, MeshSettings(resolution=16, faces=100, texture=64, views=6, view_size=48))
    report = folder.read_report()
    assert report["mesh"]["watertight"]
    assert {"faces", "psnr", "seconds"} <= set(report["mesh"])
    assert set(report["sha256"]) == {"scene.ply", "asset.glb"}
    assert folder.present()["asset"] == tmp_path / "asset.glb"


@pytest.mark.parametrize(
    ("out", "options", "theirs"),
    [
        ("mug.obj", [], "mug.png"),
        ("mug.obj", [], "mug.mtl"),
        ("mug.glb", ["--viewer"], "mug.html"),
    ],
)
def test_files_beside_the_mesh_are_not_replaced_unasked(
    call, scene, tmp_path, out, options, theirs
):
    (tmp_path / theirs).write_text("a photo")
    code, _, wrong = call("mesh", scene, "--out", tmp_path / out, *options)
    assert code == 2
    assert f"{theirs} is there already and would be replaced" in wrong
    assert [path.name for path in tmp_path.iterdir()] == [theirs]


def test_the_splats_are_not_replaced_by_their_mesh(call, tmp_path):
    path = tmp_path / "ball.ply"
    write_ply(path, two_colored_ball(20))
    before = path.read_bytes()
    code, _, wrong = call("mesh", path, "--out", path)
    assert code == 2
    assert "holds the splats" in wrong
    assert path.read_bytes() == before
