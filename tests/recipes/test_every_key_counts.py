"""Every key that a recipe can hold changes what a run does.

A key that is read and then ignored is worse than one that is refused: published code has
learning rates, opacity resets and pruning limits that never acted. So each leaf of the schema
is changed here, and some byte that a tiny run produces must change with it.
"""

import dataclasses
import hashlib
import typing

import numpy as np
import pytest
import torch
from test_every_kind_counts import OTHER_KINDS
from test_every_start_counts import OTHER_STARTS

from splatsmith import generate
from splatsmith.errors import InputError
from splatsmith.images import Reference
from splatsmith.optimize.plan import make_plan
from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.priors.embedded import EmbeddedPrior
from splatsmith.prompts import Prompt
from splatsmith.recipes.load import overridden, parse_recipe
from splatsmith.recipes.schema import Recipe
from splatsmith.recipes.tables import Kinds, hints

SIZE = 8

TINY = """
title = "Everything on, tiny"
credit = ["us"]
output = { save_every = 2, snapshots = 2, frames = 2, size = 16 }

[[stage]]
name = "shape"
steps = 4
views = 2
size = 8
background = "white"
start = { kind = "ball", count = 24, radius = 0.6, opacity = 0.6, color_spread = 0.5 }
cameras = { radius = [3.0, 3.4], fovy = [38.0, 42.0], jitter = 0.01 }
regularize = { sparsity = 0.1, outside = 0.1, needles = 0.1, size = 0.1, exterior = 0.1, needle_ratio = 1.0, largest = 0.05 }
reference = { color = 5.0, mask = 5.0 }

[stage.score]
kind = "sds"
guidance = 3.0
weight = "sigma2"
times = { kind = "uniform", low = 0.3, high = 0.9 }

[stage.upkeep]
start = 1
stop = 4
every = 1
grow_gradient = 1.0
split_scale = 0.15
prune_opacity = 0.02
prune_world_size = 10.0
prune_screen_size = 10.0
reset_at = 2
reset_to = 0.5
cap = 40
least = 2
"""  # noqa: E501

# What else must hold for a key to count: it is changed on top of these.
BESIDE = {
    "start.falloff": ["shape.start.kind=ball"],
    "regularize.outside": ["shape.start.radius=1.5"],
    "upkeep.reset_every": ["shape.upkeep.reset_at=0"],
    "upkeep.prune_world_size": ["shape.upkeep.grow_gradient=inf"],
    "upkeep.prune_screen_size": ["shape.upkeep.grow_gradient=inf"],
    "upkeep.prune_opacity": ["shape.upkeep.grow_gradient=inf", "shape.upkeep.reset_at=0"],
    "upkeep.least": ["shape.upkeep.prune_opacity=0.9", "shape.upkeep.grow_gradient=inf"],
    "upkeep.cap": ["shape.upkeep.grow_gradient=1e-6"],
    "upkeep.split_scale": ["shape.upkeep.grow_gradient=1e-6"],
    "score.clamp": ["shape.score.guidance=30.0"],
    "cameras.azimuth": ["shape.cameras.azimuth=[-90.0, 90.0]"],
}

# A changed value for each leaf; leaves of a union are listed under each of its kinds.
CHANGES = {
    "output.save_every": "3",
    "output.snapshots": "3",
    "output.frames": "3",
    "output.size": "18",
    "steps": "5",
    "views": "1",
    "size": "10",
    "background": "random",
    "view_words": "false",
    "prior": None,  # see test_a_stage_asks_the_prior_it_names
    "name": None,  # see test_the_name_of_a_stage_is_written_down
    "start.kind": "small-ball",
    "start.count": "25",
    "start.radius": "0.5",
    "start.opacity": "0.5",
    "start.falloff": "constant",
    "start.color_spread": "0.4",
    "start.scale": "0.9",
    "start.sh_degree": "1",
    "cameras.radius": "[3.0, 3.3]",
    "cameras.fovy": "[38.0, 41.0]",
    "cameras.elevation": "[-10.0, 50.0]",
    "cameras.azimuth": "[-80.0, 90.0]",
    "cameras.uniform_on_sphere": "false",
    "cameras.stratified": "false",
    "cameras.jitter": "0.02",
    "cameras.together": "2",
    "score.kind": "sjc",
    "score.guidance": "4.0",
    "score.rescale": "0.5",
    "score.weight": "one",
    "score.clamp": "true",
    "score.clip": "0.01",
    "score.image_loss": "5.0",
    "score.perp_neg": "true",
    "score.one_pass_until": "1.0",
    "score.times": "{ kind = 'linear' }",
    "rates.means": "1e-3",
    "rates.log_scales": "1e-3",
    "rates.quats": "1e-3",
    "rates.logit_opacities": "1e-3",
    "rates.sh": "1e-3",
    "adam.beta1": "0.8",
    "adam.beta2": "0.9",
    "adam.eps": "1e-2",
    "reference.color": "500.0",
    "reference.mask": "500.0",
    "reference.ramp": "true",
    "reference.every": "2",
    "reference.radius": "2.5",
    "reference.fovy": "50.0",
    "regularize.sparsity": "100.0",
    "regularize.outside": "100.0",
    "regularize.needles": "100.0",
    "regularize.size": "100.0",
    "regularize.exterior": "100.0",
    "regularize.needle_ratio": "1.05",
    "regularize.largest": "0.01",
    "upkeep.start": "2",
    "upkeep.stop": "3",
    "upkeep.every": "2",
    "upkeep.grow_gradient": "1e-6",
    "upkeep.split_scale": "1e-3",
    "upkeep.prune_opacity": "0.4",
    "upkeep.prune_world_size": "0.1",
    "upkeep.prune_screen_size": "0.2",
    "upkeep.reset_at": "3",
    "upkeep.reset_every": "2",
    "upkeep.reset_to": "0.1",
    "upkeep.compactness": "2",
    "upkeep.cap": "30",
    "upkeep.least": "5",
}

# The two that only say where a recipe is from: they are shown, and change no picture.
WORDS_ONLY = {"title", "credit"}


def leaves(kind, prefix=""):
    """Dotted names of all keys of a recipe's stage; unions of tables count as one table.

    Of the scores only the first: the others have a test of their own, test_every_score_counts.
    """
    for name, annotation in hints(kind).items():
        if isinstance(annotation, Kinds):
            annotation = next(iter(annotation.tables.values()))
        options = typing.get_args(annotation) or (annotation,)
        tables = [o for o in options if dataclasses.is_dataclass(o)]
        if name == "times" or not tables or float in options:
            yield prefix + name
            continue
        for table in tables:
            yield from leaves(table, f"{prefix}{name}.")


def target(cameras):
    """A picture per view that changes with the azimuth, below two rows of white."""
    line = torch.linspace(-1, 1, SIZE)
    y, x = torch.meshgrid(line, line, indexing="ij")
    turn = torch.deg2rad(cameras.azimuth)[:, None, None]
    first = torch.stack([torch.cos(turn) * x, torch.sin(turn) * y, 0 * x + torch.cos(turn)], 1)
    both = torch.stack([first, -first], dim=1)
    both[..., :2, :] = 1
    return both


class Prior(AnalyticPrior):
    """Knows fronts, and guidance in one pass, which it gets a little wrong so that it shows."""

    def condition(self, prompt, cameras):
        front = prompt.views is None or prompt.views.back == ", front view"
        return super().condition(Prompt(text="front") if front else prompt, cameras)

    def guides(self, condition, scale):
        return True

    def predict_guided(self, x_t, t, condition, scale):
        return self.predict(x_t, t, condition)


SQUARE = np.zeros((16, 16, 4), np.uint8)
SQUARE[4:12, 4:12] = (200, 40, 40, 255)
IMAGE = Reference.of(SQUARE)
PRIOR = Prior(
    targets=target,
    resolution=SIZE,
    odds={"x": (0.9, 0.1), "y": (0.2, 0.8), "front": (0.3, 0.7)},
)


@pytest.fixture(scope="module")
def fingerprints():
    """Fingerprints of runs by their overrides, so that none is run twice."""
    known = {}

    def fingerprint(root, overrides, negative=""):
        key = (*overrides, negative)
        if key not in known:
            recipe = overridden(parse_recipe(TINY, "tiny"), overrides)
            out = root / "run"
            generate(
                "x",
                seed=1,
                prior=PRIOR,
                image=IMAGE,
                recipe=recipe,
                negative=negative,
                out=out,
                overwrite=True,
            )
            known[key] = {
                path.relative_to(out): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(out.rglob("*"))
                # The recipe's own text, and what holds its hash, would differ in any case.
                if path.is_file()
                and path.name not in ("recipe.toml", "report.json", "manifest.json")
            }
        return known[key]

    return fingerprint


def test_no_key_is_forgotten():
    """Keys of other kinds of scene have a test of their own, test_every_kind_counts."""
    known = {name.removeprefix("stage.") for name in leaves(Recipe)} - WORDS_ONLY
    assert known - OTHER_KINDS - OTHER_STARTS == set(CHANGES)


@pytest.mark.parametrize("name", [name for name in CHANGES if CHANGES[name] is not None])
def test_a_changed_key_changes_a_run(name, fingerprints, tmp_path):
    place = name if name.startswith("output.") else f"shape.{name}"
    beside = BESIDE.get(name, [])
    before = fingerprints(tmp_path, beside)
    after = fingerprints(tmp_path, [*beside, f"{place}={CHANGES[name]}"])
    assert before != after


def test_the_same_recipe_gives_the_same_fingerprint(fingerprints, tmp_path):
    """The control: without this, the test above could pass by noise alone."""
    assert fingerprints(tmp_path, []) == fingerprints(tmp_path, ["shape.steps=4"])


def test_a_stage_asks_the_prior_it_names():
    recipe = overridden(parse_recipe(TINY, "tiny"), ["shape.prior=embedded"])
    plan = make_plan("a red dog", 1, recipe, PRIOR, nearest=False, image=IMAGE)
    assert isinstance(plan.settings()[0].prior, EmbeddedPrior)
    tiny = parse_recipe(TINY, "tiny")
    plain = make_plan("a red dog", 1, tiny, PRIOR, nearest=False, image=IMAGE)
    assert plain.settings()[0].prior is PRIOR
    assert plain.run != plan.run
    with pytest.raises(InputError, match="prior must be one of embedded"):
        overridden(parse_recipe(TINY, "tiny"), ["shape.prior=dall-e"])


@pytest.mark.parametrize(
    ("times", "change"),
    [
        ("{ kind = 'uniform', low = 0.1, high = 0.9 }", "low=0.2"),
        ("{ kind = 'uniform', low = 0.1, high = 0.9 }", "high=0.8"),
        ("{ kind = 'uniform', low = 0.1, high = 0.9 }", "draw=middle"),
        ("{ kind = 'linear', start = 0.9, stop = 0.2, width = 0.1 }", "kind=sqrt"),
        ("{ kind = 'linear', start = 0.9, stop = 0.2, width = 0.1 }", "start=0.8"),
        ("{ kind = 'linear', start = 0.9, stop = 0.2, width = 0.1 }", "stop=0.3"),
        ("{ kind = 'linear', start = 0.9, stop = 0.2, width = 0.1 }", "width=0.2"),
        ("{ kind = 'linear', start = 0.9, stop = 0.2, width = 0.1 }", "draw=shared"),
        ("{ kind = 'band' }", "at="),
        ("{ kind = 'band' }", "low=[0.4, 0.1]"),
        ("{ kind = 'band' }", "high=[0.9, 0.6]"),
        ("{ kind = 'band' }", "draw=stratified"),
        ("{ kind = 'dreamtime', width = 0.1 }", "m1=0.9"),
        ("{ kind = 'dreamtime', width = 0.1 }", "m2=0.4"),
        ("{ kind = 'dreamtime', width = 0.1 }", "s1=0.2"),
        ("{ kind = 'dreamtime', width = 0.1 }", "s2=0.2"),
        ("{ kind = 'dreamtime', width = 0.1 }", "low=0.1"),
        ("{ kind = 'dreamtime', width = 0.1 }", "high=0.9"),
        ("{ kind = 'dreamtime', width = 0.1 }", "width=0.2"),
        ("{ kind = 'dreamtime', width = 0.1 }", "draw=shared"),
    ],
)
def test_every_key_of_the_times_counts(times, change, fingerprints, tmp_path):
    base = [f"shape.score.times={times}"]
    if change.startswith("at="):
        lines = "low = [0.5, 0.2, 0.1], high = [0.9, 0.8, 0.2]"
        runs = [
            fingerprints(
                tmp_path,
                [f"shape.score.times={{ kind = 'band', at = [0.0, {place}, 1.0], {lines} }}"],
            )
            for place in ("0.3", "0.6")
        ]
    else:
        changed = [*base, f"shape.score.times.{change}"]
        runs = [fingerprints(tmp_path, base), fingerprints(tmp_path, changed)]
    assert runs[0] != runs[1]


@pytest.mark.parametrize("key", ["count=6", "radius=0.4", "opacity=0.2", "sh_degree=1"])
def test_every_key_of_the_small_ball_counts(key, fingerprints, tmp_path):
    base = ["shape.start={ kind = 'small-ball', count = 24 }"]
    assert fingerprints(tmp_path, base) != fingerprints(tmp_path, [*base, f"shape.start.{key}"])


def test_falling_rates_count(fingerprints, tmp_path):
    base = ["shape.rates.means={ start = 1e-2, end = 1e-3 }"]
    for change in ("start=2e-2", "end=1e-4"):
        changed = [*base, f"shape.rates.means.{change}"]
        assert fingerprints(tmp_path, base) != fingerprints(tmp_path, changed)


@pytest.mark.parametrize(
    "change", ["start=0.2", "end=1.0", "shape=log", "since=0.4", "until=0.6"]
)
def test_every_key_of_a_ramp_counts(change, fingerprints, tmp_path):
    base = ["shape.regularize.sparsity={ start = 0.1, end = 100.0 }"]
    changed = [*base, f"shape.regularize.sparsity.{change}"]
    assert fingerprints(tmp_path, base) != fingerprints(tmp_path, changed)


def test_the_name_of_a_stage_is_written_down(tmp_path):
    recipe = parse_recipe(TINY.replace('"shape"', '"form"'), "tiny")
    generate("x", prior=PRIOR, image=IMAGE, recipe=recipe, out=tmp_path / "run")
    assert '"stage": "form"' in (tmp_path / "run" / "events.jsonl").read_text()


def test_words_are_kept():
    recipe = overridden(parse_recipe(TINY, "tiny"), ["title='Another'"])
    assert recipe.title == "Another"
    with pytest.raises(InputError):
        overridden(recipe, ["credit=3"])
