"""A run that goes on with a textured mesh: handed over, refined, resumed, written."""

import numpy as np
import pytest
import torch
from running import Stop, contents, stop_at
from safetensors import safe_open
from safetensors.torch import load_file

from conftest import SIZE, targets_of
from mesh_scenes import baked_from
from splatsmith import InputError, generate, resume
from splatsmith.cameras import turntable
from splatsmith.cli.mesh import add_mesh, summary
from splatsmith.optimize import texturing
from splatsmith.optimize.folder import RunFolder
from splatsmith.optimize.texturing import ToTextured
from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.recipes.load import overridden, parse_recipe, recipe_toml
from splatsmith.scenes import Mesh
from splatsmith.scenes.kinds import restored

TWO = """
title = "Two stages, tiny"
output = { save_every = 3, snapshots = 3, frames = 2, size = 16 }

[[stage]]
name = "shape"
steps = 4
views = 2
size = 16
start = { kind = "ball", count = 60, radius = 0.5, opacity = 0.9, falloff = "constant" }
score = { kind = "sds", guidance = 1.0 }
upkeep = { start = 1, stop = 4, every = 2 }

[[stage]]
name = "texture"
steps = 5
views = 2
size = 32
convert = { kind = "textured", texture = 64, faces = 200, resolution = 16 }
score = { kind = "refine", guidance = 1.0, steps = 2 }
rates = { kind = "textured", logit_texture = 0.2 }
regularize = { kind = "surface" }
"""


@pytest.fixture(autouse=True, scope="module")
def few_views():
    with baked_from(12, 64):
        yield


@pytest.fixture(scope="module")
def recipe():
    return parse_recipe(TWO, "two")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, prior, recipe):
    """A run over both stages that nothing disturbed."""
    folder = tmp_path_factory.mktemp("textured") / "whole"
    generate("a ball", prior=prior, recipe=recipe, out=folder)
    return folder


def test_a_run_ends_in_a_mesh_for_engines_and_splats_for_viewers(whole, recipe):
    assert recipe.kinds == ["gaussians", "textured"]
    assert parse_recipe(recipe_toml(recipe), "again") == recipe
    folder = RunFolder(whole)
    assert {"asset", "scene", "optimized"} <= set(folder.present())
    report = folder.read_report()
    assert report["metrics"]["scene"] == "textured"
    assert report["metrics"]["splats"] == 0
    assert report["mesh"]["faces"] <= 200
    assert report["mesh"]["texture"] == [64, 64]
    assert "asset.glb" in report["sha256"]
    with safe_open(folder.tensors, "pt") as file:
        assert file.metadata() == {"kind": "textured"}


@pytest.mark.parametrize("step", [3, 4, 5, 7])
def test_a_run_resumed_on_either_side_of_the_hand_over_ends_the_same(
    whole, prior, recipe, tmp_path, step
):
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        generate("a ball", prior=prior, recipe=recipe, out=folder, callback=stop_at(step))
    resume(folder, prior=prior)
    assert contents(folder) == contents(whole)


def test_atlas_and_faces_are_in_every_checkpoint_and_stay(whole):
    last = sorted((whole / "checkpoints").iterdir())[-1]
    saved, end = load_file(last / "scene.safetensors"), load_file(RunFolder(whole).tensors)
    assert set(end) == {"vertices", "faces", "uv", "uv_faces", "repeats", "logit_texture"}
    for name, value in end.items():
        assert torch.equal(saved[name], value), name


def test_the_mesh_that_is_asked_for_is_the_refined_one(whole, monkeypatch):
    folder = RunFolder(whole)
    before = folder.asset.read_bytes()
    monkeypatch.setattr("splatsmith.export.meshing.make_mesh", None)  # Nothing is made anew.
    report = add_mesh(folder)
    assert folder.asset.read_bytes() == before
    assert report == folder.read_report()["mesh"]
    assert "texture of 64 x 64 from the run" in summary(report)


def test_the_texture_in_the_file_is_the_one_of_the_scene(whole):
    trimesh = pytest.importorskip("trimesh")
    scene = restored("textured", load_file(RunFolder(whole).tensors))
    loaded = trimesh.load(RunFolder(whole).asset)
    (mesh,) = loaded.geometry.values()
    found = np.asarray(mesh.visual.material.baseColorTexture.convert("RGB"))
    expected = (scene.paint.image() * 255).round().byte()
    assert np.array_equal(found, expected.numpy())
    assert len(mesh.faces) == len(scene.faces)


def test_refinement_brings_a_wrong_texture_to_what_the_prior_knows(
    target_scene, recipe, monkeypatch
):
    """The true shape in the opposite colors; only the texture may move."""
    wanted = ToTextured(texture=64, faces=500, resolution=24)
    truth = texturing.handed_on(wanted, target_scene, torch.Generator())
    begun = Mesh.from_state(truth.state() | {"logit_texture": -truth.state()["logit_texture"]})
    monkeypatch.setattr(texturing, "textured_scene", lambda *_, **__: begun)
    prior = AnalyticPrior(targets=targets_of(truth), resolution=SIZE)
    result = generate(
        "a ball", prior=prior, recipe=overridden(recipe, ["texture.steps=40"])
    ).scene
    assert torch.equal(result.vertices, truth.vertices)
    cameras = turntable(6, elevation=15, width=SIZE, height=SIZE)
    opposite = Mesh.from_state(
        truth.state() | {"logit_texture": -truth.state()["logit_texture"]}
    )

    @torch.no_grad()
    def error(scene):
        pair = [s.render(cameras, torch.ones(3)).color for s in (scene, truth)]
        return float((pair[0] - pair[1]).square().mean())

    assert error(result) < 0.05 * error(opposite)


def test_vertices_move_if_they_may(prior, recipe, whole):
    fixed = restored("textured", load_file(RunFolder(whole).tensors))
    moving = overridden(recipe, ["texture.rates.vertices=1e-3"])
    moved = generate("a ball", prior=prior, recipe=moving).scene
    assert torch.equal(moved.faces, fixed.faces)
    away = (moved.vertices - fixed.vertices).abs()
    assert 0 < away.max() < 0.02


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("texture.convert.texture=32", "texture must lie in 64 to 4,096, got 32"),
        ("texture.convert.faces=3", "faces must lie in 4 to 1,000,000"),
        ("texture.convert.resolution=7", "resolution must lie in 8 to 480"),
        ("texture.rates={kind='mesh'}", "of kind 'textured', but its rates"),
        ("texture.upkeep={start=1}", "upkeep, which is for Gaussians"),
    ],
)
def test_what_cannot_be_is_refused(recipe, change, said):
    with pytest.raises(InputError, match=said):
        overridden(recipe, [change])


def test_without_the_extra_a_run_is_refused_before_it_begins(prior, recipe, monkeypatch):
    from splatsmith.export.meshing import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "xatlas" else "there")
    with pytest.raises(InputError, match=r'need xatlas.*pip install "splatsmith\[mesh\]"'):
        generate("a ball", prior=prior, recipe=recipe)
