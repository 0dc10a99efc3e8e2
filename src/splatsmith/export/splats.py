"""One way in and one way out for every format of splats.

A file is read as what its content says it is, whatever its name; only .splat and .ksplat, which
have no mark of their own, go by their name. What to write goes by the name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export.arrays import Arrays, arrays_of, destination, scene_of
from splatsmith.export.compressed_ply import (
    decode_compressed_ply,
    encode_compressed_ply,
    is_compressed,
)
from splatsmith.export.frames import GLTF, PLY, SPZ, Frame
from splatsmith.export.glb import decode_glb, encode_glb
from splatsmith.export.ksplat import decode_ksplat
from splatsmith.export.parts import merged
from splatsmith.export.ply import read_ply, write_ply
from splatsmith.export.ply_header import MAX_HEADER, parse_header
from splatsmith.export.sog import decode_sog, encode_sog
from splatsmith.export.splat import decode_splat, encode_splat
from splatsmith.export.spz import GZIP, MAGIC, decode_spz, encode_spz
from splatsmith.export.untrusted import contents, head_of
from splatsmith.export.usd import SUFFIXES, read_usd, write_usd
from splatsmith.files import replace_file
from splatsmith.scenes.gaussians import Gaussians

Read = Callable[[Path], Gaussians]
Write = Callable[[Path, Gaussians], None]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: its name, how names of such files end, and the harmonics that it keeps.

    `write` is None if we only read it.
    """

    name: str
    suffixes: tuple[str, ...]
    degree: int
    read: Read
    write: Write | None


def read_splats(path: str | Path) -> Gaussians:
    """Read a scene from a file of any format, into our world, as float32 on the CPU.

    Raises InvalidFile for any file that is not a whole and proper scene; see docs/formats.md
    for what is checked. Harmonics of degree 4, which .spz may hold, are left out.
    """
    path = Path(path)
    with np.errstate(all="ignore"):  # What is not finite is refused in the end.
        return recognized(path).read(path)


def write_splats(path: str | Path, scene: Gaussians, *, spz_version: int | None = None) -> None:
    """Write a scene as the format that the end of the path names, whole or not at all.

    `spz_version` is 2, 3 (the default, which most programs read) or 4, for .spz only.
    Harmonics above the format's degree are left out (`format_for(path).degree` tells). Raises
    InputError if we do not write that format or if a value does not fit into it.
    """
    path = destination(path)
    form = format_for(path)
    if form.write is None:
        raise InputError(
            f"{form.name} can be read, but not written: no program needs it any longer. Write "
            f"{path.with_suffix('.spz').name} or {path.with_suffix('.ply').name} instead."
        )
    if spz_version is None:
        form.write(path, scene)
    elif form is SPZ_FILE:
        _write_spz(path, scene, spz_version)
    else:
        raise InputError(
            f"Only .spz files have a version, but {path.name} is none; leave it out."
        )


def format_for(path: str | Path) -> Format:
    """The format that the end of a path names; raises InputError if it names none."""
    name = Path(path).name.lower()
    fitting = [(end, form) for form in FORMATS for end in form.suffixes if name.endswith(end)]
    if not fitting:
        known = ", ".join(end for form in FORMATS if form.write for end in form.suffixes)
        raise InputError(f"{path} must end in one of {known}.")
    return max(fitting, key=lambda pair: len(pair[0]))[1]


def recognized(path: Path) -> Format:
    """The format that a file's content shows, else its name; raises InvalidFile if neither."""
    head = head_of(path, MAX_HEADER)
    for matches, form in MARKS:
        if matches(path, head):
            return form
    try:
        return format_for(path)
    except InputError:
        raise InvalidFile(
            path,
            0,
            "this is not a file of splats: it begins like none, nor is it named like one",
        ) from None


def _reader(decode: Callable[[Path, bytes], Arrays], frame: Frame) -> Read:
    return lambda path: scene_of(path, decode(path, contents(path)), frame)


def _writer(encode: Callable[[Arrays], bytes], frame: Frame, degree: int) -> Write:
    return lambda path, scene: replace_file(path, encode(arrays_of(scene, frame, degree)))


def _write_spz(path: Path, scene: Gaussians, version: int = 3) -> None:
    replace_file(path, encode_spz(arrays_of(scene, SPZ, 3), version))


def _is_compressed_ply(path: Path, head: bytes) -> bool:
    return head.startswith(b"ply") and is_compressed(parse_header(path, head))


def _is_usdz(path: Path, head: bytes) -> bool:
    """Whether a zip's first member is a stage, as that of a .usdz must be."""
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    return head.startswith(b"PK\x03\x04") and name.endswith((b".usda", b".usdc", b".usd"))


INRIA = Format(".ply", (".ply",), 3, read_ply, write_ply)
COMPRESSED = Format(
    ".compressed.ply",
    (".compressed.ply",),
    3,
    lambda path: scene_of(path, decode_compressed_ply(path), PLY),
    _writer(encode_compressed_ply, PLY, 3),
)
SPLAT = Format(
    ".splat", (".splat",), 0, _reader(decode_splat, PLY), _writer(encode_splat, PLY, 0)
)

SPZ_FILE = Format(".spz", (".spz",), 3, _reader(decode_spz, SPZ), _write_spz)
SOG = Format(".sog", (".sog",), 3, _reader(decode_sog, PLY), _writer(encode_sog, PLY, 3))
GLB = Format(
    ".glb",
    (".glb",),
    3,
    lambda path: merged(path, decode_glb(path, contents(path)), GLTF),
    _writer(encode_glb, GLTF, 3),
)
USD = Format(".usd", SUFFIXES, 3, read_usd, write_usd)
KSPLAT = Format(".ksplat", (".ksplat",), 3, _reader(decode_ksplat, PLY), None)

FORMATS = (INRIA, COMPRESSED, SPLAT, SPZ_FILE, SOG, GLB, USD, KSPLAT)

MARKS: tuple[tuple[Callable[[Path, bytes], bool], Format], ...] = (
    (_is_compressed_ply, COMPRESSED),
    (lambda path, head: head.startswith(b"ply"), INRIA),
    (lambda path, head: head.startswith((GZIP, MAGIC)), SPZ_FILE),
    (lambda path, head: head.startswith(b"glTF"), GLB),
    (lambda path, head: head.startswith((b"#usda", b"PXR-USDC")), USD),
    (_is_usdz, USD),
    (lambda path, head: head.startswith(b"PK"), SOG),
)
"""How the content of files shows what they are, in the order in which it is asked."""
