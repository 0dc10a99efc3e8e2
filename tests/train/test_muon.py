"""Muon: its steps are near the orthogonal ones that a singular value decomposition gives."""

import pytest
import torch
from torch import nn

from splatsmith.train.muon import Muon, _by_gram, _directly, orthogonalized, suits_muon


@pytest.mark.parametrize("shape", [(48, 48), (64, 96), (96, 64), (50, 432), (432, 50)])
def test_singular_values_come_near_one_and_vectors_stay(
    shape: tuple[int, int], gen: torch.Generator
) -> None:
    matrix = torch.randn(shape, generator=gen)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inside = u.T @ orthogonalized(matrix) @ v.T
    values = inside.diagonal()
    assert values.min() > 0.4
    assert values.max() < 1.3
    assert (inside - torch.diag(values)).abs().max() < 0.03


def test_both_ways_of_the_iteration_agree(gen: torch.Generator) -> None:
    wide = torch.randn(48, 432, generator=gen)
    difference = _directly(wide, 5) - _by_gram(wide, 5)
    assert difference.norm() < 0.03 * _by_gram(wide, 5).norm()


def test_nothing_but_noughts_stays_finite() -> None:
    for shape in ((48, 48), (48, 432)):
        assert (orthogonalized(torch.zeros(shape)) == 0).all()


def test_a_layer_learns_a_known_matrix(gen: torch.Generator) -> None:
    layer, wanted = nn.Linear(64, 48, bias=False), torch.randn(48, 64, generator=gen) * 0.1
    optimizer = Muon(layer.parameters())

    def error() -> float:
        return float((layer.weight.detach() - wanted).square().mean())

    first = error()
    for step in range(200):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * (1 - step / 200)
        loss = (layer.weight - wanted).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert error() < first / 1000


def test_convolutions_and_wide_layers_suit_it_and_tables_do_not() -> None:
    conv, narrow, norm = nn.Conv2d(64, 48, 3), nn.Conv2d(12, 24, 3), nn.GroupNorm(8, 64)
    assert suits_muon("blocks.0.conv_in.weight", conv.weight)
    assert not suits_muon("fold.weight", narrow.weight)
    assert not suits_muon("norm.weight", norm.weight)
    assert not suits_muon("text.table.weight", nn.Embedding(100, 64).weight)
    assert not suits_muon("text.position", nn.Parameter(torch.zeros(100, 64)))
