"""Random scenes and meshes, written in every format and read back.

    python tests/export/round_trips.py --count 2000

Scenes of 1 to 200 Gaussians of degrees 0 to 3 may differ by what `kept.py` says of a format;
meshes of 1 to 60 triangles of any shape, plain, with colors at their corners or with a texture,
by what `KEPT_OF_MESHES` says. Prints the largest errors of each format; exits with 1 if one is
larger than it may be. USD, which is read in a process of its own, only if it is named.
"""

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from dialects import random_scene
from kept import KEPT, errors
from rich.progress import track

from splatsmith.export import read_splats, write_splats
from splatsmith.export.given import read_given
from splatsmith.export.mesh_files import placing, write_mesh
from splatsmith.export.meshing.mesh import Mesh, plain_mesh
from splatsmith.render.mesh import Hits
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.scenes.given import Surface

SPLATS = sorted(suffix for suffix in KEPT if not suffix.startswith(".usd"))
# Places relative to the largest coordinate, and colors 0 to 1; None: it has none. Colors of an
# .obj and a .ply are bytes; what is read stays a thousandth away from 0 and 1, as logits must.
KEPT_OF_MESHES: dict[str, dict[str, float | None]] = {
    ".glb": {"place": 1e-6, "color": 0.0011},
    ".obj": {"place": 1e-5, "color": 0.0025},
    ".ply": {"place": 1e-6, "color": 0.0025},
    ".stl": {"place": 1e-6, "color": None},
}


@dataclass
class Trips:
    """What came of one format's files."""

    count: int = 0
    largest: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, seed: int, found: dict[str, float], limits: dict[str, float | None]) -> None:
        """One file's errors, which may be as large as `limits`."""
        self.count += 1
        for name, error in found.items():
            self.largest[name] = max(self.largest.get(name, 0.0), error)
            if not error <= (limits[name] or 0.0):
                self.failures.append(f"seed {seed}: {name} is off by {error:.3g}")


def scene_of(seed: int) -> Gaussians:
    """A random scene whose numbers all formats can hold."""
    count = 1 + seed * 7919 % 200
    scene = random_scene(seed, count=count, degree=seed % 4)
    scene.log_scales.data.clamp_(-6, 0)
    scene.sh.data.clamp_(-0.5, 0.5)  # .spz ends at 1
    return scene


def mesh_of(seed: int) -> Mesh:
    """A random soup of triangles, which need not be closed, in one of three looks."""
    rng = np.random.default_rng(seed)
    corners, count = int(rng.integers(3, 40)), int(rng.integers(1, 60))
    size = float(np.exp(rng.uniform(-3, 3)))
    vertices = torch.from_numpy(rng.uniform(-size, size, (corners, 3))).float()
    faces = np.stack([rng.permutation(corners)[:3] for _ in range(count)])
    mesh = plain_mesh(vertices, torch.from_numpy(faces))
    if seed % 3 == 1:
        return replace(mesh, colors=torch.from_numpy(rng.random((corners, 3))).float())
    if seed % 3 == 2:
        rows, columns = (int(n) for n in rng.integers(2, 33, 2))
        picture = rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8)
        place = np.stack([rng.integers(0, columns, corners), rng.integers(0, rows, corners)], 1)
        uvs = torch.from_numpy((place + 0.5) / [columns, rows]).float()
        return replace(mesh, uvs=uvs, texture=picture)
    return mesh


def colors_of(mesh: Mesh) -> torch.Tensor | None:
    """The colors of a random mesh's corners; None if it is plain."""
    if mesh.texture is not None and mesh.uvs is not None:
        rows, columns = mesh.texture.shape[:2]
        at = (mesh.uvs * torch.tensor([columns, rows])).long()
        return torch.from_numpy(mesh.texture)[at[:, 1], at[:, 0]] / 255
    return mesh.colors


def seen(surface: Surface) -> tuple[torch.Tensor, torch.Tensor]:
    """The first corners of a part's faces, then the second and third; and the colors there."""
    points, colors = [], []
    for part in surface.parts:
        count = len(part.faces)
        for corner in range(3):
            places = part.vertices.detach()[part.faces[:, corner]]
            basis = torch.nn.functional.one_hot(torch.full((count,), corner), 3).float()
            hits = Hits(places, torch.arange(count), basis)
            points.append(places)
            colors.append(part.paint.color(hits, part.faces).detach())
    return torch.cat(points), torch.cat(colors)


def scene_errors(seed: int, suffix: str, folder: Path) -> dict[str, float]:
    """The largest differences of a random scene and what a format made of it."""
    scene, path = scene_of(seed), folder / f"scene{suffix}"
    write_splats(path, scene)
    return errors(scene, read_splats(path))


def mesh_errors(seed: int, ending: str, folder: Path) -> dict[str, float]:
    """The largest differences of a random mesh and what a format made of it."""
    mesh, path = mesh_of(seed), folder / f"mesh{ending}"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is not closed")  # of .stl; triangles at random
        write_mesh(path, mesh, placing(mesh, origin="scene"))
    surface = read_given(path)
    assert isinstance(surface, Surface)
    points, colors = (one.reshape(3, -1, 3).transpose(0, 1) for one in seen(surface))
    points = points / 1000 if ending == ".stl" else points  # in millimeters
    if points.shape != (len(mesh.faces), 3, 3):
        return {"place": float("inf")}
    gap = (points - mesh.vertices[mesh.faces]).abs().max() / mesh.vertices.abs().max()
    found, told = {"place": float(gap)}, colors_of(mesh)
    if told is not None and KEPT_OF_MESHES[ending]["color"] is not None:
        found["color"] = float((colors - told[mesh.faces]).abs().max())
    return found


def round_trips(
    suffix: str, seeds: Iterable[int], *, of: Callable[[int, str, Path], dict[str, float]]
) -> Trips:
    """Write and read every seed's scene or mesh (`scene_errors`, `mesh_errors`)."""
    limits = vars(KEPT[suffix]) if of is scene_errors else KEPT_OF_MESHES[suffix]
    trips = Trips()
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            trips.add(seed, of(seed, suffix, Path(folder)), limits)
    return trips


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, help="scenes, and as many meshes")
    parser.add_argument("--usd", action="store_true", help="USD as well, a second for each")
    asked = parser.parse_args()
    failed = False
    for of, suffixes in (
        (scene_errors, [*SPLATS, *((".usdc",) if asked.usd else ())]),
        (mesh_errors, list(KEPT_OF_MESHES)),
    ):
        for suffix in suffixes:
            trips = round_trips(suffix, track(range(asked.count), suffix), of=of)
            told = ", ".join(f"{name} {error:.2g}" for name, error in trips.largest.items())
            print(f"{suffix}: {trips.count} files, {len(trips.failures)} failures; {told}")
            print("\n".join(trips.failures[:5]), end="\n" if trips.failures else "")
            failed |= bool(trips.failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
