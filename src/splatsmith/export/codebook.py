"""A few numbers that stand for many: codebooks for single values, palettes for whole rows."""

import numpy as np
from jaxtyping import Float, Int

ENTRIES = 256  # so that an index fits a byte
ROUNDS = 12  # of Lloyd's iteration; more change errors by less than one percent


def codebook(
    values: Float[np.ndarray, "..."],
) -> tuple[Float[np.ndarray, "entries"], Int[np.ndarray, "..."]]:
    """256 numbers in rising order, and for each value the index of the nearest.

    Up to 256 different values are kept exactly. For more, Lloyd's iteration (1982) starts from
    half of the entries spread evenly over the range, which bounds the largest error, and half
    over the values, which serves where most of them lie.
    """
    different, count = np.unique(values, return_counts=True)
    if len(different) <= ENTRIES:
        entries = np.pad(different, (0, ENTRIES - len(different)), mode="edge")
    else:
        half = ENTRIES // 2
        even = np.linspace(different[0], different[-1], half)
        place = (np.arange(half) + 0.5) / half * count.sum()
        dense = different[np.searchsorted(np.cumsum(count), place)]
        entries = _lloyd(different, count, np.sort(np.concatenate([even, dense])))
    return entries, _nearest(entries, values)


def palette(
    rows: Float[np.ndarray, "splats columns"], most: int
) -> tuple[Float[np.ndarray, "entries columns"], Int[np.ndarray, "splats"]]:
    """At most `most` rows that stand for all, and for each row the index of its stand-in.

    That many different rows are kept exactly. More are split by median cut (Heckbert 1982):
    again and again, every group is halved along the column in which it varies most; a group's
    mean then stands for it.
    """
    different, index = np.unique(rows, axis=0, return_inverse=True)
    index = index.reshape(-1)
    if len(different) <= most:
        return different, index
    group = np.zeros(len(different), dtype=np.int64)
    for _ in range(int(np.log2(most))):
        group = _halved(different, group)
    size = np.bincount(group)
    means = np.stack([np.bincount(group, column) / size for column in different.T], axis=1)
    return means, group[index]


def _lloyd(
    values: Float[np.ndarray, "values"],
    count: Int[np.ndarray, "values"],
    entries: Float[np.ndarray, "entries"],
) -> Float[np.ndarray, "entries"]:
    """Entries moved to the means of what is nearest to them; `values` rise."""
    total = np.concatenate([[0.0], np.cumsum(values * count)])
    many = np.concatenate([[0], np.cumsum(count)])
    for _ in range(ROUNDS):
        edges = np.searchsorted(values, (entries[1:] + entries[:-1]) / 2)
        edges = np.concatenate([[0], edges, [len(values)]])
        inside = many[edges[1:]] - many[edges[:-1]]
        mean = (total[edges[1:]] - total[edges[:-1]]) / np.maximum(inside, 1)
        entries = np.sort(np.where(inside > 0, mean, entries))
    return entries


def _nearest(
    entries: Float[np.ndarray, "entries"], values: Float[np.ndarray, "..."]
) -> Int[np.ndarray, "..."]:
    return np.searchsorted((entries[1:] + entries[:-1]) / 2, values)


def _halved(
    rows: Float[np.ndarray, "rows columns"], group: Int[np.ndarray, "rows"]
) -> Int[np.ndarray, "rows"]:
    """New group numbers: the lower and the upper half of each old group."""
    size = np.bincount(group)
    spread = []
    for column in rows.T:
        mean = np.bincount(group, column) / size
        spread.append(np.bincount(group, (column - mean[group]) ** 2))
    widest = np.argmax(spread, axis=0)
    order = np.lexsort((rows[np.arange(len(rows)), widest[group]], group))
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = np.arange(len(rows)) - np.repeat(starts, size)
    upper = rank >= (size[group] + 1) // 2
    return np.unique(2 * group + upper, return_inverse=True)[1].reshape(-1)
