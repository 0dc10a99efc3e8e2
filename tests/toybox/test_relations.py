"""Two things in one scene stand where the relation says, touch, and leave each other whole."""

import numpy as np
import pytest
import torch

from splatsmith.cameras.convention import orbit
from splatsmith.errors import InputError
from splatsmith.toybox import build, drawing, render, sdf, together
from splatsmith.toybox.geometry import distance, surface_points
from splatsmith.toybox.objects import DRAWS, ToyPair
from splatsmith.toybox.relations import RELATIONS, pair_from
from splatsmith.toybox.tape import Tape, joined, unmirrored


def drawn(count: int, gen: torch.Generator) -> list[ToyPair]:
    rows = torch.rand(count, 2, DRAWS, generator=gen).tolist()
    return [pair_from(a, b, "train") for a, b in rows]


def halves(pair: ToyPair) -> tuple[Tape, Tape]:
    groups = pair.tape.heads[:, 3]
    first, second = (
        Tape(pair.tape.rows[groups == group], pair.tape.heads[groups == group])
        for group in (0, 1)
    )
    return first, second


def test_scenes_are_closed_and_fill_the_ball(gen: torch.Generator) -> None:
    directions = torch.nn.functional.normalize(torch.randn(1500, 3, generator=gen), dim=-1)
    for pair in drawn(25, gen):
        assert distance(pair, 0.95 * directions)[0].min() > 0
        assert surface_points(pair, 500, gen).points.norm(dim=-1).max() > 0.6
        assert len(pair.paints) == len(pair.tape) <= 192


def test_the_nearer_of_two_things_counts(gen: torch.Generator) -> None:
    points = torch.rand(3000, 3, generator=gen) * 2 - 1
    for pair in drawn(12, gen):
        first, second = halves(pair)
        d = distance(pair, points)[0]
        apart = [sdf.distance(tape, points)[0] for tape in (first, second)]
        torch.testing.assert_close(d, torch.minimum(*apart), atol=3e-5, rtol=0)


def test_native_and_twin_agree_on_scenes(gen: torch.Generator) -> None:
    cameras = orbit([25.0], [15.0], width=24, height=24)
    for pair in drawn(8, gen):
        tape, starts = joined([pair.tape])
        light, white = drawing.camera_light(cameras), torch.ones(1, 3)
        slow = sdf.trace_views(tape, starts, np.zeros(1, np.int32), cameras, light, white, 2)
        fast = render(pair, cameras)
        assert (fast.color - slow[0]).abs().mean() < 5e-4
        seen = (fast.part >= 0) & (slow[4] >= 0)
        assert (fast.part == slow[4])[seen].float().mean() > 0.97


def centers(pair: ToyPair, gen: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    found = surface_points(pair, 4000, gen)
    group = torch.from_numpy(pair.tape.heads[:, 3])[found.part]
    return found.points[group == 0], found.points[group == 1]


@pytest.mark.parametrize("relation", RELATIONS)
def test_things_stand_where_they_are_said_to(relation: str, gen: torch.Generator) -> None:
    first = build("dog" if relation == "wearing" else "duck", color="brown")
    second = build({"wearing": "hat", "on": "barrel", "under": "table"}.get(relation, "chair"))
    a, b = centers(together(first, relation, second), gen)
    if relation == "on":
        assert a[:, 2].min() == pytest.approx(float(b[:, 2].max()), abs=0.05)
    elif relation == "under":
        assert a[:, 2].max() < b[:, 2].max()
        assert a[:, 2].min() == pytest.approx(float(b[:, 2].min()), abs=0.05)
    elif relation == "wearing":
        assert b[:, 2].min() > a[:, 2].mean()
        assert (b.mean(0) - a.mean(0))[0] > 0  # Over the head, which looks toward +x.
    else:
        axis, sign = (1, -1) if relation == "beside" else (0, 1)
        gap = (sign * a[:, axis]).min() - (sign * b[:, axis]).max()
        assert 0 < gap < 0.1
        assert a[:, 2].min() == pytest.approx(float(b[:, 2].min()), abs=0.05)


def test_unmirrored_things_look_the_same() -> None:
    cameras = orbit([20.0, 130.0], 20.0, width=48, height=48)
    toy = build("robot", color="green")
    plain = ToyPair(toy, "beside", toy, unmirrored(toy.tape), ())
    assert (render(plain, cameras).color - render(toy, cameras).color).abs().mean() < 1e-3


def test_a_cut_of_one_thing_leaves_the_other_whole(gen: torch.Generator) -> None:
    # A mushroom's cap is cut off below: by a box that reaches far into the table.
    pair = together(build("mushroom"), "on", build("table"))
    first, second = halves(pair)
    inside = surface_points(pair, 3000, gen)
    group = torch.from_numpy(pair.tape.heads[:, 3])[inside.part]
    assert sdf.distance(second, inside.points[group == 1])[0].abs().max() < 1e-3
    assert sdf.distance(first, inside.points[group == 0])[0].abs().max() < 1e-3


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="no relation 'inside'"):
        together(build("dog"), "inside", build("house"))
    with pytest.raises(InputError, match="A dog cannot be 'wearing' with a table"):
        together(build("dog"), "wearing", build("table"))
