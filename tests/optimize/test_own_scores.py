"""The example of a score from outside of the package: in a recipe, in a run, taken up again."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from running import Stop, contents, stop_at

from splatsmith import generate, resume
from splatsmith.cli.plugins import load_plugins
from splatsmith.distill import SETTINGS
from splatsmith.errors import InputError, InvalidFile
from splatsmith.export import read_ply
from splatsmith.optimize.plan import make_plan
from splatsmith.recipes.load import load_recipe, overridden, parse_recipe, recipe_toml

pytestmark = pytest.mark.usefixtures("scores_as_they_were")

EXAMPLE = Path(__file__).parents[2] / "examples" / "03_own_score.py"
RECIPE = EXAMPLE.with_suffix(".toml")


@pytest.fixture
def plugin(tmp_path, scores_as_they_were):
    """The example's code as a file that a test may change."""
    path = tmp_path / "plugin.py"
    path.write_text(EXAMPLE.read_text())
    load_plugins([path])
    return path


@pytest.fixture
def own(recipe, plugin):
    """The tiny recipe with the example's score."""
    return overridden(
        recipe, ["shape.score={ kind = 'antithetic', guidance = 1.0, pairs = 2 }"]
    )


def test_the_example_is_the_default_recipe_with_another_score(plugin):
    made, quick = load_recipe(RECIPE), load_recipe("quick")
    score = made.stage[0].score
    assert type(score) is SETTINGS["antithetic"]
    theirs = quick.stage[0].score
    shared = {name: getattr(score, name) for name in ("guidance", "weight", "clamp", "times")}
    assert shared == {name: getattr(theirs, name) for name in shared}
    assert replace(made.stage[0], score=theirs) == quick.stage[0]


def test_the_example_runs_by_itself(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, str(EXAMPLE), "a blue mug", str(tmp_path / "mug"), "60"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'mug' / 'contact.png'}\n"
    assert read_ply(tmp_path / "mug" / "scene.ply").count > 100
    assert 'kind = "antithetic"' in (tmp_path / "mug" / "recipe.toml").read_text()


def test_a_recipe_with_it_is_written_and_read_again(own):
    text = recipe_toml(own)
    assert 'kind = "antithetic"' in text
    assert parse_recipe(text, "again") == own


def test_its_keys_have_types_and_ranges(own):
    with pytest.raises(InputError, match="pairs must lie in 1 to 8, got 9"):
        overridden(own, ["shape.score.pairs=9"])
    with pytest.raises(InputError, match=r"key score\.pairs: must be a whole number, got 1\.5"):
        overridden(own, ["shape.score.pairs=1.5"])
    with pytest.raises(InputError, match=r'unknown key\.\n.*Did you mean "pairs"'):
        overridden(own, ["shape.score.pair=1"])


def test_without_the_plugin_the_recipe_says_what_is_missing():
    with pytest.raises(InputError, match=r"got \"antithetic\"\.\n.*--plugin"):
        load_recipe(RECIPE)


def test_a_run_with_it_is_taken_up_again_to_the_same_bytes(own, prior, tmp_path):
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    generate("a ball", prior=prior, recipe=own, out=whole)
    with pytest.raises(Stop):
        generate("a ball", prior=prior, recipe=own, out=parted, callback=stop_at(7))
    resume(parted, prior=prior)
    assert contents(parted) == contents(whole)


def test_a_run_is_not_taken_up_with_other_code(own, plugin, prior, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        generate("a ball", prior=prior, recipe=own, out=folder, callback=stop_at(6))
    plugin.write_text(plugin.read_text() + "\n# another remark\n")
    load_plugins([plugin])
    with pytest.raises(
        InvalidFile, match="or the code of its score antithetic was; begin a new"
    ):
        resume(folder, prior=prior)


def test_the_hash_of_other_recipes_does_not_know_of_it(recipe, own, plugin, prior):
    def hashes():
        plans = (make_plan("a ball", 0, one, prior, nearest=False) for one in (recipe, own))
        return [plan.recipe_sha256 for plan in plans]

    before = hashes()
    plugin.write_text(plugin.read_text() + "\n# another remark\n")
    load_plugins([plugin])
    after = hashes()
    assert before[0] == after[0]
    assert before[1] != after[1]
