"""Statistics against tables, enumeration and textbook values."""

import itertools
import math

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.evaluate.statistics import (
    auroc,
    holm,
    mcnemar,
    mean_interval,
    paired_difference,
    spearman,
    wilson,
)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(hits, count, low, high):
    found = wilson(hits, count)
    assert found.value == hits / count
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    other = wilson(count - hits, count)
    assert (other.low, other.high) == pytest.approx((1 - high, 1 - low), abs=5e-5)


@pytest.mark.parametrize(("hits", "count"), [(0, 0), (3, 2), (-1, 2)])
def test_a_share_of_nothing_is_refused(hits, count):
    with pytest.raises(InputError, match="hits <= count"):
        wilson(hits, count)


def outcomes(only_first, only_second, both):
    first = [True] * only_first + [False] * only_second + [True] * both
    second = [False] * only_first + [True] * only_second + [True] * both
    return first, second


@pytest.mark.parametrize("only_first", range(5))
@pytest.mark.parametrize("only_second", range(5))
def test_mcnemar_equals_the_count_of_all_ways(only_first, only_second):
    count = only_first + only_second
    gap = abs(only_first - only_second)
    ways = [sum(signs) for signs in itertools.product((-1, 1), repeat=count)]
    expected = sum(abs(way) >= gap for way in ways) / len(ways)
    assert mcnemar(*outcomes(only_first, only_second, 3)) == pytest.approx(expected)


def test_holm_gives_the_textbook_values():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_auroc_counts_pairs(gen):
    positive = torch.randint(0, 5, (9,), generator=gen).float()
    negative = torch.randint(0, 5, (7,), generator=gen).float()
    pairs = list(itertools.product(positive.tolist(), negative.tolist()))
    expected = sum((p > n) + (p == n) / 2 for p, n in pairs) / len(pairs)
    assert auroc(positive, negative) == pytest.approx(expected)
    assert auroc(torch.tensor([2.0, 3.0]), torch.tensor([0.0, 1.0])) == 1
    with pytest.raises(InputError, match="both kinds"):
        auroc(positive, torch.zeros(0))


def test_the_bootstrap_of_independent_runs_is_the_normal_interval(gen):
    values = torch.randn(400, generator=gen)
    found = mean_interval(values, [str(i) for i in range(400)], gen)
    half = 1.96 * float(values.std()) / math.sqrt(400)
    assert found.value == pytest.approx(float(values.mean()), abs=1e-6)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.05)


def test_copies_of_runs_add_no_certainty(gen):
    values = torch.randn(30, generator=gen)
    prompts = [str(i) for i in range(30)]
    alone = mean_interval(values, prompts, torch.Generator().manual_seed(1))
    copied = mean_interval(values.repeat(4), prompts * 4, torch.Generator().manual_seed(1))
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))


def test_pairing_removes_what_the_prompts_share(gen):
    prompt = 10 * torch.randn(50, generator=gen)
    first, second = prompt + 1, prompt
    found = paired_difference(first, second, [str(i) for i in range(50)], gen)
    assert (found.value, found.low, found.high) == pytest.approx((1, 1, 1), abs=1e-5)


def test_one_prompt_tells_nothing_about_others(gen):
    found = mean_interval(torch.tensor([1.0, 2.0]), ["a", "a"], gen)
    assert found.value == 1.5
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_spearman_sees_order_only():
    values = torch.tensor([0.1, 0.5, 0.2, 3.0])
    assert spearman(values, values.exp()) == pytest.approx(1)
    assert spearman(values, -values) == pytest.approx(-1)
    assert spearman(values, torch.ones(4)) == 0
    # With ties: 1 2 2 3 against 1 2 3 4, by hand.
    a, b = torch.tensor([1.0, 2, 2, 3]), torch.tensor([1.0, 2, 3, 4])
    assert spearman(a, b) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
