"""Distances from each point of a cloud to its nearest neighbors, and who they are: exact.

Points are put into small blocks, the leaves of a k-d tree. A block looks at other blocks in
order of the distance between their bounding boxes and stops as soon as no unseen block can hold
anything nearer, so the cost follows the number of points, not its square.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.errors import InputError

BLOCK = 32  # Points per block; fastest of 16, 32 and 64 on clouds of 200,000 points.
GROUP = 256  # Blocks handled at once: bounds the memory to a few megabytes per 100,000 points.


def nearest_distances(
    points: Float[Tensor, "points 3"], neighbors: int = 3
) -> Float[Tensor, "points neighbors"]:
    """Distances to the nearest other points, ascending; inf where the cloud has too few points.

    Points at equal places are neighbors at distance 0. Raises InputError unless every
    coordinate is finite and 1 <= neighbors <= 32.
    """
    return nearest(points, neighbors)[0]


@torch.no_grad()
def nearest(
    points: Float[Tensor, "points 3"], neighbors: int = 3
) -> tuple[Float[Tensor, "points neighbors"], Int[Tensor, "points neighbors"]]:
    """The same distances, and the rows of these neighbors; -1 where there are too few."""
    if not 1 <= neighbors <= BLOCK:
        raise InputError(f"Between 1 and {BLOCK} neighbors can be asked for, got {neighbors}.")
    if not bool(torch.isfinite(points).all()):
        raise InputError("Points must be finite to have nearest neighbors.")
    numbers = _blocks(points)
    valid = numbers < len(points)
    blocks = points[numbers.clamp_max(len(points) - 1)]
    low = torch.where(valid[..., None], blocks, torch.inf).amin(dim=1)
    high = torch.where(valid[..., None], blocks, -torch.inf).amax(dim=1)
    found = [
        _search(blocks, valid, low, high, start, min(start + GROUP, len(blocks)), neighbors)
        for start in range(0, len(blocks), GROUP)
    ]
    distances = points.new_empty(len(points), neighbors)
    distances[numbers[valid]] = torch.cat([distance for distance, _ in found])[valid]
    rows = torch.full((len(points), neighbors), -1, device=points.device)
    slots = torch.cat([slot for _, slot in found])[valid]
    rows[numbers[valid]] = torch.where(slots < 0, -1, numbers.reshape(-1)[slots])
    return distances, rows


def _search(
    blocks: Float[Tensor, "blocks size 3"],
    valid: Tensor,
    low: Float[Tensor, "blocks 3"],
    high: Float[Tensor, "blocks 3"],
    start: int,
    stop: int,
    neighbors: int,
) -> tuple[Float[Tensor, "group size neighbors"], Int[Tensor, "group size neighbors"]]:
    """Best distances of the points in blocks start to stop, and the slots where these are.

    Slots count through all blocks; -1 is none.
    """
    gap = torch.maximum(low[None] - high[start:stop, None], low[start:stop, None] - high[None])
    gap_sorted, visit = gap.clamp_min(0).norm(dim=-1).sort(dim=1)
    mine = torch.arange(start, stop, device=blocks.device)
    size = blocks.shape[1]
    best = blocks.new_full((stop - start, size, neighbors), torch.inf)
    slots = torch.full(best.shape, -1, device=blocks.device)
    inside = torch.arange(size, device=blocks.device)
    active = torch.arange(stop - start, device=blocks.device)
    for turn in range(len(blocks)):
        worst = torch.where(valid[mine[active]], best[active, :, -1], -torch.inf).amax(dim=1)
        active = active[gap_sorted[active, turn] < worst]
        if len(active) == 0:
            break
        other = visit[active, turn]
        distance = _distances(blocks[mine[active]], blocks[other])
        distance = distance.masked_fill(~valid[other][:, None], torch.inf)
        _hide_self(distance, mine[active] == other)
        both = torch.cat([best[active], distance], dim=-1)
        theirs = (other[:, None] * size + inside)[:, None].expand(-1, size, -1)
        chosen = both.topk(neighbors, dim=-1, largest=False)
        best[active] = chosen.values
        known = torch.cat([slots[active], theirs], dim=-1).gather(-1, chosen.indices)
        slots[active] = torch.where(torch.isfinite(chosen.values), known, -1)
    return best, slots


def _distances(
    first: Float[Tensor, "pairs size 3"], second: Float[Tensor, "pairs size 3"]
) -> Float[Tensor, "pairs size size"]:
    # Differences, not the faster scalar products, which lose the digits of close neighbors.
    return (first[:, :, None] - second[:, None]).square().sum(-1).sqrt()


def _hide_self(distance: Float[Tensor, "pairs size size"], same: Tensor) -> None:
    diagonal = torch.diagonal(distance, dim1=1, dim2=2)
    diagonal[same] = torch.inf


def _blocks(points: Float[Tensor, "points 3"]) -> Int[Tensor, "blocks size"]:
    """Rows of point numbers that lie close together: the leaves of a k-d tree, all of one size.

    The last numbers may be `len(points)` or more: those only fill up the leaves.
    """
    count = len(points)
    levels = max(0, math.ceil(math.log2(count / BLOCK)))
    size = -(-count // 2**levels)
    spare = size * 2**levels - count
    filled = torch.cat([points, points[-1:].expand(spare, 3)])
    nodes = torch.arange(count + spare, device=points.device)[None]
    for _ in range(levels):
        inside = filled[nodes]
        axis = (inside.amax(dim=1) - inside.amin(dim=1)).argmax(dim=-1)
        along = inside.gather(2, axis[:, None, None].expand(-1, nodes.shape[1], 1))[..., 0]
        nodes = nodes.gather(1, along.argsort(dim=1)).reshape(2 * len(nodes), -1)
    return nodes
