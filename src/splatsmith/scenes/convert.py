"""One kind of scene into another: fields, Gaussians, meshes and tetrahedra.

A field here is any function from points [points 3] to densities [points]; what a surface is,
its `level` says. Point clouds become Gaussians by `splatsmith.scenes.from_points`.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.render.density import Lattice, density
from splatsmith.render.mesh import Hits, face_normals
from splatsmith.scenes.distance import signed_distance
from splatsmith.scenes.gaussians import SH_C0, Gaussians, color_to_sh
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.tetrahedra import BOUND, Tetrahedra, grid

Density = Callable[[Float[Tensor, "points 3"]], Float[Tensor, "points"]]
Color = Callable[[Float[Tensor, "points 3"]], Float[Tensor, "points 3"]]

CHUNK = 1 << 18  # points that a field is asked for at once
BAND = 2  # cubes of a tetrahedral grid about a mesh within which distances are exact
FLAT = 0.1  # thickness of a splat on a surface, in its width


@torch.no_grad()
def field_to_mesh(
    field: Density,
    level: float,
    *,
    resolution: int = 128,
    bound: float = 1.0,
    color: Color | None = None,
) -> Mesh:
    """The surface where a density rises over `level`, within the cube from -bound to bound.

    Marching cubes over `resolution` cells a side; the surface is closed at the cube's sides.
    Colors, if given, are asked for at the vertices. Needs the extra "mesh" (scikit-image).
    Raises InputError if it is missing, or no density reaches the level.
    """
    lattice = Lattice.cube(resolution, bound)
    values = _on_lattice(field, lattice)
    vertices, faces = _surface(values, level, lattice)
    return Mesh.colored(vertices, faces, None if color is None else color(vertices))


@torch.no_grad()
def gaussians_to_mesh(
    gaussians: Gaussians,
    *,
    level: float = 0.5,
    resolution: int = 128,
    bound: float = 1.0,
) -> Mesh:
    """The surface where the density of Gaussians rises over `level`, in their mean colors.

    Density is the sum of opacity * exp(-d^2 / 2) (Tang et al. 2023, DreamGaussian, which takes
    the level 1); color is that of the harmonics' constant. Raises InputError if no density
    reaches the level (the message says what it reaches), or scikit-image is missing.
    """
    lattice = Lattice.cube(resolution, bound)
    constant = (0.5 + SH_C0 * gaussians.sh[:, 0]).clamp(0, 1)
    total, mean = density(
        gaussians.means,
        gaussians.quats,
        gaussians.scales,
        gaussians.opacities,
        lattice,
        colors=constant,
    )
    assert mean is not None
    vertices, faces = _surface(total, level, lattice)
    # Where the density fades the mean color is 0, so both are read together.
    weighted = torch.cat([total[..., None], mean * total[..., None]], dim=-1)
    weight, color = read_lattice(weighted, lattice, vertices).split([1, 3], dim=-1)
    return Mesh.colored(vertices, faces, color / weight.clamp_min(1e-8))


@torch.no_grad()
def mesh_to_gaussians(
    mesh: Mesh,
    count: int,
    generator: torch.Generator,
    *,
    opacity: float = 0.9,
    sh_degree: int = 0,
) -> Gaussians:
    """`count` flat splats spread evenly over the surface, lying in it, in its colors.

    Faces are drawn by their area. A splat's two axes in the surface have half the side of the
    square that is its share of the area, so neighbors overlap; it is `FLAT` times as thick.
    """
    if count < 1:
        raise InputError(f"At least one splat must be asked for, got {count}.")
    if not 0 < opacity < 1:
        raise InputError(f"opacity must lie between 0 and 1, both excluded, got {opacity}.")
    vertices = mesh.vertices.detach()
    normals = face_normals(vertices, mesh.faces)
    areas = normals.norm(dim=1) / 2
    total = float(areas.sum())
    if not total > 0:
        raise InputError("The mesh has no area, so there is nothing to put splats on.")
    device, like = generator.device, vertices
    # A stratified draw: the places along the summed areas are even, but for a shake in each.
    shake = torch.rand(count, generator=generator, device=device).to(like.device, torch.float64)
    place = (torch.arange(count, device=like.device) + shake) / count * total
    summed = areas.double().cumsum(0)
    triangle = torch.searchsorted(summed, place * float(summed[-1]) / total).clamp_max(
        len(areas) - 1
    )
    one, two = torch.rand(2, count, generator=generator, device=device).to(like)
    root = one.sqrt()  # uniform over the triangle (Turk 1990)
    barycentric = torch.stack([1 - root, root * (1 - two), root * two], dim=1)
    points = (barycentric[:, :, None] * vertices[mesh.faces[triangle]]).sum(dim=1)
    color = mesh.paint.color(Hits(points, triangle, barycentric), mesh.faces)
    side = math.sqrt(total / count) / 2
    scales = like.new_tensor([side, side, FLAT * side]).expand(count, 3)
    logits = torch.logit(like.new_full((count,), opacity))
    quats = quats_to(F.normalize(normals[triangle], dim=1))
    return Gaussians(points, scales.log(), quats, logits, color_to_sh(color, sh_degree))


@torch.no_grad()
def mesh_to_tetrahedra(mesh: Mesh, resolution: int = 64) -> Tetrahedra:
    """A closed mesh as signed distances of a tetrahedral grid, with its vertices' colors.

    Distances are exact within `BAND` cubes of the surface and cut off there. Grid points take
    the color of the nearest vertex. Raises InputError if the mesh is not closed or leaves the
    grid.
    """
    vertices, faces = mesh.vertices.detach().float(), mesh.faces
    if bool((vertices.abs() >= BOUND).any()):
        raise InputError(
            f"The mesh reaches {float(vertices.abs().max()):.3g} from the origin, but the grid "
            f"ends at {BOUND}; scale it down first."
        )
    at = grid(resolution, vertices.device)
    cubes, half = resolution // 2, at.cube / 2
    band = BAND * at.cube
    corners = signed_distance(vertices, faces, Lattice.cube(cubes, BOUND), band)
    inner = Lattice((half - BOUND,) * 3, (BOUND - half,) * 3, (cubes,) * 3)
    centers = signed_distance(vertices, faces, inner, band)
    sdf = torch.cat([corners.reshape(-1), centers.reshape(-1)])
    if not bool((sdf < 0).any()):
        raise InputError(
            "The mesh holds nothing: its faces look inward, or it is thinner than the grid's "
            f"cubes of {at.cube:.2g}; turn its faces, or take more of them by `resolution`."
        )
    colors = torch.zeros_like(at.points)
    near = sdf.abs() < band
    colors[near] = _logits_of_nearest(mesh, at.points[near])
    return Tetrahedra(resolution, sdf, logit_colors=colors)


@torch.no_grad()
def field_to_tetrahedra(
    field: Density,
    level: float,
    *,
    resolution: int = 64,
    color: Color | None = None,
) -> Tetrahedra:
    """A density as distances of a tetrahedral grid: its surface at `level` stays where it is.

    As in Magic3D (Lin et al. 2023), the distance is the level minus the density, relative to
    the level, cut to -1..1; here it is then scaled to a cube, so it is a distance in kind only.
    Raises InputError if no density reaches the level.
    """
    at = grid(resolution)
    values = torch.cat([field(part) for part in at.points.split(CHUNK)])
    _check_level(values, level)
    sdf = ((level - values) / level).clamp(-1, 1) * at.cube
    logits = None
    if color is not None:
        told = torch.cat([color(part) for part in at.points.split(CHUNK)])
        logits = torch.logit(told.clamp(1e-3, 1 - 1e-3))
    return Tetrahedra(resolution, sdf, logit_colors=logits)


def read_lattice(
    values: Float[Tensor, "x y z channels"],
    lattice: Lattice,
    points: Float[Tensor, "points 3"],
) -> Float[Tensor, "points channels"]:
    """Values between the points of a grid, trilinear; outside it its rim goes on."""
    low, high = points.new_tensor(lattice.low), points.new_tensor(lattice.high)
    place = 2 * (points - low) / (high - low) - 1
    volume = values.permute(3, 2, 1, 0)[None].to(points)  # grid_sample wants z, y, x
    found = F.grid_sample(
        volume, place[None, None, None], padding_mode="border", align_corners=True
    )
    return found[0, :, 0, 0].T


def quats_to(normals: Float[Tensor, "splats 3"]) -> Float[Tensor, "splats 4"]:
    """Rotations (wxyz) that turn +z to unit normals, by the shortest way."""
    x, y, z = normals.unbind(dim=1)
    around = torch.stack([1 + z, -y, x, torch.zeros_like(z)], dim=1)
    over = normals.new_tensor([0.0, 1.0, 0.0, 0.0])  # straight down: half a turn about x
    return F.normalize(torch.where(z[:, None] < -1 + 1e-6, over, around), dim=1)


def _on_lattice(field: Density, lattice: Lattice) -> Float[Tensor, "x y z"]:
    x, y, z = lattice.axes(torch.zeros(()))
    layers = []
    for first in x:
        plane = torch.cartesian_prod(first[None], y, z)
        layers.append(torch.cat([field(part) for part in plane.split(CHUNK)]))
    return torch.stack(layers).reshape(lattice.size)


def _surface(
    values: Float[Tensor, "x y z"], level: float, lattice: Lattice
) -> tuple[Float[Tensor, "vertices 3"], Int[Tensor, "faces 3"]]:
    """Marching cubes (Lewiner et al. 2003) with a layer of nothing about the grid."""
    _check_level(values, level)
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise InputError(
            'Meshes need scikit-image, which is not installed: pip install "splatsmith[mesh]".'
        ) from error
    least = float(values.min())
    outside = min(least, 0.0, level - abs(level))
    padded = F.pad(values, (1,) * 6, value=outside).float().cpu().numpy()
    corners, faces, _, _ = marching_cubes(
        padded, level, spacing=lattice.spacing, gradient_direction="ascent"
    )
    place = torch.from_numpy(np.ascontiguousarray(corners, dtype=np.float32))
    low = torch.tensor(lattice.low) - torch.tensor(lattice.spacing)
    vertices = (place + low).to(values)
    return vertices, torch.from_numpy(faces.astype(np.int64)).to(values.device)


def _check_level(values: Tensor, level: float) -> None:
    if not bool(torch.isfinite(values).all()):
        raise InputError("The density must be finite at every point of the grid.")
    if not 0 < level < float(values.max()):
        raise InputError(
            f"No surface at level {level:g}: densities reach {float(values.max()):.4g}; "
            "choose a level between 0 and that."
        )


def _logits_of_nearest(
    mesh: Mesh, points: Float[Tensor, "points 3"]
) -> Float[Tensor, "points 3"]:
    """The color, as logits, of the surface at the mesh's vertex next to each point."""
    vertices = mesh.vertices.detach().to(points)
    corner = torch.zeros(len(vertices), dtype=torch.long, device=points.device)
    corner[mesh.faces.reshape(-1)] = torch.arange(mesh.faces.numel(), device=points.device)
    triangle, place = corner // 3, corner % 3
    hits = Hits(vertices, triangle, F.one_hot(place, 3).to(vertices))
    logits = torch.logit(mesh.paint.color(hits, mesh.faces).clamp(1e-3, 1 - 1e-3))
    size = max(1, (1 << 22) // len(vertices))
    nearest = [torch.cdist(part, vertices).argmin(dim=1) for part in points.split(size)]
    return logits[torch.cat(nearest)] if nearest else points
