"""E2's features are what their definitions say; the regression gives probabilities."""

import math

import pytest
import torch

from splatsmith.evaluate.color import lab_from_rgb
from splatsmith.evaluate.features import (
    LAB_BINS,
    LAB_HIGH,
    LAB_LOW,
    Regression,
    foreground,
    hog,
    lab_histogram,
)
from splatsmith.train.regression import fit


def stripes(angle):
    """A wave whose gradient points along an angle, degrees, x right and y down."""
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    turn = math.radians(angle)
    wave = 0.5 + 0.4 * torch.sin(0.3 * (x * math.cos(turn) + y * math.sin(turn)))
    return wave[None, ..., None].expand(1, 96, 96, 3)


@pytest.mark.parametrize("angle", [0.0, 20.0, 60.0, 140.0])
def test_gradients_vote_for_their_own_direction(angle):
    votes = hog(stripes(angle)).reshape(4, 9, 7, 7)
    assert (votes.sum((0, 2, 3)).argmax()) == angle / 20
    opposite = hog(stripes(angle + 180)).reshape(4, 9, 7, 7)
    assert opposite.sum((0, 2, 3)).argmax() == angle / 20


def test_gradients_do_not_see_brightness_or_much_of_the_contrast(gen):
    picture = stripes(40.0) * 0.5
    torch.testing.assert_close(hog(picture + 0.2), hog(picture), atol=1e-4, rtol=1e-3)
    assert (hog(picture * 1.5) - hog(picture)).abs().max() < 0.02
    assert hog(torch.full((1, 96, 96, 3), 0.4)).abs().max() == 0


def test_the_foreground_is_what_differs_from_the_border():
    picture = torch.full((1, 96, 96, 3), 0.5)
    picture[:, 30:50, 20:60] = torch.tensor([0.9, 0.1, 0.1])
    mask = foreground(picture)
    assert mask.sum() == 20 * 40
    assert mask[0, 30:50, 20:60].all()


def test_a_histogram_holds_the_objects_color_alone():
    step = [(h - low) / (n - 1) for low, h, n in zip(LAB_LOW, LAB_HIGH, LAB_BINS, strict=True)]
    red = torch.tensor([0.86, 0.10, 0.10])
    picture = torch.ones(1, 96, 96, 3)
    picture[:, 24:72, 24:72] = red
    found = lab_histogram(picture)[0]
    shares = found[:-1].square().reshape(LAB_BINS)
    assert shares.sum() == pytest.approx(1.0, abs=1e-4)
    # Soft counting keeps the mean: the bins' centers, weighted, give the color back.
    for axis in range(3):
        weight = shares.sum([i for i in range(3) if i != axis])
        mean = LAB_LOW[axis] + step[axis] * float(weight @ torch.arange(len(weight)).float())
        assert mean == pytest.approx(float(lab_from_rgb(red)[axis]), abs=0.1)
    assert found[-1] == pytest.approx(0.25)
    empty = lab_histogram(torch.ones(1, 96, 96, 3))
    assert empty.abs().max() == 0


def test_the_regression_finds_what_separates(gen):
    classes = torch.randint(3, (300,), generator=gen)
    features = torch.randn(300, 5, generator=gen)
    features[:, 0] += 6 * classes
    features = torch.cat([features * 100, torch.ones(300, 1)], dim=1)  # one says nothing
    found = fit(features, classes, 3)
    log = found.log_probabilities(features)
    torch.testing.assert_close(log.exp().sum(1), torch.ones(300))
    assert (log.argmax(1) == classes).float().mean() > 0.97
    assert found.weight[:, -1].abs().max() == 0


def test_the_regression_is_at_the_bottom_of_its_loss(gen):
    classes = torch.randint(4, (200,), generator=gen)
    features = torch.randn(200, 6, generator=gen) + classes[:, None]
    found = fit(features, classes, 4, penalty=0.4)
    weight = found.weight.clone().requires_grad_()
    moved = Regression(found.mean, found.scale, weight, found.bias)
    chosen = moved.log_probabilities(features)[torch.arange(200), classes]
    (-chosen.mean() + 0.5 * 0.1 * weight.square().sum()).backward()
    assert weight.grad.abs().max() < 1e-4
