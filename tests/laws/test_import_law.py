"""prompts -> priors -> distill -> optimize <- render <- scenes <- cameras, then export.

Only optimize sees both sides (and recipes, which describe both; and what stands above it). So
every scene works with every score and every score with every prior.
"""

import pytest
import source

PICTURES = {"cameras", "render", "scenes"}  # the side that knows what is drawn
WORDS = {
    "cameras",
    "images",
    "prompts",
    "toybox.words",
    "priors",
}  # the side that knows what it should be
LOOP = PICTURES | WORDS | {"distill", "export", "generators", "optimize", "recipes"}
ALL = LOOP | {"toybox", "train", "evaluate", "batch", "studio", "cli"}

# What each part may import beside itself, errors and files. A new folder needs a row here.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "memory": set(),
    "threads": set(),
    "cameras": set(),
    "toybox": {"cameras"},
    "images": {"cameras"},
    "prompts": {"images", "toybox.words"},
    "priors": {"cameras", "images", "prompts", "toybox.words"},
    "distill": {"cameras", "prompts", "priors"},
    "render": {"cameras"},
    "scenes": {"cameras", "render"},
    "export": PICTURES,
    "generators": PICTURES | WORDS,
    "optimize": LOOP,
    "recipes": LOOP,
    "evaluate": PICTURES | {"prompts", "toybox", "export"},
    "train": ALL - {"cli"} | {"memory"},
    "batch": LOOP,
    "studio": LOOP | {"batch", "evaluate", "toybox"},
    "cli": ALL | {"memory", "threads"},
    "": ALL,
}
NATIVE = {"_splat": "render", "_toybox": "toybox", "_fields": "render", "_mesh": "render"}


def breaches(file: source.File) -> list[str]:
    """What a file imports against the law."""
    if file.part not in MAY_IMPORT:
        return [f"{file.path}: {file.part!r} has no row in the import law"]
    allowed = MAY_IMPORT[file.part] | {file.part, "errors", "files", "__version__"}
    allowed |= {name for name, part in NATIVE.items() if part == file.part}
    if not file.part or file.part == "cli":
        allowed |= set(NATIVE)  # The doctor asks whether they were built.
    return [
        f"{file.path}:{line} imports {name}"
        for line, name in source.imports(file)
        if name.split(".")[0] == "splatsmith" and not _within(name, allowed)
    ]


def _within(name: str, allowed: set[str]) -> bool:
    if name == "splatsmith":
        return "optimize" in allowed  # Its front opens on everything, for those who may see it.
    inner = name.removeprefix("splatsmith.") + "."
    return any(inner.startswith(f"{part}.") for part in allowed if part)


def test_every_file_keeps_the_import_law():
    found = [breach for file in source.files() for breach in breaches(file)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("scenes/x.py", "from splatsmith.priors import Prior"),
        ("scenes/x.py", "from splatsmith import distill"),
        ("render/x.py", "import splatsmith.scenes.gaussians"),
        ("render/x.py", "def f():\n    from splatsmith.priors.schedule import cosine"),
        ("render/x.py", "from ..scenes import gaussians"),
        ("priors/x.py", "from splatsmith.scenes.gaussians import Gaussians"),
        ("priors/x.py", "from splatsmith.toybox.sketch import draw"),
        ("priors/x.py", "from splatsmith import toybox"),
        ("distill/x.py", "from splatsmith.render import splat"),
        ("evaluate/x.py", "from splatsmith.distill.scores import sds"),
        ("evaluate/x.py", "from splatsmith.optimize import run"),
        ("toybox/x.py", "from splatsmith.scenes import Gaussians"),
        ("optimize/x.py", "from splatsmith.cli.main import main"),
        ("cameras/x.py", "from splatsmith.prompts import Prompt"),
        ("images/x.py", "from splatsmith.prompts import Prompt"),
        ("scenes/x.py", "from splatsmith import _splat"),
        ("scenes/x.py", "import splatsmith"),
        ("gadgets/x.py", "import math"),
    ],
)
def test_the_law_notices(path, text):
    assert breaches(source.parse(path, text))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("scenes/x.py", "from splatsmith.render.splat import splat\nimport torch"),
        ("priors/x.py", "from splatsmith.toybox.words import COLORS"),
        ("priors/x.py", "from splatsmith.toybox import words"),
        ("render/x.py", "from splatsmith import _splat\nfrom . import picture"),
        ("optimize/x.py", "from splatsmith.priors import Prior\nimport splatsmith.scenes"),
        ("cli/x.py", "from splatsmith import __version__, train"),
        ("optimize/x.py", "import splatsmith"),
        ("cameras/x.py", "from splatsmith.errors import InputError"),
    ],
)
def test_the_law_lets_pass(path, text):
    assert not breaches(source.parse(path, text))
