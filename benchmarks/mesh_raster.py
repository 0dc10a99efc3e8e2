"""How long does drawing meshes take?   python benchmarks/mesh_raster.py --rings 60 --size 128

Milliseconds (least of many runs) of the native kernels, forward and forward + backward, and how
many times longer their torch twin takes in the same run. Each row is one primitive, then the
whole of `draw_mesh`: a lit sphere with colors at its vertices in four views. Pictures are
compared first: the speed of a wrong answer is not printed.
"""

import argparse
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor

from splatsmith.cameras import Cameras, orbit
from splatsmith.render import raster_native
from splatsmith.render.mesh import Hits, draw_mesh
from splatsmith.render.raster import (
    antialias,
    face_neighbors,
    interpolate,
    interpolate_at,
    rasterize,
    to_clip,
)
from splatsmith.render.shading import Shading

Work = Callable[[str], Tensor]  # a back end's name -> what gradients are taken of


def sphere(rings: int) -> tuple[Tensor, Tensor]:
    """Vertices and faces, 4 rings squared of them, of a sphere with waves on it."""
    around = 2 * rings
    tilt = math.pi * (torch.arange(rings + 1) / rings)[:, None]
    turn = 2 * math.pi * (torch.arange(around) / around)[None]
    z = tilt.cos().expand(-1, around)
    points = torch.stack([tilt.sin() * turn.cos(), tilt.sin() * turn.sin(), z], dim=-1)
    points = points * (0.7 + 0.05 * torch.sin(7 * turn) * tilt.sin())[..., None]
    i, j = torch.meshgrid(torch.arange(rings), torch.arange(around), indexing="ij")
    a, b = i * around + j, i * around + (j + 1) % around
    first = torch.stack([a, a + around, b + around], dim=-1)
    second = torch.stack([a, b + around, b], dim=-1)
    return points.reshape(-1, 3), torch.cat([first, second]).reshape(-1, 3)


def least(call: Callable[[], object], budget: float) -> float:
    """Least milliseconds of processor time of the calls that fit into `budget` seconds."""
    best, spent = float("inf"), 0.0
    while spent < budget:
        start = time.process_time()
        call()
        taken = time.process_time() - start
        best, spent = min(best, taken), spent + taken
    return 1e3 * best


def works(rings: int, cameras: Cameras) -> tuple[dict[str, Work], list[Tensor]]:
    """The primitives and the whole, each by the back end's name; and what has gradients."""
    vertices, faces = sphere(rings)
    gen = torch.Generator().manual_seed(rings)
    colors = torch.rand(len(vertices), 3, generator=gen).requires_grad_()
    vertices = vertices.requires_grad_()
    clip = to_clip(vertices, cameras).detach().requires_grad_()
    shown = rasterize(clip.detach(), faces, cameras.width, cameras.height)
    around = face_neighbors(faces, len(vertices))
    flat = interpolate(colors, faces, shown).detach().requires_grad_()
    shading = Shading.of(["lambertian"] * len(cameras), 2 * cameras.position, 0.3)
    size = cameras.width, cameras.height

    def whole(backend: str) -> Tensor:
        def albedo(hits: Hits) -> Tensor:
            return interpolate_at(
                colors, faces, hits.triangle, hits.barycentric, backend=backend
            )

        return draw_mesh(
            vertices,
            faces,
            albedo,
            cameras,
            torch.ones(3),
            shading=shading,
            neighbors=around,
            backend=backend,
        ).color

    return {
        "rasterize": lambda backend: rasterize(clip, faces, *size, backend=backend).barycentric,
        "interpolate": lambda backend: interpolate(colors, faces, shown, backend=backend),
        "antialias": lambda backend: antialias(
            flat, shown, clip, faces, around, backend=backend
        ),
        "draw_mesh": whole,
    }, [vertices, colors, clip, flat]


def check(work: Work, inputs: list[Tensor]) -> None:
    """Kernels and twin must agree, gradients included, but where rounding decides."""
    ours, theirs = work("native"), work("reference")
    error = (ours - theirs).abs().amax(dim=-1, keepdim=True)
    keep = (error < 1e-3).float()
    if keep.mean() < 0.995:
        raise SystemExit(f"the kernels differ from the twin in {1 - float(keep.mean()):.2%}")
    for given in inputs:
        grads = [
            torch.autograd.grad((keep * out).square().sum(), given, allow_unused=True)[0]
            for out in (work("native"), work("reference"))
        ]
        if grads[0] is None or grads[1] is None:
            continue
        # A pixel at a triangle's edge may show another one by rounding, with its gradient.
        apart = float((grads[0] - grads[1]).norm() / grads[1].norm())
        if apart > 0.05:
            raise SystemExit(f"gradients differ by {apart:.1%}")


def timed(work: Work, backend: str, inputs: list[Tensor], budget: float) -> tuple[float, float]:
    def forward() -> None:
        with torch.no_grad():
            work(backend)

    def both() -> None:
        out = work(backend)
        torch.autograd.grad(out.sum(), inputs, allow_unused=True)

    return least(forward, budget), least(both, budget)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rings", type=int, nargs="*", default=[16, 60, 120])
    parser.add_argument("--size", type=int, nargs="*", default=[64, 256])
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--budget", type=float, default=0.5, help="seconds for each figure")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, kernels {raster_native.isas()[0]}, one thread; ms")
    print("  faces  size  what         forward      both   twin fwd/both")
    for rings in arguments.rings:
        for size in arguments.size:
            azimuth = [360.0 * i / arguments.views for i in range(arguments.views)]
            cameras = orbit(azimuth, 20.0, radius=2.5, fovy=45.0, width=size, height=size)
            each, inputs = works(rings, cameras)
            for name, work in each.items():
                check(work, inputs)
                ours = timed(work, "native", inputs, arguments.budget)
                twin = timed(work, "reference", inputs, 1e-9)
                print(
                    f"{4 * rings**2:>7} {size:>4}²  {name:<11} {ours[0]:9.2f} {ours[1]:9.2f} "
                    f"{twin[0] / ours[0]:8.0f}x {twin[1] / ours[1]:6.0f}x",
                    flush=True,
                )


if __name__ == "__main__":
    main()
