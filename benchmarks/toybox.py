"""How fast the toybox draws: `python benchmarks/toybox.py`.

Prints pictures per second of processor time on one thread (so other programs do not count), at
2x2 samples a pixel: the native renderer alone, and whole batches with their Python part. The
native pictures are checked against the torch twin first, and the program fails if they
differ: the speed of a wrong answer is not reported.
"""

import time
from collections.abc import Callable

import numpy as np
import torch

from splatsmith.cameras.convention import Cameras, orbit
from splatsmith.toybox import BatchSampler, ToyObject, draw_object, drawing, sdf
from splatsmith.toybox.objects import DRAWS, object_from
from splatsmith.toybox.tape import joined

BATCH = 64


def views(size: int, generator: torch.Generator) -> Cameras:
    azimuth = torch.rand(BATCH, generator=generator) * 360
    elevation = torch.rand(BATCH, generator=generator) * 75 - 15
    return orbit(azimuth, elevation, width=size, height=size)


def check(toys: list[ToyObject], cameras: Cameras) -> None:
    fast = drawing.render(toys, cameras)
    tape, starts = joined([toy.tape for toy in toys])
    which, white = np.arange(BATCH, dtype=np.int32), torch.ones(BATCH, 3)
    slow = sdf.trace_views(
        tape, starts, which, cameras, drawing.camera_light(cameras), white, 2
    )
    difference = float((fast.color - slow[0]).abs().mean())
    if difference > 1e-4:
        raise SystemExit(f"native and twin differ by {difference:.2e}: nothing is measured")
    print(f"mean difference of native and twin: {difference:.1e}")


def rate(draw: Callable[[], object], repeats: int = 15) -> float:
    """Pictures per second, from the median of `repeats` calls after two that warm up."""
    seconds = []
    for _ in range(repeats + 2):
        start = time.process_time()
        draw()
        seconds.append(time.process_time() - start)
    return BATCH / float(np.median(seconds[2:]))


def main() -> None:
    """Check, then measure."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    toys = [draw_object(generator) for _ in range(BATCH)]
    if drawing.native is None:
        raise SystemExit("the native renderer is not built")
    check(toys, views(32, generator))
    print(f"instruction set: {drawing.native.variants()[-1]}")
    print("size  renderer  batches   (pictures/s, one thread)")
    for size in (32, 64, 128):
        cameras = views(size, generator)
        alone = rate(lambda cameras=cameras: drawing.render(toys, cameras))
        stream = BatchSampler(size=size, batch=BATCH, seed=0)
        print(f"{size:4d}  {alone:8.0f}  {rate(lambda stream=stream: next(stream)):7.0f}")
    rows = torch.rand(BATCH, DRAWS, generator=generator).tolist()
    built = rate(lambda: [object_from(row, "train") for row in rows])
    print(f"building an object in Python: {1e6 / built:.0f} microseconds")


if __name__ == "__main__":
    main()
