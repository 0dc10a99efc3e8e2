"""Every key of the other kinds of scene changes a run; see test_every_key_counts."""

import hashlib

import pytest
import torch

from mesh_scenes import baked_from
from splatsmith import InputError, generate
from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.recipes.load import overridden, parse_recipe

SIZE = 16
HEAD = """
title = "Every kind, tiny"
output = { save_every = 3, snapshots = 2, frames = 2, size = 16 }
"""
FIELD = """
[[stage]]
name = "shape"
steps = 4
views = 2
size = 16
score = { kind = "sds", guidance = 1.0, times = { kind = "uniform", low = 0.3, high = 0.9 } }
rates = { kind = "field" }
lamp = { lit = 0.5 }

[stage.start]
kind = "field"

[stage.start.field]
encoding = { kind = "hash", levels = 3, base = 4, top = 16, log2_rows = 8 }
hidden = 8
samples = 16
cells = 8
every = 2
blob_size = 0.6

[stage.regularize]
kind = "field"
"""
LATER = """
[[stage]]
name = "{name}"
steps = 3
views = 2
size = 16
score = {{ kind = "sds", guidance = 1.0 }}
convert = {{ kind = "{name}" }}
rates = {{ kind = "{name}" }}
regularize = {{ kind = "{regularize}" }}
"""
GRID = LATER.format(name="tetrahedra", regularize="surface")
MESH = LATER.format(name="mesh", regularize="surface")
TEXTURED = LATER.format(name="textured", regularize="surface")
SPLATS = LATER.format(name="gaussians", regularize="gaussians")

LATER_STAGES = {"tetrahedra": GRID, "mesh": MESH, "textured": TEXTURED, "gaussians": SPLATS}
SMALL = {
    "tetrahedra": ["tetrahedra.convert.resolution=12"],
    "mesh": ["mesh.convert.resolution=12"],
    "textured": [
        f"textured.convert.{key}" for key in ("resolution=12", "faces=80", "texture=64")
    ],
    "gaussians": [],
}

IN_FIELD = {
    "rates.encoding": "0.0",
    "rates.network": "0.0",
    "rates.backdrop": "0.5",
    "lamp.lit": "1.0",
    "lamp.textureless": "1.0",
    "lamp.ambient": "0.9",
    "lamp.distance": "[3.0, 4.0]",
    "lamp.spread": "0.0",
    "regularize.distortion": "100.0",
    "regularize.opaqueness": "100.0",
    "regularize.emptiness": "100.0",
    "regularize.orientation": "1000.0",
    "regularize.z_variance": "1000.0",
    "regularize.normal_roughness": "100.0",
    "start.field.activation": "relu",
    "start.field.backdrop": "directions",
    "start.field.blob": "gaussian",
    "start.field.blob_size": "0.4",
    "start.field.blob_weight": "6.0",
    "start.field.cells": "16",
    "start.field.every": "1",
    "start.field.fade": "0.2",
    "start.field.hidden": "16",
    "start.field.layers": "2",
    "start.field.normal_step": "0.1",
    "start.field.normals": "autograd",
    "start.field.radius": "0.9",
    "start.field.samples": "24",
    "start.field.shift": "0.5",
    "start.field.threshold": "0.9",
    "start.field.encoding.kind": "{ kind = 'frequencies', octaves = 2 }",
    "start.field.encoding.levels": "4",
    "start.field.encoding.base": "6",
    "start.field.encoding.top": "20",
    "start.field.encoding.log2_rows": "7",
    "start.field.encoding.levels_at_start": "1",
    "start.field.encoding.levels_by": "0.9",
    "start.field.encoding.octaves": "3",
    "start.field.encoding.resolution": "9",
    "start.field.encoding.features": "6",
}
# A field that is nowhere empty has nothing to leave out.
SPARSE = ["shape.start.field.threshold=0.3", "shape.start.field.blob_weight=30"]
BESIDE = {
    "rates.backdrop": ["shape.start.field.backdrop=directions", "shape.background=learned"],
    "start.field.backdrop": ["shape.background=learned", "shape.start.field.backdrop=picture"],
    "start.field.encoding.levels_by": ["shape.start.field.encoding.levels_at_start=1"],
    "start.field.encoding.octaves": [
        "shape.start.field.encoding={ kind = 'frequencies', octaves = 2 }"
    ],
    "start.field.encoding.resolution": [
        "shape.start.field.encoding={ kind = 'triplane', resolution = 8, features = 4 }"
    ],
    "start.field.encoding.features": [
        "shape.start.field.encoding={ kind = 'triplane', resolution = 8, features = 4 }"
    ],
    # A field of few numbers that are all above what counts as empty has nothing to leave out.
    "start.field.cells": [
        "shape.start.field.threshold=0.3",
        "shape.start.field.blob_weight=30",
    ],
    "start.field.fade": ["shape.start.field.threshold=0.3", "shape.start.field.blob_weight=30"],
}
IN_GRID = {
    "tetrahedra.convert.resolution": "16",
    "tetrahedra.rates.sdf": "0.0",
    "tetrahedra.rates.deformation": "0.0",
    "tetrahedra.rates.logit_colors": "0.0",
    "tetrahedra.regularize.normal_consistency": "100.0",
    "tetrahedra.regularize.laplacian": "1000.0",
    "tetrahedra.regularize.edge_length": "1000.0",
    "tetrahedra.regularize.sign_changes": "100.0",
    "tetrahedra.regularize.eikonal": "100.0",
    "mesh.convert.resolution": "20",
    "mesh.rates.vertices": "0.0",
    "mesh.rates.logit_colors": "0.0",
    "mesh.regularize.laplacian": "1000.0",
    "textured.convert.texture": "80",
    "textured.convert.faces": "60",
    "textured.convert.resolution": "16",
    "textured.rates.vertices": "1e-3",
    "textured.rates.logit_texture": "0.0",
    "gaussians.convert.count": "30",
    "gaussians.convert.opacity": "0.5",
}
# Kinds are not changed alone: a stage without the right ones is refused (test_kinds.py).
ALONE = {"convert.kind", "rates.kind", "regularize.kind", "start.resolution"}
# These make a field of latents, both of them and a prior that has such (test_latents.py).
OF_LATENTS = {"start.field.channels", "start.field.colors"}
OTHER_KINDS = {
    *IN_FIELD,
    *(name.split(".", 1)[1] for name in IN_GRID),
    *ALONE,
    *OF_LATENTS,
}


def disk(cameras):
    """A red disk on white from every side, and on black."""
    line = torch.linspace(-1, 1, SIZE)
    y, x = torch.meshgrid(line, line, indexing="ij")
    inside = (x**2 + y**2 < 0.25).float()
    red = torch.tensor([1.0, -1.0, -1.0])[:, None, None]
    picture = 1 + inside * (red - 1)
    return torch.stack([picture, -picture]).expand(len(cameras), 2, 3, SIZE, SIZE)


PRIOR = AnalyticPrior(targets=disk, resolution=SIZE, odds={"x": (0.9, 0.1)})


@pytest.fixture(autouse=True, scope="module")
def few_views():
    with baked_from(6, 32):
        yield


@pytest.fixture(scope="module")
def fingerprint(tmp_path_factory):
    """Hash of a run's last checkpoint by its recipe and overrides; none is run twice."""
    known = {}
    root = tmp_path_factory.mktemp("kinds")

    def found(text, overrides):
        key = (text, tuple(overrides))
        if key not in known:
            recipe = overridden(parse_recipe(text, "tiny"), overrides)
            out = root / f"{len(known)}"
            generate("x", seed=1, prior=PRIOR, recipe=recipe, out=out)
            digest = hashlib.sha256()
            last = sorted((out / "checkpoints").iterdir())[-1]
            for name in ("scene.safetensors", "record.safetensors"):
                digest.update((last / name).read_bytes())
            known[key] = digest.hexdigest()
        return known[key]

    return found


@pytest.mark.parametrize("name", IN_FIELD)
def test_a_changed_key_of_a_field_changes_a_run(name, fingerprint):
    beside = BESIDE.get(name, [])
    place = name.removesuffix(".kind") if name.endswith("encoding.kind") else name
    change = f"shape.{place}={IN_FIELD[name]}"
    assert fingerprint(HEAD + FIELD, beside) != fingerprint(HEAD + FIELD, [*beside, change])


@pytest.mark.parametrize("name", IN_GRID)
def test_a_changed_key_of_a_surface_changes_a_run(name, fingerprint):
    text = HEAD + FIELD + LATER_STAGES[name.split(".")[0]]
    small = SMALL[name.split(".")[0]]
    change = f"{name}={IN_GRID[name]}"
    assert fingerprint(text, small) != fingerprint(text, [*small, change])


def test_a_start_in_tetrahedra_has_a_resolution_and_a_radius(fingerprint):
    stage = GRID.replace('convert = { kind = "tetrahedra" }', "{start}")
    start = "start = {{ kind = 'tetrahedra', resolution = {}, radius = {} }}"
    texts = [HEAD + stage.replace("{start}", start.format(*n)) for n in ((12, 0.5), (14, 0.5))]
    texts.append(HEAD + stage.replace("{start}", start.format(12, 0.4)))
    assert len({fingerprint(text, []) for text in texts}) == 3


def test_a_field_of_colors_has_three_channels():
    recipe = parse_recipe(HEAD + FIELD, "tiny")
    with pytest.raises(InputError, match='a field of latents has colors = "linear"'):
        overridden(recipe, ["shape.start.field.channels=4"])


def test_the_same_recipe_gives_the_same_fingerprint(fingerprint):
    assert fingerprint(HEAD + FIELD, []) == fingerprint(HEAD + FIELD, ["shape.steps=4"])
