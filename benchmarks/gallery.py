"""Make the gallery again: forty prompts of all kinds once each, seed 0, nothing drawn twice.

    python benchmarks/gallery.py [--runs FOLDER] [--part K/N]

Writes one contact sheet per prompt to docs/images/gallery, one picture of each object to
docs/images/gallery.png, and the page docs/gallery.md, with the time of each run, the recipe's
and the priors' hashes. A run that fails is listed as failed, and its place stays white. What is
in the folder of runs already is not made again, so the same command goes on after a stop.
"""

import argparse
from pathlib import Path

import torch
from parts import add_part, part_of

from splatsmith import Gaussians, InputError, generate
from splatsmith.cameras import orbit
from splatsmith.export import contact_sheet, read_ply, save_png
from splatsmith.export.sheet import draw_views, labeled_grid
from splatsmith.memory import keep_memory
from splatsmith.optimize.folder import RunFolder

DOCS = Path(__file__).resolve().parents[1] / "docs"
PICTURES = DOCS / "images" / "gallery"
# Chosen before the prior that draws them was trained.
PROMPTS = """
an orange snowman
a black table
a green chair
a purple mug
a white house with a blue roof
a yellow car with red wheels
a pink rocket
a brown robot
a blue dog
an orange duck
a white airplane
a pink fish
a gray elephant
a green frog
a brown horse with a black mane
a red bus
a turquoise teapot
a yellow banana
a purple wizard
a white ghost
a gray castle with red roofs
a red apple
a pink cake
a blue knight
a red mushroom with white dots
a striped red mug
a checkered blue vase
a wooden chair
a gray metal robot
a green glass bottle
a spotted orange fish
a tiny yellow house
a yellow duck wearing a red hat
a brown bear wearing a yellow crown
a red mushroom on a blue table
a yellow duck on a green barrel
a black dog beside a white house
a blue car beside a red tree
a white sheep in front of a red house
a green turtle under a brown table
""".strip().splitlines()
ROW, SIDE = 8, 128  # objects in a row of the overview; pixels of each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="how many prompts, for a quick look")
    parser.add_argument("--runs", type=Path, default=DOCS.parent / "runs" / "gallery")
    add_part(parser, "run")
    asked = parser.parse_args()
    keep_memory()
    PICTURES.mkdir(parents=True, exist_ok=True)
    prompts = PROMPTS[: asked.only]
    if asked.part:
        for prompt in part_of(prompts, asked.part):
            made_once(prompt, asked.recipe, asked.seed, asked.runs)
        return
    made = [entry(prompt, asked.recipe, asked.seed, asked.runs) for prompt in prompts]
    overview(prompts, [scene for _, scene in made])
    entries = [text for text, _ in made]
    (DOCS / "gallery.md").write_text(page(entries, asked.recipe, asked.seed, asked.runs))


def made_once(prompt: str, recipe: str, seed: int, runs: Path) -> tuple[Gaussians, float]:
    """The scene of a run, and the seconds that it took."""
    folder = RunFolder(runs / prompt.replace(" ", "-"))
    if not folder.finished():
        generate(prompt, seed=seed, recipe=recipe, out=folder.root, overwrite=True)
    scene = read_ply(folder.scene)
    seconds = folder.read_report()["metrics"]["seconds"]
    print(f"{prompt}: {seconds:.1f} s, {scene.count} splats", flush=True)
    return scene, seconds


def entry(prompt: str, recipe: str, seed: int, runs: Path) -> tuple[str, Gaussians | None]:
    """Run one prompt; its part of the page, and the scene if there is one."""
    try:
        scene, seconds = made_once(prompt, recipe, seed, runs)
    except InputError as error:
        return f"### {prompt}\n\nFailed: {error}\n", None
    name = prompt.replace(" ", "-") + ".png"
    save_png(PICTURES / name, contact_sheet(scene, size=112))
    text = (
        f"### {prompt}\n\n![{prompt}](images/gallery/{name})\n\n"
        f"{seconds:.1f} s, {scene.count} splats\n"
    )
    return text, scene


def overview(prompts: list[str], scenes: list[Gaussians | None]) -> None:
    """All objects on one picture, each from its left front."""
    camera = orbit(35.0, 20.0, width=SIDE, height=SIDE)
    nothing = torch.ones(SIDE, SIDE, 3)
    views = [nothing if scene is None else draw_views(scene, camera)[0] for scene in scenes]
    starts = range(0, len(views), ROW)
    rows = [torch.stack(views[start : start + ROW]) for start in starts]
    labels = [", ".join(prompts[start : start + ROW]) for start in starts]
    save_png(DOCS / "images" / "gallery.png", labeled_grid(rows, labels))


def page(entries: list[str], recipe: str, seed: int, runs: Path) -> str:
    """The whole page; what recipe and priors were is in the runs' own reports."""
    reports = [RunFolder(path.parent).read_report() for path in runs.glob("*/report.json")]
    recipes, priors, threads = (
        ", ".join(sorted({str(said(report)) for report in reports}))
        for said in (
            lambda report: f"`{report['recipe']['sha256'][:12]}`",
            lambda report: f"`{report['prior']['name']}`",
            lambda report: report["threads"],
        )
    )
    return (
        "# Gallery\n\n"
        "Forty prompts of all kinds, chosen before the prior was trained; "
        f"recipe `{recipe}`, seed {seed}, one run each, none drawn again. Each "
        "sheet shows eight azimuths from the front on, at 10° and 35° elevation.\n\n"
        "![All objects from the left front](images/gallery.png)\n\n"
        f"Made by `python benchmarks/gallery.py`; threads {threads}, recipe {recipes}, "
        f"priors {priors}. Times are of whole runs, the pictures at their end included.\n\n"
        + "\n".join(entries)
    )


if __name__ == "__main__":
    main()
