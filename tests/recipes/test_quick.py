"""The default recipe with the prior that ships: the object asked for, facing the right way."""

import pytest
import torch

from splatsmith import generate
from splatsmith.cameras import orbit
from splatsmith.toybox.drawing import render
from splatsmith.toybox.objects import build


def overlap(a, b):
    return float(torch.minimum(a, b).sum() / torch.maximum(a, b).sum())


@pytest.mark.slow
def test_a_dog_has_one_head_and_it_is_in_front():
    result = generate("a blue dog", seed=0, overrides=["shape.steps=150"])
    cameras = orbit([0.0, 90.0, 180.0, 270.0], 10.0, width=64, height=64)
    with torch.no_grad():
        seen = result.scene.render(cameras, torch.ones(3))
    truth = render(build("dog", color="blue"), cameras)
    for view in range(4):
        assert overlap(seen.alpha[view], truth.alpha[view]) > 0.6
    # From the side, a dog with two heads would look as much like its mirror image.
    for view in (1, 3):
        right = overlap(seen.alpha[view], truth.alpha[view])
        assert right > overlap(seen.alpha[view].flip(1), truth.alpha[view]) + 0.1
    middle = seen.color[1, 28:40, 24:40].mean(dim=(0, 1))
    assert middle[2] > middle[:2].max() + 0.3
