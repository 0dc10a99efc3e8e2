"""While the tests run, a wrong shape is an error where it is passed on; see checking.py."""

import pytest
import torch
from jaxtyping import Float, TypeCheckError
from torch import Tensor

import checking
from splatsmith.evaluate.color import color_difference, lab_from_rgb

RIGHT = (torch.ones(4, 3), torch.ones(4, 3), torch.ones(4, dtype=torch.bool))


@pytest.mark.parametrize("again", [1, 2])
def test_each_test_looks_anew(again):
    with pytest.raises(TypeCheckError, match="parameter 'truth'"):
        color_difference(RIGHT[0], torch.ones(5, 3), RIGHT[2])
    for _ in range(checking.CALLS):
        lab_from_rgb(RIGHT[0])
    assert ("splatsmith.evaluate.color", "lab_from_rgb") in checking.resting


@pytest.mark.usefixtures("unchecked")
def test_what_is_wrong_on_purpose_can_be_passed_on():
    with pytest.raises(IndexError, match="does not match"):
        color_difference(RIGHT[0], torch.ones(5, 3), RIGHT[2])


def test_arrays_are_found_within_what_offers_or_groups_them():
    array = Float[Tensor, "n"]
    assert checking.has_array(array)
    assert checking.has_array(array | None)
    assert checking.has_array(tuple[array, int])
    assert not checking.has_array(list[array])
    assert not checking.has_array(int)
    assert not checking.has_array(Tensor)
