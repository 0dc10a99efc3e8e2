"""The evaluators' training pictures: meshes of toys under a world light, drawn once and kept.

Nothing here is what the prior sees: shape parameters lie in the band withheld from it, the
renderer, the light, the size and the backgrounds are others, and so are the seeds. What is
drawn depends on (seed, chunk) alone.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.cameras import Cameras, orbit
from splatsmith.evaluate.network import SIZE
from splatsmith.evaluate.raster import rasterize
from splatsmith.export.sheet import to_uint8
from splatsmith.files import replace_file
from splatsmith.optimize.streams import stream
from splatsmith.toybox.catalog import CATEGORIES
from splatsmith.toybox.finishes import FINISHES, albedo
from splatsmith.toybox.geometry import ToyMesh, distance, mesh
from splatsmith.toybox.objects import ToyObject, build
from splatsmith.toybox.split import in_band
from splatsmith.toybox.words import COLORS

CHUNK = 48  # pictures from the same two meshes
PAIRED, BARE = 7, 2  # of them with both things, and without any color
RESOLUTION = 56  # of the meshes, cells a side
STRETCH = (0.85, 1.15)  # of each axis
SLOTTED, FINISHED = 0.4, 0.12  # share of the toys with a colored part, and with a finish
NOTHING = -1  # in place of a category, color or azimuth that is not asked for
BARE_COLOR = 0.62  # gray of things without color

Key = tuple[str, str, tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class Pool:
    """Pictures and what they show; a second thing and missing answers are -1.

    Azimuth is in degrees, -1 (`NOTHING`) or 0 to 360.
    """

    pictures: np.ndarray  # [pictures, 96, 96, 3] bytes, on the disk or in memory
    category: Int[Tensor, "pictures 2"]
    color: Int[Tensor, "pictures 2"]
    azimuth: Float[Tensor, "pictures"]

    def __len__(self) -> int:
        return len(self.category)

    def shown(self, index: Int[Tensor, "chosen"]) -> Float[Tensor, "chosen 3 height width"]:
        """Some pictures as numbers from 0 to 1, channels last in memory."""
        rows = torch.from_numpy(self.pictures[np.sort(index.numpy())])
        order = index.argsort().argsort()
        return rows[order].permute(0, 3, 1, 2).float().div_(255)

    def taken(self, index: Int[Tensor, "chosen"]) -> "Pool":
        """Some of the pictures, in memory."""
        pictures = self.pictures[index.numpy()]
        return Pool(pictures, self.category[index], self.color[index], self.azimuth[index])


@dataclass(frozen=True, eq=False)
class Cast:
    """A mesh whose colors can be exchanged: its vertices' parts and where they were."""

    toy: ToyObject
    mesh: ToyMesh
    part: Int[Tensor, "vertices"]


def draw_pool(folder: Path, seed: int, count: int, report: Callable[[int, int], None]) -> Pool:
    """The pool of that size and seed in `folder`; what is not there yet is drawn.

    `report` is told how many chunks of how many there are, after each.
    """
    chunks = math.ceil(count / CHUNK)
    name = f"pool-{seed}-{chunks * CHUNK}-{len(CATEGORIES)}x{len(COLORS)}"
    pictures, labels = folder / f"{name}.npy", folder / f"{name}-labels.npy"
    if not labels.is_file():  # They are written last, so the pictures are whole if they are.
        shape = (chunks * CHUNK, SIZE, SIZE, 3)
        kept = np.lib.format.open_memmap(pictures, mode="w+", dtype=np.uint8, shape=shape)
        rows = []
        for number in range(chunks):
            drawn = draw_chunk(seed, number)
            kept[number * CHUNK : (number + 1) * CHUNK] = drawn.pictures
            rows.append(torch.cat([drawn.category, drawn.color, drawn.azimuth[:, None]], 1))
            report(number + 1, chunks)
        kept.flush()
        draft = io.BytesIO()
        np.save(draft, torch.cat(rows).numpy())
        replace_file(labels, draft.getvalue())
    table = torch.from_numpy(np.load(labels))
    category, color = table[:, :2].long(), table[:, 2:4].long()
    return Pool(np.load(pictures, mmap_mode="r"), category, color, table[:, 4].clone())


def joined(pools: Sequence[Pool]) -> Pool:
    """Several pools in one, in memory."""
    pictures = np.concatenate([part.pictures for part in pools])
    labels = ("category", "color", "azimuth")
    return Pool(pictures, *(torch.cat([getattr(p, name) for p in pools]) for name in labels))


def draw_chunk(seed: int, number: int) -> Pool:
    """The pictures of a chunk: two meshes, each alone in many colors, and a few times both."""
    generator = stream(seed, "evaluator pool", number)
    casts = chunk_casts(seed, number)
    meshes, category, color = [], [], []
    for k in range(CHUNK):
        paired, bare = k < PAIRED, PAIRED <= k < PAIRED + BARE
        chosen = casts if paired else [casts[k % 2]]
        toys = [dressed_again(cast.toy, generator) for cast in chosen]
        painted = [
            _stretched(painted_as(cast, toy), generator)
            for cast, toy in zip(chosen, toys, strict=True)
        ]
        shown = together(painted[0], painted[1], generator) if paired else painted[0]
        if bare:
            shown = replace(shown, color=torch.full_like(shown.color, BARE_COLOR))
        meshes.append(shown)
        category.append([_place(toy.category, CATEGORIES) for toy in toys])
        color.append([NOTHING if bare else _place(toy.color, COLORS) for toy in toys])
    cameras = _cameras(generator)
    pictures = _drawn(meshes, cameras, generator)
    azimuth = torch.where(torch.arange(CHUNK) < PAIRED, NOTHING, cameras.azimuth % 360)
    return Pool(pictures, _two(category), _two(color), azimuth)


def chunk_casts(seed: int, number: int) -> list[Cast]:
    """The two meshes of a chunk: the categories in turn, and any other beside it."""
    generator = stream(seed, "evaluator meshes", number)
    first = number % len(CATEGORIES)
    step = int(torch.randint(1, len(CATEGORIES), (), generator=generator))
    names = list(CATEGORIES)
    return [cast_of(names[place % len(names)], generator) for place in (first, first + step)]


def keys(seed: int, number: int) -> list[Key]:
    """(color, category, shape parameters) of all that a chunk may show, every color of it."""
    casts = chunk_casts(seed, number)
    return [(color, cast.toy.category, cast.toy.shape) for cast in casts for color in COLORS]


def cast_of(category: str, generator: torch.Generator) -> Cast:
    """A mesh of a category, shape parameters in the withheld band."""
    count = len(CATEGORIES[category].parameters)
    draws = torch.rand(count, generator=generator).tolist()
    toy = build(category, tuple(in_band(value, "held") for value in draws))
    made = mesh(toy, RESOLUTION)
    return Cast(toy, made, distance(toy, made.vertices)[1])


def dressed_again(toy: ToyObject, generator: torch.Generator) -> ToyObject:
    """The same shape in a random color, now and then with a colored part or a finish."""
    draws = torch.rand(20, generator=generator).tolist()
    names, slots = list(COLORS), CATEGORIES[toy.category].slots
    color = names[int(draws[0] * len(names))]
    others = [name for name in names if name != color]
    slot = slots[int(draws[1] * len(slots))].word
    colors = {slot: others[int(draws[2] * len(others))]} if draws[3] < SLOTTED else {}
    finish = FINISHES[1 + int(draws[4] * (len(FINISHES) - 1))] if draws[5] < FINISHED else ""
    return build(toy.category, toy.shape, color, colors, draws[8:20], finish)


def painted_as(cast: Cast, toy: ToyObject) -> ToyMesh:
    """The mesh in the colors of a toy of the same shape."""
    rows = torch.from_numpy(toy.tape.rows)[cast.part]
    return replace(cast.mesh, color=albedo(rows, cast.mesh.vertices))


def together(first: ToyMesh, second: ToyMesh, generator: torch.Generator) -> ToyMesh:
    """Two meshes in one: the second on top of the first or beside it, each turned at random."""
    draws = torch.rand(4, generator=generator)
    lower, upper = (_turned(m, float(d)) for m, d in zip((first, second), draws, strict=False))
    if draws[2] < 0.4:
        lower, upper = _moved(lower, 0.62), _moved(upper, 0.42)
        height = lower.vertices[:, 2].max() - upper.vertices[:, 2].min()
        upper = _moved(upper, 1.0, (0.0, 0.0, float(height)))
    else:
        angle = float(draws[3]) * math.tau
        away = (0.48 * math.cos(angle), 0.48 * math.sin(angle))
        lower, upper = (
            _moved(part, 0.5, (sign * away[0], sign * away[1], 0.0))
            for part, sign in ((lower, 1), (upper, -1))
        )
    faces = torch.cat([lower.faces, upper.faces + len(lower.vertices)])
    joint = [
        torch.cat([getattr(lower, name), getattr(upper, name)])
        for name in ("vertices", "normals", "color")
    ]
    middle = (joint[0].amax(0) + joint[0].amin(0)) / 2
    return ToyMesh(joint[0] - middle, faces, joint[1], joint[2])


def _stretched(given: ToyMesh, generator: torch.Generator) -> ToyMesh:
    low, high = STRETCH
    scale = low + (high - low) * torch.rand(3, generator=generator)
    normals = F.normalize(given.normals / scale, dim=-1)
    return replace(given, vertices=given.vertices * scale, normals=normals)


def _turned(given: ToyMesh, share: float) -> ToyMesh:
    c, s = math.cos(share * math.tau), math.sin(share * math.tau)
    matrix = torch.tensor([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    return replace(given, vertices=given.vertices @ matrix, normals=given.normals @ matrix)


def _moved(
    given: ToyMesh, scale: float, by: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> ToyMesh:
    return replace(given, vertices=given.vertices * scale + torch.tensor(by))


def _cameras(generator: torch.Generator) -> Cameras:
    """All around, mostly from 0 to 30 degrees above; neither distance nor aim are exact.

    The things themselves need not be turned: light and background do not know their front.
    """
    kind, place, azimuth = torch.rand(3, CHUNK, generator=generator)
    elevation = torch.where(kind < 0.75, 30 * place, -15 + 75 * place)
    radius = 3.2 * torch.exp(0.09 * torch.randn(CHUNK, generator=generator))
    cameras = orbit(azimuth * 360, elevation, radius=radius, width=SIZE, height=SIZE)
    cameras.viewmat[:, :2, 3] += 0.05 * torch.randn(CHUNK, 2, generator=generator)
    return cameras


def _drawn(meshes: list[ToyMesh], cameras: Cameras, generator: torch.Generator) -> np.ndarray:
    light = torch.randn(CHUNK, 3, generator=generator)
    light[:, 2] = light[:, 2].abs() * 1.5 - 0.3  # mostly from above
    ambient = 0.5 + 0.35 * torch.rand(CHUNK, generator=generator)
    kind = torch.rand(CHUNK, 1, generator=generator)
    ground = torch.rand(CHUNK, 3, generator=generator)
    ground = torch.where(kind < 0.4, 1.0, torch.where(kind < 0.75, 0.5, ground))
    drawn = rasterize(meshes, cameras, light=light, ambient=ambient, background=ground)
    return to_uint8(drawn.color)


def _place(word: str, words: dict) -> int:
    return list(words).index(word)


def _two(found: list[list[int]]) -> Int[Tensor, "pictures 2"]:
    return torch.tensor([[*row, NOTHING][:2] for row in found])
