"""`splatsmith convert`: splats from one format into another, changed on the way if wished."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from splatsmith.errors import InputError

if TYPE_CHECKING:
    import torch

    from splatsmith.scenes.gaussians import Gaussians

AxisUp = Literal["z-up", "z-down", "y-up", "y-down", "x-up", "x-down"]
Three = tuple[float, float, float]
Box = Annotated[
    tuple[float, float, float, float, float, float] | None,
    tyro.conf.arg(metavar="X Y Z X Y Z"),
]
Ball = Annotated[tuple[float, float, float, float] | None, tyro.conf.arg(metavar="X Y Z R")]
Number = Annotated[float | None, tyro.conf.arg(metavar="NUMBER")]
Whole = Annotated[int | None, tyro.conf.arg(metavar="INT")]


@dataclass(frozen=True)
class Changes:
    """What to do with the splats, in this order."""

    axes: AxisUp = "z-up"
    """Which axis of the scene, as it is read, points up; it is turned to be z."""
    rotate: Three = (0.0, 0.0, 0.0)
    """Degrees about the x, then the y, then the z axis, counter-clockwise seen from its tip."""
    crop_box: Box = None
    """Keep what has its center in the box between two corners."""
    crop_ball: Ball = None
    """Keep what has its center in the ball around a point."""
    min_opacity: Number = None
    """Keep what is at least so opaque, 0 to 1."""
    min_size: Number = None
    """Keep what is at least so wide: the largest standard deviation."""
    max_size: Number = None
    """Keep what is at most so wide: the largest standard deviation."""
    recenter: bool = False
    """Move the middle of the box of all centers to the origin."""
    scale: Number = None
    """Make the scene so many times as large."""
    fit: Number = None
    """Make the scene so large that its farthest center has this distance from the origin."""
    most: Whole = None
    """Keep at most so many splats: those that show most, by opacity and size."""
    sh_degree: Whole = None
    """Cut harmonics off above this degree, or fill them up with zeros, 0 to 3."""

    def check(self) -> None:
        """Raises InputError for a change that makes no sense."""
        corners = self.crop_box or (-1.0, -1.0, -1.0, 1.0, 1.0, 1.0)
        low, high = corners[:3], corners[3:]
        sizes = (self.min_size or 0.0, math.inf if self.max_size is None else self.max_size)
        checks = [
            (all(map(math.isfinite, self.rotate)), "--rotate needs three finite angles"),
            (
                all(a < b for a, b in zip(low, high, strict=True)),
                "--crop-box needs the lower corner first, then the upper one",
            ),
            (
                self.crop_ball is None or self.crop_ball[3] > 0,
                "--crop-ball needs a radius above 0, after the center",
            ),
            (
                self.min_opacity is None or 0 <= self.min_opacity < 1,
                "--min-opacity must lie in 0 to 1, such as 0.005",
            ),
            (
                0 <= sizes[0] < sizes[1],
                "--min-size must lie below --max-size, and neither below 0",
            ),
            (
                self.scale is None or 0 < self.scale < math.inf,
                "--scale must be above 0; to turn a scene over, use --rotate",
            ),
            (self.fit is None or 0 < self.fit < math.inf, "--fit must be above 0"),
            (self.scale is None or self.fit is None, "give --scale or --fit, not both"),
            (self.most is None or self.most >= 1, "--most must be 1 or more"),
            (self.sh_degree in (None, 0, 1, 2, 3), "--sh-degree must be 0, 1, 2 or 3"),
        ]
        for holds, rule in checks:
            if not holds:
                raise InputError(f"{rule}.")


def convert(
    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")],
    target: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TARGET")],
    *,
    changes: Annotated[Changes, tyro.conf.OmitArgPrefixes] = Changes(),
    spz_version: Whole = None,
) -> None:
    """Write splats in another format, told by the end of TARGET, changed on the way if wished.

    Coordinates are ours whatever the format: z up, the front at +x. Read are .ply,
    .compressed.ply, .splat, .ksplat, .spz, .sog, .glb and .usd; all but .ksplat are written.

    Args:
        source: a file of splats.
        target: what to write; a file that is there is replaced.
        changes: what to do with the splats, in this order.
        spz_version: 2, 3 (the default, which most programs read) or 4, for .spz only.
    """
    from splatsmith.export.splats import format_for, read_splats, write_splats

    changes.check()
    form = format_for(target)
    scene = read_splats(source)
    print(_line(source, scene.count, scene.sh_degree))
    scene = changed(scene, changes, print)
    write_splats(target, scene, spz_version=spz_version)
    if scene.sh_degree > form.degree:
        print(f"{form.name} keeps one color a splat: what depends on the view is left out")
    share = target.stat().st_size / max(source.stat().st_size, 1)
    kept = min(scene.sh_degree, form.degree)
    print(f"{_line(target, scene.count, kept)} ({share:.0%} of the source)")


def changed(scene: "Gaussians", changes: Changes, tell: Callable[[str], None]) -> "Gaussians":
    """The scene after all changes; each that is made is told in a line.

    Raises InputError if no splat is left after one of them.
    """
    import torch

    from splatsmith.scenes import transforms

    if changes.axes != "z-up":
        upright = torch.tensor(transforms.UPRIGHT[changes.axes], dtype=torch.float64)
        scene = transforms.turned(scene, upright)
        tell(f"turned from {changes.axes} to z-up")
    if any(changes.rotate):
        scene = transforms.turned(scene, _rotation(changes.rotate))
        tell("turned by {:g}, {:g} and {:g} degrees about x, y and z".format(*changes.rotate))
    for why, which in _cuts(scene, changes):
        scene = _kept(scene, why, which(scene), tell)
    if changes.recenter:
        middle = (scene.means.amin(dim=0) + scene.means.amax(dim=0)).detach().double() / 2
        scene = transforms.moved(scene, -middle)
        tell("moved by {:g}, {:g}, {:g}".format(*(-middle).tolist()))
    factor = _factor(scene, changes)
    if factor != 1:
        scene = transforms.resized(scene, factor)
        tell(f"made {factor:g} times as large")
    if changes.most is not None and changes.most < scene.count:
        order = transforms.importance(scene).argsort(descending=True, stable=True)
        best = torch.zeros(scene.count, dtype=torch.bool)
        best[order[: changes.most]] = True
        scene = _kept(scene, f"the {changes.most} that show most", best, tell)
    if changes.sh_degree is not None and changes.sh_degree != scene.sh_degree:
        tell(f"harmonics of degree {scene.sh_degree} made degree {changes.sh_degree}")
        scene = transforms.with_degree(scene, changes.sh_degree)
    return scene


Which = Callable[["Gaussians"], "torch.Tensor"]


def _cuts(scene: "Gaussians", changes: Changes) -> list[tuple[str, Which]]:
    """Which splats to keep, one rule after the other, and its name."""
    import torch

    cuts: list[tuple[str, Which]] = []
    if changes.crop_box is not None:
        corners = torch.tensor(changes.crop_box, dtype=scene.means.dtype)
        cuts.append(
            (
                "centers in the box (--crop-box)",
                lambda s: ((s.means >= corners[:3]) & (s.means <= corners[3:])).all(dim=1),
            )
        )
    if changes.crop_ball is not None:
        *center, radius = changes.crop_ball
        place = torch.tensor(center, dtype=scene.means.dtype)
        cuts.append(
            (
                "centers in the ball (--crop-ball)",
                lambda s: torch.linalg.vector_norm(s.means - place, dim=1) <= radius,
            )
        )
    least, low, high = changes.min_opacity, changes.min_size, changes.max_size
    if least is not None:
        cuts.append(
            (f"opacity at least {least:g} (--min-opacity)", lambda s: s.opacities >= least)
        )
    if low is not None:
        cuts.append(
            (f"size at least {low:g} (--min-size)", lambda s: s.scales.amax(dim=1) >= low)
        )
    if high is not None:
        cuts.append(
            (f"size at most {high:g} (--max-size)", lambda s: s.scales.amax(dim=1) <= high)
        )
    return cuts


def _kept(
    scene: "Gaussians", why: str, which: "torch.Tensor", tell: Callable[[str], None]
) -> "Gaussians":
    from splatsmith.scenes.transforms import kept

    left = int(which.sum())
    if left == 0:
        low, high = scene.means.amin(dim=0).tolist(), scene.means.amax(dim=0).tolist()
        raise InputError(
            f"Of {scene.count} splats none is left with {why}; centers lie in "
            + " and ".join("({:.3g}, {:.3g}, {:.3g})".format(*corner) for corner in (low, high))
            + f", sizes in {float(scene.scales.detach().min()):.3g} to "
            + f"{float(scene.scales.detach().max()):.3g}, opacities up to "
            + f"{float(scene.opacities.detach().max()):.3g}. Ask for less."
        )
    tell(f"kept {why}: {left:,} of {scene.count:,} splats")
    return kept(scene, which)


def _rotation(degrees: Three) -> "torch.Tensor":
    """About x first, then y, then z, all fixed axes."""
    import torch

    total = torch.eye(3, dtype=torch.float64)
    for axis, angle in enumerate(degrees):
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        one, two = (axis + 1) % 3, (axis + 2) % 3
        turn = torch.eye(3, dtype=torch.float64)
        turn[one, one] = turn[two, two] = cosine
        turn[one, two], turn[two, one] = -sine, sine
        total = turn @ total
    return total


def _factor(scene: "Gaussians", changes: Changes) -> float:
    import torch

    if changes.fit is None:
        return changes.scale or 1.0
    reach = float(torch.linalg.vector_norm(scene.means.detach().double(), dim=1).max())
    if reach == 0:
        raise InputError("--fit needs a splat that is not at the origin; use --scale instead.")
    return changes.fit / reach


def _line(path: Path, count: int, degree: int) -> str:
    return f"{path}: {count:,} splats, degree {degree}, {path.stat().st_size:,} bytes"
