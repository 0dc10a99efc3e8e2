"""A few Gaussians as other programs might write them; seeds for tests and for fuzzing."""

import numpy as np
import torch

from splatsmith.scenes.gaussians import Gaussians

NUMPY = {"float": "f4", "double": "f8", "int": "i4", "uchar": "u1", "short": "i2"}
FORMATS = {"ascii": "ascii", "little": "binary_little_endian", "big": "binary_big_endian"}


def random_scene(
    seed: int, *, count: int = 7, degree: int = 0, dtype: torch.dtype = torch.float32
) -> Gaussians:
    """Gaussians within the unit ball, of all shapes, directions and opacities."""
    gen = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=gen, dtype=dtype)

    return Gaussians(
        means=torch.nn.functional.normalize(normal(count, 3), dim=-1) * 0.6,
        log_scales=normal(count, 3) * 0.7 - 2.5,
        quats=normal(count, 4),
        logit_opacities=normal(count) * 2,
        sh=normal(count, (degree + 1) ** 2, 3) * 0.4,
    )


def columns_of(rest: int) -> list[str]:
    """The names of a splat file's columns in the usual order, without normals."""
    first = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2"]
    middle = [f"f_rest_{i}" for i in range(rest)]
    last = ["opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    return first + middle + last


def random_columns(seed: int, *, rest: int = 0, count: int = 4) -> dict[str, np.ndarray]:
    """Plausible values for every column, as a file holds them."""
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(size=count).astype(np.float32) for name in columns_of(rest)}
    return {n: v - 3 if n.startswith("scale") else v for n, v in values.items()}


def ply_bytes(
    columns: dict[str, np.ndarray],
    *,
    form: str = "little",
    kinds: dict[str, str] | None = None,
    before: str = "",
    after: str = "",
    before_rows: bytes = b"",
    after_rows: bytes = b"",
    newline: str = "\n",
    comments: bool = False,
) -> bytes:
    """A file with these columns in this order.

    `kinds` maps column names to PLY types (float otherwise); `before` and `after` are header
    lines of other elements, whose rows are given as they stand in the file.
    """
    kinds = kinds or {}
    count = len(next(iter(columns.values())))
    lines = ["ply", f"format {FORMATS[form]} 1.0"]
    lines += ["comment made up", "obj_info nothing"] if comments else []
    lines += [*before.splitlines(), f"element vertex {count}"]
    lines += [f"property {kinds.get(name, 'float')} {name}" for name in columns]
    lines += [*after.splitlines(), "end_header"]
    header = "".join(line + newline for line in lines).encode()
    return header + before_rows + _rows(columns, form, kinds, newline) + after_rows


def _rows(
    columns: dict[str, np.ndarray], form: str, kinds: dict[str, str], newline: str
) -> bytes:
    if form == "ascii":
        table = zip(*(column.tolist() for column in columns.values()), strict=True)
        return "".join(" ".join(map(repr, row)) + newline for row in table).encode()
    order = "<" if form == "little" else ">"
    types = [(name, order + NUMPY[kinds.get(name, "float")]) for name in columns]
    table = np.empty(len(next(iter(columns.values()))), dtype=types)
    for name, column in columns.items():
        table[name] = column
    return table.tobytes()


def dialects() -> dict[str, bytes]:
    """One file for each thing that a reader must put up with, under a name for it."""
    plain, rich = random_columns(1), random_columns(2, rest=45, count=2)
    shuffled = dict(sorted(plain.items(), key=lambda item: item[0][::-1]))
    extra = {"id": np.arange(4), **plain, "red": np.full(4, 200), "weight": np.ones(4)}
    extra_kinds = {"id": "int", "red": "uchar", "weight": "double"}
    double = dict.fromkeys(plain, "double")
    faces = "element face 2\nproperty list uchar int vertex_index\nproperty uchar flag"
    face_rows = b"\x03" + bytes(12) + b"\x07" + b"\x00" + b"\x09"
    camera = "element camera 2\nproperty short number\nproperty double focal"
    normals = {**{k: plain[k] for k in "xyz"}, "nx": 0 * plain["x"], **plain}
    return {
        "plain": ply_bytes(plain),
        "degree 3": ply_bytes(rich),
        "degree 1, big": ply_bytes(random_columns(3, rest=9), form="big"),
        "degree 2, ascii": ply_bytes(random_columns(4, rest=24, count=2), form="ascii"),
        "normals": ply_bytes(normals),
        "shuffled": ply_bytes(shuffled),
        "doubles": ply_bytes(plain, kinds=double),
        "doubles, big": ply_bytes(plain, kinds=double, form="big"),
        "extra columns": ply_bytes(extra, kinds=extra_kinds),
        "ascii": ply_bytes(plain, form="ascii"),
        "ascii, CR LF": ply_bytes(extra, form="ascii", newline="\r\n", comments=True),
        "CR LF": ply_bytes(plain, newline="\r\n", comments=True),
        "comments": ply_bytes(plain, comments=True),
        "lists after": ply_bytes(plain, after=faces, after_rows=face_rows),
        "lists before": ply_bytes(plain, before=faces, before_rows=face_rows),
        "elements around": ply_bytes(
            plain,
            form="big",
            before=camera,
            before_rows=bytes(20),
            after=faces.replace("2", "0"),
        ),
        "ascii elements around": ply_bytes(
            plain,
            form="ascii",
            before=camera,
            before_rows=b"1 2.5\n2 2.5\n",
            after=faces,
            after_rows=b"3 0 1 2 1\n0 7\n",
        ),
    }
