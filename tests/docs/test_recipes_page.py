"""The page about recipes says every key there is, and its example is a recipe."""

import re

import pytest
from recipe_keys import PAGE, TABLES, remarks, section

from splatsmith.recipes.load import load_recipe
from splatsmith.recipes.schema import Recipe


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_the_keys_as_they_are(name):
    """Written by `python tests/docs/recipe_keys.py`."""
    assert f"<!-- {name} -->\n{section(name)}<!-- end of {name} -->" in PAGE.read_text()


@pytest.mark.parametrize(
    "settings", [one for tables in TABLES.values() for one in tables.values()]
)
def test_every_key_is_explained(settings):
    silent = [name for name, said in remarks(settings).items() if not said]
    assert set(silent) <= {"kind", "title", "unnamed"}


def test_the_example_works_and_changes_what_it_says(tmp_path):
    example = re.search(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    path = tmp_path / "mine.toml"
    path.write_text(example)
    mine, quick = load_recipe(path), load_recipe("quick")
    assert isinstance(mine, Recipe)
    assert (mine.stage[0].steps, mine.stage[0].score.guidance) == (200, 6.0)
    assert mine.stage[0].score.times == quick.stage[0].score.times
    assert mine.stage[0].start == quick.stage[0].start
