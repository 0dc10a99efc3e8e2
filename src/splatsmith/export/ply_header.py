"""The header of a .ply file: what it declares, checked line by line.

Grammar after Turk (1994): `ply`, `format`, then `element` and `property` lines, `comment` and
`obj_info` anywhere, `end_header`. Lines end in LF or CR LF.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from splatsmith.errors import InvalidFile

MAX_HEADER = 64 * 1024  # bytes
MAX_ELEMENTS = 64
MAX_PROPERTIES = 512  # over all elements
MAX_ROWS = 10_000_000  # in any one element
ASCII = "ascii"
BYTE_ORDERS = {"ascii": ASCII, "binary_little_endian": "<", "binary_big_endian": ">"}
KINDS = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "float32": "f4",
    "float64": "f8",
}


@dataclass(frozen=True, slots=True)
class Property:
    """One column: its name and its NumPy kind, such as "f4".

    `length_kind` is the kind of the length in front of each entry if the column holds lists.
    """

    name: str
    kind: str
    length_kind: str | None = None

    @property
    def least(self) -> int:
        """Bytes that an entry takes in a binary file; for a list, without its items."""
        return int((self.length_kind or self.kind)[1])


@dataclass(frozen=True, slots=True)
class Element:
    """One table of the file: `count` rows with these columns."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def has_lists(self) -> bool:
        """Whether rows may differ in size."""
        return any(column.length_kind for column in self.properties)

    @property
    def stride(self) -> int:
        """Bytes of a binary row; the least that it can have if there are lists."""
        return sum(column.least for column in self.properties)

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.properties]


@dataclass(frozen=True, slots=True)
class Header:
    """What a file declares: "ascii", "<" or ">", its tables in order, and where they begin."""

    byte_order: str
    elements: tuple[Element, ...]
    size: int

    def element(self, name: str) -> Element | None:
        """The table of that name, if there is one."""
        return next((element for element in self.elements if element.name == name), None)

    @property
    def least_size(self) -> int:
        """The fewest bytes that a file with this header can have."""
        if self.byte_order == ASCII:  # Each value takes a digit and a separator.
            rows = sum(2 * len(e.properties) * e.count for e in self.elements)
            return self.size + max(rows - 1, 0)
        return self.size + sum(e.stride * e.count for e in self.elements)


def parse_header(path: Path, data: bytes) -> Header:
    """Read the header from the first bytes of a file (MAX_HEADER of them are enough).

    Raises InvalidFile with the offset of the line that breaks the grammar or a cap.
    """
    if not re.match(rb"ply\r?\n", data):
        raise InvalidFile(path, 0, "the file does not begin with the line 'ply'")
    byte_order = None
    elements: list[tuple[str, int, int, list[Property]]] = []
    for offset, end, words in _lines(path, data):
        if words[0] == "end_header":
            if byte_order is None:
                raise InvalidFile(path, offset, "the header ends without a 'format' line")
            tables = tuple(_finished(path, *element) for element in elements)
            return Header(byte_order, tables, end)
        if words[0] == "format":
            if byte_order is not None:
                raise InvalidFile(path, offset, "there is a second 'format' line")
            byte_order = _byte_order(path, offset, words)
        elif words[0] == "element":
            if len(elements) == MAX_ELEMENTS:
                raise InvalidFile(path, offset, f"more than {MAX_ELEMENTS} elements")
            elements.append(_element(path, offset, words, {name for name, *_ in elements}))
        elif words[0] == "property" and elements:
            if sum(len(properties) for *_, properties in elements) == MAX_PROPERTIES:
                raise InvalidFile(path, offset, f"more than {MAX_PROPERTIES} properties")
            elements[-1][3].append(_property(path, offset, words, elements[-1][3]))
        else:
            raise InvalidFile(path, offset, f"a header line cannot be {_short(words)}")
    raise InvalidFile(path, min(len(data), MAX_HEADER), _unending(data))


def _lines(path: Path, data: bytes) -> Iterator[tuple[int, int, list[str]]]:
    """Begin, end and words of every line after the first, but for comments."""
    start = data.index(b"\n") + 1
    while (stop := data.find(b"\n", start, MAX_HEADER)) >= 0:
        line = data[start:stop].removesuffix(b"\r")
        if not re.match(rb"(comment|obj_info)(\s|$)", line):
            if not line.strip() or not re.fullmatch(rb"[\t\x20-\x7e]+", line):
                raise InvalidFile(path, start, "a header line is empty or not plain text")
            yield start, stop + 1, line.decode("ascii").split()
        start = stop + 1


def _unending(data: bytes) -> str:
    if len(data) >= MAX_HEADER:
        return f"no 'end_header' within the first {MAX_HEADER} bytes"
    return "the file ends within its header"


def _short(words: list[str]) -> str:
    text = " ".join(words)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _byte_order(path: Path, offset: int, words: list[str]) -> str:
    if len(words) != 3 or words[1] not in BYTE_ORDERS or words[2] != "1.0":
        raise InvalidFile(
            path,
            offset,
            f"the format must be one of {', '.join(BYTE_ORDERS)} in version 1.0, "
            f"but the line is {_short(words)}",
        )
    return BYTE_ORDERS[words[1]]


def _element(
    path: Path, offset: int, words: list[str], known: set[str]
) -> tuple[str, int, int, list[Property]]:
    if len(words) != 3 or not re.fullmatch(r"[0-9]{1,18}", words[2]):
        raise InvalidFile(
            path,
            offset,
            f"an element needs a name and a count, but the line is {_short(words)}",
        )
    name, count = words[1], int(words[2])
    if count > MAX_ROWS:
        raise InvalidFile(
            path, offset, f"element {name} has {count} rows; at most {MAX_ROWS} are accepted"
        )
    if name in known:
        raise InvalidFile(path, offset, f"there is a second element {name}")
    return name, count, offset, []


def _finished(
    path: Path, name: str, count: int, offset: int, properties: list[Property]
) -> Element:
    if count and not properties:
        raise InvalidFile(path, offset, f"element {name} has rows but no properties")
    return Element(name, count, tuple(properties))


def _property(path: Path, offset: int, words: list[str], before: list[Property]) -> Property:
    is_list = words[1:2] == ["list"]
    if len(words) != (5 if is_list else 3):
        raise InvalidFile(
            path, offset, f"a property needs a type and a name, but the line is {_short(words)}"
        )
    kinds, name = words[2 if is_list else 1 : -1], words[-1]
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidFile(path, offset, f"property {name} has the unknown type {kind!r}")
    if is_list and kinds[0] in ("float", "double", "float32", "float64"):
        raise InvalidFile(path, offset, f"the length of list {name} cannot be a {kinds[0]}")
    if any(name == other.name for other in before):
        raise InvalidFile(path, offset, f"there is a second property {name}")
    return Property(name, KINDS[kinds[-1]], KINDS[kinds[0]] if is_list else None)
