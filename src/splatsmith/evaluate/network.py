"""E1's network: a small residual one that names category, main color and azimuth of a picture.

Color and azimuth are answered for every category at once ("if this is a dog, it is red and seen
from behind"), so that a judge can ask about the category that was wanted.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SIZE = 96  # pixels a side of the pictures that evaluators read
BINS = 12  # of azimuth, 30 degrees each, the first one centered on the front
GROUPS = 8  # of channels that are normalized together


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkShape:
    """Sizes of the network; `categories` and `colors` are those of the toybox.

    The first stages are lean: in equal time on a CPU, a net with more channels or blocks there
    learned less, because it saw fewer pictures.
    """

    categories: int
    colors: int
    widths: tuple[int, ...] = (32, 48, 64, 96, 160)  # of the stages, each half as large
    blocks: tuple[int, ...] = (0, 0, 1, 2, 1)  # residual blocks of each stage
    color_rank: int = 48  # hidden width of the color head

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "NetworkShape":
        """The shape that `to_plain` was called on."""
        lists = {name: tuple(plain[name]) for name in ("widths", "blocks")}
        return cls(**(plain | lists))

    def to_plain(self) -> dict[str, Any]:
        """The shape as numbers and lists, for a file's header."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Answers:
    """Logits; softmax over the last axis gives probabilities."""

    category: Float[Tensor, "views categories"]
    color: Float[Tensor, "views categories colors"]
    azimuth: Float[Tensor, "views categories bins"]


class Network(nn.Module):
    """Five stages at strides 2 to 32, the mean over the picture, and three heads."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        stages: list[nn.Module] = []
        before = 3
        for width, blocks in zip(shape.widths, shape.blocks, strict=True):
            kernel = 5 if before == 3 else 3
            stages.append(nn.Conv2d(before, width, kernel, stride=2, padding=kernel // 2))
            stages.append(nn.GroupNorm(GROUPS, width))
            stages.append(nn.SiLU())
            stages.extend(Block(width) for _ in range(blocks))
            before = width
        self.stages = nn.Sequential(*stages)
        self.norm = nn.LayerNorm(before)
        self.category = nn.Linear(before, shape.categories)
        self.color = ColorHead(before, shape.color_rank, shape.categories, shape.colors)
        self.azimuth = AzimuthHead(before, shape.categories)

    def features(
        self, pictures: Float[Tensor, "views 3 height width"]
    ) -> Float[Tensor, "views features"]:
        """What the heads see; distances between these compare pictures. Pictures are 0 to 1."""
        return self.norm(self.stages(pictures * 2 - 1).mean(dim=(2, 3)))

    def forward(self, pictures: Float[Tensor, "views 3 height width"]) -> Answers:
        """All answers for all pictures (values 0 to 1)."""
        seen = self.features(pictures)
        return Answers(self.category(seen), self.color(seen), self.azimuth(seen))


class Block(nn.Module):
    """Two convolutions beside a path that changes nothing (He et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.first_norm = nn.GroupNorm(GROUPS, width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.second_norm = nn.GroupNorm(GROUPS, width)
        nn.init.zeros_(self.second_norm.weight)  # Every block begins as doing nothing.

    def forward(
        self, x: Float[Tensor, "views width rows columns"]
    ) -> Float[Tensor, "views width rows columns"]:
        """The input and what the convolutions add."""
        hidden = F.silu(self.first_norm(self.first(x)))
        return F.silu(x + self.second_norm(self.second(hidden)))


class ColorHead(nn.Module):
    """Main color given each category: a hidden layer that the category shifts.

    A color looks the same on all things; what the category changes is where to look for it.
    """

    def __init__(self, width: int, rank: int, categories: int, colors: int) -> None:
        super().__init__()
        self.shared = nn.Linear(width, rank)
        self.table = nn.Embedding(categories, rank)
        self.out = nn.Linear(rank, colors)

    def forward(
        self, seen: Float[Tensor, "views features"]
    ) -> Float[Tensor, "views categories colors"]:
        """Logits of the colors, given each category."""
        return self.out(F.silu(self.shared(seen)[:, None] + self.table.weight))


class AzimuthHead(nn.Module):
    """Azimuth given each category: what all fronts have in common, and each one's own signs."""

    def __init__(self, width: int, categories: int) -> None:
        super().__init__()
        self.shared = nn.Linear(width, BINS)
        self.own = nn.Linear(width, categories * BINS)
        nn.init.normal_(self.own.weight, std=0.02)

    def forward(
        self, seen: Float[Tensor, "views features"]
    ) -> Float[Tensor, "views categories bins"]:
        """Logits of the bins, given each category."""
        return self.own(seen).unflatten(1, (-1, BINS)) + self.shared(seen)[:, None]
