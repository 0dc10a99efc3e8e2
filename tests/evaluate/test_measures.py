"""Retrieval by counting, failures by construction, shading against a plane and a sphere."""

import math

import pytest
import torch
from fakes import judgement

from splatsmith.evaluate.evaluators import Judgement
from splatsmith.evaluate.measures import (
    ALBEDO,
    LIT,
    category_right,
    failure,
    retrieval,
    shape_only,
    spread_of_seeds,
)
from splatsmith.evaluate.views import Seen, ring
from splatsmith.scenes import from_points
from splatsmith.toybox import CATEGORIES, COLORS
from splatsmith.toybox.split import BASE, BASE_COLORS


def random_judgement(gen, views=6):
    kinds = torch.randn(views, len(CATEGORIES), generator=gen).log_softmax(-1)
    hues = torch.randn(views, len(CATEGORIES), len(COLORS), generator=gen).log_softmax(-1)
    return Judgement(kinds, hues, None)


def test_a_right_judgement_is_right_in_all():
    found = retrieval(judgement(4, "duck", "yellow"), "duck", "yellow")
    assert (found.rank, found.views, found.category, found.color) == (1, 1.0, True, True)


def test_each_factor_is_judged_alone():
    said = judgement(4, "duck", "yellow")
    assert retrieval(said, "duck", "red").category
    assert not retrieval(said, "duck", "red").color
    assert not retrieval(said, "dog", "yellow").category
    assert retrieval(said, "dog", "yellow").color
    assert category_right(said, "duck")
    assert not category_right(said, "dog")


def test_the_rank_counts_the_200_candidates(gen):
    said = random_judgement(gen)
    scores = {}
    for i, kind in enumerate(list(CATEGORIES)[:BASE]):
        for j, hue in enumerate(list(COLORS)[:BASE_COLORS]):
            scores[kind, hue] = float((said.categories[:, i] + said.colors[:, i, j]).mean())
    order = sorted(scores, key=scores.get, reverse=True)
    assert len(order) == 200
    for place in (0, 1, 99, 199):
        kind, hue = order[place]
        assert retrieval(said, kind, hue).rank == place + 1


def test_one_bad_view_of_four_costs_a_quarter():
    good, bad = judgement(3, "duck", "yellow"), judgement(1, "dog", "yellow")
    said = Judgement(
        torch.cat([good.categories, bad.categories]), torch.cat([good.colors, bad.colors]), None
    )
    found = retrieval(said, "duck", "yellow")
    assert (found.rank, found.views) == (1, 0.75)


def test_a_category_beyond_the_lists_competes_with_them():
    further = list(CATEGORIES)[-1]
    assert retrieval(judgement(2, further, "red"), further, "red").rank == 1
    assert retrieval(judgement(2, further, "red"), "duck", "red").rank > 1
    assert category_right(judgement(2, further, "red"), further)


def test_failures_are_told_apart(gen):
    scene = from_points(torch.randn(5, 3, generator=gen))
    half = torch.full((2, 4, 4, 1), 0.5)
    assert failure(scene, half) == ""
    assert failure(scene, half * 0).startswith("empty")
    assert failure(scene, half * 0 + 0.99).startswith("full")
    with torch.no_grad():
        scene.sh[0] = torch.nan
    assert failure(scene, half) == "sh is not finite"


def test_a_wall_before_the_camera_is_lit_as_the_law_says():
    cameras = ring(1, 0.0, 16)
    ones = torch.ones(1, 16, 16, 1)
    picture = shape_only(Seen(torch.rand(1, 16, 16, 3), ones, ones * 3), cameras)
    facing = 0.8 / math.hypot(*LIT)  # The wall's normal is -z.
    torch.testing.assert_close(
        picture, torch.full((1, 16, 16, 3), ALBEDO * (0.5 + 0.5 * facing)), atol=1e-5, rtol=0
    )
    nothing = shape_only(Seen(picture, ones * 0, ones * 0), cameras)
    assert (nothing == 1).all()


def test_a_ball_is_lighter_above_than_below():
    cameras = ring(1, 0.0, 32)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
    inside = x * x + y * y < 0.9
    depth = torch.where(inside, 3.2 - (1 - x * x - y * y).clamp_min(0).sqrt(), 0.0)
    seen = Seen(
        torch.zeros(1, 32, 32, 3), inside[None, ..., None].float(), depth[None, ..., None]
    )
    picture = shape_only(seen, cameras)[0, ..., 0]
    assert picture[8, 16] > picture[24, 16] + 0.1
    assert picture[16, 8] > picture[16, 24] + 0.05


def test_seeds_spread_by_their_mean_difference():
    pictures = torch.stack([torch.zeros(2, 4, 4, 3), torch.ones(2, 4, 4, 3) * 0.5])
    assert spread_of_seeds(pictures) == pytest.approx(0.5)
    three = torch.cat([pictures, pictures[:1]])
    assert spread_of_seeds(three) == pytest.approx((0.5 + 0 + 0.5) / 3)
    assert spread_of_seeds(pictures[:1]) is None
