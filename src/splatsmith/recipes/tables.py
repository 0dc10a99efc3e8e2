"""Tables of plain values (TOML) into frozen dataclasses and back, with every mistake named.

The dataclass is the schema: its annotations say which types are taken, its `__post_init__` says
which ranges. What is understood: bool, int, float, str, Literal, tuples, dataclasses, optional
values, a number or a dataclass, and unions of dataclasses told apart by their `kind`.
"""

import dataclasses
import difflib
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, NoReturn

from splatsmith.errors import InputError

Table = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """Stands for one of several dataclasses by their `kind`, where more can be added later.

    A field asks for it by its metadata, {"kinds": Kinds(...)}.
    """

    tables: Mapping[str, type]
    remedy: str  # what to do about a kind that is not among them


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file a value stands; what every complaint begins with."""

    file: str
    stage: str = ""
    path: tuple[str, ...] = ()

    def key(self, name: str) -> "Place":
        """The place of a value inside this one."""
        return replace(self, path=(*self.path, name))

    def fail(self, reason: str, remedy: str = "") -> NoReturn:
        """Raise the InputError for this place."""
        stage = f', stage "{self.stage}"' if self.stage else ""
        key = f", key {'.'.join(self.path)}" if self.path else ""
        lines = [f"{self.file}{stage}{key}: {reason}", *([f"  {remedy}"] if remedy else [])]
        raise InputError("\n".join(lines))


def read(annotation: Any, value: Any, place: Place) -> Any:
    """`value` as what `annotation` asks for; InputError with the place when it is not."""
    if isinstance(annotation, Kinds):
        return _read_kind(annotation.tables, value, place, annotation.remedy)
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return read_table(annotation, value, place)
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return _read_union(typing.get_args(annotation), value, place)
    if origin is Literal:
        return _read_literal(typing.get_args(annotation), value, place)
    if origin is tuple:
        return _read_tuple(typing.get_args(annotation), value, place)
    return _read_scalar(annotation, value, place)


def read_table(kind: type, value: Any, place: Place) -> Any:
    """A table as an object of the dataclass `kind`."""
    if not isinstance(value, Mapping):
        place.fail(f"must be a table, got {show(value)}.")
    return build(kind, value, place, {})


def build(kind: type, table: Mapping[str, Any], place: Place, done: Mapping[str, Any]) -> Any:
    """An object of `kind` from a table; fields in `done` have been read before."""
    fields = hints(kind)
    for name in table:
        if name not in fields:
            unknown(name, fields, place)
    rest = {name: item for name, item in table.items() if name not in done}
    given = {name: read(fields[name], item, place.key(name)) for name, item in rest.items()}
    given |= done
    for field in dataclasses.fields(kind):
        missing = field.default is field.default_factory is dataclasses.MISSING
        if missing and field.name not in given:
            place.key(field.name).fail("is missing.")
    try:
        return kind(**given)
    except ValueError as error:
        place.fail(str(error))


def unknown(name: str, known: typing.Iterable[str], place: Place) -> NoReturn:
    """Complain about a key that nobody knows, with the keys that are known here."""
    names = sorted(known)
    table = ".".join(place.path)
    near = difflib.get_close_matches(name, names, n=1)
    meant = f'   Did you mean "{near[0]}"?' if near else ""
    known_keys = f"Known keys{f' of {table}' if table else ''}: {', '.join(names)}."
    place.key(name).fail("unknown key.", known_keys + meant)


@cache
def hints(kind: type) -> dict[str, Any]:
    """The annotation of each field of a dataclass, or its `Kinds`, in their order."""
    known = typing.get_type_hints(kind)
    return {
        field.name: field.metadata.get("kinds", known[field.name])
        for field in dataclasses.fields(kind)
    }


def plain(value: Any) -> Any:
    """A dataclass as tables of plain values; what is None is left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {name: plain(item) for name, item in items.items() if item is not None}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def inline(value: Any) -> str:
    """A plain value as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON escapes are TOML escapes; DEL is the one character only TOML forbids.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inside = ", ".join(f"{name} = {inline(item)}" for name, item in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, list):
        return f"[{', '.join(inline(item) for item in value)}]"
    return repr(value)


def show(value: Any) -> str:
    """A value for a message: as TOML, shortened."""
    text = inline(value) if isinstance(value, (str, int, float, list, dict)) else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _read_union(options: tuple[Any, ...], value: Any, place: Place) -> Any:
    tables = [o for o in options if isinstance(o, type) and dataclasses.is_dataclass(o)]
    others = [option for option in options if option not in tables and option is not type(None)]
    if not isinstance(value, Mapping) and others:
        return read(others[0], value, place)
    if len(tables) == 1:
        return read_table(tables[0], value, place)
    kinds = {kind: table for table in tables for kind in typing.get_args(hints(table)["kind"])}
    unnamed = [table for table in tables if getattr(table, "unnamed", False)]
    if isinstance(value, Mapping) and "kind" not in value and unnamed:
        return read_table(unnamed[0], value, place)
    return _read_kind(kinds, value, place)


def _read_kind(kinds: Mapping[str, type], value: Any, place: Place, remedy: str = "") -> Any:
    if not isinstance(value, Mapping):
        place.fail(f"must be a table, got {show(value)}.")
    if "kind" not in value:
        place.key("kind").fail(f"is missing; it is one of {', '.join(kinds)}.")
    kind = _read_literal(tuple(kinds), value["kind"], place.key("kind"), remedy)
    return read_table(kinds[kind], value, place)


def _read_literal(options: tuple[Any, ...], value: Any, place: Place, remedy: str = "") -> Any:
    if not isinstance(value, str) or value not in options:
        near = difflib.get_close_matches(str(value), options, n=1)
        meant = [f'Did you mean "{near[0]}"?'] if near else []
        remedy = " ".join([*meant, *([remedy] if remedy else [])])
        place.fail(f"must be one of {', '.join(options)}, got {show(value)}.", remedy)
    return value


def _read_tuple(inside: tuple[Any, ...], value: Any, place: Place) -> tuple[Any, ...]:
    if not isinstance(value, list):
        place.fail(f"must be a list, got {show(value)}.")
    if len(inside) == 2 and inside[1] is Ellipsis:
        inside = (inside[0],) * len(value)
    if len(value) != len(inside):
        place.fail(f"must be a list of {len(inside)} values, got {show(value)}.")
    items = enumerate(zip(inside, value, strict=True))
    return tuple(read(kind, item, place.key(str(number))) for number, (kind, item) in items)


def _read_scalar(kind: type, value: Any, place: Place) -> Any:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    if kind not in names:
        place.fail(f"is of a type that no recipe can hold, {kind}.")
    wanted = (int, float) if kind is float else kind
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        place.fail(f"must be {names[kind]}, got {show(value)}.")
    if kind is float:
        return _read_float(value, place)
    return value


def _read_float(value: Any, place: Place) -> float:
    try:
        number = float(value)
    except OverflowError:
        place.fail("is too large for a number.")
    if math.isnan(number):
        place.fail("must be a number, got nan.")
    return number
