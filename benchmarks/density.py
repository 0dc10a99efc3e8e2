"""How long does the density of Gaussians on a grid take?   python benchmarks/density.py

Milliseconds (least of some runs) of the native kernel for a density with colors, and how many
times longer its torch twin takes in the same run. Both are compared first. Scenes are those of
benchmarks/splat.py: N splats in the unit ball, smaller the more there are.
"""

import argparse

import torch
from mesh_raster import least

from splatsmith.render import raster_native
from splatsmith.render.density import Lattice, density


def scene(count: int) -> list[torch.Tensor]:
    """Means, quats, scales and opacities."""
    gen = torch.Generator().manual_seed(count)
    direction = torch.nn.functional.normalize(torch.randn(count, 3, generator=gen), dim=-1)
    return [
        direction * 0.9 * torch.rand(count, 1, generator=gen) ** (1 / 3),
        torch.randn(count, 4, generator=gen),
        0.5 * count ** (-1 / 3) * torch.exp(0.5 * torch.randn(count, 3, generator=gen)),
        torch.sigmoid(torch.randn(count, generator=gen)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--resolution", type=int, nargs="*", default=[32, 64])
    parser.add_argument("--budget", type=float, default=1.0, help="seconds for each figure")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, kernels {raster_native.isas()[0]}, one thread; ms")
    print("  count  grid     kernel      twin")
    for count in arguments.count:
        for resolution in arguments.resolution:
            tensors, lattice = scene(count), Lattice.cube(resolution)
            colors = torch.rand(count, 3, generator=torch.Generator().manual_seed(0))
            ours, theirs = (
                density(*tensors, lattice, colors=colors, backend=backend)[0]
                for backend in ("native", "reference")
            )
            error = (ours - theirs).abs()
            if (error > 1e-3 * (1 + theirs)).float().mean() > 1e-3:
                raise SystemExit(f"the kernel differs from the twin by {float(error.max())}")

            def work(backend: str, tensors=tensors, lattice=lattice, colors=colors) -> None:
                density(*tensors, lattice, colors=colors, backend=backend)

            native = least(lambda work=work: work("native"), arguments.budget)
            twin = least(lambda work=work: work("reference"), 1e-9)
            print(
                f"{count:>7} {resolution:>4}³ {native:>10.1f} {twin / native:>8.0f}x",
                flush=True,
            )


if __name__ == "__main__":
    main()
