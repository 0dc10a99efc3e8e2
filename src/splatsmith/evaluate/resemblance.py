"""Sets of pictures compared by what E1's heads see, and how sure E1 is of an object.

One object is weighed against a true one; a set is weighed against a set, so that a method whose
objects all look alike, or unlike anything true, shows up even if each one is recognized.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.evaluate.evaluators import Judgement
from splatsmith.evaluate.statistics import DRAWS, Interval

CHUNK = 500  # draws of the bootstrap at once


@dataclass(frozen=True, eq=False)
class Set:
    """Objects by their features, and the prompt of each."""

    features: Float[Tensor, "objects views features"]
    prompts: tuple[str, ...]


def kernel_distance(ours: Set, theirs: Set, generator: torch.Generator) -> Interval:
    """Unbiased squared MMD with the kernel (x.y / d + 1)^3, and its 95 % interval.

    Binkowski et al. 2018, "Demystifying MMD GANs", section 3. About 0, also below, where both
    sets are drawn alike. Sets are made prompt by prompt, so that two objects of one prompt are
    not independent, nor two views of one object: no such pair counts, within a set or across,
    and the bootstrap draws prompts. InputError for fewer than two prompts.
    """
    names = list(dict.fromkeys(ours.prompts + theirs.prompts))
    if len(names) < 2 or len(ours.prompts) == 0 or len(theirs.prompts) == 0:
        raise InputError(
            f"A distance of sets needs objects of two prompts, got {len(ours.prompts)} and "
            f"{len(theirs.prompts)} objects of {len(names)}."
        )
    a, b = ours.features.double(), theirs.features.double()
    i, j = (torch.tensor([names.index(n) for n in kind.prompts]) for kind in (ours, theirs))
    terms = [
        (_per_prompt(_kernel(x, y), k, m, len(names)), sign)
        for x, y, k, m, sign in ((a, a, i, i, 1), (b, b, j, j, 1), (a, b, i, j, -2))
    ]
    value = float(_distance(terms, torch.ones(1, len(names), dtype=torch.float64)))
    found = [_distance(terms, _counts(len(names), generator)) for _ in range(0, DRAWS, CHUNK)]
    low, high = torch.cat(found).quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    return Interval(value, low, high)


def sureness(judgement: Judgement, objects: int) -> Float[Tensor, "objects"]:
    """Mean over an object's views of the logarithm of the likeliest category's probability.

    Far from what a network learned it is low (Hendrycks and Gimpel 2017).
    """
    return judgement.categories.amax(dim=1).unflatten(0, (objects, -1)).mean(dim=1)


def _kernel(a: Tensor, b: Tensor) -> Float[Tensor, "firsts seconds"]:
    """Mean over views of the kernel between objects."""
    x, y = a.flatten(0, 1), b.flatten(0, 1)
    k = (x @ y.T / x.shape[1] + 1) ** 3
    return k.view(len(a), a.shape[1], len(b), b.shape[1]).mean(dim=(1, 3))


def _per_prompt(
    kernel: Float[Tensor, "firsts seconds"],
    i: Int[Tensor, "firsts"],
    j: Int[Tensor, "seconds"],
    prompts: int,
) -> Float[Tensor, "2 prompts prompts"]:
    """Sums of the kernel over the objects of two prompts, and their number; none within one."""
    both = torch.stack([kernel, torch.ones_like(kernel)])
    rows = both.new_zeros(2, prompts, len(j)).index_add_(1, i, both)
    sums = both.new_zeros(2, prompts, prompts).index_add_(2, j, rows)
    sums.diagonal(dim1=1, dim2=2).zero_()
    return sums


def _distance(
    terms: Sequence[tuple[Float[Tensor, "2 prompts prompts"], int]],
    counts: Float[Tensor, "draws prompts"],
) -> Float[Tensor, "draws"]:
    """The distance where each prompt counts so often."""
    whole = counts.new_zeros(len(counts))
    for sums, sign in terms:
        total, number = ((counts @ part * counts).sum(dim=1) for part in sums)
        whole += sign * total / number
    return whole


def _counts(prompts: int, generator: torch.Generator) -> Float[Tensor, "draws prompts"]:
    """How often each prompt is drawn, for each draw of the bootstrap; never one alone."""
    drawn = torch.randint(prompts, (CHUNK, prompts), generator=generator)
    counts = torch.zeros(CHUNK, prompts, dtype=torch.float64)
    counts.scatter_add_(1, drawn, torch.ones(CHUNK, prompts, dtype=torch.float64))
    counts[(counts > 0).sum(dim=1) < 2] = 1.0
    return counts
