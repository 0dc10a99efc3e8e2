"""The whole way: from Gaussians to a mesh with its colors, and what there is to say of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from splatsmith.errors import InputError
from splatsmith.export.meshing.bake import with_texture, with_vertex_colors
from splatsmith.export.meshing.hull import collision_hull
from splatsmith.export.meshing.likeness import likeness
from splatsmith.export.meshing.mesh import Mesh, area
from splatsmith.export.meshing.surface import Surface, decimated, density_surface, tsdf_surface
from splatsmith.export.meshing.tangents import with_normal_map
from splatsmith.export.meshing.topology import topology, welded
from splatsmith.export.meshing.views import Views, seen, sphere_cameras
from splatsmith.scenes.gaussians import Gaussians

Method = Literal["density", "tsdf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshSettings:
    """How a mesh is made; InputError for what cannot be."""

    method: Method = "density"  # marching cubes over the splats' sum, or over fused depths
    resolution: int = 96  # cells along the longest side, 8 to 480
    level: float | None = None  # of density; None chooses it (see level.py)
    faces: int = 10_000  # at most
    texture: int = 1024  # pixels a side, 64 to 8192; 0 colors the vertices instead
    smallest_part: float = 0.02  # of the largest part's area; smaller parts go
    views: int = 40  # from which colors come, 1 to 400
    view_size: int = 384  # pixels a side of those, 32 to 2048
    normal_map: bool = False  # bake the fine surface's normals
    lods: tuple[float, ...] = ()  # shares of `faces` for coarser copies, such as 0.5, 0.25
    collision: bool = False  # make a convex hull too

    def __post_init__(self) -> None:
        if self.method not in ("density", "tsdf"):
            raise InputError(f"The method must be density or tsdf, got {self.method!r}.")
        if self.method == "tsdf" and self.level is not None:
            raise InputError("Only the method density has a level; leave out one of the two.")
        if self.normal_map and not self.texture:
            raise InputError("A normal map needs a texture's layout; give a texture size too.")
        ranges = {
            "faces": (self.faces, 4, 2_000_000),
            "smallest_part": (self.smallest_part, 0, 1),
            "views": (self.views, 1, 400),
            "view_size": (self.view_size, 32, 2048),
            "texture": (self.texture or 64, 64, 8192),
            **{f"lods[{i}]": (share, 0.001, 0.999) for i, share in enumerate(self.lods)},
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise InputError(f"{name} must lie in {low:g} to {high:g}, got {value:g}.")


@dataclass(frozen=True, eq=False)
class MadeMesh:
    """A mesh with its colors, its coarser copies, its hull, and a report.

    `report` holds faces, vertices, parts, watertight, open_edges, area, level, psnr,
    psnr_object and psnr_hard_edge (dB, see `likeness`), unseen (share of the texture that no
    view saw), seconds, and the same of each coarser copy.
    """

    mesh: Mesh
    lods: tuple[Mesh, ...]
    collision: Mesh | None
    report: Mapping[str, Any]


def make_mesh(scene: Gaussians, settings: MeshSettings | None = None) -> MadeMesh:
    """Make a mesh of a scene; InputError that says why if it would be empty."""
    settings = settings or MeshSettings()
    start = time.perf_counter()
    surface = _surface(scene, settings)
    cameras = sphere_cameras(settings.views, *surface.mesh.bounds, settings.view_size)
    views = seen(scene, cameras)
    mesh, about = _colored(surface.mesh, views, settings, settings.faces)
    report: dict[str, Any] = {
        "method": settings.method,
        **({"level": round(surface.level, 5)} if settings.method == "density" else {}),
        **about,
        **_likeness_report(scene, mesh),
    }
    lods, told = [], []
    for share in settings.lods:
        faces = max(4, round(settings.faces * share))
        lod, about = _colored(surface.mesh, views, settings, faces)
        lods.append(lod)
        told.append(about | _likeness_report(scene, lod))
    if told:
        report["lods"] = told
    hull = None
    if settings.collision:
        hull = collision_hull(surface.mesh)
        report["collision_faces"] = len(hull.faces)
    report["seconds"] = round(time.perf_counter() - start, 2)
    return MadeMesh(mesh, tuple(lods), hull, report)


def shape_report(mesh: Mesh) -> dict[str, Any]:
    """What can be said of a mesh's shape; seams of its texture count as closed."""
    looks = topology(welded(mesh).faces)
    return {
        "faces": len(mesh.faces),
        "vertices": len(mesh.vertices),
        "parts": looks.parts,
        "watertight": looks.watertight,
        "open_edges": looks.open_edges,
        "area": round(area(mesh), 4),
    }


def _likeness_report(scene: Gaussians, mesh: Mesh) -> dict[str, float]:
    found = likeness(scene, mesh)
    return {
        "psnr": round(found.picture, 2),
        "psnr_object": round(found.object, 2),
        "psnr_hard_edge": round(found.hard_edge, 2),
    }


def _surface(scene: Gaussians, settings: MeshSettings) -> Surface:
    if settings.method == "tsdf":
        return tsdf_surface(
            scene, resolution=settings.resolution, smallest_part=settings.smallest_part
        )
    return density_surface(
        scene,
        resolution=settings.resolution,
        level=settings.level,
        smallest_part=settings.smallest_part,
    )


def _colored(
    fine: Mesh, views: Views, settings: MeshSettings, faces: int
) -> tuple[Mesh, dict[str, Any]]:
    less = decimated(fine, faces)
    if not settings.texture:
        mesh = with_vertex_colors(less, views)
        return mesh, shape_report(mesh)
    mesh, unseen = with_texture(less, views, settings.texture)
    if settings.normal_map:
        mesh = with_normal_map(mesh, fine)
    return mesh, shape_report(mesh) | {"unseen": round(unseen, 4)}
