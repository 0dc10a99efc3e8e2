"""Sets that are drawn alike are near, others are far, whatever prompts they share."""

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.evaluate.evaluators import Judgement
from splatsmith.evaluate.resemblance import Set, kernel_distance, sureness


def drawn(gen, count, shift=0.0, views=4, features=6):
    """Objects whose views resemble each other."""
    object_, view = (
        torch.randn(count, 1, features, generator=gen),
        torch.randn(count, views, features, generator=gen),
    )
    return object_ + 0.3 * view + shift


def as_set(features, prompts=None):
    names = prompts or range(len(features))
    return Set(features, tuple(str(name) for name in names))


def plain(a, b):
    """The definition, pair by pair."""

    def k(x, y):
        return (float(x.double() @ y.double()) / len(x) + 1) ** 3

    def mean(first, second):
        values = [
            k(x, y)
            for views, prompt in zip(first.features, first.prompts, strict=True)
            for others, other in zip(second.features, second.prompts, strict=True)
            if prompt != other
            for x in views
            for y in others
        ]
        return sum(values) / len(values)

    return mean(a, a) + mean(b, b) - 2 * mean(a, b)


def test_it_is_the_definition_pair_by_pair(gen):
    a = as_set(drawn(gen, 5, views=2), "xxyzz")
    b = as_set(drawn(gen, 3, 0.5, views=3), "xyz")
    assert kernel_distance(a, b, gen).value == pytest.approx(plain(a, b), rel=1e-9)


def test_alike_is_about_zero_and_far_is_far(gen):
    alike = [
        kernel_distance(as_set(drawn(gen, 60)), as_set(drawn(gen, 60)), gen) for _ in range(6)
    ]
    assert any(found.value < 0 for found in alike)  # Without bias it falls on both sides.
    assert sum(found.low <= 0 <= found.high for found in alike) >= 4
    near, far = (
        kernel_distance(as_set(drawn(gen, 60, s)), as_set(drawn(gen, 60)), gen)
        for s in (0.3, 2.0)
    )
    assert 0 < near.value < far.value
    assert far.low > near.high


def test_sets_of_the_same_few_prompts_are_not_nearer_than_they_are(gen):
    """Each prompt has a place of its own; two draws of it are near, and must not count."""
    places = 3 * torch.randn(8, 1, 6, generator=gen)
    found = [
        kernel_distance(*(as_set(places + 0.3 * drawn(gen, 8)) for _ in range(2)), gen).value
        for _ in range(20)
    ]
    assert abs(sum(found) / 20) < 3 * torch.tensor(found).std() / 20**0.5 + 1e-9


def test_sureness_is_that_of_the_likeliest_category():
    kinds = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.2, 0.8]]).log()
    found = sureness(Judgement(kinds, torch.zeros(4, 2, 2), None), 2)
    expected = torch.tensor([0.9 * 0.6, 0.5 * 0.8]).log() / 2
    assert torch.allclose(found, expected)


def test_too_few_are_refused(gen):
    one = as_set(drawn(gen, 4), "xxxx")
    with pytest.raises(InputError, match="two prompts, got 4 and 4 objects of 1"):
        kernel_distance(one, one, gen)
