"""A scene that is a surface within a grid of tetrahedra (DMTet, Shen et al. 2021).

Each grid vertex has a signed distance and may move a little. The surface is cut out of the
tetrahedra anew for each picture, so its topology can change, and gradients reach distances and
movements through the places where the surface crosses the grid's edges.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render.mesh import Hits, draw_mesh
from splatsmith.render.picture import Picture
from splatsmith.render.raster import Backend, interpolate_at
from splatsmith.render.shading import Shading
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.paint import FieldColors, paint_from_state

# How far a grid point moves along each axis, in cubes. A cell's volume is linear in each of its
# coordinates, so its least is at a corner of their ranges: from 1/4 on it can be 0.
REACH = 0.24
BOUND = 1.0  # the grid fills the cube from -BOUND to BOUND, world units

ONES = 0x01010101
# The edges of a tetrahedron, as pairs of its corners.
EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


@dataclass(frozen=True, eq=False)
class Grid:
    """A body-centered cubic lattice cut into tetrahedra that are all alike but at the rim."""

    points: Float[Tensor, "points 3"]
    cells: Int[Tensor, "cells 4"]  # positively oriented
    rim: Int[Tensor, "rim"]  # points on the faces of the whole cube
    cube: float  # side of a lattice cube, world units


@dataclass(frozen=True, eq=False)
class Cut:
    """A surface cut out of tetrahedra: its vertices lie on edges of the grid."""

    ends: Int[Tensor, "vertices 2"]  # grid points: inside, outside
    faces: Int[Tensor, "faces 3"]  # counter-clockwise seen from outside


def grid(resolution: int, device: torch.device | str = "cpu") -> Grid:
    """The tetrahedral grid with `resolution` half cubes a side, an even number in 8..256.

    Corners of cubes and their centers, joined through the cubes' faces: 12 tetrahedra for each
    cube, with edges of one cube's side and 0.87 of it. 64 has 69,000 points and 390,000 cells.
    """
    if resolution % 2 or not 8 <= resolution <= 256:
        raise InputError(
            f"The resolution of a tetrahedral grid is even and in 8..256, got {resolution}."
        )
    return _grid(resolution, str(device))


@lru_cache(maxsize=4)
def _grid(resolution: int, device: str) -> Grid:
    cubes = resolution // 2
    axis = torch.arange(cubes + 1)
    corners = torch.cartesian_prod(axis, axis, axis).float()
    centers = torch.cartesian_prod(axis[:-1], axis[:-1], axis[:-1]) + 0.5
    points = torch.cat([corners, centers]) * (2 * BOUND / cubes) - BOUND
    rim = ((corners == 0) | (corners == cubes)).any(dim=1).nonzero()[:, 0]
    cells = torch.cat([_cells(cubes, axis_) for axis_ in range(3)])
    a, b, c, d = points[cells].unbind(dim=1)
    volume = (torch.linalg.cross(b - a, c - a) * (d - a)).sum(dim=1)
    turned = cells[:, [1, 0, 2, 3]]
    cells = torch.where(volume[:, None] < 0, turned, cells)
    cube = 2 * BOUND / cubes
    return Grid(points.to(device), cells.to(device), rim.to(device), cube)


def _cells(cubes: int, axis: int) -> Int[Tensor, "cells 4"]:
    """The tetrahedra about the faces of cubes that stand across an axis."""
    sizes = [cubes] * 3
    sizes[axis] += 1
    place = torch.cartesian_prod(*(torch.arange(size) for size in sizes))
    side = [k for k in range(3) if k != axis]
    around = []
    for first, second in ((0, 0), (1, 0), (1, 1), (0, 1)):
        corner = place.clone()
        corner[:, side[0]] += first
        corner[:, side[1]] += second
        around.append((corner[:, 0] * (cubes + 1) + corner[:, 1]) * (cubes + 1) + corner[:, 2])
    step = torch.zeros(3, dtype=torch.long)
    step[axis] = 1
    number = torch.tensor([cubes * cubes, cubes, 1])
    after = (place * number).sum(dim=1) + (cubes + 1) ** 3
    before = ((place - step) * number).sum(dim=1) + (cubes + 1) ** 3
    inner = (place[:, axis] > 0) & (place[:, axis] < cubes)
    found = [
        torch.stack([before, after, around[k], around[(k + 1) % 4]], dim=1)[inner]
        for k in range(4)
    ]
    for center, rim in ((after, place[:, axis] == 0), (before, place[:, axis] == cubes)):
        for k in (1, 2):
            half = torch.stack([center, around[0], around[k], around[k + 1]], dim=1)
            found.append(half[rim])
    return torch.cat(found)


def _table() -> tuple[Tensor, Tensor]:
    """For each set of corners inside (bit i: corner i) up to two triangles of edges, outward.

    There are two shapes only; taking the corners in even permutations turns all alike.
    """
    number = {frozenset(edge): i for i, edge in enumerate(EDGES)}
    triangles = torch.zeros(16, 2, 3, dtype=torch.long)
    counts = torch.zeros(16, dtype=torch.long)
    even = [(0, 1, 2, 3), (1, 0, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0)]
    for a, b, c, d in even:  # one corner inside, or all but one
        fan = [number[frozenset((a, other))] for other in (b, c, d)]
        triangles[1 << a, 0] = torch.tensor(fan)
        triangles[15 - (1 << a), 0] = torch.tensor(fan[::-1])
        counts[1 << a] = counts[15 - (1 << a)] = 1
    for a, b, c, d in ((0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2)):  # two inside: a quad
        quad = [number[frozenset(pair)] for pair in ((a, c), (a, d), (b, d), (b, c))]
        inside = (1 << a) + (1 << b)
        for case, ring in ((inside, quad), (15 - inside, quad[::-1])):
            triangles[case, 0] = torch.tensor([ring[0], ring[1], ring[2]])
            triangles[case, 1] = torch.tensor([ring[0], ring[2], ring[3]])
            counts[case] = 2
    return triangles, counts


TRIANGLES, COUNTS = _table()


@torch.no_grad()
def marching_tetrahedra(sdf: Float[Tensor, "points"], cells: Int[Tensor, "cells 4"]) -> Cut:
    """Where a function changes sign within tetrahedra (negative is inside, 0 is outside).

    The surface is closed unless cells are missing where it passes: each edge of the grid with
    two signs gives one vertex, which all cells about it share.
    """
    inside = sdf < 0
    # The four signs of a cell as the bytes of one integer: nearly all cells are 0 or ONES.
    signs = inside.index_select(0, cells.reshape(-1)).view(torch.uint8)
    packed = signs.view(torch.int32)
    crossed = ((packed != 0) & (packed != ONES)).nonzero()[:, 0]
    cells = cells[crossed]
    case = (inside[cells] * torch.tensor([1, 2, 4, 8], device=sdf.device)).sum(dim=1)
    pairs = cells[:, torch.tensor(EDGES, device=sdf.device)]
    here, there = inside[pairs].unbind(dim=-1)
    low, high = pairs.amin(dim=-1), pairs.amax(dim=-1)
    changes = here != there
    keys = (low * len(sdf) + high)[changes]
    unique, place = keys.unique(return_inverse=True)
    vertex = torch.full_like(low, -1)
    vertex[changes] = place
    ends = torch.stack([unique // len(sdf), unique % len(sdf)], dim=1)
    ends = torch.where(inside[ends[:, :1]], ends, ends.flip(1))
    table, counts = TRIANGLES.to(sdf.device)[case], COUNTS.to(sdf.device)[case]
    faces = vertex.gather(1, table.reshape(len(case), 6)).reshape(-1, 2, 3)
    both = torch.stack([counts > 0, counts > 1], dim=1)
    return Cut(ends, faces[both])


def cut_points(
    cut: Cut, sdf: Float[Tensor, "points"], values: Float[Tensor, "points channels"]
) -> Float[Tensor, "vertices channels"]:
    """Values on the surface's vertices: linear between the edge's ends, where the sdf is 0."""
    inner, outer = sdf[cut.ends[:, 0]], sdf[cut.ends[:, 1]]
    share = (outer / (outer - inner))[:, None]
    return share * values[cut.ends[:, 0]] + (1 - share) * values[cut.ends[:, 1]]


class Tetrahedra(nn.Module):
    """Trainable signed distances (negative inside, world units) and movements of a grid.

    `deformation` passes through a tanh, so that no grid point moves further than `REACH` cubes
    along an axis and no cell turns over; those at the rim stay. Color is a field, or logits at
    the grid's points (`logit_colors`), which the surface blends. At the rim the distance counts
    as positive, so that the surface is always closed.

    Raises InputError for shapes that do not fit the resolution.
    """

    sdf: nn.Parameter
    deformation: nn.Parameter
    logit_colors: nn.Parameter | None

    def __init__(
        self,
        resolution: int,
        sdf: Float[Tensor, "points"],
        deformation: Float[Tensor, "points 3"] | None = None,
        *,
        logit_colors: Float[Tensor, "points 3"] | None = None,
        field: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.resolution = resolution
        points = grid(resolution, sdf.device).points
        moved = torch.zeros_like(points).to(sdf) if deformation is None else deformation
        if logit_colors is None and field is None:
            logit_colors = torch.zeros_like(points).to(sdf)
        given = {"sdf": sdf, "deformation": moved, "logit_colors": logit_colors}
        for name, tensor in given.items():
            shape = points.shape[:1] if name == "sdf" else points.shape
            if tensor is not None and tensor.shape != shape:
                raise InputError(
                    f"{name} of resolution {resolution} must have shape {tuple(shape)}, "
                    f"got {tuple(tensor.shape)}."
                )
            fresh = None if tensor is None else nn.Parameter(tensor.detach().clone())
            self.register_parameter(name, fresh)
        self.paint = None if field is None else FieldColors(field)

    @classmethod
    def sphere(
        cls, resolution: int, radius: float = 0.5, field: nn.Module | None = None
    ) -> "Tetrahedra":
        """A ball about the origin, grey unless a field colors it."""
        if not 0 < radius < BOUND:
            raise InputError(
                f"The radius must lie within the grid, 0 to {BOUND}, got {radius}."
            )
        return cls(resolution, grid(resolution).points.norm(dim=1) - radius, field=field)

    @property
    def grid(self) -> Grid:
        """The grid that the distances belong to."""
        return grid(self.resolution, self.sdf.device)

    @property
    def points(self) -> Float[Tensor, "points 3"]:
        """Where the grid's points have moved to."""
        at = self.grid
        moved = REACH * at.cube * torch.tanh(self.deformation)
        return at.points.to(self.sdf) + moved.index_fill(0, at.rim, 0)

    def surface(
        self,
    ) -> tuple[
        Float[Tensor, "vertices 3"], Int[Tensor, "faces 3"], Cut, Float[Tensor, "points"]
    ]:
        """Vertices and faces of the surface, how it was cut, and the distances that cut it."""
        at = self.grid
        closed = self.sdf.index_put((at.rim,), self.sdf[at.rim].clamp_min(1e-3 * at.cube))
        cut = marching_tetrahedra(closed, at.cells)
        return cut_points(cut, closed, self.points), cut.faces, cut, closed

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """`sdf`, `deformation`, and `logit_colors` or the field's parameters."""
        named = {"sdf": self.sdf, "deformation": self.deformation}
        if self.paint is not None:
            return named | self.paint.parameters_by_name()
        assert self.logit_colors is not None
        return named | {"logit_colors": self.logit_colors}

    def render(
        self,
        cameras: Cameras,
        background: Float[Tensor, "views 3"]
        | Float[Tensor, "3"]
        | Float[Tensor, "views height width 3"],
        *,
        shading: Shading | None = None,
        backend: Backend = "auto",
    ) -> Picture:
        """What the cameras see; see `splatsmith.render.mesh.draw_mesh` for the arguments."""
        vertices, faces, cut, closed = self.surface()
        colors = self._colors(cut, closed)

        def albedo(hits: Hits) -> Tensor:
            if self.paint is not None:
                return self.paint.color(hits, faces)
            assert colors is not None
            return interpolate_at(colors, faces, hits.triangle, hits.barycentric)

        return draw_mesh(
            vertices, faces, albedo, cameras, background, shading=shading, backend=backend
        )

    @torch.no_grad()
    def mesh(self) -> Mesh:
        """The surface as a mesh with colors at its vertices; InputError if there is none."""
        vertices, faces, cut, closed = self.surface()
        if len(faces) == 0:
            raise InputError(
                "The signed distance is positive everywhere, so there is no surface; start "
                "from a shape, as Tetrahedra.sphere does."
            )
        colors = self._colors(cut, closed)
        if colors is None:
            assert self.paint is not None
            colors = self.paint.field(vertices)
        return Mesh.colored(vertices, faces, colors)

    def _colors(self, cut: Cut, closed: Tensor) -> Float[Tensor, "vertices 3"] | None:
        if self.logit_colors is None:
            return None
        return torch.sigmoid(cut_points(cut, closed, self.logit_colors))

    def state(self) -> dict[str, Tensor]:
        """The scene as a flat dict of detached tensors that share its memory."""
        own = {"sdf": self.sdf.detach(), "deformation": self.deformation.detach()}
        own["resolution"] = torch.tensor(self.resolution)
        if self.paint is not None:
            return own | self.paint.state()
        assert self.logit_colors is not None
        return own | {"logit_colors": self.logit_colors.detach()}

    @classmethod
    def from_state(
        cls, state: Mapping[str, Tensor], field: nn.Module | None = None
    ) -> "Tetrahedra":
        """The scene that `state` was taken from, exactly; raises InputError if keys are off."""
        own = {"sdf", "deformation", "resolution"}
        if not own <= set(state):
            raise InputError(
                f"A tetrahedral scene has the tensors {', '.join(sorted(own))}; got "
                f"{', '.join(sorted(state))}."
            )
        resolution = int(state["resolution"])
        sdf, deformation = state["sdf"], state["deformation"]
        rest = {name: value for name, value in state.items() if name not in own}
        if set(rest) == {"logit_colors"}:
            return cls(resolution, sdf, deformation, logit_colors=rest["logit_colors"])
        paint = paint_from_state(rest, field)
        if not isinstance(paint, FieldColors):
            raise InputError("A tetrahedral scene has logit_colors or a field, not an image.")
        return cls(resolution, sdf, deformation, field=paint.field)
