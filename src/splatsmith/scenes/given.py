"""A run can begin from something given: splats, a point cloud, or a surface.

Whatever it is, it is moved into the unit ball, unless it fits there already, and becomes
Gaussians, or the tetrahedra that a recipe begins with.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.render.mesh import Hits, face_normals
from splatsmith.scenes import transforms
from splatsmith.scenes.clouds import Cloud, grown, thinned
from splatsmith.scenes.convert import mesh_to_gaussians, mesh_to_tetrahedra
from splatsmith.scenes.gaussians import PARAMETERS, Gaussians
from splatsmith.scenes.handover import ToTetrahedra, converted, within_grid
from splatsmith.scenes.mesh import Mesh, enclosed_volume
from splatsmith.scenes.point_starts import PointNumbers, splats_of
from splatsmith.scenes.tetrahedra import Tetrahedra

FITTING = (0.3, 1.0)  # distances of the farthest point from the origin with which nothing moves


@dataclass(frozen=True, eq=False)
class Surface:
    """Meshes that are one thing together, each with a paint of its own."""

    parts: tuple[Mesh, ...]

    @property
    def faces(self) -> int:
        """How many triangles there are."""
        return sum(len(part.faces) for part in self.parts)


Given = Gaussians | Cloud | Surface


def described(given: Given) -> str:
    """What it is, in a few words."""
    if isinstance(given, Gaussians):
        return f"{given.count:,} splats"
    if isinstance(given, Cloud):
        colors = "" if given.colors is not None else " without colors"
        return f"a cloud of {len(given):,} points{colors}"
    return f"a mesh of {given.faces:,} faces"


@torch.no_grad()
def upright(given: Given, rotation: Float64[Tensor, "3 3"]) -> Given:
    """It, turned about the origin."""
    if isinstance(given, Gaussians):
        return transforms.turned(given, rotation)
    return _mapped(given, lambda places: places @ rotation.T)


@torch.no_grad()
def fitted(given: Given, radius: float) -> tuple[Given, str]:
    """It within the unit ball, and what was done for that, in words.

    What reaches 0.3 to 1 from the origin stays as it is. All else is moved, so that the middle
    of its box is the origin, and resized, so that its farthest point (of splats: center) lies
    `radius` from it.
    """
    places = _places(given)
    if FITTING[0] <= _reach(places) <= FITTING[1] * (1 + 1e-6):
        return given, "which fits"
    middle = (places.amin(dim=0) + places.amax(dim=0)) / 2
    reach = _reach(places - middle)
    factor = radius / reach if reach > 0 else 1.0
    if isinstance(given, Gaussians):
        given = transforms.resized(transforms.moved(given, -middle), factor)
    else:
        given = _mapped(given, lambda old: (old - middle) * factor)
    away = ", ".join(f"{-value:.3g}" for value in (middle + 0.0).tolist())
    return given, f"moved by {away} and made {factor:.3g} times as large"


@torch.no_grad()
def as_gaussians(settings: PointNumbers, given: Given, generator: torch.Generator) -> Gaussians:
    """At most `settings.count` splats.

    Splats stay as they are, those that show most if there are too many; a cloud is grown and
    thinned; of a surface, points are drawn evenly.
    """
    if isinstance(given, Gaussians):
        order = transforms.importance(given).argsort(descending=True, stable=True)
        best = order[: settings.count].sort().values
        scene = Gaussians(**{name: value[best] for name, value in given.state().items()})
        return transforms.with_degree(scene, settings.sh_degree)
    if isinstance(given, Surface):
        return _on_surface(settings, given, generator)
    cloud = thinned(given, settings.count, generator)
    if settings.growth is not None:
        cloud = grown(cloud, settings.growth, generator, settings.count)
    return splats_of(settings, cloud)


@torch.no_grad()
def as_tetrahedra(given: Given, resolution: int, generator: torch.Generator) -> Tetrahedra:
    """Its surface in a grid of tetrahedra; InputError for clouds and for open meshes."""
    if isinstance(given, Cloud):
        raise InputError(
            "This recipe begins with tetrahedra, and points have no inside; give a closed mesh "
            "or splats, or take a recipe of Gaussians such as --recipe quick."
        )
    if isinstance(given, Surface):
        return mesh_to_tetrahedra(within_grid(_welded(given)), resolution)
    found = converted(ToTetrahedra(resolution=resolution), given, generator)
    assert isinstance(found, Tetrahedra)
    return found


def _on_surface(
    settings: PointNumbers, surface: Surface, generator: torch.Generator
) -> Gaussians:
    """Flat splats in the surface, as many for a part as its share of the area asks."""
    areas = torch.stack(
        [face_normals(p.vertices.detach(), p.faces).norm(dim=1).sum() for p in surface.parts]
    ).double()
    if not float(areas.sum()) > 0:
        raise InputError("The mesh has no area, so there is nothing to put splats on.")
    ends = (areas.cumsum(0) / areas.sum() * settings.count).round().long().tolist()
    counts = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    scenes = [
        mesh_to_gaussians(
            part, count, generator, opacity=settings.opacity, sh_degree=settings.sh_degree
        ).state()
        for part, count in zip(surface.parts, counts, strict=True)
        if count > 0
    ]
    state = {name: torch.cat([scene[name] for scene in scenes]) for name in PARAMETERS}
    state["log_scales"] = state["log_scales"] + torch.tensor(settings.scale).log()
    return Gaussians(**state)


def _welded(surface: Surface) -> Mesh:
    """One mesh, whose corners at equal places are one vertex; colors at these."""
    vertices, faces, colors, before = [], [], [], 0
    for part in surface.parts:
        places = part.vertices.detach()
        corner = torch.zeros(len(places), dtype=torch.long)
        corner[part.faces.reshape(-1)] = torch.arange(part.faces.numel())
        basis = torch.nn.functional.one_hot(corner % 3, 3).to(places)
        colors.append(part.paint.color(Hits(places, corner // 3, basis), part.faces))
        vertices.append(places)
        # Files of strangers have parts whose faces look inward.
        inward = enclosed_volume(places[part.faces]) < 0
        faces.append((part.faces.flip(1) if inward else part.faces) + before)
        before += len(places)
    unique, place = torch.cat(vertices).unique(dim=0, return_inverse=True)
    total = unique.new_zeros(len(unique), 4)
    ones = torch.ones(before, 1)
    total.index_add_(0, place, torch.cat([torch.cat(colors), ones], dim=1).to(total))
    corners = place[torch.cat(faces)]
    whole = corners[(corners != corners.roll(1, dims=1)).all(dim=1)]
    return Mesh.colored(unique, whole, (total[:, :3] / total[:, 3:]).detach())


def _mapped(given: Cloud | Surface, change: Callable[[Tensor], Tensor]) -> Cloud | Surface:
    """The same with other places, worked out with 64 bits."""
    if isinstance(given, Cloud):
        return Cloud(change(given.points.double()).to(given.points), given.colors)
    parts = [
        Mesh(change(part.vertices.detach().double()).float(), part.faces, part.paint)
        for part in given.parts
    ]
    return Surface(tuple(parts))


def _places(given: Given) -> Float64[Tensor, "places 3"]:
    if isinstance(given, Gaussians):
        return given.means.detach().double()
    if isinstance(given, Cloud):
        return given.points.double()
    return torch.cat(
        [part.vertices.detach()[part.faces.unique()] for part in given.parts]
    ).double()


def _reach(places: Float64[Tensor, "places 3"]) -> float:
    return float(torch.linalg.vector_norm(places, dim=1).max())
