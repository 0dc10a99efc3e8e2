"""The plain twin of the mesh rasterizer, which defines its answers: torch alone, any device.

An edge function is a determinant of homogeneous pixels (Olano and Greer 1997), always taken
relative to a pixel's center, where small triangles lose no digits.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

NEAR = 0.01  # camera z; nothing nearer is drawn
SLACK = 1e-3  # pixels added around a triangle's bounding box, against rounding
CHUNK = 2_000_000  # pixels of bounding boxes that are tested at once
LONGEST_WALK = 64  # triangles between two neighboring pixels' centers
BEHIND = 0.0625  # pixels by which rounding may put an edge behind the center that sees it

Seen = tuple[Tensor, Tensor, Tensor]  # along a line, across it, w; each [pairs]


def rasterize(
    clip: Float[Tensor, "views vertices 3"],
    faces: Int[Tensor, "faces 3"],
    width: int,
    height: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Triangle, barycentric coordinates and depth, as in `Fragments`."""
    with torch.no_grad():
        triangle = torch.stack([_visible(view, faces, width, height) for view in clip])
    views, rows, columns = (triangle >= 0).nonzero(as_tuple=True)
    corners = clip[views[:, None], faces[triangle[views, rows, columns]]]
    share, depth = _inside(corners, columns + 0.5, rows + 0.5)
    barycentric = clip.new_zeros(*triangle.shape, 3)
    picture = clip.new_zeros(*triangle.shape, 1)
    seen = (views, rows, columns)
    return (
        triangle,
        barycentric.index_put(seen, share),
        picture.index_put(seen, depth[:, None]),
    )


def interpolate(
    attributes: Float[Tensor, "*views vertices channels"],
    faces: Int[Tensor, "faces 3"],
    triangle: Int[Tensor, "views height width"],
    barycentric: Float[Tensor, "views height width 3"],
) -> Float[Tensor, "views height width channels"]:
    """Barycentric sums of the corners' attributes, 0 where nothing is seen."""
    seen = (triangle >= 0).nonzero(as_tuple=True)
    corners = faces[triangle[seen]]
    shared = attributes.ndim == 2
    values = attributes[corners] if shared else attributes[seen[0][:, None], corners]
    mixed = (barycentric[seen][:, :, None] * values).sum(dim=1)
    out = attributes.new_zeros(*triangle.shape, attributes.shape[-1])
    return out.index_put(seen, mixed)


def antialias(
    color: Float[Tensor, "views height width channels"],
    triangle: Int[Tensor, "views height width"],
    depth: Float[Tensor, "views height width 1"],
    clip: Float[Tensor, "views vertices 3"],
    faces: Int[Tensor, "faces 3"],
    neighbors: Int[Tensor, "faces 3"],
) -> Float[Tensor, "views height width channels"]:
    """The picture with pixels blended across silhouettes; see `raster.antialias`."""
    flat = color.reshape(-1, color.shape[-1])
    out = flat
    for axis in (0, 1):
        pairs = _pairs(triangle, depth[..., 0], axis)
        with torch.no_grad():
            kept, ends = _walk(pairs, axis, triangle, clip, faces, neighbors)
        near, far, step = (part[kept] for part in pairs)
        first, second = (_see(clip, near, end, axis, triangle.shape) for end in ends.unbind(1))
        distance = step * _crossing(first, second)
        nearer = distance < 0.5
        taker, giver = torch.where(nearer, near, far), torch.where(nearer, far, near)
        weight = (0.5 - distance).abs()[:, None]
        out = out.index_add(0, taker, weight * (flat[giver] - flat[taker]))
    return out.reshape(color.shape)


def normal_sums(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, "vertices 3"]:
    """Sums over the faces about each vertex of their normals, twice the area long."""
    a, b, c = vertices[faces].unbind(dim=1)
    each = torch.linalg.cross(b - a, c - a).repeat_interleave(3, dim=0)
    return torch.zeros_like(vertices).index_add(0, faces.reshape(-1), each)


def face_neighbors(faces: Int[Tensor, "faces 3"], vertices: int) -> Int[Tensor, "faces 3"]:
    """The face across the edge opposite to each corner, -1 where the surface ends."""
    ends = torch.stack([faces[:, [1, 2, 0]], faces[:, [2, 0, 1]]], dim=-1).reshape(-1, 2)
    key, order = (ends.amin(1) * vertices + ends.amax(1)).sort(stable=True)
    place = torch.arange(len(key), device=faces.device)
    fresh = torch.ones_like(key, dtype=torch.bool)
    fresh[1:] = key[1:] != key[:-1]
    group = fresh.cumsum(0) - 1
    starts = place[fresh]
    sizes = torch.diff(starts, append=starts.new_tensor([len(key)]))
    following = starts[group] + (place - starts[group] + 1) % sizes[group]
    across = torch.where(sizes[group] > 1, order[following] // 3, -1)
    return torch.empty_like(across).scatter(0, order, across).reshape(faces.shape)


def _visible(
    clip: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"], width: int, height: int
) -> Int[Tensor, "height width"]:
    """The nearest triangle of each pixel, -1 where there is none."""
    depth = clip.new_full((height * width,), torch.inf)
    best = faces.new_full((height * width,), -1)
    for face, column, row in _candidates(clip, faces, width, height):
        corners = clip[faces[face]]
        share, z = _inside(corners, column + 0.5, row + 0.5)
        # NaN, where a triangle has no area, fails every comparison.
        hit = (share >= 0).all(dim=1) & (z > NEAR)
        face, pixel, z = face[hit], (row * width + column)[hit], z[hit]
        before = depth.clone()
        depth.scatter_reduce_(0, pixel, z, "amin")
        won = (z == depth[pixel]) & (z < before[pixel])
        best[pixel[won]] = len(faces)
        best.scatter_reduce_(0, pixel[won], face[won], "amin")
    return best.reshape(height, width)


def _candidates(
    clip: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"], width: int, height: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Pairs of a triangle and a pixel of its bounding box, in chunks: face, column, row."""
    w = clip[:, 2][faces]
    screen = (clip[:, :2] / clip[:, 2:])[faces]
    most = screen.new_tensor([width - 1, height - 1])
    whole = (w > NEAR).all(dim=1)[:, None]
    low = torch.where(whole, (screen.amin(1) - 0.5 - SLACK).ceil().clamp(min=0), 0)
    high = (screen.amax(1) - 0.5 + SLACK).floor()
    high = torch.where(whole, torch.minimum(high, most), most)
    span = (high - low + 1).clamp(min=0).nan_to_num(0).long()
    counts = span.prod(dim=1) * (w > NEAR).any(dim=1)
    totals = counts.cumsum(0)
    start = 0
    while start < len(faces):
        base = int(totals[start - 1]) if start else 0
        stop = max(start + 1, int(torch.searchsorted(totals, base + CHUNK, right=True)))
        face = torch.arange(start, stop, device=faces.device)
        face = face.repeat_interleave(counts[start:stop])
        inside = torch.arange(len(face), device=faces.device) - (totals - counts - base)[face]
        row = torch.div(inside, span[face, 0].clamp(min=1), rounding_mode="floor")
        column = inside - row * span[face, 0]
        low_ = low[face].long()
        yield face, low_[:, 0] + column, low_[:, 1] + row
        start = stop


def _inside(
    corners: Float[Tensor, "pixels 3 3"], x: Tensor, y: Tensor
) -> tuple[Float[Tensor, "pixels 3"], Float[Tensor, "pixels"]]:
    """Barycentric coordinates of pixels in their triangles, and camera z there."""
    w = corners[..., 2]
    x_, y_ = corners[..., 0] - x[:, None] * w, corners[..., 1] - y[:, None] * w
    next_, last = [1, 2, 0], [2, 0, 1]
    edges = x_[:, next_] * y_[:, last] - x_[:, last] * y_[:, next_]
    share = edges / edges.sum(dim=1, keepdim=True)
    return share, (share * w).sum(dim=1)


def _pairs(
    triangle: Int[Tensor, "views height width"],
    depth: Float[Tensor, "views height width"],
    axis: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Neighboring pixels that show different triangles: the nearer, the other, the way (1, -1).

    Pixels are numbered through all views. Axis 0 pairs them in rows, 1 in columns.
    """
    numbers = torch.arange(triangle.numel(), device=triangle.device).reshape(triangle.shape)
    size = triangle.shape[2 - axis] - 1
    here, there = numbers.narrow(2 - axis, 0, size), numbers.narrow(2 - axis, 1, size)
    shown, z = triangle.reshape(-1), depth.reshape(-1)
    differ = shown[here] != shown[there]
    here, there = here[differ], there[differ]
    empty, other_empty = shown[here] < 0, shown[there] < 0
    first = other_empty | (~empty & (z[here] <= z[there]))
    near, far = torch.where(first, here, there), torch.where(first, there, here)
    return near, far, torch.where(first, 1, -1)


def _see(
    clip: Tensor, pixel: Tensor, vertex: Tensor, axis: int, shape: tuple[int, ...]
) -> Seen:
    """Vertices from pixels' centers: along the line to the neighbor, across it, and w."""
    _, height, width = shape
    at = clip[pixel // (height * width), vertex]
    x = at[:, 0] - (pixel % width + 0.5) * at[:, 2]
    y = at[:, 1] - (pixel // width % height + 0.5) * at[:, 2]
    return (y, x, at[:, 2]) if axis else (x, y, at[:, 2])


def _crossing(a: Seen, b: Seen) -> Tensor:
    """Where the edge between two vertices meets the line, pixels from its beginning."""
    return (a[0] * b[1] - b[0] * a[1]) / (a[2] * b[1] - b[2] * a[1])


def _side(a: Seen, b: Seen, c: Seen) -> Tensor:
    return (
        a[0] * (b[1] * c[2] - c[1] * b[2])
        - a[1] * (b[0] * c[2] - c[0] * b[2])
        + a[2] * (b[0] * c[1] - c[0] * b[1])
    )


def _walk(
    pairs: tuple[Tensor, Tensor, Tensor],
    axis: int,
    triangle: Tensor,
    clip: Tensor,
    faces: Tensor,
    neighbors: Tensor,
) -> tuple[Int[Tensor, "crossings"], Int[Tensor, "crossings 2"]]:
    """Which pairs have a silhouette between them, and the vertices of its edge.

    The line between the centers is followed from the nearer pixel's triangle to the next, until
    the surface ends or folds back (the next triangle lies on the same side of the edge).
    """
    shown, shape = triangle.reshape(-1), triangle.shape
    near, far, step = pairs
    alive = torch.arange(len(near), device=near.device)
    face, entry = shown[near], torch.full_like(near, -1)
    kept, ends = [alive[:0]], [faces.new_empty(0, 2)]
    for _ in range(LONGEST_WALK):
        if len(alive) == 0:
            break
        corner = faces[face]
        seen = [_see(clip, near[alive], corner[:, k], axis, shape) for k in range(3)]
        leaves, distance = _leave(seen, entry, step[alive])
        row = torch.arange(len(alive), device=near.device)
        first, second = corner[row, (leaves + 1) % 3], corner[row, (leaves + 2) % 3]
        a, b = (_see(clip, near[alive], v, axis, shape) for v in (first, second))
        next_ = neighbors[face, leaves]
        others = faces[next_.clamp(min=0)]
        foreign = (others != first[:, None]) & (others != second[:, None])
        # The last of three stands in where faces have the same corners, as in the kernel.
        entry = torch.where(foreign.any(1), foreign.int().argmax(1), 2)
        beyond = _see(clip, near[alive], others[row, entry], axis, shape)
        own = _see(clip, near[alive], corner[row, leaves], axis, shape)
        before = (torch.stack([part[2] for part in seen]) > NEAR).all(dim=0)
        valid = before & (distance <= 1) & torch.isfinite(distance)
        valid &= (next_ < 0) | (beyond[2] > NEAR)
        stops = (next_ < 0) | (_side(a, b, own) * _side(a, b, beyond) > 0)
        found = valid & stops & (distance > -BEHIND) & _steep(a, b, axis)
        kept.append(alive[found])
        ends.append(torch.stack([first, second], dim=1)[found])
        onward = valid & ~stops & (next_ != shown[far[alive]])
        alive, face, entry = alive[onward], next_[onward], entry[onward]
    return torch.cat(kept), torch.cat(ends)


def _leave(seen: list[Seen], entry: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """The edge by which the line leaves each triangle, and how far that is; -inf: by none."""
    found = []
    for k in range(3):
        a, b = seen[(k + 1) % 3], seen[(k + 2) % 3]
        crosses = ((a[1] < 0) != (b[1] < 0)) & (entry != k)
        found.append(torch.where(crosses, step * _crossing(a, b), -torch.inf))
    distance, leaves = torch.stack(found, dim=1).max(dim=1)
    return leaves, distance


def _steep(a: Seen, b: Seen, axis: int) -> Tensor:
    along, across = (a[0] / a[2] - b[0] / b[2]).abs(), (a[1] / a[2] - b[1] / b[2]).abs()
    return across > along if axis else across >= along
