"""Our .ply before an independent judge: @playcanvas/splat-transform, SuperSplat's own library.

    npm install --prefix FOLDER @playcanvas/splat-transform@2.7.1
    SPLAT_TRANSFORM=FOLDER/node_modules/.bin/splat-transform python tests/export/arbiter.py

Converts a scene that hides no mistake of frame: each axis has its color, a needle is turned,
and harmonics are of degree 3. Prints how far the converted files are from ours, and how far the
pictures of its viewer's page (in Chromium, or what $CHROMIUM names) are from our renderer's;
with --scene, of another .ply. Exits with 1 if they differ.
"""

import argparse
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from splatsmith.cameras import orbit
from splatsmith.export import read_ply, save_png, write_ply
from splatsmith.export.sheet import labeled_grid, to_uint8
from splatsmith.scenes.gaussians import Gaussians, color_to_sh

VIEWS = [(10.0, 0.0), (100.0, 5.0), (35.0, 25.0), (200.0, -20.0)]  # azimuth, elevation
SIZE, RADIUS, FOVY = 384, 3.2, 40.0
LEAST_PSNR = 30.0  # dB of its picture against ours; a wrong frame or sign falls below 20
BROWSER = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--timeout=8000",
]


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


class Viewer:
    """The program's own page, SuperSplat's viewer, in a browser without a window.

    The page comes with a converted copy of the scene; here it loads the .ply itself.
    """

    def __init__(self, folder: Path, scene: Gaussians) -> None:
        self.folder = folder
        write_ply(folder / "scene.ply", scene)
        page = folder / "index.html"
        convert(folder / "scene.ply", page, "--unbundled", "-g", "cpu")
        text, own = page.read_text(), 'fetch("index.sog")'
        assert own in text, "the viewer's page is not as it was in 2.7.1"
        page.write_text(text.replace(own, "fetch(contentUrl)"))
        handler = functools.partial(Quiet, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> "Viewer":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()

    def look(self, position: list[float]) -> torch.Tensor:
        """The page's picture, 0..1, from a place in our world, white behind.

        The viewer has y up and z toward us, so our (x, y, z) is its (y, z, x).
        """
        x, y, z = position
        camera = {"fov": FOVY, "position": [y, z, x], "target": [0, 0, 0]}
        settings = {
            "camera": camera | {"startAnim": "none"},
            "background": {"color": [1, 1, 1]},
            "animTracks": [],
        }
        (self.folder / "view.json").write_text(json.dumps(settings))
        target = self.folder / "view.png"
        asked = "content=scene.ply&settings=view.json&noui&noanim&webgl"
        command = [
            os.environ.get("CHROMIUM", "chromium"),
            *BROWSER,
            f"--user-data-dir={self.folder / 'profile'}",
            f"--window-size={SIZE},{SIZE}",
            f"--screenshot={target}",
            f"http://127.0.0.1:{self.server.server_port}/index.html?{asked}",
        ]
        subprocess.run(command, capture_output=True, timeout=120, check=True)
        return torch.from_numpy(np.array(Image.open(target).convert("RGB"))).float() / 255


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the folder and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def pictures(folder: Path, scene: Gaussians) -> tuple[torch.Tensor, torch.Tensor]:
    """Our pictures of the scene and the viewer's of our file, from the same cameras."""
    azimuth, elevation = zip(*VIEWS, strict=True)
    cameras = orbit(azimuth, elevation, radius=RADIUS, fovy=FOVY, width=SIZE, height=SIZE)
    with torch.no_grad():
        ours = scene.render(cameras, torch.ones(3)).color
    with Viewer(folder, scene) as viewer:
        theirs = [viewer.look(position) for position in cameras.position.tolist()]
    return ours, torch.stack(theirs)


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Peak signal to noise ratio, dB."""
    return float(-10 * torch.log10((a - b).square().mean()))


def main() -> int:
    """The command; 1 if the program and we disagree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene", type=Path, help="a .ply to look at instead of ours")
    parser.add_argument("--sheet", type=Path, help="save both rows of pictures here (.png)")
    args = parser.parse_args()
    if program() is None:
        print("splat-transform is neither on the path nor in $SPLAT_TRANSFORM", file=sys.stderr)
        return 2
    scene = axes_scene() if args.scene is None else read_ply(args.scene)
    good = True
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
        labels = ["splatsmith", "SuperSplat's viewer"]
        save_png(args.sheet, labeled_grid([ours, theirs], labels))
    assert to_uint8(theirs).min() < 60  # It did draw something.
    print("agreed" if good else "DISAGREED")
    return not good


if __name__ == "__main__":
    sys.exit(main())
