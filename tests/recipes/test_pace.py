"""A paced recipe is the same recipe in other time."""

import pytest

from splatsmith.errors import InputError
from splatsmith.recipes.load import load_recipe, overridden, recipe_names
from splatsmith.recipes.pace import paced


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_can_be_hurried(name: str) -> None:
    recipe = load_recipe(name)
    quick = paced(recipe, 0.1)
    for slow, fast in zip(recipe.stage, quick.stage, strict=True):
        assert fast.steps == pytest.approx(slow.steps / 10, abs=1)
        if slow.upkeep is not None and fast.upkeep is not None:
            visits = [
                sum(u.due(s) for s in range(n))
                for u, n in ((slow.upkeep, slow.steps), (fast.upkeep, fast.steps))
            ]
            assert visits[0] > 0
            assert visits[1] == pytest.approx(visits[0], abs=2)
        assert fast.score == slow.score


def test_a_pace_of_one_changes_nothing() -> None:
    recipe = load_recipe("quick")
    assert paced(recipe, 1.0) == recipe


def test_a_stage_that_is_left_out_stays_so() -> None:
    recipe = overridden(load_recipe("gsgen"), ["shape.steps=0"], "gsgen")
    assert [stage.steps > 0 for stage in paced(recipe, 0.1).stage] == [False, True]


@pytest.mark.parametrize("pace", [0.0, -1.0, float("nan"), 1e9])
def test_impossible_paces_are_refused(pace: float) -> None:
    with pytest.raises(InputError, match="pace must be over 0"):
        paced(load_recipe("quick"), pace)
