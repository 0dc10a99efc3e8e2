"""The tables of keys in docs/recipes.md, made of the settings and of the remarks beside them.

    python tests/docs/recipe_keys.py

writes them into the page; the test of that page holds the two together.
"""

import ast
import dataclasses
import inspect
import textwrap
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from splatsmith.cameras import OrbitSampler
from splatsmith.cli.pages import put_section
from splatsmith.distill.curves import Ramp
from splatsmith.distill.scores.csd import CSD
from splatsmith.distill.scores.ism import ISM
from splatsmith.distill.scores.nfsd import NFSD
from splatsmith.distill.scores.refine import Refine
from splatsmith.distill.scores.sdi import SDI
from splatsmith.distill.scores.sds import SDS
from splatsmith.distill.scores.sjc import SJC
from splatsmith.distill.scores.vsd import OwnModel
from splatsmith.distill.times import BandTimes, DreamTimes, FallingTimes, UniformTimes
from splatsmith.optimize.field_regularizers import FieldRegularize
from splatsmith.optimize.lamp import Lamp
from splatsmith.optimize.reference import ReferenceView
from splatsmith.optimize.regularizers import Regularize
from splatsmith.optimize.surface_regularizers import SurfaceRegularize
from splatsmith.optimize.texturing import ToTextured
from splatsmith.recipes import rates
from splatsmith.recipes.schema import Adam, Output, Recipe, Stage
from splatsmith.recipes.tables import inline, plain
from splatsmith.scenes import field_settings
from splatsmith.scenes.handover import ToGaussians, ToMesh, ToTetrahedra
from splatsmith.scenes.kinds import TetrahedraStart
from splatsmith.scenes.point_starts import Hull, Points
from splatsmith.scenes.starts import Ball, SmallBall
from splatsmith.scenes.upkeep import Upkeep

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
# The sections of the page, and what stands in each. What a base class says is not said again.
TABLES: dict[str, dict[str, type]] = {
    "recipe": {"": Recipe, "`output`": Output},
    "stage": {"": Stage},
    "start": {
        '`kind = "ball"`': Ball,
        '`kind = "small-ball"`': SmallBall,
        '`kind = "points"`': Points,
        '`kind = "hull"`': Hull,
        '`kind = "tetrahedra"`': TetrahedraStart,
        '`kind = "field"`, keys of its `field`': field_settings.FieldSettings,
        '`field.encoding`, `kind = "hash"`': field_settings.HashGrid,
        '`kind = "frequencies"`': field_settings.Frequencies,
        '`kind = "voxels"`': field_settings.Voxels,
        '`kind = "triplane"`': field_settings.Triplane,
    },
    "convert": {
        '`kind = "tetrahedra"`': ToTetrahedra,
        '`kind = "mesh"`': ToMesh,
        '`kind = "gaussians"`': ToGaussians,
        '`kind = "textured"`': ToTextured,
    },
    "cameras": {"": OrbitSampler},
    "score": {
        '`kind = "sds"`, and what others have of it': SDS,
        '`kind = "sjc"`': SJC,
        '`kind = "csd"`': CSD,
        '`kind = "nfsd"`': NFSD,
        '`kind = "ism"`': ISM,
        '`kind = "sdi"`': SDI,
        '`kind = "vsd"`, keys of its `own`': OwnModel,
        '`kind = "refine"`': Refine,
    },
    "times": {
        '`kind = "uniform"`': UniformTimes,
        '`kind = "linear"` or `"sqrt"`': FallingTimes,
        '`kind = "band"`': BandTimes,
        '`kind = "dreamtime"`': DreamTimes,
    },
    "rates": {
        "of Gaussians": rates.Rates,
        '`kind = "field"`': rates.FieldRates,
        '`kind = "tetrahedra"`': rates.TetrahedraRates,
        '`kind = "mesh"`': rates.MeshRates,
        '`kind = "textured"`': rates.TexturedRates,
        "`adam`, beside them": Adam,
    },
    "regularize": {
        "of Gaussians": Regularize,
        '`kind = "field"`': FieldRegularize,
        '`kind = "surface"`, of meshes and tetrahedra': SurfaceRegularize,
    },
    "upkeep": {"": Upkeep},
    "pictures and light": {"`reference`": ReferenceView, "`lamp`": Lamp},
    "ramp": {"": Ramp},
}


def remarks(settings: type) -> dict[str, str]:
    """What stands above and beside each field in the source, base classes first."""
    found: dict[str, str] = {}
    for base in reversed(settings.__mro__[:-1]):
        source = textwrap.dedent(inspect.getsource(base))
        lines, last = source.splitlines(), 0
        for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                around = [line for line in lines[last : node.end_lineno] if "# " in line]
                said = " ".join(line.partition("# ")[2].strip() for line in around)
                found[node.target.id] = said or found.get(node.target.id, "")
            last = node.end_lineno or 0
    return found


def default_of(field: Any) -> str:
    """As a recipe has it; empty for what has to be said, and for what is left out."""
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if value in (None, dataclasses.MISSING) or dataclasses.is_dataclass(value):
        return ""
    return f"`{inline(plain(value))}`"


def table_of(settings: type, known: set[str]) -> str:
    """A row for each key: its name, its default, and what it means.

    Keys of `known` are left out, unless this class says something of its own about them.
    """
    beside, own = remarks(settings), inspect.get_annotations(settings)
    hints = get_type_hints(settings)
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for field in dataclasses.fields(settings):
        if field.name != "kind" and (field.name not in known or field.name in own):
            said = beside[field.name]
            if get_origin(hints[field.name]) is Literal:
                names = ", ".join(f"`{name}`" for name in get_args(hints[field.name]))
                said = f"{names}; {said}" if said else names
            rows.append(f"| `{field.name}` | {default_of(field)} | {said} |")
    return "\n".join(rows) if len(rows) > 2 else "No keys of its own."


def section(name: str) -> str:
    """All tables of one section."""
    known = {f.name for f in dataclasses.fields(SDS)} if name == "score" else set()
    parts = []
    for title, settings in TABLES[name].items():
        table = table_of(settings, set() if settings is SDS else known)
        parts.append(f"{title}\n\n{table}" if title else table)
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    for name in TABLES:
        put_section(PAGE, name, section(name))
