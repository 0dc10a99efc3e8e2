"""How far from the true surface is a mesh of splats?   python benchmarks/meshing.py

Toybox objects, whose surfaces are known exactly, stand as splats of two kinds: "thin" ones lie
flat on the surface, as a good capture has them; "soft" ones are round, half transparent and
scattered about it, as distillation leaves them. Each is meshed in several ways and compared to
the truth by the Chamfer distance (mean of both directions) in thousandths of the object's
largest extent. The last rows of each kind are the mean over the objects.
"""

import argparse
import time
from collections.abc import Callable

import torch
from scipy.spatial import cKDTree
from torch import Tensor

from splatsmith.export.meshing import decimated, density_surface, tsdf_surface
from splatsmith.export.meshing.mesh import Mesh, surface_samples
from splatsmith.export.meshing.topology import topology
from splatsmith.scenes.gaussians import Gaussians, color_to_sh
from splatsmith.toybox import build
from splatsmith.toybox.geometry import Surface, distance, surface_points
from splatsmith.toybox.objects import ToyObject

OBJECTS = ("mushroom", "chair", "mug", "duck")
POINTS = 4000  # on each surface, for the distances


def quats_toward(normals: Tensor) -> Tensor:
    """Rotations wxyz that turn +Z to the normals."""
    up = torch.tensor([0.0, 0.0, 1.0]).expand_as(normals)
    cross = torch.linalg.cross(up, normals)
    quats = torch.cat([1 + (up * normals).sum(-1, keepdim=True), cross], dim=1)
    quats[quats.norm(dim=1) < 1e-4] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    return quats


def as_splats(surface: Surface, kind: str, gen: torch.Generator) -> Gaussians:
    count = len(surface.points)
    means, scale = surface.points, 1.5 / count**0.5
    if kind == "soft":
        means = means + 0.5 * scale * torch.randn(means.shape, generator=gen)
        scales = scale * torch.exp(0.3 * torch.randn(count, 3, generator=gen))
        opacity = torch.rand(count, generator=gen) * 0.5 + 0.1
    else:
        scales = torch.tensor([scale, scale, 0.1 * scale]).expand(count, 3)
        opacity = torch.full((count,), 0.9)
    return Gaussians(
        means,
        scales.log(),
        quats_toward(surface.normals),
        torch.logit(opacity),
        color_to_sh(surface.color),
    )


def compared(mesh: Mesh, toy: ToyObject, gen: torch.Generator) -> float:
    """Chamfer distance, thousandths of the truth's largest extent.

    From the mesh the true distance is known; to it, the nearest of very many points is taken.
    """
    truth = surface_points(toy, POINTS, gen).points
    extent = float((truth.amax(0) - truth.amin(0)).max())
    there = distance(toy, surface_samples(mesh, POINTS, gen))[0].abs()
    back, _ = cKDTree(surface_samples(mesh, 50 * POINTS, gen).numpy()).query(truth.numpy())
    return 500 * (float(there.mean()) + float(back.mean())) / extent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", nargs="*", default=OBJECTS)
    parser.add_argument("--splats", type=int, default=3000)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--faces", type=int, default=5000)
    arguments = parser.parse_args()
    methods: dict[str, Callable[[Gaussians], Mesh]] = {
        "density": lambda scene: density_surface(scene, resolution=arguments.resolution).mesh,
        "density at 1": lambda scene: (
            density_surface(scene, resolution=arguments.resolution, level=1.0).mesh
        ),
        "tsdf": lambda scene: tsdf_surface(scene, resolution=arguments.resolution).mesh,
    }
    print(f"{arguments.splats} splats, {arguments.resolution} cells, {arguments.faces} faces")
    print(f"{'splats':7}{'object':12}{'method':14}{'Chamfer':>9}{'closed':>8}{'cpu s':>7}")
    for kind in ("thin", "soft"):
        sums = dict.fromkeys(methods, 0.0)
        for name in arguments.objects:
            gen = torch.Generator().manual_seed(0)
            toy = build(name)
            scene = as_splats(surface_points(toy, arguments.splats, gen), kind, gen)
            for method, make in methods.items():
                start = time.process_time()
                mesh = decimated(make(scene), arguments.faces)
                spent = time.process_time() - start
                away = compared(mesh, toy, gen)
                sums[method] += away / len(arguments.objects)
                closed = "yes" if topology(mesh.faces).watertight else "no"
                print(
                    f"{kind:7}{name:12}{method:14}{away:9.2f}{closed:>8}{spent:7.1f}",
                    flush=True,
                )
        for method, mean in sums.items():
            print(f"{kind:7}{'mean':12}{method:14}{mean:9.2f}")


if __name__ == "__main__":
    main()
