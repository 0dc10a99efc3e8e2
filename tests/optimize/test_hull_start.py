"""Runs that begin with the hull of the prior's own pictures."""

import dataclasses

import pytest
import torch
from running import Stop, contents, stop_at

from splatsmith import InputError, generate, resume
from splatsmith.optimize.hull import draw_around, object_in, ring
from splatsmith.optimize.plan import make_plan
from splatsmith.optimize.run import fresh_state
from splatsmith.priors.across import check_around
from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.priors.protocol import knows_cameras
from splatsmith.recipes.load import overridden
from splatsmith.scenes.point_starts import ball_for
from splatsmith.scenes.starts import begin

HULL = 'shape.start={ kind = "hull", views = 6, cells = 24, count = 300, steps = 2 }'


def overlap(a, b):
    return float(torch.minimum(a, b).sum() / torch.maximum(a, b).sum())


def test_a_hull_has_the_shape_and_colors_that_the_prior_draws(prior, recipe, target_scene):
    told = []
    plan = make_plan("a", 0, overridden(recipe, [HULL]), prior, nearest=False)
    scene = fresh_state(plan, told.append).scene
    assert scene.count == 300
    assert told[0] == "start: the prior draws 6 views at elevation 10, ring 1 of 2"
    assert told[-1].startswith("start: a hull that fills ")
    assert told[-1].endswith("begins as 300 splats")
    setting = plan.settings()[0]
    drawn = draw_around(setting, setting.stage.start)
    with torch.no_grad():
        found = scene.render(drawn.cameras, torch.ones(3))
        wanted = target_scene.render(drawn.cameras, torch.ones(3))
    torch.testing.assert_close(drawn.pictures, wanted.color, atol=0.02, rtol=0)
    for view in range(len(drawn.cameras)):
        assert overlap(found.alpha[view], wanted.alpha[view]) > 0.5
    white = (1 - wanted.color).square().mean()
    assert (found.color - wanted.color).square().mean() < 0.5 * white


def test_the_seed_decides(prior, recipe):
    def start(seed):
        plan = make_plan("a", seed, overridden(recipe, [HULL]), prior, nearest=False)
        return fresh_state(plan).scene.state()

    one, two, other = start(1), start(1), start(2)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["means"], other["means"])


@pytest.mark.parametrize("step", [1, 7])
def test_a_resumed_run_begins_with_the_same_hull(step, prior, recipe, tmp_path):
    chosen = overridden(recipe, [HULL])
    for name, last in (("whole", 11), ("cut", step)):
        with pytest.raises(Stop):
            generate(
                "a", prior=prior, recipe=chosen, out=tmp_path / name, callback=stop_at(last)
            )
    with pytest.raises(Stop):
        resume(tmp_path / "cut", prior=prior, callback=stop_at(11))
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_views_that_are_drawn_together_stand_around(prior, recipe):
    change = 'shape.start={ kind = "hull", views = 8, elevations = [0.0, 20.0, -5.0] }'
    four = dataclasses.replace(prior, views=4)
    chosen = overridden(recipe, [change, "shape.views=4", "shape.cameras.together=4"])
    setting = make_plan("a", 0, chosen, four, nearest=False).settings()[0]
    rings = [ring(setting, setting.stage.start, number) for number in range(3)]
    for cameras, turned in zip(rings, (0.0, 22.5, 0.0), strict=True):
        for first in (0, 4):
            check_around(cameras[first : first + 4], 4)
        expected = torch.arange(8) * 45.0 + turned
        torch.testing.assert_close(cameras.azimuth.sort().values, expected)
    assert [float(cameras.elevation[0]) for cameras in rings] == [0.0, 20.0, -5.0]


def test_specks_are_no_object():
    picture = torch.full((1, 24, 24, 3), 0.93)
    picture[0, 5, 5] = 0.3
    picture[0, 10:16, 10:16] = 0.4
    picture[0, 12:14, 12:14] = 1.0  # A white spot within it is of the object.
    mask = object_in(picture)[0]
    assert not mask[5, 5]
    assert mask[11:15, 11:15].all()
    assert int(mask.sum()) <= 36


def test_what_cannot_draw_a_hull_is_refused(prior, recipe):
    chosen = overridden(recipe, [HULL])
    blind = dataclasses.replace(prior, knows_cameras=False)
    assert not knows_cameras(blind)
    with pytest.raises(InputError, match="does not know from where"):
        make_plan("a", 0, chosen, blind, nearest=False)
    four = dataclasses.replace(prior, views=4)
    together = overridden(chosen, ["shape.views=4", "shape.cameras.together=4"])
    with pytest.raises(InputError, match=r"shape.start.views=8"):
        make_plan("a", 0, together, four, nearest=False)
    empty = AnalyticPrior(
        targets=lambda cameras: torch.ones(len(cameras), 1, 3, 16, 16), resolution=16
    )
    with pytest.raises(InputError, match="agree on nothing"):
        generate("a", recipe=chosen, prior=empty)


def blind(prior):
    return dataclasses.replace(prior, knows_cameras=False)


def white(prior):
    return AnalyticPrior(
        targets=lambda cameras: torch.ones(len(cameras), 1, 3, 16, 16), resolution=16
    )


@pytest.mark.parametrize("make", [blind, white])
def test_a_ball_where_there_is_no_hull(prior, recipe, make):
    other = overridden(recipe, [HULL, "shape.start.otherwise=ball"])
    told = []
    plan = make_plan("a", 0, other, make(prior), nearest=False)
    scene = fresh_state(plan, told.append).scene
    said = " ".join((*plan.notes, *told))
    assert "ball" in said
    expected = begin(ball_for(other.stage[0].start), plan.settings()[0].draws("start", 0))
    assert torch.equal(scene.means, expected.means)
    with pytest.raises(InputError, match="--start"):
        fresh_state(make_plan("a", 0, overridden(recipe, [HULL]), make(prior), nearest=False))
