"""One stage hands its scene on as another kind, and any scene is handed out as splats."""

import importlib.util
import itertools
import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.render.mesh import face_normals
from splatsmith.render.samples import Samples
from splatsmith.render.volume_reference import composite
from splatsmith.scenes.convert import (
    CHUNK,
    Color,
    field_to_mesh,
    field_to_tetrahedra,
    gaussians_to_mesh,
    mesh_to_gaussians,
    mesh_to_tetrahedra,
)
from splatsmith.scenes.field import Field
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.kinds import Kind, Scene, check_resolution
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.tetrahedra import BOUND, Tetrahedra

FIELD_LEVEL = 10.0  # density per world unit that counts as surface, as in Magic3D's remakes
SPLAT_LEVEL = 0.5  # of the sum of opacities; 1 in DreamGaussian, whose splats are larger
HANDED_OUT = 20_000  # splats of a scene that is of another kind
WITHIN = 0.98  # of the grid's half side, to which what is too large is brought
LATTICE = 48  # points a side at which a field is asked how dense it is
LOWEST, TRIED = 0.02, 32  # levels of soft fields, down to a share of the highest
SKIN, LAYERS = 0.8, 32  # world units into soft matter that give its color; samples on the way
FINE = 96  # cells a side of the grid in which a field's surface is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class ToTetrahedra:
    """The surface goes on as signed distances in a grid of tetrahedra, with its colors."""

    kind: Literal["tetrahedra"] = "tetrahedra"
    resolution: int = 64  # half cubes a side of the grid: even, 8 to 256

    def __post_init__(self) -> None:
        check_resolution(self.resolution)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToMesh:
    """The surface goes on as a mesh whose vertices and their colors can be moved."""

    kind: Literal["mesh"] = "mesh"
    resolution: int = 96  # cells a side of the grid, 8 to 512

    def __post_init__(self) -> None:
        if not 8 <= self.resolution <= 512:
            raise InputError(f"resolution must lie in 8 to 512, got {self.resolution}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToGaussians:
    """The surface goes on as flat splats that lie in it."""

    kind: Literal["gaussians"] = "gaussians"
    count: int = 5000  # splats, 1 to 1,000,000
    opacity: float = 0.9  # 0 to 1, both excluded

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 1_000_000 or not 0 < self.opacity < 1:
            raise InputError(
                f"count must lie in 1 to 1,000,000 and opacity between 0 and 1, "
                f"got {self.count} and {self.opacity}."
            )


Convert = ToTetrahedra | ToMesh | ToGaussians


def converted(settings: Convert, scene: Scene, generator: torch.Generator) -> Scene:
    """The same shape and colors as another kind of scene; InputError if there is no surface."""
    if isinstance(settings, ToTetrahedra):
        if isinstance(scene, Field):
            level = surface_level(scene)
            return field_to_tetrahedra(
                scene.density, level, resolution=settings.resolution, color=colors_of(scene)
            )
        return mesh_to_tetrahedra(within_grid(surface_of(scene, FINE)), settings.resolution)
    if isinstance(settings, ToMesh):
        return surface_of(scene, settings.resolution)
    if isinstance(scene, Gaussians):
        return scene
    mesh = surface_of(scene, FINE)
    return mesh_to_gaussians(mesh, settings.count, generator, opacity=settings.opacity)


def within_grid(mesh: Mesh) -> Mesh:
    """The mesh, made smaller if a corner lies where a grid of tetrahedra ends."""
    reach = float(mesh.vertices.detach().abs().max())
    if reach < BOUND:
        return mesh
    return Mesh(mesh.vertices.detach() * (WITHIN * BOUND / reach), mesh.faces, mesh.paint)


def handed_out(scene: Scene, generator: torch.Generator) -> Gaussians:
    """What is handed out as .ply: Gaussians as they are, other scenes as flat splats.

    Raises InputError if the scene has no surface.
    """
    handed = converted(ToGaussians(count=HANDED_OUT, opacity=0.95), scene, generator)
    assert isinstance(handed, Gaussians)
    return handed


@torch.no_grad()
def surface_of(scene: Scene, resolution: int) -> Mesh:
    """The surface of any scene as a mesh with colors at its vertices."""
    if isinstance(scene, Field):
        level = surface_level(scene)
        soft = level < FIELD_LEVEL
        mesh = field_to_mesh(
            scene.density,
            level,
            resolution=resolution,
            bound=scene.radius,
            color=None if soft else colors_of(scene),
        )
        return Mesh.colored(mesh.vertices, mesh.faces, skin(scene, mesh)) if soft else mesh
    if isinstance(scene, Tetrahedra):
        return scene.mesh()
    if isinstance(scene, Mesh):
        return scene
    assert isinstance(scene, Gaussians)
    return gaussians_to_mesh(scene, level=SPLAT_LEVEL, resolution=resolution)


@torch.no_grad()
def surface_level(field: Field) -> float:
    """`FIELD_LEVEL`; of a field that nowhere gets twice as dense, the level by its outlines."""
    axis = torch.linspace(-field.radius, field.radius, LATTICE)
    points = torch.cartesian_prod(axis, axis, axis)
    values = torch.cat([field.density(part) for part in points.split(1 << 16)])
    values = torch.where(points.norm(dim=1) < field.radius, values, 0.0)
    highest = float(values.max())
    if highest >= 2 * FIELD_LEVEL:
        return FIELD_LEVEL
    return outlined_level(values.reshape((LATTICE,) * 3), 2 * field.radius / (LATTICE - 1))


def outlined_level(densities: Float[Tensor, "x y z"], cell: float) -> float:
    """The level whose surface, seen along the three axes, has most nearly the field's outline.

    A pixel belongs to the field's if alpha, 1 - exp(-sum of density * cell), is at least one
    half, and to a level's if the density reaches it. Soft matter is opaque where it is deep, at
    densities far below its highest. Half of that for what is opaque nowhere.
    """
    highest = float(densities.max())
    opaque = torch.stack([densities.sum(axis) * cell for axis in range(3)]) >= math.log(2)
    if not bool(opaque.any()):
        return highest / 2
    densest = torch.stack([densities.amax(axis) for axis in range(3)])
    levels = highest * LOWEST ** torch.linspace(0, 1, TRIED + 1)[1:]
    reached = densest >= levels[:, None, None, None]
    both, either = (reached & opaque), (reached | opaque)
    shared = both.sum(dim=(1, 2, 3)) / either.sum(dim=(1, 2, 3))
    return float(levels[shared.argmax()])


def skin(field: Field, mesh: Mesh) -> Float[Tensor, "vertices 3"]:
    """What color soft matter shows at each vertex: that of a ray straight in, volume-rendered.

    Where it begins, its color hardly counts in a picture, and so is left as it happens to be.
    """
    vertices, faces = mesh.vertices.detach(), mesh.faces
    inward = torch.zeros_like(vertices)
    normals = face_normals(vertices, faces)
    for corner in faces.unbind(dim=1):
        inward.index_add_(0, corner, -normals)
    inward = F.normalize(inward, dim=1)
    count, depths = len(vertices), torch.linspace(0, SKIN, LAYERS)
    samples = Samples(
        rays=torch.arange(count).repeat_interleave(LAYERS),
        starts=torch.arange(count + 1) * LAYERS,
        distances=depths.repeat(count),
        points=(vertices[:, None] + depths[:, None] * inward[:, None]).flatten(0, 1),
        directions=inward,
        step=SKIN / (LAYERS - 1),
        extent=SKIN,
    )
    told = [field.matter(part) for part in samples.points.split(CHUNK)]
    density, values = (torch.cat(parts) for parts in zip(*told, strict=True))
    sums = composite(samples, density, field.as_color(values).clamp(0, 1))
    return sums.totals / sums.alpha.clamp_min(1e-8)[:, None]


def needs_marching_cubes(kinds: list[Kind]) -> bool:
    """Whether a run over these kinds of scene, in turn, needs the extra "mesh"."""
    changes = itertools.pairwise(kinds)
    turned = any(
        (before == "gaussians" and after in ("tetrahedra", "mesh"))
        or (before == "field" and after in ("mesh", "gaussians"))
        for before, after in changes
    )
    return turned or kinds[-1] == "field"


def check_marching_cubes() -> None:
    """InputError unless scikit-image is there."""
    if importlib.util.find_spec("skimage") is None:
        raise InputError(
            "This recipe cuts a surface out of a volume, for which scikit-image is needed: "
            'pip install "splatsmith[mesh]".'
        )


def colors_of(field: Field) -> Color:
    """The field's unlit color (0..1) at points, for what asks for a function."""
    return field.color
