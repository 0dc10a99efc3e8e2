"""How long does drawing a radiance field take?   python benchmarks/volume.py --size 64

Milliseconds (least of many runs) for four views of a hash-grid field by the native kernels,
forward and forward + backward, and how many times longer the torch twins take for the same
field in the same run. `fog` is a field at its start, `solid` one that has been made opaque,
whose rays end at its surface; `lit` is the solid one with normals by differences and a lamp.
Pictures and gradients are compared first: the speed of a wrong answer is not printed.
"""

import argparse

import torch
from timing import clock_of, least, options
from torch import Tensor

from splatsmith.cameras import Cameras, orbit
from splatsmith.render import Picture, fields_native
from splatsmith.render.shading import Shading
from splatsmith.scenes import Field, FieldSettings

SCENES = ("fog", "solid", "lit")


def scene(name: str, size: int) -> tuple[Field, Cameras, Shading | None]:
    """A field that has looked where it is empty, four cameras, and the light."""
    gen = torch.Generator().manual_seed(0)
    solid = name != "fog"
    # The linear blob crosses zero at a radius of 0.5: a steep one is a ball with a surface.
    settings = FieldSettings(blob_weight=400.0 if solid else 10.0)
    field = Field.fresh(settings, gen)
    with torch.no_grad():
        field.encoding += 0.3 * torch.randn(field.encoding.shape, generator=gen)
    for step in range(4 * settings.every):
        field.advance(step / 1000, gen)
    cameras = orbit([0.0, 90.0, 180.0, 270.0], [15.0] * 4, radius=3.2, width=size, height=size)
    shading = None
    if name == "lit":
        shading = Shading.of(["lambertian"] * 4, 1.2 * cameras.position, ambient=0.2)
    return field, cameras, shading


def draw(field: Field, cameras: Cameras, shading: Shading | None, backend: str) -> Picture:
    field.backend = backend
    draws = torch.Generator().manual_seed(1)
    return field.render(cameras, torch.ones(3), generator=draws, shading=shading)


def gradients(picture: Picture, field: Field) -> list[Tensor]:
    return list(torch.autograd.grad(picture.color.square().mean(), list(field.parameters())))


def check(field: Field, cameras: Cameras, shading: Shading | None) -> None:
    """Fails unless pictures and gradients agree but for cells that rounding decides about."""
    ours, twin = (draw(field, cameras, shading, b) for b in ("native", "reference"))
    error = (ours.color - twin.color).abs().amax(-1)
    if (error > 1e-3).float().mean() > 2e-3 or error.max() > 0.05:
        raise SystemExit(f"the pictures differ by up to {error.max():.4f}")
    for a, b in zip(gradients(ours, field), gradients(twin, field), strict=True):
        apart = ((a - b).norm() / b.norm()).item()
        if apart > 1e-2:
            raise SystemExit(f"the gradients differ by {apart:.1e}")


def row(name: str, size: int, threads: int, asked: argparse.Namespace) -> str:
    torch.set_num_threads(threads)
    clock = clock_of(asked)
    field, cameras, shading = scene(name, size)
    peer = not asked.no_twin and threads == 1
    if peer:
        check(field, cameras, shading)
    found = []
    for backend, budget in (("native", asked.budget), ("reference", 1e-9))[: 1 + peer]:

        def forward(backend: str = backend) -> None:
            with torch.no_grad():
                draw(field, cameras, shading, backend)

        def both(backend: str = backend) -> None:
            gradients(draw(field, cameras, shading, backend), field)

        found.append((least(forward, clock, budget), least(both, clock, budget)))
    picture = draw(field, cameras, shading, "native")
    assert picture.samples is not None
    cells = [f"{name:>6} {size:>4}² {threads:>2} {len(picture.samples.points):>8}"]
    cells += [f"{found[0][i]:9.1f}" for i in (0, 1)]
    cells += [f"{found[-1][i] / found[0][i]:8.0f}x" if peer else f"{'-':>9}" for i in (0, 1)]
    return " ".join(cells)


def main() -> None:
    parser = options(__doc__, budget=2.0)
    parser.add_argument("--scenes", nargs="*", default=SCENES, choices=SCENES)
    parser.add_argument("--size", type=int, nargs="*", default=[64])
    parser.add_argument("--no-twin", action="store_true", help="time the kernels alone")
    asked = parser.parse_args()
    print(f"torch {torch.__version__}, kernels {fields_native.isas()[0]}; ", end="")
    print("four views, times in ms, twins in multiples")
    print(" scene  size  t  samples   forward      both  twin fwd      both")
    for name in asked.scenes:
        for size in asked.size:
            for threads in sorted(set(asked.threads)):
                print(row(name, size, threads, asked), flush=True)


if __name__ == "__main__":
    main()
