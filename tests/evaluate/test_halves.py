"""Two things are found where a plane parts them, in their colors, and nowhere else."""

import pytest
import torch

from splatsmith.evaluate.evaluators import Judgement, load_e1
from splatsmith.evaluate.halves import both_found, halves, pairs_found
from splatsmith.evaluate.instances import held_object
from splatsmith.evaluate.truth import as_gaussians
from splatsmith.evaluate.wanted import wanted
from splatsmith.evaluate.weigh import weigh
from splatsmith.scenes.gaussians import Gaussians, color_to_sh
from splatsmith.toybox import CATEGORIES, COLORS
from splatsmith.toybox.split import P_PAIR

ASKED = wanted("a red dog on a blue barrel")


class ByHue:
    """Takes what is mostly red for a red dog and all else for a blue barrel."""

    name, reads_azimuth = "E0 by hue", False

    def judge(self, pictures, category):
        shown = pictures.amin(-1) < 0.9
        red = torch.stack(
            [
                (p[s][:, 0] > p[s][:, 2]).float().mean()
                for p, s in zip(pictures, shown, strict=True)
            ]
        )
        kinds = torch.full((len(pictures), len(CATEGORIES)), -9.0)
        hues = torch.full((len(pictures), len(CATEGORIES), len(COLORS)), -9.0)
        for kind, color, share in (("dog", "red", red), ("barrel", "blue", 1 - red)):
            kinds[:, list(CATEGORIES).index(kind)] = share
            hues[:, :, list(COLORS).index(color)] = share[:, None]
        return Judgement(kinds, hues, None)


def blob(color, center, generator, count=150):
    points = torch.randn(count, 3, generator=generator) * 0.12 + torch.tensor(center)
    return Gaussians(
        means=points,
        log_scales=torch.full((count, 3), -3.0),
        quats=torch.tensor([1.0, 0, 0, 0]).expand(count, 4).clone(),
        logit_opacities=torch.full((count,), 3.0),
        sh=color_to_sh(torch.tensor(color).expand(count, 3)),
    )


def joined(*scenes):
    states = [scene.state() for scene in scenes]
    return Gaussians(**{n: torch.cat([s[n] for s in states]).detach() for n in states[0]})


RED, BLUE = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)


@pytest.mark.parametrize(
    ("place", "other"),
    [
        ((0, 0, 0.4), (0, 0, -0.4)),
        ((0.4, 0, 0), (-0.4, 0, 0)),
        ((-0.2, 0.35, 0), (0.2, -0.35, 0)),
    ],
    ids=["on", "beside", "askew"],
)
def test_a_plane_parts_what_stands_on_or_beside(place, other, gen):
    scene = joined(blob(RED, place, gen), blob(BLUE, other, gen))
    parted = halves(scene)
    assert parted.shape[1:] == (2, 8, 96, 96, 3)
    assert both_found(parted, ASKED, ByHue()) == (True, True)
    assert both_found(parted, wanted("a blue dog on a red barrel"), ByHue()) == (True, False)
    assert both_found(parted, wanted("a red dog on a blue table"), ByHue()) == (False, False)
    assert both_found(parted, wanted("a red house on a blue dog"), ByHue()) == (False, False)


def test_one_thing_in_two_colors_is_not_two(gen):
    mixed = joined(blob(RED, (0, 0, 0), gen), blob(RED, (0.1, 0, 0), gen))
    assert both_found(halves(mixed), ASKED, ByHue()) == (False, False)


def test_next_to_nothing_has_no_halves(gen):
    few = blob(RED, (0, 0, 0), gen, count=12)
    parted = halves(few)
    assert len(parted) == 0
    assert both_found(parted, ASKED, ByHue()) == (False, False)


def test_the_network_finds_two_true_things_and_no_others(gen):
    """The whole list is a control of `evaluate --tier pair`; here one of it."""
    asked, e1 = wanted("a yellow duck on a green barrel"), load_e1()
    scene = as_gaussians(held_object(asked, gen), gen)
    parted = halves(scene)
    assert both_found(parted, asked, e1) == (True, True)
    assert not both_found(parted, wanted("a white candle on a pink donut"), e1)[0]
    assert not both_found(parted[:0], asked, e1)[0]
    found = weigh(scene, asked.prompt, [e1], gen)
    assert (found["E1 Both"], found["E1 BothCol"]) == (1, 1)
    assert "E1 PR@1" not in found


def test_who_sees_only_hue_fails_the_control_of_pairs(gen, monkeypatch):
    monkeypatch.setattr("splatsmith.evaluate.halves.P_PAIR", P_PAIR[:2])
    assert pairs_found(ByHue(), gen) < 0.1
