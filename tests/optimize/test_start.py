"""Runs that begin from something given: what is kept, what is refused, and exact resume."""

import dataclasses
import hashlib
import json

import pytest
import torch
from running import Stop, contents, stop_at

from splatsmith import InputError, InvalidFile, generate, resume
from splatsmith.export import read_ply, write_ply
from splatsmith.export.mesh_files import placing, write_mesh
from splatsmith.export.meshing.mesh import plain_mesh
from splatsmith.optimize.plan import make_plan
from splatsmith.optimize.run import fresh_state
from splatsmith.optimize.start import recipe_for_given
from splatsmith.recipes.load import load_recipe, overridden, parse_recipe
from splatsmith.scenes import Ball, Tetrahedra, begin
from splatsmith.scenes.clouds import Cloud, Growth
from splatsmith.scenes.kinds import TetrahedraStart
from splatsmith.scenes.point_starts import Hull, Points
from splatsmith.scenes.transforms import UPRIGHT

TETRAHEDRA = """
title = "Tetrahedra"
[[stage]]
name = "shape"
steps = 2
views = 2
size = 16
start = { kind = "tetrahedra", resolution = 16 }
score = { kind = "sds", guidance = 1.0 }
rates = { kind = "tetrahedra" }
regularize = { kind = "surface" }
"""


@pytest.fixture
def scene():
    return begin(Ball(count=40, radius=0.7, color_spread=1.0), torch.Generator().manual_seed(3))


@pytest.fixture
def ply(scene, tmp_path):
    write_ply(tmp_path / "thing.ply", scene)
    return tmp_path / "thing.ply"


def box(path):
    corner = torch.tensor([[x, y, z] for x in (0.0, 1) for y in (0.0, 1) for z in (0.0, 1)])
    quads = [[4, 6, 7, 5], [0, 1, 3, 2], [2, 3, 7, 6], [0, 4, 5, 1], [1, 5, 7, 3], [0, 2, 6, 4]]
    faces = [f for a, b, c, d in quads for f in ([a, b, c], [a, c, d])]
    mesh = plain_mesh(corner * 4, torch.tensor(faces))
    write_mesh(path, mesh, placing(mesh))
    return path


def test_a_run_begins_with_what_is_given_and_tells_of_it(ply, scene, prior, recipe, tmp_path):
    plan = make_plan("a ball", 0, recipe, prior, nearest=False, start=ply)
    begun = fresh_state(plan).scene
    assert torch.equal(begun.means, scene.means)  # It fits, so not a bit is changed.
    assert torch.equal(begun.logit_opacities, scene.logit_opacities)
    assert plan.notes == ("start: thing.ply, 40 splats, which fits, begins as 40 splats",)
    out = tmp_path / "run"
    result = generate("a ball", prior=prior, recipe=recipe, start=ply, out=out)
    assert result.scene.count <= 40
    assert result.paths["start"] == out / "start.safetensors"
    told = json.loads((out / "report.json").read_text())["start"]
    assert told == {
        "kind": "gaussians",
        "sha256": hashlib.sha256((out / "start.safetensors").read_bytes()).hexdigest(),
        "file": "thing.ply",
        "file_sha256": hashlib.sha256(ply.read_bytes()).hexdigest(),
        "done": "thing.ply, 40 splats, which fits, begins as 40 splats",
    }
    assert load_recipe(out / "recipe.toml").stage[0].start == Points()


@pytest.mark.parametrize("step", [1, 7])
def test_a_resumed_run_needs_no_file_and_gives_the_same_bytes(
    step, ply, prior, recipe, tmp_path
):
    given = {"prior": prior, "recipe": recipe}
    for name, last in (("whole", 11), ("cut", step)):
        with pytest.raises(Stop):
            generate("a", start=ply, out=tmp_path / name, callback=stop_at(last), **given)
    ply.unlink()
    with pytest.raises(Stop):
        resume(tmp_path / "cut", prior=prior, callback=stop_at(11))
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_another_start_is_another_run(ply, scene, prior, recipe, tmp_path):
    def run(start):
        return make_plan("a ball", 0, recipe, prior, nearest=False, start=start).run

    assert run(ply) == run(read_ply(ply))  # The bits count, not where they come from.
    write_ply(ply, begin(Ball(count=41), torch.Generator().manual_seed(4)))
    assert run(ply) != run(scene)
    assert run(None) != run(scene)


def test_a_changed_copy_is_refused(ply, prior, recipe, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(Stop):
        generate("a", prior=prior, recipe=recipe, start=ply, out=out, callback=stop_at(7))
    report = json.loads((out / "report.json").read_text())
    kept = (out / "start.safetensors").read_bytes()
    (out / "start.safetensors").write_bytes(kept[:-1] + b"x")
    with pytest.raises(InvalidFile, match="not the scene that the run began with"):
        resume(out, prior=prior)
    for change, message in (
        ({"kind": "field"}, "holds no scene of kind 'field'"),
        ({"sha256": None}, "not the scene"),
    ):
        (out / "start.safetensors").write_bytes(kept)
        wrong = report | {"start": report["start"] | change}
        (out / "report.json").write_text(json.dumps(wrong))
        with pytest.raises(InvalidFile, match=message):
            resume(out, prior=prior)
    (out / "report.json").write_text(json.dumps(report | {"start": []}))
    with pytest.raises(InvalidFile, match="has no proper"):
        resume(out, prior=prior)


def test_an_overwritten_run_loses_its_start(ply, prior, recipe, tmp_path):
    out = tmp_path / "run"
    for start in (ply, None):
        with pytest.raises(Stop):
            generate(
                "a ball",
                prior=prior,
                recipe=recipe,
                start=start,
                out=out,
                overwrite=True,
                callback=stop_at(1),
            )
    assert not (out / "start.safetensors").exists()
    assert "start" not in json.loads((out / "report.json").read_text())


def test_every_gaussian_recipe_takes_a_start():
    base = load_recipe("quick")
    growth = Growth(trials=10)
    hull = Hull(count=70, opacity=0.3, scale=0.8, sh_degree=1, growth=growth)
    for start, expected in (
        (Ball(sh_degree=2), Points(sh_degree=2)),
        (Points(count=3), Points(count=3)),
        (hull, Points(count=70, opacity=0.3, scale=0.8, sh_degree=1, growth=growth)),
    ):
        stage = dataclasses.replace(base.stage[0], start=start)
        recipe = recipe_for_given(dataclasses.replace(base, stage=(stage,)))
        assert recipe.stage[0].start == expected
    with pytest.raises(InputError, match=r"begins with a radiance field.*--recipe quick"):
        recipe_for_given(load_recipe("magic3d"))


def test_a_mesh_is_fitted_and_covered(prior, recipe, tmp_path):
    chosen = overridden(recipe, ['shape.start={ kind = "points", count = 60 }'])
    path = box(tmp_path / "box.glb")
    plan = make_plan("a ball", 0, chosen, prior, nearest=False, start=path)
    scene = fresh_state(plan).scene
    assert scene.count == 60
    assert float(scene.means.detach().norm(dim=1).max()) <= 0.9
    assert "box.glb, a mesh of 12 faces, moved by" in plan.notes[0]
    other = make_plan("a ball", 1, chosen, prior, nearest=False, start=path)
    assert not torch.equal(fresh_state(other).scene.means, scene.means)


def test_tetrahedra_begin_with_a_closed_mesh(prior, tmp_path):
    recipe = parse_recipe(TETRAHEDRA, "tiny")
    given = {"prior": prior, "recipe": recipe, "start": box(tmp_path / "box.ply")}
    plan = make_plan("a", 0, recipe, prior, nearest=False, start=given["start"])
    scene = fresh_state(plan).scene
    assert isinstance(scene, Tetrahedra)
    assert isinstance(plan.recipe.stage[0].start, TetrahedraStart)
    corner = scene.mesh().vertices.detach().amax(dim=0)
    torch.testing.assert_close(corner, torch.full((3,), 0.9 / 3**0.5), atol=0.06, rtol=0)
    for name, last in (("whole", 2), ("cut", 1)):
        with pytest.raises(Stop):
            generate("a ball", out=tmp_path / name, callback=stop_at(last), **given)
    with pytest.raises(Stop):
        resume(tmp_path / "cut", prior=prior, callback=stop_at(2))
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    with pytest.raises(InputError, match="points have no inside"):
        make_plan("a", 0, recipe, prior, nearest=False, start=Cloud(torch.rand(5, 3)))


def test_what_is_missing_or_no_start_is_said(prior, recipe, tmp_path):
    chosen = overridden(recipe, ['shape.start={ kind = "points" }'])
    with pytest.raises(InputError, match=r"begins from something given.*--start"):
        generate("a ball", prior=prior, recipe=chosen)
    with pytest.raises(InvalidFile, match="No such file"):
        generate("a ball", prior=prior, recipe=recipe, start=tmp_path / "none.ply")
    with pytest.raises(InputError, match="not from int"):
        generate("a ball", prior=prior, recipe=recipe, start=3)


def test_the_command_line_names_the_same_axes():
    from typing import get_args

    from splatsmith.cli.convert import AxisUp

    assert get_args(AxisUp) == tuple(UPRIGHT)
