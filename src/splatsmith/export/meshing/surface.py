"""From Gaussians to a closed surface: density, level, marching cubes, decimation."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.export.meshing.density import Grid, density, grid_between, occupied_box
from splatsmith.export.meshing.extras import needed
from splatsmith.export.meshing.level import fitting_level, fitting_views
from splatsmith.export.meshing.mesh import Mesh, plain_mesh, volume
from splatsmith.export.meshing.topology import (
    mended,
    parted_places,
    topology,
    without_small_parts,
)
from splatsmith.export.meshing.tsdf import fused
from splatsmith.export.meshing.views import front_depths, seen, sphere_cameras
from splatsmith.scenes.gaussians import Gaussians

COARSE = 32  # cells along the longest side, on the first look
THINNEST = 0.7  # cells; standard deviation of a splat in the grid
DEPTHS = 256  # pixels a side of the depths that are fused
ENOUGH = 0.25  # of the level: what is thinner on the first look need not be in the fine grid


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed surface and how it was found."""

    mesh: Mesh
    level: float  # of density; 0 for a surface that was fused from depths
    overlap: float  # of its outline and the splats', 0..1; at the level, before cleaning


def density_surface(
    scene: Gaussians,
    *,
    resolution: int = 96,
    level: float | None = None,
    smallest_part: float = 0.02,
) -> Surface:
    """The surface on which the density has a level, chosen by `level.fitting_level` if None.

    `resolution` is the number of cells along the longest side, 8 to 480. Parts with less than
    `smallest_part` of the largest part's area go, and so do hollows inside. Raises InputError
    if nothing is left, and says at which level something would be.
    """
    _check_resolution(resolution)
    low, high = _solid_box(scene, level)
    grid = grid_between(low, high, resolution)
    values = density(widened(scene, grid.cell), grid)
    overlap = 0.0
    if level is None:
        level, overlap = fitting_level(values, grid, fitting_views(scene, low, high))
    raw = level_set(values, grid, level)
    return Surface(without_small_parts(raw, smallest_part), level, overlap)


def widened(scene: Gaussians, cell: float) -> Gaussians:
    """The splats, none of them thinner than a grid of such cells can see.

    A flat splat between two grid points would leave a hole (Mip-Splatting, Yu et al. 2024, has
    the same floor for pictures).
    """
    state = scene.state()
    floor = math.log(THINNEST * cell)
    return Gaussians.from_state(state | {"log_scales": state["log_scales"].clamp(min=floor)})


def tsdf_surface(
    scene: Gaussians,
    *,
    resolution: int = 96,
    views: int = 60,
    smallest_part: float = 0.02,
) -> Surface:
    """The surface fused from depths of `views` pictures all around; see `tsdf`.

    Nearer to the true surface than the density's, but thinner than the splats look: depths are
    measured to their centers. Blind to what no view shows. Raises InputError if the splats are
    nowhere opaque.
    """
    _check_resolution(resolution)
    low, high = _solid_box(scene, None)
    grid = grid_between(low, high, resolution, margin=3)
    cameras = sphere_cameras(views, torch.tensor(grid.low), torch.tensor(grid.high), DEPTHS)
    pictures = replace(seen(scene, cameras), depth=front_depths(scene, cameras))
    # Marching cubes looks for what is dense: distances turned around, and moved above zero.
    values = 1 - fused(pictures, grid)
    raw = level_set(values, grid, 1.0)
    return Surface(without_small_parts(raw, smallest_part), 0.0, 0.0)


def level_set(values: Float[Tensor, "x y z"], grid: Grid, level: float) -> Mesh:
    """Marching cubes (Lewiner et al. 2003) around everything denser than `level`; closed.

    Raises InputError if nothing is, or everything.
    """
    top = float(values.max())
    if not 0 < level < top:
        raise InputError(
            f"No surface has the density {level:g}: the mesh would be empty. The scene's "
            f"densities go up to {top:.4g}; choose a level between 0 and that."
        )
    # A border of emptiness closes what touches the grid's end.
    padded = torch.nn.functional.pad(values, (1, 1, 1, 1, 1, 1)).numpy()
    corners, faces, _, _ = needed("skimage.measure").marching_cubes(
        padded, level, gradient_direction="ascent", allow_degenerate=False
    )
    low = torch.tensor(grid.low) - grid.cell
    vertices = low + grid.cell * torch.from_numpy(corners.astype(np.float32))
    mesh = plain_mesh(vertices, torch.from_numpy(faces.astype(np.int64)))
    if volume(mesh) < 0:
        mesh = plain_mesh(vertices, mesh.faces.flip(1))
    return mesh


def decimated(mesh: Mesh, faces: int) -> Mesh:
    """At most `faces` triangles that keep the shape (quadric errors, Garland & Heckbert 1997).

    fast-simplification does not promise to keep a closed mesh closed. Where it opened one, the
    holes are filled; ask `topology` about the result. Raises InputError below 4 faces.
    """
    if faces < 4:
        raise InputError(f"A mesh needs at least 4 faces to enclose something, got {faces}.")
    if len(mesh.faces) <= faces:
        return parted_places(mesh)
    simplify = needed("fast_simplification").simplify
    wanted = faces
    while wanted >= 4:
        points, triangles = simplify(
            mesh.vertices.numpy(), mesh.faces.numpy().astype(np.int32), target_count=wanted
        )[:2]
        less = plain_mesh(
            torch.from_numpy(np.array(points, dtype=np.float32)),
            torch.from_numpy(np.array(triangles, dtype=np.int64)),
        )
        less = mended(less)
        if len(less.faces) <= faces:
            return parted_places(less)
        wanted -= max(2, len(less.faces) - faces)
    raise InputError(
        f"The mesh cannot be reduced to {faces} faces: it has "
        f"{topology(mesh.faces).parts} parts; allow more."
    )


def _check_resolution(resolution: int) -> None:
    if not 8 <= resolution <= 480:
        raise InputError(f"The resolution of a mesh must lie in 8..480, got {resolution}.")


def _solid_box(
    scene: Gaussians, level: float | None
) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """The box that a first, coarse look finds occupied, so that stray haze costs no cells."""
    low, high = occupied_box(scene)
    grid = grid_between(low, high, COARSE)
    values = density(widened(scene, grid.cell), grid)
    if level is None:
        level = fitting_level(values, grid, fitting_views(scene, low, high))[0]
    there = values > min(level * ENOUGH, float(values.max()) * 0.99)
    ends = []
    for axis in range(3):
        others = [i for i in range(3) if i != axis]
        full = there.any(dim=others[1]).any(dim=others[0]).nonzero()[:, 0]
        ends.append((int(full.min()), int(full.max())))
    first = torch.tensor(grid.low)
    return (
        first + grid.cell * (torch.tensor([float(a) for a, _ in ends]) - 1),
        first + grid.cell * (torch.tensor([float(b) for _, b in ends]) + 1),
    )
