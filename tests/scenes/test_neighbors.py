import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from splatsmith.errors import InputError
from splatsmith.scenes.neighbors import nearest, nearest_distances


def by_brute_force(points: torch.Tensor, neighbors: int) -> torch.Tensor:
    distance = (points[:, None] - points[None]).square().sum(-1).sqrt()
    distance.fill_diagonal_(torch.inf)
    filled = torch.nn.functional.pad(distance, (0, neighbors), value=torch.inf)
    return filled.topk(neighbors, largest=False).values


CLOUDS = {
    "ball": lambda n, gen: torch.randn(n, 3, generator=gen),
    "line": lambda n, gen: torch.rand(n, 1, generator=gen) * torch.tensor([1.0, 0.0, 0.0]),
    "twins": lambda n, gen: torch.randn(n, 3, generator=gen).round(),
    "one place": lambda n, gen: torch.ones(n, 3),
    "far outlier": lambda n, gen: torch.cat(
        [torch.rand(n - 1, 3, generator=gen) * 1e-3, torch.full((1, 3), 100.0)]
    ),
}


@settings(max_examples=60)
@given(
    kind=st.sampled_from(sorted(CLOUDS)),
    count=st.integers(1, 300),
    neighbors=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_distances_are_those_of_brute_force(kind, count, neighbors, seed):
    points = CLOUDS[kind](count, torch.Generator().manual_seed(seed))
    found = nearest_distances(points, neighbors)
    assert torch.equal(found, by_brute_force(points, neighbors))
    distances, rows = nearest(points, neighbors)
    assert torch.equal(distances, found)
    there = rows >= 0
    assert torch.equal(there, torch.isfinite(found))
    own = torch.arange(count)[:, None].expand_as(rows)
    assert not (rows == own).any()
    apart = (points[own[there]] - points[rows[there]]).square().sum(-1).sqrt()
    assert torch.equal(apart, found[there])
    ordered = rows.sort(dim=1).values
    assert not ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any()


@pytest.mark.parametrize("kind", sorted(CLOUDS))
def test_neighbors_in_far_blocks_are_not_missed(kind, gen):
    points = CLOUDS[kind](2500, gen)
    assert torch.equal(nearest_distances(points, 3), by_brute_force(points, 3))


def test_a_lattice_of_many_points_has_its_spacing():
    axis = torch.arange(32.0)
    points = torch.cartesian_prod(axis, axis, axis)
    shuffled = points[torch.randperm(len(points), generator=torch.Generator().manual_seed(0))]
    assert torch.equal(nearest_distances(shuffled), torch.ones(len(points), 3))


def test_impossible_requests_are_refused():
    with pytest.raises(InputError, match="finite"):
        nearest_distances(torch.tensor([[0.0, 0.0, torch.nan]]))
    with pytest.raises(InputError, match="got 0"):
        nearest_distances(torch.zeros(4, 3), 0)
