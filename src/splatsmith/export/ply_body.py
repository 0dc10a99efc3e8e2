"""The body of a .ply file: the wanted columns of one table, as 32-bit numbers.

Every length is checked against the bytes that are there before memory is asked for, so memory
stays within a small multiple of the file's size, and time is linear in it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from splatsmith.errors import InvalidFile
from splatsmith.export.ply_header import ASCII, MAX_HEADER, Element, Header, parse_header
from splatsmith.export.untrusted import opened

MAX_LIST_ROWS = 1_000_000  # rows of binary tables with lists, which must be walked one by one
MAX_WORD = 64  # characters of an ASCII number
BATCH = 4096  # ASCII rows that are converted at a time

Choose = Callable[[Path, Header], Mapping[str, float]]


def read_table(path: Path, name: str, choose: Choose) -> Float32[np.ndarray, "rows columns"]:
    """Columns of the table `name`, which must exist, have rows and hold no lists.

    `choose` says which columns are wanted, all of which the table must have, and the largest
    magnitude of each, or raises InvalidFile. Values are converted to 32 bits. Raises
    InvalidFile for values that are too large or not finite, and for anything else that is
    wrong with the file, its absence included.
    """
    header, data = load_ply(path)
    element = header.element(name)
    if element is None:
        raise InvalidFile(path, header.size, f"the header declares no element {name!r}")
    if element.has_lists:
        raise InvalidFile(path, header.size, f"element {name} holds lists, not plain numbers")
    wanted = choose(path, header)
    if element.count == 0:
        raise InvalidFile(path, header.size, f"element {name} has no rows")
    read = _read_ascii if header.byte_order == ASCII else _read_binary
    return read(path, data, header, element, wanted)


def load_ply(path: Path) -> tuple[Header, bytes]:
    """The header and the whole file; a file too short for its header is not read further."""
    with opened(path) as (file, size):
        header = parse_header(path, file.read(MAX_HEADER))
        if size < header.least_size:
            raise InvalidFile(
                path,
                size,
                f"the file ends here, but its header promises at least "
                f"{header.least_size} bytes",
            )
        file.seek(0)
        return header, file.read()


def _read_binary(
    path: Path, data: bytes, header: Header, element: Element, wanted: Mapping[str, float]
) -> np.ndarray:
    begin = end = header.size
    for other in header.elements:
        start, end = end, end_of(path, data, end, other, header.byte_order)
        if other is element:
            begin = start
    if end != len(data):
        raise InvalidFile(
            path, end, f"the header's tables end here, but {len(data) - end} bytes follow"
        )
    offsets = np.cumsum([0] + [column.least for column in element.properties])[:-1]
    where = dict(zip(element.names, offsets.tolist(), strict=True))
    kinds = {column.name: header.byte_order + column.kind for column in element.properties}
    table = np.empty((element.count, len(wanted)), dtype=np.float32)
    for number, (name, largest) in enumerate(wanted.items()):
        column = np.ndarray(
            element.count, kinds[name], data, begin + where[name], (element.stride,)
        )
        with np.errstate(over="ignore", invalid="ignore"):
            table[:, number] = column
        wrong = ~(np.abs(table[:, number]) <= largest)
        if wrong.any():
            row = int(wrong.argmax())
            offset = begin + row * element.stride + where[name]
            raise InvalidFile(path, offset, _refusal(name, row, str(column[row]), largest))
    return table


def end_of(path: Path, data: bytes, start: int, element: Element, byte_order: str) -> int:
    """Where a binary table ends; raises InvalidFile if that is past the end of the file."""
    if not element.has_lists:
        end = start + element.count * element.stride
    elif element.count > MAX_LIST_ROWS:
        raise InvalidFile(
            path,
            start,
            f"element {element.name} holds lists in {element.count} rows; at most "
            f"{MAX_LIST_ROWS} such rows are accepted",
        )
    else:
        end = _walk(path, data, start, element, byte_order)
    if end > len(data):
        raise InvalidFile(path, start, f"element {element.name} does not fit into the file")
    return end


def _walk(path: Path, data: bytes, start: int, element: Element, byte_order: str) -> int:
    """Where a binary table with lists ends, found by stepping from length to length."""
    order = "little" if byte_order == "<" else "big"
    steps = [
        (column.least, int(column.kind[1]), column.length_kind) for column in element.properties
    ]
    at = start
    for row in range(element.count):
        for size, item, length_kind in steps:
            if length_kind is not None:
                signed = length_kind[0] == "i"
                length = int.from_bytes(data[at : at + size], order, signed=signed)  # type: ignore[arg-type]
                if length < 0:
                    raise InvalidFile(path, at, f"a list of {element.name} has length {length}")
                at += length * item
            at += size
        if at > len(data):
            raise InvalidFile(
                path,
                start,
                f"row {row} of element {element.name} runs past the end of the file",
            )
    return at


def _read_ascii(
    path: Path, data: bytes, header: Header, element: Element, wanted: Mapping[str, float]
) -> np.ndarray:
    """One row is one line, as the format has it; other tables are stepped over."""
    table = np.empty((element.count, len(wanted)), dtype=np.float32)
    columns = {element.names.index(name): largest for name, largest in wanted.items()}
    batch: list[list[float]] = []
    position = header.size
    for other in header.elements:
        for row in range(other.count):
            if position >= len(data):
                raise InvalidFile(path, len(data), _missing(other, row))
            stop = data.find(b"\n", position)
            stop = len(data) if stop < 0 else stop
            if other is element:
                line = _Line(path, position, data[position:stop], row, element)
                batch.append(_values(line, columns))
                if len(batch) == BATCH or row == element.count - 1:
                    table[row + 1 - len(batch) : row + 1] = batch
                    batch = []
            position = stop + 1
    rest = re.compile(rb"\S").search(data, min(position, len(data)))
    if rest:
        raise InvalidFile(path, rest.start(), "the header's tables end here, but text follows")
    return table


@dataclass(frozen=True, slots=True)
class _Line:
    """A row of an ASCII table, and where it stands."""

    path: Path
    offset: int
    text: bytes
    row: int
    element: Element


def _values(line: _Line, columns: Mapping[int, float]) -> list[float]:
    """The wanted numbers of a line."""
    count = len(line.element.properties)
    words = line.text.split() if len(line.text) <= (MAX_WORD + 1) * count else []
    if len(words) != count:
        has = f"{len(words)} words" if words else f"{len(line.text)} characters"
        raise InvalidFile(
            line.path,
            line.offset,
            f"row {line.row} of element {line.element.name} must be a line of {count} numbers, "
            f"but the line has {has}",
        )
    try:
        values = [float(words[column]) for column in columns]
    except ValueError:
        raise _wrong_word(line, columns) from None
    within = all(
        abs(value) <= most for value, most in zip(values, columns.values(), strict=True)
    )
    if not within or b"_" in line.text:  # Python takes 1_000 for a number.
        raise _wrong_word(line, columns)
    return values


def _wrong_word(line: _Line, columns: Mapping[int, float]) -> InvalidFile:
    """The complaint about the first wanted word of a line that is not a number."""
    number = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
    words = list(re.finditer(rb"\S+", line.text))
    for column in sorted(columns):
        word = words[column].group()
        plain = len(word) <= MAX_WORD and number.fullmatch(word)
        if not plain or not abs(float(word)) <= columns[column]:
            text = word[:MAX_WORD].decode("ascii", "replace")
            reason = _refusal(line.element.names[column], line.row, text, columns[column])
            return InvalidFile(line.path, line.offset + words[column].start(), reason)
    return InvalidFile(line.path, line.offset, f"row {line.row} is not made of plain numbers")


def _missing(element: Element, row: int) -> str:
    return f"the file ends after {row} of {element.count} rows of element {element.name}"


def _refusal(name: str, row: int, text: str, largest: float) -> str:
    return (
        f"{name} of row {row} is {text}, but must be a number from -{largest:g} to {largest:g}"
    )
