"""The evaluators that ship read true objects that no training saw, and pass their controls."""

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.evaluate.controls import check_controls
from splatsmith.evaluate.evaluators import Evaluator, load_e1, load_e2
from splatsmith.evaluate.truth import true_objects
from splatsmith.toybox import CATEGORIES, COLORS, render


@pytest.fixture(scope="module", params=[load_e1, load_e2], ids=["E1", "E2"])
def evaluator(request: pytest.FixtureRequest) -> Evaluator:
    loaded: Evaluator = request.param()
    return loaded


def test_it_reads_the_toyboxs_own_pictures(evaluator: Evaluator, gen: torch.Generator) -> None:
    """Another renderer, another light, held-out pairs; chance is 0.014 and 0.083."""
    toys = true_objects("held", gen)
    azimuth = torch.rand(len(toys), generator=gen) * 360
    color = render(toys, orbit(azimuth, 15.0, width=96, height=96)).color
    said = evaluator.judge(color, "dog")
    kinds = torch.tensor([list(CATEGORIES).index(toy.category) for toy in toys])
    hues = torch.tensor([list(COLORS).index(toy.color) for toy in toys])
    assert (said.categories.argmax(1) == kinds).float().mean() >= 0.85
    own = said.colors[torch.arange(len(toys)), kinds]
    assert (own.argmax(1) == hues).float().mean() >= 0.9


def test_it_passes_a_few_controls(evaluator: Evaluator, gen: torch.Generator) -> None:
    controls = check_controls(evaluator, gen, count=12)
    assert not controls.faults, controls
    assert controls.floater_auroc > 0.95
