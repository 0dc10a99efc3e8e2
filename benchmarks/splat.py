"""How long does drawing Gaussians take?   python benchmarks/splat.py --count 10000 --size 128

Milliseconds (least of many runs) of the native back end, forward and forward + backward, and
how many times longer its torch twin and gsplat's own torch code (where gsplat is installed)
take in the same run. Scenes are objects of N splats in the unit ball, seen from a distance of
2.5 with a field of view of 49 degrees. Pictures are compared first: the speed of a wrong answer
is not printed. The last column is the share of the multiply-add peak of the threads used, both
measured here, counting only the arithmetic of blending.
"""

import argparse
from collections.abc import Callable

import torch
from gsplat_torch import GsplatTorch
from timing import Clock, clock_of, least, options
from torch import Tensor

from splatsmith.cameras import Cameras, orbit
from splatsmith.render import Picture, native, splat

COUNTS, SIZES = (1_000, 10_000, 50_000, 200_000), (64, 128, 256, 512)
FRAGMENTS = 4e7  # pixels in all splats' boxes: beyond that a peer takes minutes or gigabytes
OPERATIONS = 95  # additions and multiplications for a pixel of a cell, there (35) and back (60)
Peer = Callable[[list[Tensor], Cameras, Tensor], Picture]


def scene(count: int, size: int, device: str = "cpu") -> tuple[list[Tensor], Cameras]:
    """Parameters of splats whose sizes shrink with their number, and a camera."""
    gen = torch.Generator().manual_seed(count)
    direction = torch.nn.functional.normalize(torch.randn(count, 3, generator=gen), dim=-1)
    tensors = [
        direction * 0.9 * torch.rand(count, 1, generator=gen) ** (1 / 3),
        torch.randn(count, 4, generator=gen),
        0.5 * count ** (-1 / 3) * torch.exp(0.5 * torch.randn(count, 3, generator=gen)),
        torch.sigmoid(torch.randn(count, generator=gen)),
        0.5 * torch.randn(count, 1, 3, generator=gen),
    ]
    camera = orbit(10.0, 20.0, radius=2.5, fovy=49.0, width=size, height=size)
    return [tensor.requires_grad_() for tensor in tensors], camera


def by(backend: str) -> Peer:
    return lambda tensors, camera, background: splat(
        *tensors, camera, background, backend=backend
    )


def timed(
    draw: Peer,
    tensors: list[Tensor],
    camera: Cameras,
    clock: Clock,
    budget: float,
) -> tuple[float, float]:
    background = torch.ones(3)
    weight = torch.rand(
        1, camera.height, camera.width, 3, generator=torch.Generator().manual_seed(0)
    )

    def forward() -> None:
        with torch.no_grad():
            draw(tensors, camera, background)

    def both() -> None:
        torch.autograd.grad(draw(tensors, camera, background).color, tensors, weight)

    forward()
    both()  # once before, to fill caches
    return least(forward, clock, budget), least(both, clock, budget)


def check(peer: Picture, ours: Picture) -> None:
    """Fails unless the pictures agree but for pixels where rounding decides about a cut."""
    error = (peer.color - ours.color).abs().amax(-1)
    apart = (error > 1e-4).float().mean().item()
    if apart > 1e-3 or error.max() > 0.05:
        raise SystemExit(
            f"the pictures differ: {apart:.2%} of pixels, by up to {error.max():.4f}"
        )


def row(count: int, size: int, threads: int, arguments: argparse.Namespace) -> str:
    torch.set_num_threads(threads)
    clock = clock_of(arguments)
    tensors, camera = scene(count, size)
    ours = by("native")(tensors, camera, torch.ones(3))
    forward, both = timed(by("native"), tensors, camera, clock, arguments.budget)
    share = native.work(ours.color)[1] * 16 * OPERATIONS / (both * 1e-3)
    assert ours.radii is not None
    fragments = float((2 * ours.radii.detach() + 1).square().clamp_max(size**2).sum())
    cells = [f"{count:>7} {size:>4}² {threads:>2} {forward:9.2f} {both:9.2f}"]
    for peer in arguments.peers.values():
        if threads > 1 or fragments > FRAGMENTS:
            cells.append(f"{'-':>9} {'-':>9}")
            continue
        check(peer(tensors, camera, torch.ones(3)), ours)
        theirs = timed(peer, tensors, camera, clock, 1e-9)
        cells.append(f"{theirs[0] / forward:8.0f}x {theirs[1] / both:8.0f}x")
    return " ".join(cells) + f" {share / (arguments.peak * threads):7.0%}"


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--count", type=int, nargs="*", default=COUNTS)
    parser.add_argument("--size", type=int, nargs="*", default=SIZES)
    parser.add_argument(
        "--no-peers", action="store_true", help="time the native back end alone"
    )
    arguments = parser.parse_args()
    arguments.peak = native.peak()
    arguments.peers = {} if arguments.no_peers else {"reference": by("reference")}
    if not arguments.no_peers and GsplatTorch.installed():
        arguments.peers["gsplat"] = GsplatTorch()
    print(f"torch {torch.__version__}, kernels {native.isas()[0]}, ", end="")
    print(f"peak of one thread {arguments.peak / 1e9:.0f} GFLOP/s; times in ms")
    heads = "".join(f"{f'{name} fwd':>18}/both" for name in arguments.peers)
    print(f"  count  size  t   forward      both{heads}    peak")
    for count in arguments.count:
        for size in arguments.size:
            for threads in sorted(set(arguments.threads)):
                print(row(count, size, threads, arguments), flush=True)


if __name__ == "__main__":
    main()
