"""Filling gaps between neighboring splats: GSGEN's compactness-based densification.

Chen et al. 2023 (Text-to-3D using Gaussian Splatting), section 3.3: where the distance between
a splat and one of its nearest neighbors is larger than both their radii together, a new splat
is put between them. What their code does, and where ours differs, is in docs/methods/gsgen.md.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.neighbors import nearest
from splatsmith.scenes.surgery import rearrange, rotate

SHARE = 6.0  # A new splat's scale is a sixth of the gap: three on either side just fill it.


@dataclass(frozen=True, eq=False)
class Gaps:
    """Pairs of splats, each once, with empty space between them."""

    first: Int[Tensor, "gaps"]  # rows of the scene
    second: Int[Tensor, "gaps"]
    places: Float[Tensor, "gaps 3"]  # the middles of the gaps
    widths: Float[Tensor, "gaps"]  # world units, over 0


@torch.no_grad()
def gaps(scene: Gaussians, neighbors: int) -> Gaps:
    """The gaps between each splat and its `neighbors` nearest ones.

    A splat's radius toward another one is its standard deviation along the line that joins
    their centers.
    """
    means = scene.means.detach()
    found = nearest(means, neighbors)[1]
    mine = torch.arange(len(means), device=means.device)[:, None].expand_as(found)
    pairs = torch.stack([mine[found >= 0], found[found >= 0]], dim=1).sort(dim=1).values
    first, second = pairs.unique(dim=0).unbind(dim=1)
    apart = means[second] - means[first]
    distance = apart.norm(dim=1)
    way = apart / distance.clamp_min(1e-12)[:, None]
    radius = deviation(scene, first, way)
    width = distance - radius - deviation(scene, second, way)
    place = means[first] + way * (radius + width / 2)[:, None]
    empty = width > 0
    return Gaps(first[empty], second[empty], place[empty], width[empty])


@torch.no_grad()
def fill(scene: Gaussians, optimizer: torch.optim.Optimizer, neighbors: int, most: int) -> int:
    """Put a round splat into each gap, into the widest ones if there are over `most` gaps.

    It has the mean color and (in logits) opacity of the two beside it, and moments of zero.
    New splats come last. Returns how many there are.
    """
    found = gaps(scene, neighbors)
    chosen = found.widths.argsort(descending=True, stable=True)[: max(0, most)].sort().values
    count = scene.count
    if len(chosen) == 0:
        return 0
    first, second = found.first[chosen], found.second[chosen]
    device = first.device
    source = torch.cat([torch.arange(count, device=device), first])
    fresh = torch.arange(len(source), device=device) >= count
    changes = {name: value[source] for name, value in scene.state().items()}
    for name in ("logit_opacities", "sh"):
        changes[name][count:] = (changes[name][first] + changes[name][second]) / 2
    changes["means"][count:] = found.places[chosen]
    changes["log_scales"][count:] = (found.widths[chosen] / SHARE).log()[:, None]
    rearrange(scene, optimizer, source, fresh, changes)
    return len(chosen)


def deviation(
    scene: Gaussians, rows: Int[Tensor, "rows"], way: Float[Tensor, "rows 3"]
) -> Float[Tensor, "rows"]:
    """Standard deviation of splats along unit vectors: sqrt(n^T covariance n)."""
    back = scene.quats.detach()[rows] * way.new_tensor([1.0, -1.0, -1.0, -1.0])
    return (scene.scales.detach()[rows] * rotate(back, way)).norm(dim=1)
