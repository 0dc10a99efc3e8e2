"""What a network has more that sees several views at once, or a picture of what it should draw.

Views that stand evenly around an object look at each other's coarsest cells, each as "the one
so many turns on from me": no camera enters, so nothing depends on where the first one stands.
MVDream (Shi et al. 2023) widens self-attention for this; here it is a layer of its own, silent
at first, so that a network for single views goes on from what it knows.

A reference picture is read once into cells of the same size, which every view looks at too, as
in ImageDream (Wang and Shi 2023) and Zero123++ (Shi et al. 2023). Where a view stands to it is
told by differences of angles alone, as in Zero-1-to-3 (Liu et al. 2023). Besides, the picture
is read as what a caption and a camera would have said of it, which is what the network
understands already; Zero-1-to-3 has CLIP's embedding of the picture in the caption's place.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from splatsmith.cameras.convention import Cameras
from splatsmith.errors import InputError
from splatsmith.priors.autoencoder import Residual
from splatsmith.priors.layers import silent
from splatsmith.priors.text import Text

CELLS = 8  # a side, of the coarsest level
REFERENCE = 64  # pixels a side of the picture that the network is given
RELATION = 5  # numbers that say how a view stands to the reference


@dataclass(frozen=True)
class Reading:
    """A reference picture as the network has read it, for each view."""

    cells: Float[Tensor, "views cells width"]
    sentence: Float[Tensor, "views text_width"]  # what its caption would have said
    camera: Float[Tensor, "views 6"]  # where it was taken from: sines and cosines
    relation: Float[Tensor, "views 5"]  # see `relation_features`; all zero: no picture

    def for_views(self, relation: Float[Tensor, "views 5"]) -> "Reading":
        """The same for views that stand so to it: one picture for all, or one for each."""
        views = len(relation)
        sentence, camera = self.sentence.expand(views, -1), self.camera.expand(views, -1)
        return Reading(self.cells.expand(views, -1, -1), sentence, camera, relation)


def relation_features(
    elevation: Float[Tensor, "views"],
    azimuth: Float[Tensor, "views"],
    radius: Float[Tensor, "views"],
    known: Float[Tensor, "views"],
) -> Float[Tensor, "views 5"]:
    """Differences, view minus reference (degrees, world units), as Zero-1-to-3 tells them.

    All zero where `known` is 0, which the last number says: then there is no reference.
    """
    turn = torch.deg2rad(azimuth)
    columns = [torch.deg2rad(elevation), turn.sin(), turn.cos(), radius]
    return torch.stack([c * known for c in columns] + [known], dim=1)


def turned_features(
    camera: Float[Tensor, "views 6"], relation: Float[Tensor, "views 5"]
) -> Float[Tensor, "views 7"]:
    """What cameras say (`denoiser.camera_features`) that stand so to one that says `camera`.

    Its angles enter by their sines and cosines only, so an azimuth that is not known, or known
    up to half a turn, stays so. All zero where the relation is to nothing.
    """
    up, sine, cosine, _, known = relation.unbind(dim=1)
    turns = (sine, cosine), (2 * sine * cosine, cosine**2 - sine**2), (up.sin(), up.cos())
    columns = list[Tensor]()
    for (s, c), own in zip(turns, camera.split(2, dim=1), strict=True):
        own_s, own_c = own.unbind(dim=1)
        columns += [own_s * c + own_c * s, own_c * c - own_s * s]
    return torch.stack([column * known for column in columns] + [known], dim=1)


def check_around(cameras: Cameras, views: int) -> None:
    """InputError unless the cameras come in groups that stand evenly around at one height."""
    if len(cameras) % views:
        raise InputError(
            f"This prior denoises {views} views together; {len(cameras)} is no multiple of it."
        )
    azimuth = cameras.azimuth.view(-1, views)
    turn = azimuth - azimuth[:, :1] - torch.arange(views).to(azimuth) * (360.0 / views)
    off = (torch.remainder(turn + 180, 360) - 180).abs().max()
    elevation = cameras.elevation.view(-1, views)
    if off > 0.1 or (elevation - elevation[:, :1]).abs().max() > 0.1:
        raise InputError(
            f"This prior knows {views} views that stand {360 / views:g} degrees apart at one "
            f"elevation, each further counter-clockwise; use cameras.together = {views}."
        )


class Across(nn.Module):
    """Every cell looks at the cells of all views of its group and at those of the reference."""

    def __init__(self, width: int, heads: int, views: int, reference: bool) -> None:
        super().__init__()
        self.heads, self.views = heads, views
        self.norm = nn.GroupNorm(8, width)
        self.position = nn.Parameter(torch.randn(CELLS**2, width) * 0.1)
        self.query = nn.Linear(width, width)
        if views > 1:
            self.key_value = nn.Linear(width, 2 * width)
            # What a key says more by being so many turns on, and how much a cell of one view
            # has to do with a cell of another before anything is seen: rows stay rows.
            self.turn = nn.Parameter(torch.zeros(views, 2 * width))
            self.affinity = nn.Parameter(torch.zeros(heads, CELLS**2, views * CELLS**2))
        if reference:
            self.reference = nn.Linear(width, 2 * width)
        self.out = silent(nn.Linear(width, width))

    def forward(
        self,
        x: Float[Tensor, "views width rows columns"],
        reference: Float[Tensor, "views cells width"] | None = None,
    ) -> Float[Tensor, "views width rows columns"]:
        """The same cells, each knowing the others; at first exactly the same."""
        count, width, rows, columns = x.shape
        cells = self.norm(x).flatten(2).transpose(1, 2)
        cells = cells + self.position.to(cells.dtype)
        query = self._split(self.query(cells))
        pairs, bias = list[Tensor](), list[Tensor]()
        if self.views > 1:
            pairs.append(self._around(cells))
            bias.append(self.affinity)
        if reference is not None:
            pairs.append(self.reference(reference.to(cells.dtype)))
            bias.append(self.position.new_zeros(1, 1, 1).expand(self.heads, CELLS**2, CELLS**2))
        key, value = (self._split(part) for part in torch.cat(pairs, dim=1).chunk(2, dim=-1))
        scores = query @ (key * key.shape[-1] ** -0.5).transpose(-1, -2)
        weights = torch.softmax(scores.float() + torch.cat(bias, dim=-1), dim=-1)
        mixed = weights.to(value.dtype) @ value
        mixed = self.out(mixed.transpose(1, 2).reshape(count, rows * columns, width))
        return x + mixed.transpose(1, 2).reshape(count, width, rows, columns)

    def _around(self, cells: Tensor) -> Tensor:
        """Keys and values that each view has before it: itself, the next one on, and so on."""
        count, tokens, _ = cells.shape
        made = self.key_value(cells).view(count // self.views, self.views, tokens, -1)
        seen = [made.roll(-turn, dims=1) + self.turn[turn] for turn in range(self.views)]
        return torch.stack(seen, dim=2).view(count, self.views * tokens, -1)

    def _split(self, x: Tensor) -> Tensor:
        count, tokens, width = x.shape
        return x.view(count, tokens, self.heads, width // self.heads).transpose(1, 2)


class Looking(nn.Module):
    """Reads a reference picture, and says what it and its camera's place mean for a view."""

    def __init__(self, middle: int, inner: int, signal: int, text_width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(64, middle, 3, padding=1)  # 4 x 4 pixels of RGBA are a cell
        self.fine = Residual(middle)
        self.shrink = nn.Conv2d(middle, inner, 3, stride=2, padding=1)
        self.coarse = nn.Sequential(Residual(inner), Residual(inner))
        self.position = nn.Parameter(torch.randn(CELLS**2, inner) * 0.1)
        self.nothing = nn.Parameter(torch.randn(CELLS**2, inner) * 0.1)
        self.summary = nn.Sequential(nn.GroupNorm(8, inner), nn.SiLU(), nn.Flatten())
        self.tell = nn.Sequential(nn.Linear(inner * 16, signal), nn.SiLU())
        self.sentence = nn.Linear(signal, text_width)
        self.camera = nn.Linear(signal, 6)
        self.place = nn.Sequential(
            nn.Linear(RELATION, signal), nn.SiLU(), silent(nn.Linear(signal, signal))
        )

    def look(
        self, picture: Float[Tensor, "pictures 4 64 64"], relation: Float[Tensor, "views 5"]
    ) -> Reading:
        """A picture for each view, or the same for all; color over white, alpha, all -1..1."""
        h = self.fine(self.enter(F.pixel_unshuffle(picture, 4)))
        h = self.coarse(self.shrink(h))
        cells = h.flatten(2).transpose(1, 2) + self.position.to(h.dtype)
        summary = self.tell(self.summary(F.avg_pool2d(h, 2)))
        sentence, camera = self.sentence(summary), self.camera(summary)
        read = Reading(cells, sentence, camera, relation.new_zeros(len(cells), 5))
        return read.for_views(relation)

    def cells(self, reading: Reading) -> Float[Tensor, "views cells width"]:
        """What views look at: the picture's cells, or learned ones where there is none."""
        known = reading.relation[:, -1, None, None].to(reading.cells.dtype)
        return known * reading.cells + (1 - known) * self.nothing.to(reading.cells.dtype)

    def told(self, reading: Reading, text: Text) -> Text:
        """The picture's words where there is a picture and no caption, else the caption's."""
        wordless = (text.mask[:, 1:] < 0).all(dim=1, keepdim=True)
        instead = wordless & (reading.relation[:, -1:] > 0)
        sentence = torch.where(instead, reading.sentence.to(text.sentence.dtype), text.sentence)
        return replace(text, sentence=sentence)

    def signal(self, reading: Reading) -> Float[Tensor, "views signal"]:
        """What is added to a view's signal, as its distance; zero at first."""
        return self.place(reading.relation.to(reading.cells.dtype))

    def blind(self, views: int) -> Reading:
        """The reading of nothing."""
        cells = self.nothing.expand(views, -1, -1)
        sentence = cells.new_zeros(views, self.sentence.out_features)
        camera, relation = cells.new_zeros(views, 6), cells.new_zeros(views, RELATION)
        return Reading(cells, sentence, camera, relation)
