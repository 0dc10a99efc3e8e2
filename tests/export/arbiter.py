"""Our .ply before an independent judge: @playcanvas/splat-transform, SuperSplat's own library.

    npm install --prefix FOLDER @playcanvas/splat-transform@2.7.1
    SPLAT_TRANSFORM=FOLDER/node_modules/.bin/splat-transform python tests/export/arbiter.py

Converts a scene that hides no mistake of frame: each axis has its color, a needle is turned,
and harmonics are of degree 3. Prints how far the converted files are from ours, and how far its
pictures are from our renderer's. The pictures need a Vulkan loader (libvulkan1) and a driver;
Chromium's software driver will do: VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json.
Exits with 1 if they differ.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from splatsmith.cameras import orbit
from splatsmith.export import read_ply, save_png, write_ply
from splatsmith.export.sheet import labeled_grid, to_uint8
from splatsmith.scenes.gaussians import Gaussians, color_to_sh

VIEWS = [(0.0, 0.0), (90.0, 0.0), (35.0, 25.0), (200.0, -20.0)]  # azimuth, elevation
SIZE, RADIUS, FOVY = 192, 3.2, 40.0
LEAST_PSNR = 35.0  # dB of its picture against ours; a wrong frame or sign falls below 30


def program() -> str | None:
    """Where splat-transform is: $SPLAT_TRANSFORM, else on the path."""
    return os.environ.get("SPLAT_TRANSFORM") or shutil.which("splat-transform")


def axes_scene() -> Gaussians:
    """Red front, green left, blue top, a dark turned needle, and a core that changes color."""
    steps = torch.linspace(0.3, 0.85, 12)
    means, colors = [], []
    for axis in range(3):
        for step in steps:
            means.append([float(step) if i == axis else 0.0 for i in range(3)])
            colors.append([0.9 if i == axis else 0.1 for i in range(3)])
    means += [[0.35, -0.45, 0.3], [0.0, 0.0, 0.0], [-0.3, 0.3, -0.5]]
    colors += [[0.2, 0.2, 0.2], [0.5, 0.5, 0.5], [0.8, 0.6, 0.1]]
    count = len(means)
    scales = torch.full((count, 3), 0.05)
    scales[-3] = torch.tensor([0.3, 0.03, 0.06])
    scales[-2] = 0.2
    scales[-1] = torch.tensor([0.05, 0.15, 0.1])
    quats = torch.tensor([[1.0, 0, 0, 0]]).repeat(count, 1)
    quats[-3] = torch.tensor([0.9, 0.25, -0.5, 0.3])
    quats[-1] = torch.tensor([0.5, -0.6, 0.2, 0.7])
    sh = color_to_sh(torch.tensor(colors), 3)
    sh[-2:, 1:] = torch.randn(2, 15, 3, generator=torch.Generator().manual_seed(4)) * 0.25
    return Gaussians(torch.tensor(means), scales.log(), quats, torch.full((count,), 3.0), sh)


def convert(source: Path, target: Path, *options: str) -> str:
    """Run the program on a file; its output, or RuntimeError with that if it fails."""
    found = program()
    assert found is not None, "splat-transform is not there"
    command = [found, "--no-tty", "-w", str(source), str(target), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode or not target.exists():
        raise RuntimeError(f"splat-transform failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


def converted(folder: Path, scene: Gaussians, suffix: str, *options: str) -> Gaussians:
    """The scene after our writer, their reader, their writer for `suffix` and ours again."""
    ours, theirs, back = (folder / f"{n}.ply" for n in ("ours", "theirs", "back"))
    write_ply(ours, scene)
    if suffix == ".ply":
        said = convert(ours, theirs, *options)
    else:
        middle = folder / f"middle{suffix}"
        said = convert(ours, middle, *options) + convert(middle, theirs)
    complaints = [line for line in said.splitlines() if "warn" in line.lower()]
    assert not complaints, complaints
    shutil.copy(theirs, back)
    return read_ply(back)


def difference(scene: Gaussians, other: Gaussians) -> dict[str, float]:
    """Largest differences of positions, covariances (relative), opacities and harmonics."""
    with torch.no_grad():
        own, its = covariance(scene), covariance(other)
        size = own.flatten(1).norm(dim=1)
        return {
            "position": float((scene.means - other.means).abs().max()),
            "covariance": float(((own - its).flatten(1).norm(dim=1) / size).max()),
            "opacity": float((scene.opacities - other.opacities).abs().max()),
            "harmonics": float((scene.sh - other.sh).abs().max()),
        }


def covariance(scene: Gaussians) -> torch.Tensor:
    """R S S R^T of each splat."""
    w, x, y, z = torch.nn.functional.normalize(scene.quats, dim=-1).unbind(-1)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)]
    rows += [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)]
    rows += [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]
    half = torch.stack(rows, dim=-1).reshape(-1, 3, 3) * scene.scales[:, None]
    return half @ half.mT


def pictures(folder: Path, scene: Gaussians) -> tuple[torch.Tensor, torch.Tensor]:
    """Our pictures of the scene and the program's of our file, from the same cameras.

    The program shows y up and z to the viewer, so our (x, y, z) is its (y, z, x).
    """
    write_ply(folder / "scene.ply", scene)
    azimuth, elevation = zip(*VIEWS, strict=True)
    cameras = orbit(azimuth, elevation, radius=RADIUS, fovy=FOVY, width=SIZE, height=SIZE)
    with torch.no_grad():
        ours = scene.render(cameras, torch.ones(3), backend="reference").color
    theirs = []
    for number, (x, y, z) in enumerate(cameras.position.tolist()):
        target = folder / f"view{number}.webp"
        options = ["--camera", f"{y},{z},{x}", "--look-at", "0,0,0", "--up", "0,1,0"]
        options += [
            "--fov",
            str(FOVY),
            "--resolution",
            f"{SIZE}x{SIZE}",
            "--background",
            "1,1,1,1",
        ]
        convert(folder / "scene.ply", target, *options)
        theirs.append(np.array(Image.open(target).convert("RGB")))
    return ours, torch.from_numpy(np.stack(theirs)).float() / 255


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Peak signal to noise ratio, dB."""
    return float(-10 * torch.log10((a - b).square().mean()))


def main() -> int:
    """The command; 1 if the program and we disagree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sheet", type=Path, help="save both rows of pictures here (.png)")
    args = parser.parse_args()
    if program() is None:
        print("splat-transform is neither on the path nor in $SPLAT_TRANSFORM", file=sys.stderr)
        return 2
    scene, good = axes_scene(), True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for suffix, options in ((".ply", ()), (".spz", ("--spz-version", "3"))):
            gaps = difference(scene, converted(folder, scene, suffix, *options))
            print(f"via {suffix}: " + ", ".join(f"{k} {v:.2g}" for k, v in gaps.items()))
            good &= suffix != ".ply" or max(gaps.values()) < 1e-5
        ours, theirs = pictures(folder, scene)
    for view, a, b in zip(VIEWS, ours, theirs, strict=True):
        print(f"picture at azimuth and elevation {view}: {psnr(a, b):.1f} dB")
        good &= psnr(a, b) > LEAST_PSNR
    if args.sheet:
        save_png(args.sheet, labeled_grid([ours, theirs], ["splatsmith", "splat-transform"]))
    assert to_uint8(theirs).min() < 60  # It did draw something.
    print("agreed" if good else "DISAGREED")
    return not good


if __name__ == "__main__":
    sys.exit(main())
