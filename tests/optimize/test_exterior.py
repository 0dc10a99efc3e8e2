"""The exterior is what is white and connected with the border; only there is alpha unwanted."""

import pytest
import torch

from splatsmith.optimize.exterior import exterior, spread, swept, uncovered
from splatsmith.optimize.regularizers import Regularize, regularization
from splatsmith.render.picture import Picture


def ring(inner: float = 1.0) -> torch.Tensor:
    """A red square ring around an inside of the given gray, on white, 16 x 16."""
    picture = torch.ones(1, 16, 16, 3)
    picture[:, 4:12, 4:12] = torch.tensor([1.0, 0.0, 0.0])
    picture[:, 6:10, 6:10] = inner
    return picture


def test_white_that_the_object_encloses_is_not_outside() -> None:
    outside = exterior(ring(), margin=0)[0]
    expected = torch.ones(16, 16, dtype=torch.bool)
    expected[4:12, 4:12] = False
    assert torch.equal(outside, expected)


def test_the_margin_leaves_the_soft_edge_alone() -> None:
    outside = exterior(ring(), margin=1)[0]
    expected = torch.ones(16, 16, dtype=torch.bool)
    expected[3:13, 3:13] = False
    assert torch.equal(outside, expected)


def test_a_long_way_in_is_found_and_a_way_by_a_corner_is_none() -> None:
    """A spiral of one pixel's width; its end lies in the middle."""
    picture = torch.zeros(1, 9, 9, 3)
    picture[0, 0, :] = picture[0, :, 8] = picture[0, 8, 2:] = picture[0, 2:, 2] = 1
    picture[0, 2, 2:7] = picture[0, 3:5, 6] = picture[0, 5, 5] = 1
    outside = exterior(picture, margin=0)[0]
    assert outside[4, 6]
    assert not outside[5, 5]  # touches (4, 6) with a corner only


@pytest.mark.parametrize("shape", [(4, 64, 64), (3, 17, 40), (1, 1, 1), (2, 1, 9), (2, 9, 1)])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.6, 0.65, 0.9, 1.0])
def test_integers_flood_as_sweeps_do(shape, share, gen) -> None:
    """At 0.6 of all pixels open, ways are long and winding."""
    open_ = torch.rand(shape, generator=gen) < share
    assert torch.equal(spread(open_), swept(open_))


def test_each_view_is_looked_at_alone() -> None:
    both = torch.cat([ring(), torch.zeros(1, 16, 16, 3)])
    assert exterior(both).any(dim=(1, 2)).tolist() == [True, False]


def test_only_alpha_outside_counts_and_the_gradient_is_one_over_views() -> None:
    alpha = torch.rand(2, 16, 16, 1, requires_grad=True)
    target = torch.cat([ring(), ring()])
    total = uncovered(alpha, target)
    total.backward()
    outside = exterior(target)
    torch.testing.assert_close(alpha.grad, outside[..., None] / 2)
    torch.testing.assert_close(total, alpha[..., 0][outside].sum() / 2)


def test_the_recipe_s_weight_multiplies_it(target_scene) -> None:
    alpha = torch.rand(1, 16, 16, 1)
    picture = Picture(color=ring(), alpha=alpha, depth=torch.zeros_like(alpha))
    one, three = (
        regularization(Regularize(exterior=weight), target_scene, picture, ring())
        for weight in (1.0, 3.0)
    )
    torch.testing.assert_close(three, 3 * one)
    torch.testing.assert_close(one, uncovered(alpha, ring()))
    assert regularization(Regularize(exterior=1.0), target_scene) is None
