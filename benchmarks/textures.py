"""Does refining a mesh's texture beat baking it? The same scenes both ways, weighed alike.

    python benchmarks/textures.py FOLDER [--limit N] [--part K/N] [--page docs/meshing.md]

FOLDER holds runs somewhere below, for canonical prompts ("a red mushroom"). Each scene.ply is
meshed and baked as the second stage of `dreamgaussian` begins, and weighed; that stage then
refines the texture (changed by --set), and what it leaves is weighed again. Both have the same
surface, so that only colors differ. What is in --out already is not made again.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from parts import add_part, part_of

from splatsmith.cli.pages import put_section
from splatsmith.errors import InputError
from splatsmith.evaluate.statistics import mean_interval, paired_difference
from splatsmith.evaluate.wanted import wanted
from splatsmith.evaluate.weigh import weigh_likeness
from splatsmith.files import sha256_of
from splatsmith.memory import keep_memory
from splatsmith.optimize import run
from splatsmith.optimize.folder import RunFolder
from splatsmith.recipes.load import load_recipe, overridden, recipe_toml
from splatsmith.recipes.schema import Recipe

HERE = Path(__file__).resolve().parent
MEASURES = {
    "dE": ("color error dE", "lower"),
    "dE*": ("color error dE*", "lower"),
    "PSNR*": ("PSNR*, dB", "higher"),
}
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, help="only the first so many scenes")
    parser.add_argument("--out", type=Path, default=HERE.parent / "runs" / "textures")
    parser.add_argument("--page", type=Path, help="write the table into this page")
    parser.add_argument("--set", action="append", default=[], help="texture.score.guidance=1")
    add_part(parser, "scene")
    asked = parser.parse_args()
    keep_memory()
    torch.set_num_threads(1)
    recipe = overridden(load_recipe("dreamgaussian"), asked.set, "dreamgaussian")
    scenes = [path for path in sorted(asked.folder.rglob("scene.ply")) if canonical(path)]
    scenes = scenes[: asked.limit]
    if not scenes:
        raise SystemExit("No scene.ply of a canonical prompt below this folder.")
    if asked.part:
        for path in part_of(scenes, asked.part):
            weighed_once(path, asked.out, recipe)
        return
    rows = [weighed_once(path, asked.out, recipe) for path in scenes]
    text = table(rows)
    print(text)
    if asked.page:
        put_section(asked.page, "textures", text)


def canonical(scene: Path) -> bool:
    """Whether the truth of a run's prompt is known, and is one thing."""
    try:
        return wanted(prompt_of(scene)).alone
    except InputError:
        return False


def prompt_of(scene: Path) -> str:
    """What the run beside a scene was asked for."""
    return str(RunFolder(scene.parent).read_report()["prompt"])


def weighed_once(scene: Path, out: Path, recipe: Recipe) -> Row:
    """The row of a scene, made now unless it lies in `out`."""
    key = hashlib.sha256(f"{sha256_of(scene)} {recipe_toml(recipe)}".encode()).hexdigest()[:12]
    kept = out / f"{scene.parent.name}-{key}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    out.mkdir(parents=True, exist_ok=True)
    row = {"prompt": prompt_of(scene), **weighed(scene, recipe)}
    kept.write_text(json.dumps(row, indent=1))
    print(row, flush=True)
    return row


def weighed(scene: Path, recipe: Recipe) -> Row:
    """Color error and PSNR* of the baked and of the refined texture; a failure is a row too."""
    asked = wanted(prompt_of(scene))
    start = time.process_time()
    try:
        baked, refined = (
            run.generate(asked.prompt, recipe=way, start=scene, seed=0).scene
            for way in both_ways(recipe)
        )
    except InputError as error:
        return {"failure": str(error)}
    seconds = time.process_time() - start
    found = {
        name: weigh_likeness(mesh, asked, torch.Generator().manual_seed(0))
        for name, mesh in (("baked", baked), ("refined", refined))
    }
    assert torch.equal(baked.vertices, refined.vertices), "only colors may differ"
    return {
        **{name: {m: metrics[m] for m in MEASURES} for name, metrics in found.items()},
        "seconds": round(seconds, 1),
    }


def both_ways(recipe: Recipe) -> tuple[Recipe, Recipe]:
    """Baking alone, and the recipe's second stage; the first one leaves a scene as it is."""
    first, second = recipe.stage
    still = replace(first, steps=0)
    baking = replace(recipe, stage=(still, replace(second, steps=0)))
    return baking, replace(recipe, stage=(still, second))


def table(rows: Sequence[Row]) -> str:
    """Markdown: both textures, and their difference over the same scenes."""
    good = [row for row in rows if "failure" not in row]
    lines = [
        "| | baked | refined | difference | refined is better in |",
        "|---|---|---|---|---|",
    ]
    for measure, (title, wish) in MEASURES.items():
        known = [r for r in good if None not in (r["baked"][measure], r["refined"][measure])]
        prompts = [r["prompt"] for r in known]
        before, after = (
            torch.tensor([r[kind][measure] for r in known]) for kind in ("baked", "refined")
        )
        generator = torch.Generator().manual_seed(0)
        means = [mean_interval(v, prompts, generator).value for v in (before, after)]
        gain = paired_difference(after, before, prompts, generator)
        better = (after < before if wish == "lower" else after > before).sum()
        lines.append(
            f"| {title} ({wish} is better) | {means[0]:.2f} | {means[1]:.2f} "
            f"| {gain.value:+.2f} ({gain.low:+.2f}..{gain.high:+.2f}) "
            f"| {int(better)} of {len(known)} |"
        )
    seconds = sorted(row["seconds"] for row in good)[len(good) // 2] if good else 0.0
    return (
        f"`python benchmarks/textures.py FOLDER`: {len(rows)} scenes, "
        f"{len(rows) - len(good)} without a mesh; {seconds:.0f} s of one core each (median). "
        "In brackets: 95 % by bootstrap over prompts.\n\n" + "\n".join(lines) + "\n"
    )


if __name__ == "__main__":
    main()
