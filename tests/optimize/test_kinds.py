"""One loop for every kind of scene: begun, lit, handed on, resumed, handed out."""

import pytest
import torch
from running import Stop, contents, stop_at
from safetensors.torch import load_file

from splatsmith import InputError, generate, resume
from splatsmith.cameras import orbit
from splatsmith.optimize.field_regularizers import FieldRegularize
from splatsmith.optimize.lamp import Lamp, light
from splatsmith.optimize.plan import make_plan
from splatsmith.optimize.regularizers import Regularize, regularization
from splatsmith.optimize.run import fresh_state
from splatsmith.optimize.surface_regularizers import SurfaceRegularize
from splatsmith.recipes.load import overridden, parse_recipe, recipe_toml
from splatsmith.scenes import Field, FieldSettings, Gaussians, Mesh, Tetrahedra, Voxels
from splatsmith.scenes.handover import (
    ToGaussians,
    ToMesh,
    ToTetrahedra,
    converted,
    handed_out,
    needs_marching_cubes,
    surface_level,
)
from splatsmith.scenes.kinds import described, kind_of, restored

HEAD = """
title = "Every kind in turn"
output = { save_every = 3, snapshots = 3, frames = 2, size = 16 }
"""
STAGE = """
[[stage]]
name = "{name}"
steps = 4
views = 2
size = 16
score = {{ kind = "sds", guidance = 1.0 }}
rates = {{ kind = "{rates}" }}
regularize = {{ kind = "{regularize}" }}
{more}
"""
SMALL = (
    "{ encoding = { kind = 'voxels', resolution = 12 }, samples = 16, cells = 8, every = 2 }"
)
FIELD = STAGE.format(
    name="field",
    rates="field",
    regularize="field",
    more=f"start = {{ kind = 'field', field = {SMALL} }}\nlamp = {{ lit = 0.5 }}",
)
GRID = STAGE.format(
    name="grid",
    rates="tetrahedra",
    regularize="surface",
    more="convert = { kind = 'tetrahedra', resolution = 16 }",
)
FACES = STAGE.format(
    name="faces",
    rates="mesh",
    regularize="surface",
    more="convert = { kind = 'mesh', resolution = 16 }",
)
SPLATS = STAGE.format(
    name="splats",
    rates="gaussians",
    regularize="gaussians",
    more="convert = { kind = 'gaussians', count = 50 }",
)
CHAIN = HEAD + FIELD + GRID + FACES + SPLATS


@pytest.fixture(scope="module")
def chain():
    return parse_recipe(CHAIN, "chain")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, prior, chain):
    """A run over all four kinds that nothing disturbed."""
    folder = tmp_path_factory.mktemp("kinds") / "whole"
    generate("a ball", prior=prior, recipe=chain, out=folder)
    return folder


@pytest.fixture
def ball():
    """A field with a clear surface near radius 0.5, red above and blue below."""
    return round_field(lambda radius: 100 * (0.5 - radius))


def round_field(density, crust=9.0):
    """A field whose density hangs on the radius alone, red above and blue below.

    Outside of the radius `crust` it is the other way around.
    """
    settings = FieldSettings(encoding=Voxels(resolution=24), blob="none", activation="relu")
    field = Field.fresh(settings, torch.Generator().manual_seed(0))
    line = torch.linspace(-1, 1, 25)
    x, y, z = torch.meshgrid(line, line, line, indexing="ij")
    radius = (x**2 + y**2 + z**2).sqrt()
    red = torch.where((z > 0) == (radius < crust), 6.0, -6.0)
    round_density = density(radius)
    values = torch.stack([round_density, red, torch.full_like(red, -6.0), -red], dim=-1)
    with torch.no_grad():
        state = field.state()
        shape = field.encoding.shape
        state["encoding"] = as_levels(values, shape)
    return Field.from_state(state)


def as_levels(values, shape):
    """Voxels hold two values a level; x of a corner counts fastest."""
    pairs = values.permute(2, 1, 0, 3).reshape(-1, 2, 2).permute(1, 0, 2)
    return pairs.reshape(shape)


def test_the_kinds_follow_one_another_and_each_stage_works_on_its_own(chain):
    assert chain.kinds == ["field", "tetrahedra", "mesh", "gaussians"]
    assert not needs_marching_cubes(chain.kinds)
    assert needs_marching_cubes(["field"])  # which is handed out as splats
    assert needs_marching_cubes(["field", "mesh"])
    assert needs_marching_cubes(["gaussians", "tetrahedra"])
    assert not needs_marching_cubes(["gaussians"])
    assert parse_recipe(recipe_toml(chain), "again") == chain


def test_every_stage_moves_its_scene_and_the_run_ends_in_splats(whole):
    names = {path.name for path in whole.iterdir()}
    assert "scene.ply" in names
    assert "optimized.safetensors" not in names  # the last kind is Gaussians already


@pytest.mark.parametrize("step", [2, 4, 5, 8, 10, 12, 14])
def test_a_run_resumed_in_any_kind_and_at_any_boundary_ends_the_same(
    whole, prior, chain, tmp_path, step
):
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        generate("a ball", prior=prior, recipe=chain, out=folder, callback=stop_at(step))
    resume(folder, prior=prior)
    assert contents(folder) == contents(whole)


def test_stages_of_no_steps_only_convert_and_can_be_resumed_around(prior, chain, tmp_path):
    changes = {"field.steps": 3, "grid.steps": 0, "faces.steps": 0, "splats.steps": 2}
    short = overridden(chain, changes, "chain")
    seen = []
    generate(
        "a ball",
        prior=prior,
        recipe=short,
        out=tmp_path / "whole",
        callback=lambda info: seen.append(info.stage),
    )
    assert seen == 3 * ["field"] + 2 * ["splats"]
    for step in (2, 3, 4, 5):
        with pytest.raises(Stop):
            generate(
                "a ball",
                prior=prior,
                recipe=short,
                out=(folder := tmp_path / f"stopped {step}"),
                callback=stop_at(step),
            )
        resume(folder, prior=prior)
        assert contents(folder) == contents(tmp_path / "whole")


def test_a_last_stage_of_no_steps_hands_out_what_it_converts_to(prior, chain, tmp_path):
    short = overridden(chain, {"field.steps": 2, "splats.steps": 0}, "chain")
    result = generate("a ball", prior=prior, recipe=short, out=tmp_path / "run")
    assert isinstance(result.scene, Gaussians)
    before = contents(tmp_path / "run")
    assert isinstance(resume(tmp_path / "run", prior=prior).scene, Gaussians)
    assert contents(tmp_path / "run") == before


def test_a_run_of_no_steps_hands_out_its_start(prior, chain):
    none = overridden(chain, {f"{stage.name}.steps": 0 for stage in chain.stage}, "chain")
    assert isinstance(generate("a ball", prior=prior, recipe=none).scene, Gaussians)


@pytest.mark.parametrize(("count", "kind"), [(1, "field"), (2, "tetrahedra"), (3, "mesh")])
def test_scenes_of_other_kinds_are_kept_as_they_are_and_handed_out_as_splats(
    prior, tmp_path, count, kind
):
    recipe = parse_recipe(HEAD + "".join([FIELD, GRID, FACES][:count]), "some")
    result = generate("a ball", prior=prior, recipe=recipe, out=tmp_path)
    assert kind_of(result.scene) == kind
    assert result.metrics["scene"] == kind
    assert result.metrics["splats"] == 0
    assert result.paths["scene"].name == "scene.ply"
    saved = restored(kind, load_file(tmp_path / "optimized.safetensors"))
    for name, value in saved.state().items():
        assert torch.equal(value, result.scene.state()[name])
    assert described(result.scene)


def test_fields_change_kind_without_changing_shape(ball, gen):
    assert surface_level(ball) == 10.0
    for settings, kind in (
        (ToTetrahedra(resolution=32), Tetrahedra),
        (ToMesh(resolution=32), Mesh),
        (ToGaussians(count=2000), Gaussians),
    ):
        scene = converted(settings, ball, gen)
        assert isinstance(scene, kind)
        splats = handed_out(scene, gen)
        radius = splats.means.norm(dim=1)
        assert (radius - 0.4).abs().max() < 0.1  # density 10 lies at radius 0.4
        color = 0.5 + 0.2820948 * splats.sh[:, 0]
        above = splats.means[:, 2] > 0.1
        assert color[above, 0].mean() > 0.9
        assert color[above, 2].mean() < 0.1


def test_the_surface_of_soft_matter_has_its_outline_and_not_its_core(gen):
    """Density 5 in the middle, falling to 0 at 0.8, and a core three times as dense."""
    field = round_field(lambda r: 5 * (1 - r / 0.8).clamp_min(0) + 10 * (r < 0.13))
    line = torch.linspace(-0.8, 0.8, 801)
    depth = 5 * (1 - torch.cartesian_prod(line, line).norm(dim=1) / 0.8).clamp_min(0)
    alpha = 1 - (-depth.reshape(801, 801).sum(dim=1) * 0.002).exp()
    outline = float(line[alpha >= 0.5].max())
    level = surface_level(field)
    assert field.density(torch.zeros(1, 3)).item() / 2 > 7
    assert level < 3
    means = handed_out(field, gen).means
    assert means.norm(dim=1).max().item() == pytest.approx(outline, abs=0.05)


def test_soft_matter_has_the_color_of_what_lies_beneath(gen):
    """A ball, red above and blue below, with a crust of the other colors."""
    field = round_field(lambda r: 5 * (1 - r / 0.8).clamp_min(0), crust=0.57)
    splats = handed_out(field, gen)
    assert splats.means.norm(dim=1).min() > 0.6, "the surface lies in the crust"
    above = splats.means[:, 2] > 0.2
    color = 0.5 + 0.2820948 * splats.sh[above, 0]
    assert color[:, 0].mean() > color[:, 2].mean() + 0.3


def test_faint_fields_have_a_surface_where_they_are_half_as_dense(gen):
    field = Field.fresh(FieldSettings(blob_weight=2.0, activation="softplus"), gen)
    level = surface_level(field)
    assert 0 < level < 10


def test_lamps_light_the_share_of_views_that_is_asked_for(gen):
    cameras = orbit([0.0] * 2000, 10.0, width=8, height=8)
    shading = light(Lamp(lit=0.75, textureless=0.5, ambient=0.1), cameras, 0.0, gen)
    lit = shading.ambient < 1
    assert lit.float().mean().item() == pytest.approx(0.75, abs=0.04)
    assert shading.textureless[lit].float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert not shading.textureless[~lit].any()
    eye = cameras.position[0]
    share = shading.lamp.norm(dim=1) / eye.norm()
    assert share.min() >= 0.799
    assert share.max() <= 1.501
    toward = (shading.lamp / shading.lamp.norm(dim=1, keepdim=True)) @ (eye / eye.norm())
    assert toward.mean() > 0.3, "lamps hang near the camera more often than not"


def test_a_lamp_lights_more_or_fewer_views_as_time_goes_on(gen):
    recipe = overridden(
        parse_recipe(HEAD + FIELD, "field"), ["field.lamp.lit={start=0.0, end=1.0}"]
    )
    lamp = recipe.stage[0].lamp
    cameras = orbit([0.0] * 50, 0.0, width=8, height=8)
    assert not light(lamp, cameras, 0.0, gen).needs_normals
    assert (light(lamp, cameras, 1.0, gen).ambient < 1).all()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["field.rates={kind='gaussians'}"], "rates are of kind 'gaussians'; set rates.kind"),
        (["grid.rates={kind='field'}"], "works on a scene of kind 'tetrahedra'"),
        (["grid.regularize={kind='field'}"], "set regularize.kind"),
        (["splats.lamp={}"], "Gaussians have no normals"),
        (["grid.upkeep={start=1}"], "upkeep, which is for Gaussians"),
        (["field.convert={kind='mesh'}"], "has nothing to convert yet"),
        (["field.background=learned"], "learned background"),
        (["grid.convert.resolution=15"], "resolution must be even and lie in 8 to 256"),
        (["field.lamp.distance=[2.0, 1.0]"], "the smaller first"),
        (["field.start.field.hidden=0"], "hidden"),
    ],
)
def test_what_does_not_fit_the_kind_is_refused_with_the_remedy(chain, overrides, said):
    with pytest.raises(InputError, match=said):
        overridden(chain, overrides)


def test_a_field_can_learn_its_background(prior):
    recipe = overridden(
        parse_recipe(HEAD + FIELD, "field"),
        ["field.start.field.backdrop=directions", "field.background=learned"],
    )
    result = generate("a ball", prior=prior, recipe=recipe)
    before = fresh_state(make_plan("a ball", 0, recipe, prior, nearest=False)).scene
    assert not torch.equal(before.backdrop, result.scene.backdrop)


def test_regularizers_of_each_kind_have_a_gradient_and_none_means_none(ball, gen):
    cameras = orbit([0.0, 90.0], 10.0, width=16, height=16)
    white = torch.ones(3)
    picture = ball.render(cameras, white, normals=True)
    every = FieldRegularize(
        distortion=1.0, opaqueness=1.0, sparsity=1.0, emptiness=1.0, orientation=1.0,
        z_variance=1.0, normal_roughness=1.0, exterior=1.0,
    )  # fmt: skip
    target = torch.ones(2, 16, 16, 3)
    total = regularization(every, ball, picture, target)
    total.backward()
    assert ball.encoding.grad.abs().sum() > 0
    assert regularization(FieldRegularize(), ball, picture, target) is None
    grid = converted(ToTetrahedra(resolution=16), ball, gen)
    for name in ("normal_consistency", "laplacian", "edge_length", "sign_changes", "eikonal"):
        grid.zero_grad()
        regularization(SurfaceRegularize(**{name: 1.0}), grid).backward()
        assert grid.sdf.grad.abs().sum() > 0, name
    mesh = converted(ToMesh(resolution=16), ball, gen)
    regularization(SurfaceRegularize(laplacian=1.0, edge_length=1.0), mesh).backward()
    assert mesh.vertices.grad.abs().sum() > 0
    assert regularization(SurfaceRegularize(), mesh) is None
    assert regularization(Regularize(), handed_out(mesh, gen)) is None
