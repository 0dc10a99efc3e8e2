"""How sure a number is: intervals, paired tests, and what several claims at once cost.

Shares get Wilson intervals and exact tests. Means get a bootstrap that draws whole prompts:
runs of one prompt resemble each other, so they do not count as independent.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError

Z = 1.959963984540054  # standard normal deviate with 2.5 % above it
DRAWS = 10_000  # of the bootstrap


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(hits: int, count: int) -> Interval:
    """The share hits / count with Wilson's score interval (Wilson 1927)."""
    if not 0 <= hits <= count or count == 0:
        raise InputError(f"A share needs 0 <= hits <= count and a count, got {hits}/{count}.")
    share, spread = hits / count, Z * Z / count
    center = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    # At the ends the bound is the end itself, which rounding may miss.
    low = 0.0 if hits == 0 else center - half
    high = 1.0 if hits == count else center + half
    return Interval(share, low, high)


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Two-sided p that two methods differ on paired outcomes, exactly (McNemar 1947).

    Only pairs that differ count; under the hypothesis either way is as likely, so their number
    is binomial. 1 where no pair differs.
    """
    pairs = list(zip(first, second, strict=True))
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    count, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(count, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / 2**count)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of several claims at once, adjusted for their number (Holm 1979).

    In the order given; a claim stands at level a if its adjusted value is at most a.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def auroc(positive: Float[Tensor, "positives"], negative: Float[Tensor, "negatives"]) -> float:
    """Chance that a positive scores above a negative, ties half: the area under the ROC curve.

    Hanley and McNeil 1982; 0.5 is chance.
    """
    if len(positive) == 0 or len(negative) == 0:
        raise InputError(
            f"AUROC needs both kinds, got {len(positive)} positives, {len(negative)} negatives."
        )
    difference = positive.double()[:, None] - negative.double()[None, :]
    return float((difference.sign() / 2 + 0.5).mean())


def mean_interval(
    values: Float[Tensor, "runs"], clusters: Sequence[str], generator: torch.Generator
) -> Interval:
    """Mean over runs with its 95 % bootstrap interval, by drawing clusters (prompts) anew.

    Percentiles of 10,000 draws; with one cluster nothing can be said, and the interval is all
    there is: not a number.
    """
    if len(values) == 0 or len(values) != len(clusters):
        raise InputError(
            f"A mean needs one cluster for each value, got {len(values)} values and "
            f"{len(clusters)} clusters."
        )
    sums, counts = _per_cluster(values.double(), clusters)
    mean = float(values.double().mean())
    if len(sums) == 1:
        return Interval(mean, math.nan, math.nan)
    drawn = torch.randint(len(sums), (DRAWS, len(sums)), generator=generator)
    means = sums[drawn].sum(dim=1) / counts[drawn].sum(dim=1)
    low, high = torch.quantile(means, means.new_tensor([0.025, 0.975])).tolist()
    return Interval(mean, low, high)


def paired_difference(
    first: Float[Tensor, "runs"],
    second: Float[Tensor, "runs"],
    clusters: Sequence[str],
    generator: torch.Generator,
) -> Interval:
    """Mean of first - second over paired runs (same prompt, same seed), as `mean_interval`."""
    return mean_interval(first - second, clusters, generator)


def spearman(first: Float[Tensor, "runs"], second: Float[Tensor, "runs"]) -> float:
    """Correlation of ranks, ties sharing their mean rank (Spearman 1904); 0 without spread."""
    a, b = (_ranks(values.double()) for values in (first, second))
    a, b = a - a.mean(), b - b.mean()
    scale = float(a.norm() * b.norm())
    return float(a @ b) / scale if scale > 0 else 0.0


def _ranks(values: Float[Tensor, "runs"]) -> Float[Tensor, "runs"]:
    less = (values[None, :] < values[:, None]).sum(dim=1)
    same = (values[None, :] == values[:, None]).sum(dim=1)
    return less + (same + 1).double() / 2


def _per_cluster(
    values: Float[Tensor, "runs"], clusters: Sequence[str]
) -> tuple[Float[Tensor, "clusters"], Float[Tensor, "clusters"]]:
    """Sum of the values of each cluster, and how many there are."""
    numbers = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    index = torch.tensor([numbers[name] for name in clusters])
    sums = values.new_zeros(len(numbers)).index_add_(0, index, values)
    counts = values.new_zeros(len(numbers)).index_add_(0, index, torch.ones_like(values))
    return sums, counts
