"""The visual hull of an object seen from known places, as a cloud of colored points.

A cell of a grid belongs to the hull if enough of the cameras see the object there (Laurentini
1994). Points lie in the cells of its surface; their colors come from the pictures in which they
are not hidden, most from those that look straight at them.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.scenes.clouds import Cloud

STRAIGHT = (
    4  # power of the cosine by which pictures count: their mean is sharp with a large one
)
HIDDEN = 3  # cells by which a point may lie behind what a camera sees and still be seen


@torch.no_grad()
def carved(
    masks: Bool[Tensor, "views height width"], cameras: Cameras, cells: int, agreed: float
) -> Bool[Tensor, "x y z"]:
    """Which cells of a grid, `cells` a side of the cube from -1 to 1, belong to the hull.

    At least the share `agreed` of the views must have the cell's middle in their mask; outside
    of a picture there is no object.
    """
    points = _middles(cells).to(cameras.viewmat)
    seen = torch.zeros(len(points), device=points.device)
    for view in range(len(cameras)):
        pixels, depth = project(points, cameras[[view]])
        seen += _read(masks[[view], ..., None].float(), pixels)[0, :, 0] * (depth[0] > 0)
    return (seen >= agreed * len(cameras) - 1e-4).reshape(cells, cells, cells)


@torch.no_grad()
def colored_hull(
    hull: Bool[Tensor, "x y z"],
    pictures: Float[Tensor, "views height width 3"],
    masks: Bool[Tensor, "views height width"],
    cameras: Cameras,
    count: int,
    generator: torch.Generator,
) -> Cloud:
    """`count` points in the surface of a hull, in the pictures' colors.

    The cameras' size must be that of the pictures. Raises InputError for a hull without cells.
    """
    cells = len(hull)
    places = surface(hull).nonzero()
    if len(places) == 0:
        raise InputError("The pictures agree on no place in which there is anything.")
    device = generator.device
    turns = torch.arange(count, device=device) * len(places) // count
    if count < len(places):  # Not the same corner of the grid each time.
        turns = torch.randperm(len(places), generator=generator, device=device)[:count]
    within = torch.rand(count, 3, generator=generator, device=device)
    points = (places[turns].to(within) + within) / cells * 2 - 1
    normals = _normals(hull, points)
    seen = _visible(hull, points, cameras)
    toward = F.normalize(cameras.position[:, None] - points, dim=-1)
    facing = (toward * normals).sum(dim=-1).clamp_min(0) ** STRAIGHT
    pixels, _ = project(points, cameras)
    ink = masks[..., None].float()
    read = _read(torch.cat([pictures * ink, ink], dim=-1), pixels, smooth=True)
    color, covered = read[..., :3], read[..., 3:]
    weight = (seen * facing)[..., None]
    # Where no camera looks at all, all of them are asked alike.
    weight = torch.where(((weight * covered).sum(dim=0) > 1e-4).expand_as(weight), weight, 1e-2)
    total = (weight * covered).sum(dim=0)
    return Cloud(points, ((weight * color).sum(dim=0) / total.clamp_min(1e-6)).clamp(0, 1))


def surface(hull: Bool[Tensor, "x y z"]) -> Bool[Tensor, "x y z"]:
    """The cells of a hull that have one beside them which is not of it."""
    padded = F.pad(hull, (1,) * 6)
    inside = torch.ones_like(hull)
    for axis in range(3):
        for step in (-1, 1):
            inside &= padded.roll(step, axis)[1:-1, 1:-1, 1:-1]
    return hull & ~inside


def project(
    points: Float[Tensor, "points 3"], cameras: Cameras
) -> tuple[Float[Tensor, "views points 2"], Float[Tensor, "views points"]]:
    """Where the cameras see points: pixels (x right, y down) and depths along the view."""
    rotation, translation = cameras.viewmat[:, :3, :3], cameras.viewmat[:, :3, 3]
    there = torch.einsum("vij,pj->vpi", rotation, points) + translation[:, None]
    depth = there[..., 2]
    screen = torch.einsum("vij,vpj->vpi", cameras.K, there)
    return screen[..., :2] / depth.clamp_min(1e-6)[..., None], depth


def _middles(cells: int) -> Float[Tensor, "points 3"]:
    axis = (torch.arange(cells) + 0.5) / cells * 2 - 1
    return torch.cartesian_prod(axis, axis, axis)


def _read(
    pictures: Float[Tensor, "views height width channels"],
    pixels: Float[Tensor, "views points 2"],
    *,
    smooth: bool = False,
) -> Float[Tensor, "views points channels"]:
    """Pictures at places in pixels, whose middles lie at +0.5; zero outside."""
    size = pixels.new_tensor([pictures.shape[2], pictures.shape[1]])
    found = F.grid_sample(
        pictures.permute(0, 3, 1, 2),
        (pixels / size * 2 - 1)[:, None],
        mode="bilinear" if smooth else "nearest",
        align_corners=False,
    )
    return found[:, :, 0].permute(0, 2, 1)


def _normals(
    hull: Bool[Tensor, "x y z"], points: Float[Tensor, "points 3"]
) -> Float[Tensor, "points 3"]:
    """Unit normals, outward: down the slope of the hull, blurred over two cells."""
    blurred = hull[None, None].float()
    for _ in range(2):
        blurred = F.avg_pool3d(F.pad(blurred, (1,) * 6), 3, stride=1)
    slope = torch.stack(torch.gradient(blurred[0, 0]))
    # grid_sample takes the last axis of the volume first.
    found = F.grid_sample(slope[None], points.flip(1)[None, None, None], align_corners=False)
    return -F.normalize(found[0, :, 0, 0].T, dim=1)


def _visible(
    hull: Bool[Tensor, "x y z"], points: Float[Tensor, "points 3"], cameras: Cameras
) -> Float[Tensor, "views points"]:
    """1 where no part of the hull lies before a point, else 0.

    By the nearest depth in each pixel of a small picture, whose pixels are wider than cells.
    """
    cells = len(hull)
    size = max(2, cells // 2)
    small = cameras.resized(size, size)
    middles = _middles(cells)[surface(hull).reshape(-1)]

    def numbers(pixels: Tensor) -> Tensor:
        column, row = pixels.long().clamp(0, size - 1).unbind(dim=-1)
        return row * size + column

    pixels, depth = project(middles, small)
    nearest = torch.full((len(cameras), size * size), torch.inf)
    nearest = nearest.scatter_reduce(1, numbers(pixels), depth, "amin")
    pixels, depth = project(points, small)
    return (depth <= nearest.gather(1, numbers(pixels)) + HIDDEN * 2 / cells).float()
