"""Patterns and materials: visible, where they belong, and the same in kernel and twin."""

import numpy as np
import pytest
import torch

from splatsmith.cameras.convention import orbit
from splatsmith.errors import InputError
from splatsmith.toybox import build, render
from splatsmith.toybox.finishes import FINISHES, PATTERNS, albedo
from splatsmith.toybox.geometry import surface_points
from splatsmith.toybox.tape import joined
from splatsmith.toybox.words import COLORS


@pytest.mark.parametrize("finish", FINISHES[1:])
def test_native_and_twin_agree(finish: str) -> None:
    from splatsmith.toybox import drawing, sdf

    toy = build("teapot", color="blue", finish=finish)
    cameras = orbit([25.0], [15.0], width=32, height=32)
    tape, starts = joined([toy.tape])
    light, white = drawing.camera_light(cameras), torch.ones(1, 3)
    which = np.zeros(1, np.int32)
    slow = sdf.trace_views(tape, starts, which, cameras, light, white, 2)[0]
    assert (render(toy, cameras).color - slow).abs().mean() < 5e-4


@pytest.mark.parametrize("finish", FINISHES[1:])
def test_a_finish_shows_from_all_sides(finish: str) -> None:
    cameras = orbit([0.0, 90.0, 180.0, 270.0], 15.0, width=48, height=48)
    for color in COLORS:
        plain = render(build("mug", color=color), cameras)
        fine = render(build("mug", color=color, finish=finish), cameras)
        assert torch.equal(plain.alpha, fine.alpha)
        seen = plain.alpha[..., 0] > 0.9
        change = (plain.color - fine.color).abs().amax(-1)
        least = 0.01 if color == "black" else 0.03  # What is black has little light to lose.
        for view in range(4):
            assert change[view][seen[view]].mean() > least, (color, view)


@pytest.mark.parametrize("finish", PATTERNS)
def test_both_colors_of_a_pattern_show(finish: str, gen: torch.Generator) -> None:
    toy = build("apple", color="purple", finish=finish)
    found = surface_points(toy, 20000, gen)
    purple = (found.color - torch.tensor(COLORS["purple"])).abs().amax(-1) < 1e-5
    white = (found.color - torch.tensor(COLORS["white"])).abs().amax(-1) < 1e-5
    assert purple.float().mean() > 0.4
    assert white.float().mean() > 0.1


def test_spots_are_balls_on_a_body_centered_lattice() -> None:
    row = torch.zeros(1, 28)
    row[0, 23], row[0, 27], row[0, 24:27] = FINISHES.index("spotted"), 1.0, 1.0
    places = torch.tensor([[0.0, 0, 0], [0.18, 0.18, 0.18], [0.36, 0, 0], [0.18, 0, 0]])
    shown = albedo(row.expand(4, -1), places)
    assert shown[:, 0].tolist() == [1, 1, 1, 0]


def test_stripes_have_their_width() -> None:
    row = torch.zeros(1, 28)
    row[0, 23], row[0, 27], row[0, 24:27] = FINISHES.index("striped"), 1.0, 1.0
    z = torch.linspace(0, 2, 4001)
    points = torch.stack([torch.zeros_like(z), torch.zeros_like(z), z], dim=1)
    changes = (albedo(row.expand(4001, -1), points)[:, 0].diff() != 0).sum()
    assert changes == int(2 * 0.9327379 / 0.13)


def test_only_what_has_the_main_color_is_finished() -> None:
    toy = build("car", color="red", colors={"wheels": "red"}, finish="striped")
    for part, paint in enumerate(toy.paints):
        assert (toy.tape.rows[part, 23] > 0) == (paint == "main")
    chair = build("chair", color="red", colors={"cushion": "blue"}, finish="wooden")
    finished = {p for i, p in enumerate(chair.paints) if chair.tape.rows[i, 23] > 0}
    assert finished == {"main", "legs"}


def test_a_tiny_thing_is_a_small_one() -> None:
    cameras = orbit([30.0], [15.0], width=96, height=96)
    whole = render(build("dog"), cameras).alpha.mean()
    tiny = render(build("dog", tiny=True), cameras).alpha.mean()
    assert tiny / whole == pytest.approx(0.55**2, rel=0.1)


def test_unknown_finishes_are_refused() -> None:
    with pytest.raises(InputError, match="no finish 'fluffy'; known are striped"):
        build("mug", finish="fluffy")
