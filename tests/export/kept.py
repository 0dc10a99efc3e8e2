"""What each format keeps of a scene: the largest errors that its numbers can explain.

Positions are in world units for scenes that fit the unit ball, covariances relative to their
own size, opacities 0 to 1, harmonics as they are. `harmonics` is for degree 0, `higher` for the
degrees above; None says that the format has no place for them.

    python tests/export/kept.py [SCENE]

prints what every format makes of a scene: bytes, errors, and the processor's seconds.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from arbiter import axes_scene, covariance

from splatsmith.export import read_splats, write_splats
from splatsmith.scenes.gaussians import Gaussians


@dataclass(frozen=True)
class Kept:
    """Largest errors of a format."""

    position: float
    covariance: float
    opacity: float
    harmonics: float
    higher: float | None


BYTE = 0.5 / 255
COLOR = BYTE / 0.2820947917738781 * 1.001  # half a step of a color byte, as a harmonic

KEPT = {
    ".ply": Kept(0, 3e-6, 1e-7, 0, 1e-6),
    # 11 bits of a box at most 2 wide (y: 10); scales the same over a range of logarithms.
    ".compressed.ply": Kept(1e-3, 0.02, BYTE * 1.01, COLOR, 1 / 32 + 1e-3),
    # Steps of 1/4096, of 1/16 in logarithms of scales, of 1/511 in quaternions, of 1/16 and 1/8
    # in harmonics of degree 1 and above, which turn into sums of up to 1.6 of them.
    ".spz": Kept(1 / 8192 + 1e-6, 0.1, BYTE * 1.01, BYTE / 0.15 * 1.001, 0.1),
    # 65,536 steps of ln(1 + |x|); 256 scales; quaternions in steps of 1/255.
    ".sog": Kept(4e-5, 0.05, BYTE * 1.01, 0.02, 0.02),
    ".glb": Kept(0, 3e-6, 1e-6, 0, 1e-6),
    ".splat": Kept(0, 0.04, BYTE * 1.01, COLOR, None),
}

if find_spec("pxr"):
    KEPT |= dict.fromkeys((".usd", ".usda", ".usdc", ".usdz"), Kept(0, 3e-6, 1e-6, 0, 1e-6))


def matched(scene: Gaussians, other: Gaussians) -> Gaussians:
    """`other` in the order of `scene`; some formats sort their splats.

    Places alone do not tell splats apart that are nearer to each other than a format's steps.
    """
    looks = (
        torch.cat([one.means, one.opacities[:, None], one.sh[:, 0]], dim=1).detach().double()
        for one in (scene, other)
    )
    nearest = torch.cdist(*looks).argmin(dim=1)
    assert len(nearest.unique()) == scene.count == other.count
    return Gaussians(**{name: value[nearest] for name, value in other.state().items()})


def errors(scene: Gaussians, other: Gaussians) -> dict[str, float]:
    """The largest differences; degrees that `other` lacks are not looked at."""
    other = matched(scene, other)
    with torch.no_grad():
        own, its = covariance(scene).double(), covariance(other).double()
        size = own.flatten(1).norm(dim=1)
        count = other.sh.shape[1]
        gap = (scene.sh[:, :count] - other.sh).abs()
        return {
            "position": float((scene.means - other.means).abs().max()),
            "covariance": float(((own - its).flatten(1).norm(dim=1) / size).max()),
            "opacity": float((scene.opacities - other.opacities).abs().max()),
            "harmonics": float(gap[:, 0].max()),
            "higher": float(gap[:, 1:].max()) if count > 1 else 0.0,
        }


def excess(found: dict[str, float], kept: Kept) -> dict[str, float]:
    """The errors that are larger than they may be."""
    return {n: e for n, e in found.items() if e > (getattr(kept, n) or 0)}


def main() -> int:
    """The command."""
    scene = read_splats(sys.argv[1]) if len(sys.argv) > 1 else axes_scene()
    print(f"{scene.count} splats of degree {scene.sh_degree}")
    for suffix in KEPT:
        with tempfile.TemporaryDirectory() as folder:
            path, start = Path(folder) / f"scene{suffix}", sum(os.times()[:4])
            write_splats(path, scene)
            written = sum(os.times()[:4])
            back = read_splats(path)
            read = sum(os.times()[:4])
            found = " ".join(f"{n} {e:.2g}" for n, e in errors(scene, back).items())
            size = path.stat().st_size
        print(f"{suffix}: {size:,} bytes, {size / scene.count:.1f} a splat; {found}; ", end="")
        print(f"written in {written - start:.2f} s, read in {read - written:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
