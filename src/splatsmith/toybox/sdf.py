"""The plain torch twin of the native kernel: it defines the right answer, in any dtype.

Same tape, same fold, same sphere tracing; only slower, because every ray pays for every part.
Distances after I. Quilez, "Distance functions". All are exact but the ellipsoid's, exact
to first order at its surface, and those of smooth unions and cuts, which are lower bounds.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from splatsmith.cameras.convention import Cameras
from splatsmith.toybox.finishes import albedo, lit
from splatsmith.toybox.tape import (
    BLEND,
    CENTER,
    FINISH,
    ROTATION,
    SIZES,
    Integers,
    Kind,
    Operation,
    Tape,
)

FAR = 1e9
MOST_STEPS = 128
HIT = 4e-4  # world units; a sample is about 0.02 wide at 64 pixels
OCCLUSION = 0.14  # reach of the ambient occlusion, world units
DIFFERENCE = 1e-3  # for normals
REACH = 1.0  # no object leaves the unit ball


def distance(
    tape: Tape, points: Float[Tensor, "points 3"]
) -> tuple[Float[Tensor, "points"], Int[Tensor, "points"]]:
    """Signed distance to one object (negative inside) and the part whose color shows there.

    Differentiable in the points. The part is the nearer one of a union, the carver of a cut,
    and paint wherever it covers the point.
    """
    nearest = torch.zeros(len(points), dtype=torch.long, device=points.device)
    result = points.new_full((len(points),), FAR)
    others, other_nearest, group = result, nearest, 0
    rows = torch.from_numpy(tape.rows).to(points)
    for part, (kind, operation, mirrored, own_group) in enumerate(tape.heads.tolist()):
        if own_group != group:
            other_nearest = torch.where(result < others, nearest, other_nearest)
            others, result = torch.minimum(others, result), torch.full_like(result, FAR)
            group = own_group
        d = _part_distance(Kind(kind), rows[part], bool(mirrored), points)
        if operation == Operation.PAINT:
            nearest = torch.where(d < 0, part, nearest)
        elif operation == Operation.CUT:
            nearest = torch.where(-d > result, part, nearest)
            result = torch.maximum(result, -d)
        else:
            nearest = torch.where(d < result, part, nearest)
            result = _united(result, d, rows[part, BLEND], Operation(operation))
    nearest = torch.where(result < others, nearest, other_nearest)
    return torch.minimum(others, result), nearest


def _united(a: Tensor, b: Tensor, blend: Tensor, operation: Operation) -> Tensor:
    if operation == Operation.UNION:
        return torch.minimum(a, b)
    h = (blend - (a - b).abs()).clamp(min=0)  # I. Quilez, "Smooth minimum", quadratic
    return torch.minimum(a, b) - h * h / (4 * blend)


def _part_distance(kind: Kind, row: Tensor, mirrored: bool, points: Tensor) -> Tensor:
    if mirrored:
        points = torch.stack([points[:, 0], points[:, 1].abs(), points[:, 2]], dim=-1)
    p = (points - row[CENTER]) @ row[ROTATION].reshape(3, 3).T
    size, across = row[SIZES], _norm(p[:, :2])
    match kind:
        case Kind.ELLIPSOID:
            return _ellipsoid(p, size[:3])
        case Kind.SPHERE:
            return _norm(p) - size[0]
        case Kind.BOX:
            q = p.abs() - size[:3]
            return _norm(q.clamp(min=0)) + q.amax(-1).clamp(max=0) - size[3]
        case Kind.CYLINDER:
            return _rim(across - size[0], p[:, 2].abs() - size[1]) - size[2]
        case Kind.FRUSTUM:
            return _trapezoid(across, p[:, 2], size) - size[3]
        case Kind.CAPSULE:
            beyond = p[:, 2] - torch.minimum(torch.maximum(p[:, 2], -size[1]), size[1])
            return torch.hypot(across, beyond) - size[0]
        case Kind.TORUS:
            return torch.hypot(across - size[0], p[:, 2]) - size[1]
        case Kind.SLAB:
            profile = _trapezoid(p[:, 0].abs(), p[:, 2], size)
            return _rim(profile, p[:, 1].abs() - size[4]) - size[3]
        case Kind.ROUND_CONE:
            return _round_cone(across, p[:, 2], size)


def _norm(vectors: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vectors, dim=-1)


def _ellipsoid(p: Tensor, radii: Tensor) -> Tensor:
    k0, k1 = _norm(p / radii), _norm(p / (radii * radii))
    return k0 * (k0 - 1) / k1.clamp(min=1e-6)


def _rim(a: Tensor, b: Tensor) -> Tensor:
    outside = torch.hypot(a.clamp(min=0), b.clamp(min=0))
    return outside + torch.maximum(a, b).clamp(max=0)


def _trapezoid(across: Tensor, along: Tensor, size: Tensor) -> Tensor:
    """Isosceles trapezoid: half-widths size[0] below and size[1] above, half-height size[2]."""
    bottom, top, half = size[0], size[1], size[2]
    slope, height = top - bottom, 2 * half
    end = across - torch.minimum(across, torch.where(along < 0, bottom, top))
    beyond = along.abs() - half
    dx, dy = top - across, half - along
    share = ((dx * slope + dy * height) / (slope * slope + height * height)).clamp(0, 1)
    side_x, side_y = slope * share - dx, height * share - dy
    squared = torch.minimum(end * end + beyond * beyond, side_x**2 + side_y**2)
    inside = (side_x < 0) & (beyond < 0)
    return torch.where(inside, -1, 1) * squared.clamp(min=1e-20).sqrt()


def _round_cone(across: Tensor, along: Tensor, size: Tensor) -> Tensor:
    low, high, length, cosine, sine = size[:5]
    place = along * cosine - across * sine
    side = across * cosine + along * sine - low
    ends = torch.hypot(across, along) - low, torch.hypot(across, along - length) - high
    return torch.where(place < 0, ends[0], torch.where(place > cosine * length, ends[1], side))


def normals(tape: Tape, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
    """Unit normals, as the kernel has them: tetrahedral differences over a thousandth."""
    corners = points.new_tensor([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    around = (points[:, None] + DIFFERENCE * corners).reshape(-1, 3)
    d = distance(tape, around)[0].reshape(-1, 4)
    return torch.nn.functional.normalize(d @ corners, dim=-1, eps=1e-12)


@dataclass(frozen=True)
class Samples:
    """What the rays of one picture found; rays that met nothing have part -1."""

    color: Float[Tensor, "rays 3"]
    alpha: Float[Tensor, "rays 1"]
    depth: Float[Tensor, "rays 1"]
    normal: Float[Tensor, "rays 3"]
    part: Int[Tensor, "rays"]


def trace_views(
    tape: Tape,
    starts: Integers,
    which: Integers,
    cameras: Cameras,
    light: Float[Tensor, "views 3"],
    background: Float[Tensor, "views 3"],
    samples: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Color, alpha, depth, normal and part of every view, as `drawing.render` describes them.

    Computed on the device and in the dtype of the cameras.
    """
    pictures = []
    for view, toy in enumerate(which.tolist()):
        span = slice(int(starts[toy]), int(starts[toy + 1]))
        one = Tape(tape.rows[span], tape.heads[span])
        found = _shoot(one, *_rays(cameras, view, samples), light[view].to(cameras.viewmat))
        ground = background[view].to(cameras.viewmat)
        pictures.append(_pixels(found, cameras.height, cameras.width, samples, ground))
    color, alpha, depth, normal, part = (torch.stack(t) for t in zip(*pictures, strict=True))
    return color, alpha, depth, normal, part


def _rays(cameras: Cameras, view: int, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """The eye, unit directions and their cosine to the forward axis, pixel by pixel."""
    K, viewmat = cameras.K[view], cameras.viewmat[view]
    offsets = (torch.arange(samples).to(K) + 0.5) / samples
    u = ((torch.arange(cameras.width).to(K)[:, None] + offsets) - K[0, 2]) / K[0, 0]
    v = ((torch.arange(cameras.height).to(K)[:, None] + offsets) - K[1, 2]) / K[1, 1]
    grid = torch.broadcast_tensors(u[None, :, None, :], v[:, None, :, None])
    local = torch.stack([*grid, torch.ones_like(grid[0])], dim=-1).reshape(-1, 3)
    cosine = 1 / _norm(local)
    return cameras.position[view], (local * cosine[:, None]) @ viewmat[:3, :3], cosine


def _shoot(
    tape: Tape, eye: Tensor, directions: Tensor, cosine: Tensor, light: Tensor
) -> Samples:
    t, met = _trace(tape, eye, directions)
    count = len(directions)
    p = eye + directions[met] * t[met, None]
    n = normals(tape, p)
    nearest = distance(tape, p)[1]
    rows = torch.from_numpy(tape.rows).to(p)[nearest]
    shade = _shade(tape, p, n, light)
    shaded = lit(rows[:, FINISH], albedo(rows, p), shade, n, -directions[met], light)
    color, normal = eye.new_zeros(count, 3), eye.new_zeros(count, 3)
    part = torch.full((count,), -1, dtype=torch.int32, device=eye.device)
    color[met], normal[met], part[met] = shaded, n, nearest.to(torch.int32)
    depth = (t * cosine * met)[:, None]
    return Samples(color, met[:, None].to(eye), depth, normal, part)


def _trace(tape: Tape, eye: Tensor, directions: Tensor) -> tuple[Tensor, Bool[Tensor, "rays"]]:
    stride = 0.9 if bool((tape.heads[:, 0] == Kind.ELLIPSOID).any()) else 1.0
    away = float(_norm(eye))
    t = directions.new_full((len(directions),), max(0.0, away - REACH))
    met = torch.zeros(len(directions), dtype=torch.bool, device=eye.device)
    active = torch.arange(len(directions), device=eye.device)
    for _ in range(MOST_STEPS):
        d = distance(tape, eye + directions[active] * t[active, None])[0]
        arrived = d < HIT
        t[active] += torch.where(arrived, d, d * stride)
        met[active] = arrived
        active = active[~arrived & (t[active] < away + REACH)]
        if len(active) == 0:
            break
    return t, met


def _shade(tape: Tape, p: Tensor, n: Tensor, light: Tensor) -> Tensor:
    """Half-lambert key light, a brighter sky, and one step of ambient occlusion."""
    half, sky = 0.5 + 0.5 * (n @ light), 0.5 + 0.5 * n[:, 2]
    open_ = (distance(tape, p + OCCLUSION * n)[0] / OCCLUSION).clamp(0, 1)
    return (0.30 + 0.14 * sky + 0.58 * half * half) * (0.72 + 0.28 * open_)


def _pixels(
    found: Samples, height: int, width: int, samples: int, background: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    def sums(values: Tensor) -> Tensor:
        return values.reshape(height, width, samples * samples, -1).sum(2)

    count = sums(found.alpha)
    alpha = count / samples**2
    color = sums(found.color) / samples**2 + background * (1 - alpha)
    depth = sums(found.depth) / count.clamp(min=1)
    normal = torch.nn.functional.normalize(sums(found.normal), dim=-1, eps=1e-12)
    parts = found.part.reshape(height, width, -1)
    first = (parts >= 0).int().argmax(-1, keepdim=True)  # The first sample that met anything.
    return color, alpha, depth, normal, parts.gather(-1, first)[..., 0]
