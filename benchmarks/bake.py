"""How long does it take to bake a texture?   python benchmarks/bake.py

Milliseconds of processor time (least of some bakes) with the native kernels, and how many times
longer one bake with their torch twins takes in the same run. Parts are the pictures of the
splats, the layout by xatlas (which has no kernel of ours: the same both ways), and the texture;
the depths of the mesh, a part of the texture, also stand by themselves. The scene is a toybox
object as soft splats, as in benchmarks/meshing.py. Pictures, depths and textures are compared
first: the speed of a wrong answer is not printed.
"""

import argparse
import time
from dataclasses import dataclass

import torch
from meshing import as_splats
from torch import Tensor

from splatsmith.cameras import Cameras
from splatsmith.export.meshing import Mesh, decimated, density_surface
from splatsmith.export.meshing.bake import baked, depth_buffers
from splatsmith.export.meshing.texture import spread
from splatsmith.export.meshing.unwrap import unwrapped
from splatsmith.export.meshing.views import Views, sphere_cameras
from splatsmith.render import raster_native
from splatsmith.render.raster import Backend
from splatsmith.scenes.gaussians import Gaussians
from splatsmith.toybox import build
from splatsmith.toybox.geometry import surface_points

TOLERANCE = 1 / 510  # half a step of a byte; of depths, as many world units
APART = 1e-3  # share of values that may be further off: rounding decides what hides what


@dataclass(frozen=True, eq=False)
class Baking:
    """What one way gives, and how long it took."""

    found: dict[str, Tensor]  # pictures, depths and texture, by name
    spent: dict[str, float]  # milliseconds of each part, and of the whole


def drawn(scene: Gaussians, cameras: Cameras, backend: Backend) -> Views:
    """What `views.seen` gives, by one of the back ends."""
    parts = []
    for i in range(len(cameras)):
        picture = scene.render(cameras[[i]], torch.zeros(3), backend=backend)
        parts.append(torch.cat([picture.color, picture.alpha, picture.depth], dim=-1))
    return Views(cameras, *torch.cat(parts).split([3, 1, 1], dim=-1))


@torch.no_grad()
def bake(scene: Gaussians, mesh: Mesh, cameras: Cameras, size: int, backend: Backend) -> Baking:
    """The steps of `make_mesh` from its surface to its texture, timed."""
    clock = [time.process_time()]

    def lap() -> float:
        clock.append(time.process_time())
        return 1e3 * (clock[-1] - clock[-2])

    views = drawn(scene, cameras, backend)
    spent = {"pictures": lap()}
    flat = unwrapped(mesh, size)
    spent["layout"] = lap()
    found = baked(mesh, flat, views, size, backend=backend)
    texture = torch.from_numpy(spread(found.picture, found.known))
    spent["texture"] = lap()
    spent["whole"] = sum(spent.values())
    depths = depth_buffers(mesh, views, backend=backend)
    spent["depths"] = lap()
    pictures = torch.cat([views.color, views.alpha], dim=-1)
    return Baking({"pictures": pictures, "depths": depths, "texture": texture}, spent)


def check(ours: Baking, theirs: Baking) -> None:
    """Both ways must agree but where rounding decides."""
    for name, mine in ours.found.items():
        there = theirs.found[name]
        # Infinite depths on both sides are equal, on one side they are off.
        error = torch.where(mine == there, 0.0, (mine - there).abs())
        apart = float((error > TOLERANCE).float().mean())
        if apart > APART:
            raise SystemExit(
                f"{name}: {apart:.2%} of values differ by more than {TOLERANCE:.4f} between "
                f"the kernels and their twins, by {float(error.max()):.4f} at most"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--object", default="mushroom")
    parser.add_argument("--splats", type=int, default=3000)
    parser.add_argument("--faces", type=int, default=5000)
    parser.add_argument("--texture", type=int, default=512, help="pixels a side")
    parser.add_argument("--views", type=int, default=40)
    parser.add_argument("--size", type=int, default=384, help="pixels a side of the views")
    parser.add_argument("--rounds", type=int, default=5, help="bakes with the kernels")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    gen = torch.Generator().manual_seed(0)
    points = surface_points(build(arguments.object), arguments.splats, gen)
    scene = as_splats(points, "soft", gen)
    mesh = decimated(density_surface(scene).mesh, arguments.faces)
    cameras = sphere_cameras(arguments.views, *mesh.bounds, arguments.size)
    given = scene, mesh, cameras, arguments.texture
    ours = [bake(*given, "native") for _ in range(max(arguments.rounds, 1))]
    twin = bake(*given, "reference")
    check(ours[0], twin)
    print(f"torch {torch.__version__}, kernels {raster_native.isas()[0]}, one thread; ms")
    print(f"{arguments.splats} splats, {arguments.views} views of {arguments.size}², ", end="")
    print(f"{len(mesh.faces)} faces, texture of {arguments.texture}²")
    print("  part         kernels      twin")
    for part in ("pictures", "layout", "texture", "depths", "whole"):
        least = min(baking.spent[part] for baking in ours)
        print(f"  {part:<10} {least:9.1f} {twin.spent[part] / least:8.1f}x")


if __name__ == "__main__":
    main()
