"""Recipes from TOML files, with one `base` at most and single values changed by `--set`.

There is no arithmetic, no reference and no condition: a recipe wants logic only where the code
lacks a concept.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from splatsmith.errors import InputError
from splatsmith.recipes.schema import Recipe
from splatsmith.recipes.tables import (
    Place,
    Table,
    build,
    hints,
    inline,
    plain,
    read_table,
    show,
    unknown,
)

LARGEST = 1 << 20  # bytes of a recipe file; ours have about two thousand
FOLDER = Path(__file__).parent


def recipe_names() -> list[str]:
    """The recipes that ship with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_recipe(recipe: str | Path) -> Recipe:
    """The recipe of that name, or in that file.

    Raises InputError for unknown names and keys, wrong types and wrong ranges, naming file,
    stage and key.
    """
    path = _path_of(recipe)
    return _build(_with_base(path), (), path.name)


def usual_recipe(words: str, *, pictured: bool) -> str:
    """The name of the recipe for what is given: words, a picture, or both."""
    if not pictured:
        return "quick"
    return "picture" if words.strip() else "zero123"


def overridden(
    recipe: Recipe, overrides: Mapping[str, Any] | Sequence[str], name: str = "recipe"
) -> Recipe:
    """The recipe with single values changed: ["shape.steps=100"] or {"shape.steps": 100}."""
    if isinstance(overrides, Mapping):
        overrides = [f"{key}={inline(plain(value))}" for key, value in overrides.items()]
    return _build(plain(recipe), overrides, name) if overrides else recipe


def parse_recipe(text: str, name: str) -> Recipe:
    """A complete recipe without a base, such as `recipe_toml` writes; messages say `name`."""
    return _build(_parse(text, name), (), name)


def recipe_toml(recipe: Recipe) -> str:
    """The recipe in full, as TOML that reads back as an equal recipe."""
    table = plain(recipe)
    stages = table.pop("stage")
    lines = _lines(table, "")
    for stage in stages:
        lines += ["", "[[stage]]", *_lines(stage, "stage.")]
    return "\n".join(lines) + "\n"


def _lines(table: Table, prefix: str) -> list[str]:
    """Values first, then one `[table]` for each table among them; what is deeper is inline."""
    inside = {name: item for name, item in table.items() if isinstance(item, dict)}
    lines = [f"{name} = {inline(item)}" for name, item in table.items() if name not in inside]
    for name, item in inside.items():
        lines += ["", f"[{prefix}{name}]"]
        lines += [f"{key} = {inline(value)}" for key, value in item.items()]
    return lines


def _path_of(recipe: str | Path) -> Path:
    if str(recipe) in recipe_names():
        return FOLDER / f"{recipe}.toml"
    path = Path(recipe)
    if path.suffix != ".toml":
        Place("--recipe").fail(
            f"there is no recipe {show(str(recipe))}.",
            f"Known: {', '.join(recipe_names())}; or give a file that ends in .toml.",
        )
    return path


def _with_base(path: Path) -> Table:
    table = _parse(_text_of(path), path.name)
    if "base" not in table:
        return table
    name = table.pop("base")
    place = Place(path.name).key("base")
    if not isinstance(name, str) or not name.endswith(".toml"):
        place.fail(f'must be the name of a file like "quick.toml", got {show(name)}.')
    beside = path.parent / name
    base_path = beside if beside.is_file() else FOLDER / name
    base = _parse(_text_of(base_path), base_path.name)
    if "base" in base:
        place.fail(f"{name} has a base itself; only one step is allowed.")
    return merged(base, table)


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> Table:
    """`base` with the values of `change`; tables are merged key by key, stages by their name.

    A table with another `kind` than the base's is taken whole, because it has other keys.
    """
    result = dict(base)
    for key, value in change.items():
        old = result.get(key)
        if key == "stage" and isinstance(old, list) and isinstance(value, list):
            result[key] = _merged_stages(old, value)
        elif isinstance(old, Mapping) and isinstance(value, Mapping):
            same = "kind" not in value or old.get("kind", value["kind"]) == value["kind"]
            result[key] = merged(old, value) if same else dict(value)
        else:
            result[key] = value
    return result


def _merged_stages(old: list[Any], change: list[Any]) -> list[Any]:
    result = list(old)
    for stage in change:
        name = stage.get("name") if isinstance(stage, Mapping) else None
        places = [i for i, s in enumerate(old) if isinstance(s, dict) and s.get("name") == name]
        if places:
            result[places[0]] = merged(old[places[0]], stage)
        else:
            result.append(stage)
    return result


def _build(table: Table, overrides: Sequence[str], name: str) -> Recipe:
    place = Place(name)
    stages = table.get("stage")
    if not isinstance(stages, list) or not all(isinstance(s, Mapping) for s in stages):
        place.key("stage").fail("is missing or not a list; write each stage under [[stage]].")
    names = [str(stage.get("name", number + 1)) for number, stage in enumerate(stages)]
    for override in overrides:
        table = _with_override(table, override, names)
    return _read_recipe(table, place)


def _read_recipe(table: Table, place: Place) -> Recipe:
    """Like `read_table`, but with the name of the stage in every complaint about a stage."""
    stage_type = hints(Recipe)["stage"].__args__[0]
    stages = []
    for number, stage in enumerate(table["stage"]):
        label = stage.get("name", number + 1)
        stages.append(read_table(stage_type, stage, Place(place.file, str(label))))
    return build(Recipe, table, place, {"stage": tuple(stages)})


def _with_override(table: Table, override: str, stages: list[str]) -> Table:
    """The table with one `stage.key=value` put in."""
    place = Place("--set")
    dotted, equals, text = override.partition("=")
    keys = [key.strip() for key in dotted.split(".")]
    if not equals or not all(keys):
        place.fail(f"{show(override)} must look like shape.steps=100.")
    if keys[1:] == ["name"] and keys[0] in stages:
        place.fail(f"{dotted}: the name of a stage is what --set calls it, and stays.")
    value = value_of(text.strip(), place.key(dotted.strip()))
    if keys[0] in stages and len(keys) > 1:
        for key in reversed(keys[1:]):
            value = {key: value}
        return merged(table, {"stage": [{"name": keys[0], **value}]})
    if keys[0] in stages:
        place.fail(f"{keys[0]} is a stage; name a key of it, such as {keys[0]}.steps=100.")
    if keys[0] == "stage" or keys[0] not in hints(Recipe):
        unknown(keys[0], [*stages, *(name for name in hints(Recipe) if name != "stage")], place)
    for key in reversed(keys):
        value = {key: value}
    return merged(table, value)


def value_of(text: str, place: Place) -> Any:
    """A TOML value; a bare word is taken as text, to spare the shell a pair of quotes."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", text) and text not in ("true", "false", "inf"):
        return text
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # the first for a number of thousands of digits, too
        place.fail(f"{show(text)} is no TOML value.")
    if set(table) != {"value"}:
        place.fail(f"{show(text)} is more than one value.")
    return table["value"]


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            Place(path.name).fail(f"has over {LARGEST} bytes; that is no recipe.")
        return path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text (byte {error.start}).") from error


def _parse(text: str, name: str) -> Table:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: is not TOML: {error}") from error
