"""`splatsmith mesh`: Gaussians become a mesh that an engine takes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from splatsmith.errors import InputError

if TYPE_CHECKING:
    from splatsmith.export.meshing import MadeMesh, MeshSettings
    from splatsmith.optimize.folder import RunFolder

COLORED_VERTICES = (".ply", ".stl")  # formats that have no texture


def mesh(
    scene: Annotated[Path, tyro.conf.Positional],
    *,
    out: Path,
    method: Literal["density", "tsdf"] = "density",
    faces: int = 10_000,
    texture: int = 1024,
    resolution: int = 96,
    level: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None,
    keep_parts: float = 0.02,
    normal_map: bool = False,
    lods: tuple[float, ...] = (),
    collision: bool = False,
    unlit: bool = False,
    size: Annotated[float | None, tyro.conf.arg(metavar="METERS")] = None,
    origin: Literal["base", "center", "scene"] = "base",
    up: Annotated[Literal["y", "z"] | None, tyro.conf.arg(metavar="y|z")] = None,
    pictures: bool = False,
    viewer: bool = False,
) -> None:
    """Make a textured mesh of a .ply with 3D Gaussians.

    Args:
        scene: a .ply with 3D Gaussians.
        out: what to write: .glb, .obj (with .mtl and .png), .ply, .stl or .usdz.
        method: marching cubes over the splats' density, or over fused depths (tsdf).
        faces: at most so many triangles.
        texture: pixels a side; 0 colors the vertices instead.
        resolution: cells along the longest side before the faces are reduced, 8 to 480.
        level: density at which the surface lies; by default the one that fits the splats best.
        keep_parts: parts of less than this share of the largest one's area go.
        normal_map: bake the fine surface's normals (.glb only).
        lods: coarser copies with these shares of the faces, such as 0.5 0.25; NAME_lod1 and on.
        collision: write a convex hull too, NAME_collision.
        unlit: show the colors as they are, without light (.glb only).
        size: longest side in meters; by default one unit of the scene is one meter.
        origin: put it at the middle of the bottom, at the center, or leave it.
        up: axis that points up; by default as the format's readers expect.
        pictures: write NAME_mesh.png: splats, mesh, normals and wires side by side.
        viewer: write NAME.html: mesh and splats in one file for any browser, offline.
    """
    from splatsmith.export import read_ply
    from splatsmith.export.mesh_files import Material, check_beside, check_destination
    from splatsmith.export.meshing import MeshSettings, make_mesh

    check_destination(out, up)
    if out.resolve() == scene.resolve():
        raise InputError(f"{out} holds the splats; choose another --out for the mesh.")
    if viewer:
        check_beside(out, [out.with_suffix(".html")])
    if out.suffix.lower() != ".glb" and (unlit or normal_map):
        raise InputError("--unlit and --normal-map are for .glb; leave them out, or write one.")
    if unlit and normal_map:
        raise InputError("--normal-map is about light, and --unlit has none; give one.")
    if size is not None and not 1e-4 <= size <= 1e4:
        raise InputError(f"--size must lie in 0.0001 to 10000 meters, got {size:g}.")
    settings = MeshSettings(
        method=method,
        resolution=resolution,
        level=level,
        faces=faces,
        texture=0 if out.suffix.lower() in COLORED_VERTICES else texture,
        smallest_part=keep_parts,
        normal_map=normal_map,
        lods=lods,
        collision=collision,
    )
    splats = read_ply(scene)
    made = make_mesh(splats, settings)
    written = write_made(out, made, Material(unlit=unlit), origin=origin, size=size, up=up)
    if pictures:
        from splatsmith.export.mesh_files.pictures import write_pictures

        written.append(write_pictures(out.with_name(f"{out.stem}_mesh.png"), splats, made.mesh))
    if viewer:
        from splatsmith.export.mesh_files.viewer import write_viewer

        written.append(write_viewer(out.with_suffix(".html"), made.mesh, splats))
    print(summary(made.report))
    for path in written:
        print(path)


def write_made(
    out: Path, made: "MadeMesh", material: Any, *, origin: Any, size: float | None, up: Any
) -> list[Path]:
    """Write a mesh, its coarser copies and its hull; returns the files."""
    from splatsmith.export.mesh_files import placing, write_mesh

    place = placing(made.mesh, origin=origin, size=size)
    written = write_mesh(out, made.mesh, place, material=material, up=up)
    for number, lod in enumerate(made.lods, start=1):
        path = out.with_stem(f"{out.stem}_lod{number}")
        written += write_mesh(path, lod, place, material=material, up=up)
    if made.collision is not None:
        path = out.with_stem(f"{out.stem}_collision")
        written += write_mesh(path, made.collision, place, material=material, up=up)
    return written


def add_mesh(folder: "RunFolder", settings: "MeshSettings | None" = None) -> dict[str, Any]:
    """Write asset.glb beside a finished run's scene.ply, and into its report what it is.

    A run that ended in a textured mesh has it already, and no other is made.
    """
    from splatsmith.export import read_ply
    from splatsmith.export.mesh_files import Material
    from splatsmith.export.meshing import make_mesh
    from splatsmith.files import sha256_of

    path, report = folder.asset, folder.read_report()
    if path.exists() and report.get("metrics", {}).get("scene") == "textured":
        return dict(report["mesh"])
    made = make_mesh(read_ply(folder.scene), settings)
    write_made(path, made, Material(), origin="base", size=None, up=None)
    report["mesh"] = dict(made.report)
    report["sha256"] = {**report.get("sha256", {}), path.name: sha256_of(path)}
    del report["format"]  # The folder writes it itself.
    folder.write_report(report)
    return report["mesh"]


def summary(report: Any) -> str:
    """One line about a mesh that was made."""
    closed = "watertight" if report["watertight"] else f"{report['open_edges']} open edges"
    about = f"{report['faces']} faces, {closed}, {report['parts']} parts"
    if "psnr" not in report:
        return f"{about}, texture of {' x '.join(map(str, report['texture']))} from the run"
    level = f", level {report['level']:g}" if "level" in report else ""
    return (
        f"{about}{level}, {report['psnr']:.1f} dB against the splats, {report['seconds']:.1f} s"
    )
