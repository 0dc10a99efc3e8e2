"""How fast are hash grids?   python benchmarks/hashgrid.py --points 100000

Nanoseconds a point (least of many runs) of the native grid and of the grid fused with its small
network, forward and forward + backward, and how many times longer the torch twins take in the
same run. Points lie along rays, as a renderer asks for them. Values and gradients are compared
first: the speed of a wrong answer is not printed.
"""

import argparse
from collections.abc import Callable, Sequence

import torch
from timing import clock_of, least, options
from torch import Tensor

from splatsmith.render import fields_native
from splatsmith.render.hash_grid import Lattice, encode_reference, geometric
from splatsmith.scenes.encodings import apply_network, parameter_count

GRIDS = {  # levels, finest cells a side, rows a level as a power of two
    "small": (8, 128, 14),
    "middle": (12, 512, 16),
    "large": (16, 2048, 19),
}
HIDDEN, OUTPUTS, RADIUS = 32, 4, 1.0
PER_RAY = 25
Work = Callable[..., Tensor]


def scene(lattice: Lattice, count: int) -> list[Tensor]:
    """Points along rays, a table and a network's parameters."""
    gen = torch.Generator().manual_seed(count)
    start = 0.3 * torch.randn(-(-count // PER_RAY), 1, 3, generator=gen)
    toward = torch.nn.functional.normalize(torch.randn(start.shape, generator=gen), dim=-1)
    points = start + toward * torch.linspace(-0.4, 0.4, PER_RAY)[:, None]
    widths = [lattice.features, HIDDEN, OUTPUTS]
    table = torch.randn(lattice.rows, 2, generator=gen)
    network = 0.2 * torch.randn(parameter_count(widths), generator=gen)
    return [points.reshape(-1, 3)[:count].contiguous(), table, network]


def works(lattice: Lattice) -> dict[str, tuple[Work, Work]]:
    """What is timed: ours and its twin."""
    levels, widths = len(lattice.levels), [lattice.features, HIDDEN, OUTPUTS]

    def grid(points: Tensor, table: Tensor, _: Tensor) -> Tensor:
        return fields_native.encode(points, table, lattice, RADIUS, levels)

    def grid_twin(points: Tensor, table: Tensor, _: Tensor) -> Tensor:
        return encode_reference(points, table, lattice, RADIUS, levels)

    def fused(points: Tensor, table: Tensor, network: Tensor) -> Tensor:
        return fields_native.network(
            points, table, network, lattice, RADIUS, levels,
            hidden=HIDDEN, outputs=OUTPUTS, used=OUTPUTS,
        )  # fmt: skip

    def fused_twin(points: Tensor, table: Tensor, network: Tensor) -> Tensor:
        return apply_network(grid_twin(points, table, network), network, widths)

    return {"grid": (grid, grid_twin), "grid + network": (fused, fused_twin)}


def gradients(work: Work, tensors: Sequence[Tensor], weight: Tensor) -> list[Tensor]:
    """Of table and network; of the latter none if it has no part."""
    out = work(*tensors)
    return [
        g
        for g in torch.autograd.grad(out, tensors[1:], weight, allow_unused=True)
        if g is not None
    ]


def check(ours: Sequence[Tensor], twins: Sequence[Tensor]) -> None:
    """Fails unless values and gradients agree."""
    for a, b in zip(ours, twins, strict=True):
        error = ((a - b).norm() / b.norm()).item()
        if error > 1e-4:
            raise SystemExit(f"the answers differ by {error:.1e}")


def row(
    name: str, work: Work, twin: Work, tensors: list[Tensor], asked: argparse.Namespace
) -> str:
    torch.set_num_threads(asked.thread_count)
    clock = clock_of(asked)
    with torch.no_grad():
        value = work(*tensors)
    weight = torch.randn(value.shape, generator=torch.Generator().manual_seed(0))
    learned = [tensors[0], *(t.requires_grad_() for t in tensors[1:])]
    check(
        [value, *gradients(work, learned, weight)],
        [twin(*tensors).detach(), *gradients(twin, learned, weight)],
    )
    cells = [f"{name:>14} {asked.thread_count:>2}"]
    found = []
    for one, budget in ((work, asked.budget), (twin, 1e-9)):

        def forward(one: Work = one) -> None:
            with torch.no_grad():
                one(*tensors)

        def both(one: Work = one) -> None:
            gradients(one, learned, weight)

        found.append((least(forward, clock, budget), least(both, clock, budget)))
    count = len(tensors[0])
    cells += [f"{1e6 * found[0][i] / count:9.0f}" for i in (0, 1)]
    cells += [f"{found[1][i] / found[0][i]:8.0f}x" for i in (0, 1)]
    return " ".join(cells)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--grids", nargs="*", default=list(GRIDS), choices=list(GRIDS))
    parser.add_argument("--points", type=int, default=100_000)
    asked = parser.parse_args()
    print(f"torch {torch.__version__}, kernels {fields_native.isas()[0]}, ", end="")
    print(f"{asked.points} points; times in ns a point, twins in multiples")
    print(f"{'':>22}  t   forward      both  twin fwd      both")
    for grid in asked.grids:
        levels, top, log2_rows = GRIDS[grid]
        lattice = Lattice.of(geometric(8, top, levels), 2**log2_rows)
        for threads in sorted(set(asked.threads)):
            asked.thread_count = threads
            for name, (work, twin) in works(lattice).items():
                tensors = scene(lattice, asked.points)
                line = row(name, work, twin, tensors, asked)
                print(f"{grid:>7} {line}", flush=True)


if __name__ == "__main__":
    main()
