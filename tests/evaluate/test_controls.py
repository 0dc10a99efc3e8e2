"""The gate opens for an evaluator that sees, and stays shut for one that does not."""

from dataclasses import replace

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.evaluate.controls import (
    Controls,
    ControlsFailed,
    check_controls,
    control_objects,
    in_wrong_color,
    whole_turning,
)
from splatsmith.evaluate.evaluators import Judgement
from splatsmith.toybox import CATEGORIES, COLORS
from splatsmith.toybox.split import JANUS, split_of

GOOD = Controls(
    evaluator="E1 000000000000",
    count=24,
    turning_auroc=0.99,
    two_faces=0.9,
    false_alarms=0.05,
    whole_turning={"dog": 0.9, "duck": 0.74},
    color_accuracy=0.96,
    wrong_color_seen=1.0,
    floater_auroc=1.0,
)


class ByColor:
    """Reads the color that is nearest to the median of what is not background."""

    name, reads_azimuth = "E0 by color", False

    def judge(self, pictures, category):
        ground = pictures[:, :1, :1]
        rows = []
        for picture, back in zip(pictures, ground, strict=True):
            shown = picture[(picture - back).abs().amax(-1) > 0.05]
            shown = shown.median(0).values if len(shown) else back[0, 0]
            palette = torch.tensor(list(COLORS.values()))

            # Hue matters more than brightness, which the light changes.
            def chroma(c):
                return torch.cat([c - c.mean(-1, keepdim=True), 0.3 * c], -1)

            rows.append(-20 * (chroma(palette) - chroma(shown)).norm(dim=-1))
        colors = torch.stack(rows).log_softmax(-1)[:, None].expand(-1, len(CATEGORIES), -1)
        return Judgement(torch.zeros(len(pictures), len(CATEGORIES)), colors.clone(), None)


class Standing(ByColor):
    """Says that it sees the front, whatever it sees."""

    name, reads_azimuth = "E0 standing", True

    def judge(self, pictures, category):
        azimuth = torch.zeros(len(pictures), 12)
        azimuth[:, 0] = 1
        return replace(super().judge(pictures, category), azimuth=azimuth)


def test_the_gate_names_what_is_wrong():
    GOOD.demand()
    assert GOOD.faults == ()
    assert GOOD.gated == ("dog",)
    bad = replace(GOOD, turning_auroc=0.9, color_accuracy=0.5)
    with pytest.raises(ControlsFailed, match=r"AUROC of T is 0\.900.*accuracy 0\.500") as error:
        bad.demand()
    assert error.value.controls is bad
    assert isinstance(error.value, InputError)
    replace(GOOD, turning_auroc=None).demand()


def test_an_evaluator_without_azimuths_is_asked_for_colors_and_floaters_alone(gen):
    found = check_controls(ByColor(), gen, count=6)
    assert found.turning_auroc is None
    assert found.two_faces is None
    assert found.whole_turning == {}
    assert found.floater_auroc == 1.0
    assert found.color_accuracy >= 0.8
    assert found.wrong_color_seen >= 0.8


def test_an_evaluator_that_always_sees_the_front_fails(gen):
    found = check_controls(Standing(), gen, count=2)
    assert found.turning_auroc == 0.5
    assert found.false_alarms == found.two_faces == 1.0
    assert found.gated == ()
    with pytest.raises(ControlsFailed, match="AUROC"):
        found.demand()


def test_control_objects_are_held_out_ones_of_the_six(gen):
    toys = control_objects(gen, 24)
    assert len(toys) == 24
    assert {toy.category for toy in toys} == set(JANUS)
    assert all(split_of(toy.color, toy.category) == "held" for toy in toys)
    assert len({toy.shape for toy in toys}) == 24
    for toy in toys[:5]:
        other = in_wrong_color(toy, gen)
        assert (other.category, other.shape) == (toy.category, toy.shape)
        assert other.color != toy.color
    with pytest.raises(InputError, match="at least one"):
        control_objects(gen, 0)


def test_turning_of_whole_objects_by_category(gen):
    found = whole_turning(Standing(), ["cat", "bus"], gen, each=1)
    assert found == {"cat": pytest.approx(0, abs=1e-5), "bus": pytest.approx(0, abs=1e-5)}


def test_the_gate_is_shut_for_who_finds_no_pairs():
    assert "two true things" in "; ".join(replace(GOOD, pairs_found=0.5).faults)
    assert not replace(GOOD, pairs_found=0.9).faults
