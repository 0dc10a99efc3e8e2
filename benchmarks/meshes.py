"""Make a mesh of every finished run and say how good the meshes are, in a table.

    python benchmarks/meshes.py FOLDER... [--method density|tsdf] [--page docs/meshing.md]

Each folder is a run, or holds runs somewhere below; a run counts if it has a scene.ply. Its
asset is written to --out and read back: by trimesh, and by Khronos' validator if
GLTF_VALIDATOR names it (see tests/export/meshing/khronos.py). PSNR is of pictures from views
that no color came from, against those of the splats over white: of whole pictures; of the
pixels that either covers; and, in these, of the splats themselves with their alpha made 0 or 1.
What is in --out already is not made again, so the same command goes on after a stop.
"""

import argparse
import hashlib
import json
import math
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import trimesh

from splatsmith.cli.mesh import write_made
from splatsmith.cli.pages import put_section
from splatsmith.errors import InputError
from splatsmith.export import read_ply
from splatsmith.export.mesh_files import Material
from splatsmith.export.meshing import MeshSettings, make_mesh
from splatsmith.files import sha256_of

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "export" / "meshing"))

from khronos import complaints, tools  # noqa: E402

GOOD = 25.0  # dB; what is asked of a mesh's pictures
WATERTIGHT = 0.9  # share of meshes; what is asked
SERIOUS = 1  # the validator's severities: 0 error, 1 warning, 2 and 3 remarks
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--method", choices=("density", "tsdf"), default="density")
    parser.add_argument("--out", type=Path, default=HERE.parent / "runs" / "meshes")
    parser.add_argument("--page", type=Path, help="write the table into this page")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    scenes = sorted({path for folder in asked.folders for path in folder.rglob("scene.ply")})
    if not scenes:
        raise SystemExit("No scene.ply below any of these folders.")
    rows = [made_once(path, asked.method, asked.out) for path in scenes]
    text = table(rows, asked.method)
    print(text)
    if asked.page:
        put_section(asked.page, f"meshes {asked.method}", text)


def made_once(scene: Path, method: str, out: Path) -> Row:
    """The row of a scene, made now unless it lies in `out`."""
    key = hashlib.sha256(f"{sha256_of(scene)} {method}".encode()).hexdigest()[:12]
    kept = out / f"{scene.parent.name}-{key}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    out.mkdir(parents=True, exist_ok=True)
    row = {"scene": scene.parent.name.replace("-", " "), **made(scene, method, kept)}
    kept.write_text(json.dumps(row, indent=1))
    print({name: value for name, value in row.items() if name != "vertices"}, flush=True)
    return row


def made(scene: Path, method: str, kept: Path) -> Row:
    """Make, write and read back one asset; a failure is a row too."""
    start = time.process_time()
    try:
        mesh = make_mesh(read_ply(scene), MeshSettings(method=method))
    except InputError as error:
        return {"failure": str(error)}
    path = kept.with_suffix(".glb")
    write_made(path, mesh, Material(), origin="base", size=None, up=None)
    seconds = time.process_time() - start
    loaded = trimesh.load(path, force="mesh")
    said = complaints(path) if tools() else None
    return {
        **mesh.report,
        "seconds": round(seconds, 1),
        "loaded": len(loaded.faces) == mesh.report["faces"],
        "complaints": said and [each["code"] for each in said if each["severity"] <= SERIOUS],
    }


def table(rows: Sequence[Row], method: str) -> str:
    """Markdown: a row for each scene, and what they come to."""
    head = ("scene", "closed", "parts", "faces", "PSNR", "of object", "hard edge", "s")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in rows:
        if "failure" in row:
            lines.append(f"| {row['scene']} | failed: {row['failure']} |" + " |" * 6)
            continue
        closed = "yes" if row["watertight"] else "no"
        lines.append(
            f"| {row['scene']} | {closed} | {row['parts']} | {row['faces']} "
            f"| {row['psnr']:.1f} | {row['psnr_object']:.1f} | {row['psnr_hard_edge']:.1f} "
            f"| {row['seconds']:.1f} |"
        )
    return summary(rows, method) + "\n\n" + "\n".join(lines) + "\n"


def summary(rows: Sequence[Row], method: str) -> str:
    """What the rows come to, in sentences."""
    good = [row for row in rows if "failure" not in row]
    closed = sum(row["watertight"] for row in good)
    near = sum(row["psnr"] >= GOOD for row in good)
    names = ("psnr", "psnr_object", "psnr_hard_edge", "seconds")
    picture, inside, edge, seconds = (
        statistics.median(row[name] for row in good) if good else math.nan for name in names
    )
    looked = [row["complaints"] for row in good if row["complaints"] is not None]
    clean = sum(not codes for codes in looked)
    khronos = f"{clean} of {len(looked)}" if looked else "not asked"
    return (
        f"`python benchmarks/meshes.py FOLDER --method {method}`: {len(rows)} scenes, "
        f"{len(good)} assets.\n"
        f"Watertight: {closed} of {len(rows)} (asked: {WATERTIGHT:.0%}).\n"
        f"PSNR of pictures at least {GOOD:g} dB: {near} of {len(rows)}; median {picture:.1f} "
        f"dB, of the object's pixels alone {inside:.1f} dB,\n"
        f"where a hard edge on the splats leaves {edge:.1f} dB.\n"
        f"Without an error or warning of Khronos' validator: {khronos}. "
        f"Read by trimesh: {sum(row['loaded'] for row in good)} of {len(good)}.\n"
        f"Median time: {seconds:.1f} s of one processor core."
    )


if __name__ == "__main__":
    main()
