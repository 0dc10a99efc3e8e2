"""Show on each method's page what its recipe made: its row, a sheet, a strip of targets.

    splatsmith compare RECIPE... --out FOLDER
    python benchmarks/methods.py FOLDER

FOLDER is what the comparison left. Every recipe that was compared gets its section, "made" and
its name, on the page whose line in docs/methods/README.md names it; other sections stay.
"""

import argparse
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from splatsmith.cameras import turntable
from splatsmith.cli.pages import put_section
from splatsmith.evaluate.record import Record, read_records
from splatsmith.evaluate.table import check_hashes, titled, told
from splatsmith.export import read_ply, save_png
from splatsmith.export.sheet import draw_views, labeled_grid
from splatsmith.optimize.folder import RunFolder
from splatsmith.optimize.run import default_folder
from splatsmith.recipes.load import recipe_names

DOCS = Path(__file__).resolve().parents[1] / "docs" / "methods"
TITLES = (
    "PR@1 (E1)",
    "PRview (E1)",
    "Janus rate",
    "IoU*",
    "PSNR*, dB",
    "dE",
    "Float",
    "seconds",
)
SHOWN, VIEWS, SIDE = 4, 6, 112  # prompts of a sheet, views of each, pixels of a view


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="--out of splatsmith compare")
    asked = parser.parse_args()
    for page, recipes in pages().items():
        for name in recipes:
            if (asked.folder / name).is_dir():
                put_section(page, f"made {name}", part(name, asked.folder / name, page.stem))
                print(page)


def pages() -> dict[Path, list[str]]:
    """Every page with the recipes that its line of the index names."""
    found = {}
    for line in (DOCS / "README.md").read_text().splitlines():
        page = re.match(r"\| \[[^]]+\]\(([a-z0-9]+\.md)\) \| ([^|]+) \|", line)
        if page:
            named = re.findall(r"`([a-z0-9-]+)`", page[2])
            found[DOCS / page[1]] = [name for name in named if name in recipe_names()]
    return found


def part(recipe: str, folder: Path, page: str) -> str:
    """A recipe's row, and links to its pictures, which are made now."""
    records = [r for r in read_records(folder / "records.jsonl") if r.kind == "run"]
    if not records:
        return f"`{recipe}`: no run was finished.\n"
    check_hashes(records)
    columns = titled(TITLES)
    name = page if recipe == page else f"{page}-{recipe}"
    shown = pictured(records, folder, name)
    origin = records[0].origin
    prompts = len({record.prompt for record in records})
    return "\n".join(
        [
            f"`{recipe}`, {len(records)} runs over {prompts} prompts of P-dev; prior "
            f"`{origin.prior}`, commit {origin.commit}. In brackets: 95 %.",
            "",
            f"| {' | '.join(c.title for c in columns)} | failed |",
            "|---" * (len(columns) + 1) + "|",
            f"| {' | '.join(told(c, records) for c in columns)} "
            f"| {sum(bool(r.failure) for r in records)} |",
            "",
            *shown,
        ]
    )


def pictured(records: Sequence[Record], folder: Path, name: str) -> list[str]:
    """Sheets of seed 0 of the first prompts, and the first one's strip, as Markdown."""
    pictures = DOCS.parent / "images" / "methods"
    pictures.mkdir(parents=True, exist_ok=True)
    prompts = list(dict.fromkeys(r.prompt for r in records if r.seed == 0))[:SHOWN]
    runs = [RunFolder(folder / "runs" / default_folder(p, 0).name) for p in prompts]
    cameras = turntable(VIEWS, elevation=15, width=SIDE, height=SIDE)
    nothing = torch.ones(VIEWS, SIDE, SIDE, 3)
    rows = [
        draw_views(read_ply(run.scene), cameras) if run.scene.is_file() else nothing
        for run in runs
    ]
    save_png(pictures / f"{name}.png", labeled_grid(rows, prompts))
    lines = [f"![Six views of each, front first](../images/methods/{name}.png)", ""]
    if runs[0].progress.is_file():
        shutil.copyfile(runs[0].progress, pictures / f"{name}-targets.png")
        lines += [
            f'Renders of "{prompts[0]}" and what the prior\'s answers pulled them toward, '
            "from the first step to the last:",
            "",
            f"![Renders and their pseudo-ground-truths](../images/methods/{name}-targets.png)",
            "",
        ]
    return lines


if __name__ == "__main__":
    main()
