"""What is claimed can be run: arms are recipes, claims compare arms by known metrics."""

import tomllib
from pathlib import Path

import pytest

from splatsmith.errors import InputError
from splatsmith.evaluate.lists import tier_named
from splatsmith.evaluate.table import HEADLINE, LOOK, READ
from splatsmith.recipes.load import load_recipe, overridden

CLAIMS = Path(__file__).parents[2] / "benchmarks" / "claims.toml"
TABLES = tomllib.loads(CLAIMS.read_text())
METRICS = {column.metric for column in (*HEADLINE, *READ, *LOOK)}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_compares_what_it_has(name: str) -> None:
    table = TABLES[name]
    tier_named(table["tier"])
    names = [arm["name"] for arm in table["arms"]]
    assert len(set(names)) == len(names) >= 2
    for claim in table["claims"]:
        assert {claim["better"], claim["worse"]} <= set(names)
        assert claim["metric"] in METRICS


@pytest.mark.parametrize("name", TABLES)
def test_arms_are_recipes(name: str) -> None:
    base = load_recipe(TABLES[name].get("recipe", "quick"))
    found = {overridden(base, arm["set"], "base") for arm in TABLES[name]["arms"]}
    settings = {(tuple(arm["set"]), arm.get("prior")) for arm in TABLES[name]["arms"]}
    assert len(settings) == len(TABLES[name]["arms"])
    assert len(found) >= len({sets for sets, _ in settings}) - 1


def test_a_wrong_arm_would_be_noticed() -> None:
    with pytest.raises(InputError):
        overridden(load_recipe("quick"), ["shape.score.tmies=1"], "quick")
