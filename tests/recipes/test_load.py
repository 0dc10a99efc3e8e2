"""Recipes: what ships, what is refused, and that what is written reads back equal."""

import dataclasses

import pytest

from splatsmith.errors import InputError
from splatsmith.recipes.load import (
    load_recipe,
    overridden,
    parse_recipe,
    recipe_names,
    recipe_toml,
    usual_recipe,
)

SMALL = """
title = "Small"
[[stage]]
name = "shape"
steps = 10
start = { kind = "ball", count = 5 }
score = { kind = "sds", guidance = 3.0, times = { kind = "uniform", low = 0.1 } }
[[stage]]
name = "paint"
steps = 20
"""


@pytest.fixture
def file(tmp_path):
    def write(text, name="mine.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def message(call):
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_the_recipes_that_ship():
    assert recipe_names() == [
        "csd",
        "dreamfusion",
        "dreamgaussian",
        "dreamgaussian-image",
        "dreamtime",
        "from-ball",
        "gaussiandreamer",
        "gsgen",
        "imagedream",
        "luciddreamer",
        "magic3d",
        "mvdream",
        "nfsd",
        "picture",
        "prolificdreamer",
        "quick",
        "sdi",
        "sds-gaussians",
        "sjc",
        "sjc-latents",
        "stabledreamer",
        "stabledreamer-field",
        "vsd-gaussians",
        "zero123",
    ]
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe.title
        assert recipe.credit


@pytest.mark.parametrize("name", recipe_names())
def test_a_resolved_recipe_reads_back_equal(name):
    recipe = load_recipe(name)
    assert parse_recipe(recipe_toml(recipe), name) == recipe


def test_seeds_are_kept_to(file):
    """Numbers that the founding documents and papers give must not drift."""
    paper, refine = load_recipe("stabledreamer").stage
    assert (paper.start.count, paper.start.falloff, paper.start.sh_degree) == (
        1000,
        "linear",
        0,
    )
    assert paper.upkeep.reset_to == 0.005
    assert refine.rates.means.end == 6.4e-4
    assert paper.steps + refine.steps == 15_000 / 15
    tutorial = load_recipe("sds-gaussians").stage[0]
    assert (tutorial.score.times.low, tutorial.score.times.high) == (0.02, 0.98)
    assert tutorial.score.weight == "sigma2"
    assert tutorial.steps * tutorial.views == 3000
    scores = {name: load_recipe(name).stage[0].score for name in recipe_names()}
    lucid = scores["luciddreamer"]
    assert (lucid.kind, lucid.weight) == ("ism", "sigma_over_alpha")
    assert (lucid.interval.start, lucid.interval.end, lucid.stride) == (0.1, 0.08, 0.2)
    assert (scores["sdi"].eta, scores["sdi"].times.start) == (0.3, 0.98)
    assert (scores["nfsd"].guidance, scores["nfsd"].below) == (7.5, 0.2)
    assert (scores["csd"].negative.start, scores["csd"].negative.end) == (0.0, 1.0)
    assert (scores["sjc"].weight, scores["sjc"].times.high) == ("one", 0.97)
    assert (scores["sjc-latents"].weight, scores["sjc-latents"].perturbations) == ("one", 1)
    assert (scores["vsd-gaussians"].guidance, scores["vsd-gaussians"].weight) == (7.5, "sigma2")
    dream = scores["dreamtime"].times
    assert (dream.m1, dream.m2, dream.s1, dream.s2) == (0.8, 0.5, 0.3, 0.1)
    four = load_recipe("mvdream").stage[0]
    assert (four.cameras.together, four.score.rescale) == (4, 0.5)
    assert four.score.weight == "sigma_over_alpha"  # beta = 1: reconstruction
    assert four.score.times.window(0.8) == (0.02, 0.5)
    pictured = load_recipe("imagedream").stage[0]
    assert (pictured.score.guidance, pictured.score.rescale) == (5.0, 0.2)
    fast = load_recipe("dreamgaussian-image").stage[0]
    assert (fast.reference.color, fast.reference.mask, fast.reference.ramp) == (1e4, 1e3, True)
    assert (fast.steps, fast.start.count, fast.score.guidance) == (500, 5000, 5.0)
    assert load_recipe("zero123").stage[0].reference.every == 2
    dreamer = load_recipe("gaussiandreamer").stage[0]
    assert (dreamer.start.opacity, dreamer.start.growth.color) == (0.1, 0.2)
    assert [dreamer.score.times.window(p) for p in (0.2, 0.9)] == [(0.02, 0.98), (0.02, 0.55)]
    assert (dreamer.score.clip.start, dreamer.score.clip.end) == (1.5, 2.0)
    assert dreamer.upkeep.prune_opacity == 0.05
    shape, appearance = load_recipe("gsgen").stage
    assert (shape.start.opacity, shape.upkeep.compactness) == (0.8, 0)
    assert (shape.score.times.high, appearance.score.times.high) == (0.98, 0.5)
    assert appearance.upkeep.compactness == 3


def test_what_is_given_decides_the_recipe():
    assert usual_recipe("a blue dog", pictured=False) == "quick"
    assert usual_recipe("a blue dog", pictured=True) == "picture"
    assert usual_recipe(" ", pictured=True) == "zero123"
    assert {"quick", "picture", "zero123"} <= set(recipe_names())


def test_defaults_fill_what_a_recipe_leaves_out(file):
    recipe = load_recipe(file(SMALL))
    assert recipe.steps == 30
    assert recipe.stage[0].score.times.high == 0.98
    assert recipe.stage[1].start is None


def test_a_base_is_changed_key_by_key(file):
    file(SMALL, "small.toml")
    derived = load_recipe(
        file("""
        base = "small.toml"
        title = "Derived"
        [[stage]]
        name = "shape"
        score = { times = { low = 0.2 } }
        start = { kind = "small-ball" }
        [[stage]]
        name = "polish"
        steps = 5
        """)
    )
    base = load_recipe(file(SMALL, "small.toml"))
    assert [stage.name for stage in derived.stage] == ["shape", "paint", "polish"]
    shape = derived.stage[0]
    assert (shape.score.guidance, shape.score.times.low) == (3.0, 0.2)
    assert shape.start.kind == "small-ball"
    assert shape.steps == base.stage[0].steps
    assert derived.stage[1] == base.stage[1]


def test_a_shipped_recipe_can_be_a_base(file):
    derived = load_recipe(file('base = "quick.toml"\n[[stage]]\nname = "shape"\nsteps = 107'))
    quick = load_recipe("quick")
    assert derived == dataclasses.replace(
        quick, stage=(dataclasses.replace(quick.stage[0], steps=107),)
    )


def test_a_base_has_no_base(file):
    file('base = "quick.toml"', "middle.toml")
    text = message(lambda: load_recipe(file('base = "middle.toml"')))
    assert text == (
        "mine.toml, key base: middle.toml has a base itself; only one step is allowed."
    )


def test_overrides():
    quick = load_recipe("quick")
    changed = overridden(
        quick,
        [
            "shape.steps=100",
            "shape.rates.means=1e-3",
            "shape.background=black",
            "output.save_every = 7",
            "shape.cameras.elevation=[0, 30.0]",
            "shape.start.kind=small-ball",
        ],
    )
    stage = changed.stage[0]
    assert (stage.steps, stage.rates.means, stage.background) == (100, 1e-3, "black")
    assert changed.output.save_every == 7
    assert stage.cameras.elevation == (0.0, 30.0)
    assert stage.start.count == 5000
    assert overridden(quick, {"shape.rates.means": 1e-3}).stage[0].rates.means == 1e-3
    assert overridden(quick, ()) is quick


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("shape.stps=3", 'quick, stage "shape", key stps: unknown key.'),
        ("shape.stps=3", 'Did you mean "steps"?'),
        ("shpe.steps=3", "--set, key shpe: unknown key."),
        ("shpe.steps=3", 'Did you mean "shape"?'),
        ("stage=3", "--set, key stage: unknown key."),
        ("shape.steps=1.5", 'stage "shape", key steps: must be a whole number, got 1.5.'),
        ("shape.steps=-1", 'stage "shape": steps must lie in 0 to 1000000, got -1.'),
        ("shape.size=4096", 'stage "shape": size must lie in 8 to 1024, got 4096.'),
        ("shape.rates.positon=1", 'stage "shape", key rates.positon: unknown key.'),
        ("shape.rates.means=3.0", "key rates: means must lie in 0 to 1, got 3.0."),
        ("shape.rates.means=-1e-3", "key rates: means must lie in 0 to 1, got -0.001."),
        ("shape.score.kind=sdss", "one of sds, sjc, csd, nfsd, ism, sdi, vsd, refine, got"),
        ("shape.score.kind=sdss", 'Did you mean "sds"?'),
        ("shape.score.guidance={start=9.0}", "key score.guidance.end: is missing."),
        ("shape.score.guidance={start=9.0, end=-1.0}", "guidance must lie in 0 to 1000"),
        (
            "shape.score.times.kind=slow",
            "must be one of uniform, linear, sqrt, band, dreamtime",
        ),
        ("shape.score.times.low=[1.0, 0.1]", "key score.times: A band of times needs 0 <= low"),
        ("shape.cameras.elevation=[0, 100]", "key cameras: elevation must lie between"),
        ("shape.upkeep.start=9999", 'stage "shape": start is 9999, but density control ends'),
        ("output.size=33", "key output: size must be even"),
        ("shape.steps", '--set: "shape.steps" must look like shape.steps=100.'),
        ("shape.steps=", "is no TOML value."),
        ("shape.steps=1\nshape=2", "is more than one value."),
        ("shape=3", "--set: shape is a stage; name a key of it, such as shape.steps=100."),
        ("shape.name=form", "--set: shape.name: the name of a stage is what --set calls it"),
        ("title.x=3", "key title: must be a text"),
        ("=3", "must look like"),
        ("shape..x=3", "must look like"),
    ],
)
def test_bad_overrides_are_refused_with_their_place(override, expected):
    assert expected in message(lambda: overridden(load_recipe("quick"), [override], "quick"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "mine.toml, key stage: is missing or not a list"),
        ("x =", "mine.toml: is not TOML"),
        ('title = "x"\nstage = 3', "mine.toml, key stage: is missing or not a list"),
        ('[[stage]]\nname = "a"\nsteps = 1\nstart = {kind="ball"}', "key title: is missing."),
        ('title = "x"\n[[stage]]\nsteps = 1', 'stage "1", key name: is missing.'),
        (
            'title = "x"\n[[stage]]\nname = "a"\nsteps = 1',
            "the first stage, 'a', needs",
        ),
        (SMALL.replace("paint", "shape"), "stages must have names of their own"),
        (SMALL.replace("paint", "output"), "a stage cannot be called output"),
        (SMALL.replace("paint", "p p"), "name must be letters, digits and dashes, got 'p p'."),
        (SMALL + "start = { kind = 'ball' }", "only the first stage has a start"),
        (SMALL + "[stage.rate]\nmeans = 1.0", 'stage "paint", key rate: unknown key.'),
        (SMALL + "[stage.rates]\nmeans = {start=1, end=0}", "key rates.means: start and end"),
        ("base = 3", "key base: must be the name of a file"),
        ('base = "../../etc/passwd"', "key base: must be the name of a file"),
        ('base = "none.toml"', "none.toml: cannot be read"),
        ("a = " + "[" * 100_000, "mine.toml: is not TOML"),
    ],
)
def test_bad_files_are_refused_with_their_place(file, text, expected):
    assert expected in message(lambda: load_recipe(file(text)))


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe")
    assert "is not UTF-8 text" in message(lambda: load_recipe(path))
    path.write_bytes(b"#" * (1 << 21))
    assert "that is no recipe" in message(lambda: load_recipe(path))
    assert "cannot be read" in message(lambda: load_recipe(tmp_path / "none.toml"))


def test_an_unknown_recipe_is_answered_with_those_there_are():
    text = message(lambda: load_recipe("quik"))
    assert text == (
        '--recipe: there is no recipe "quik".\n'
        f"  Known: {', '.join(recipe_names())}; or give a file that ends in .toml."
    )


@pytest.mark.parametrize("value", ["[" * 3000, "1" * 5000])
def test_values_that_the_parser_gives_up_on_are_an_error(value, file):
    with pytest.raises(InputError, match="is no TOML value"):
        overridden(load_recipe("quick"), [f"shape.steps={value}"])
