"""What every category must be: closed, connected, mostly of its main color, front at +x."""

import pytest
import torch

from splatsmith.cameras.convention import orbit
from splatsmith.errors import InputError
from splatsmith.toybox import CATEGORIES, build, render
from splatsmith.toybox.catalog import ORDER
from splatsmith.toybox.geometry import distance, gradient, surface_points
from splatsmith.toybox.objects import ToyObject
from splatsmith.toybox.split import BASE, BASE_COLORS
from splatsmith.toybox.words import COLORS

FRONTS = [name for name, kind in CATEGORIES.items() if kind.front]


def sample(name: str, gen: torch.Generator, **colors: str) -> ToyObject:
    shape = torch.rand(len(CATEGORIES[name].parameters), generator=gen).tolist()
    return build(name, shape, "red", colors)


def test_the_order_of_the_split_rule_is_kept() -> None:
    first = (
        "mushroom snowman table chair mug house tree car rocket robot dog duck donut icecream "
        "cactus airplane lamp barrel fish candle"
    )
    assert list(CATEGORIES)[:BASE] == first.split()
    colors = "red green blue yellow purple orange pink white black brown"
    assert " ".join(list(COLORS)[:BASE_COLORS]) == colors
    assert len(CATEGORIES) == len(ORDER.split()) >= 60
    assert len(COLORS) == 12
    assert len(FRONTS) >= 40


@pytest.mark.parametrize("name", CATEGORIES)
def test_closed_and_filling_the_unit_ball(name: str, gen: torch.Generator) -> None:
    directions = torch.nn.functional.normalize(torch.randn(2000, 3, generator=gen), dim=-1)
    for _ in range(2):
        toy = sample(name, gen)
        assert distance(toy, directions)[0].min() > 0.02
        assert distance(toy, 0.97 * directions)[0].min() > 0
        reach = surface_points(toy, 1500, gen).points.norm(dim=-1).max()
        assert 0.85 < reach < 0.97
        assert 3 <= len(toy.tape) <= 64
        assert len(toy.paints) == len(toy.tape)


@pytest.mark.parametrize("name", CATEGORIES)
def test_silhouettes_are_connected(name: str, gen: torch.Generator) -> None:
    cameras = orbit([0.0, 60.0, 90.0], [10.0, 30.0, 5.0], width=64, height=64)
    for mask in render(sample(name, gen), cameras).alpha[..., 0] > 0.25:
        seed = torch.zeros_like(mask)
        seed.view(-1)[mask.view(-1).int().argmax()] = True
        while True:
            wider = torch.nn.functional.max_pool2d(seed[None].float(), 3, 1, 1)[0] > 0
            wider &= mask
            if torch.equal(wider, seed):
                break
            seed = wider
        assert torch.equal(seed, mask)


@pytest.mark.parametrize("name", CATEGORIES)
def test_the_main_color_dominates(name: str, gen: torch.Generator) -> None:
    kind = CATEGORIES[name]
    cameras = orbit(
        [45.0 * i for i in range(8)] * 2, [8.0] * 8 + [30.0] * 8, width=32, height=32
    )
    for chosen in ({}, *({slot.word: "green"} for slot in kind.slots)):
        toy = sample(name, gen, **chosen)
        main = {s.word for s in kind.slots if s.natural == "main" and s.word not in chosen}
        shows = torch.tensor([paint in main | {"main"} for paint in toy.paints])
        part = render(toy, cameras).part
        assert shows[part[part >= 0].long()].float().mean() >= 0.5, chosen


@pytest.mark.parametrize("name", FRONTS)
def test_front_and_back_differ(name: str, gen: torch.Generator) -> None:
    color = render(sample(name, gen), orbit([0.0, 180.0], 15.0, width=48, height=48)).color
    back = color[1].flip(1)  # Mirrored, so that an asymmetric outline does not count.
    seen = ((color[0] < 1) | (back < 1)).any(-1)
    differing = (color[0] - back).abs().amax(-1)[seen] > 0.1
    assert differing.float().mean() > 0.04


@pytest.mark.parametrize("name", CATEGORIES)
def test_distances_are_true_near_the_surface(name: str, gen: torch.Generator) -> None:
    toy = sample(name, gen)
    steepness = gradient(toy, surface_points(toy, 1000, gen).points).norm(dim=-1)
    # Smooth unions are flatter in their creases; nothing may be steeper than a true distance.
    assert (steepness > 0.95).float().mean() > 0.75
    assert steepness.max() < 1.01


@pytest.mark.parametrize("name", CATEGORIES)
def test_colors_go_where_they_are_told(name: str) -> None:
    for slot in CATEGORIES[name].slots:
        toy = build(name, color="red", colors={slot.word: "blue"})
        painted = [i for i, paint in enumerate(toy.paints) if paint == slot.word]
        assert painted, slot.word
        for i in painted:
            assert tuple(toy.tape.rows[i, 19:22].tolist()) == pytest.approx(COLORS["blue"])


def test_white_and_black_stay_visible_on_white() -> None:
    cameras = orbit([30.0, 150.0], 20.0, width=64, height=64)
    white = render(build("tree", color="white"), cameras)
    inside = white.color[(white.alpha == 1)[..., 0]]
    assert inside.amax(-1).max() < 0.96
    assert inside.mean() > 0.7
    black = render(build("tree", color="black"), cameras)
    assert black.color[(black.alpha == 1)[..., 0]].mean() < 0.2


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="no category 'violin'"):
        build("violin")
    with pytest.raises(InputError, match="4 shape parameters"):
        build("mushroom", [0.5])
    with pytest.raises(InputError, match="no color 'teal'"):
        build("mushroom", color="teal")
    with pytest.raises(InputError, match="no 'roof' to color, only dots, stem"):
        build("mushroom", colors={"roof": "red"})
