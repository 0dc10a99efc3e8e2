"""Gaussians as .ply files in the layout of 3D Gaussian Splatting, which every viewer reads.

Kerbl et al. (2023): one element `vertex` of 32-bit numbers with logarithms of scales, logits
of opacities, quaternions wxyz and harmonics `f_dc` and `f_rest`, the latter channel by channel.
The writer keeps to the form that most readers accept; the reader accepts what other programs
write. Files have y down and z to the front (`frames.PLY`): objects stand upright in viewers.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export.arrays import destination
from splatsmith.export.frames import PLY
from splatsmith.export.ply_body import read_table
from splatsmith.export.ply_header import Header
from splatsmith.files import replace_file
from splatsmith.scenes.gaussians import PARAMETERS, Gaussians

DEGREE_OF_REST = {0: 0, 9: 1, 24: 2, 45: 3}  # degree by the number of f_rest columns
FEWEST_TO_JUDGE = 8  # splats; fewer may well be an experiment with odd values
FIXED = "x y z f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3"


def write_ply(path: str | Path, scene: Gaussians, *, sh_degree: int | None = None) -> None:
    """Write a scene, whole or not at all.

    `sh_degree` fills the harmonics with zeros up to that degree (some older programs demand 3);
    None keeps the scene's own. Values are stored with 32 bits. Raises InputError if one of them
    does not fit or if the degree is below the scene's.
    """
    arrays = {name: value.cpu().double().numpy() for name, value in scene.state().items()}
    replace_file(destination(path), _encode(arrays, sh_degree))


def write_arrays(
    path: str | Path,
    arrays: Mapping[str, Float[np.ndarray, "..."]],
    *,
    sh_degree: int | None = None,
) -> None:
    """Write plain arrays under the names and with the shapes of `Gaussians`' parameters.

    Unlike a scene, arrays do not say whether they were activated. If scales look like standard
    deviations instead of their logarithms, or opacities like probabilities instead of logits,
    InputError is raised: such a file shows as a fog that can freeze the viewer's machine.
    """
    if set(arrays) != set(PARAMETERS):
        raise InputError(f"A .ply needs {', '.join(PARAMETERS)}, got {', '.join(arrays)}.")
    Gaussians(**{name: torch.tensor(array) for name, array in arrays.items()})  # checks shapes
    if scales_look_linear(arrays["means"], arrays["log_scales"]):
        raise InputError(
            "log_scales look like standard deviations: as logarithms they make every splat "
            "as wide as the object; pass np.log(scales)."
        )
    if opacities_look_activated(arrays["logit_opacities"]):
        raise InputError(
            "logit_opacities all lie between 0 and 1, like probabilities; pass "
            "np.log(opacities / (1 - opacities))."
        )
    replace_file(destination(path), _encode(arrays, sh_degree))


def read_ply(path: str | Path) -> Gaussians:
    """Read the Gaussians of a .ply into our world, as float32 on the CPU.

    Columns may come in any order and any number type, ASCII or binary of either byte order,
    beside other columns and elements. Raises InvalidFile, with the offset of the first thing
    that is wrong, for any file that is not a scene; for files whose scales and opacities were
    activated; and for values that are not finite or out of range. See docs/formats.md.
    """
    path = Path(path)
    table = read_table(path, "vertex", _columns)
    rest = table.shape[1] - len(FIXED.split())
    sh = np.empty((len(table), 1 + rest // 3, 3), dtype=np.float32)
    sh[:, 0] = table[:, 3:6]
    sh[:, 1:] = table[:, 14:].reshape(len(table), 3, rest // 3).transpose(0, 2, 1)
    if scales_look_linear(table[:, :3], table[:, 7:10]) and opacities_look_activated(
        table[:, 6]
    ):
        raise InvalidFile(
            path,
            None,
            "scale_* look like standard deviations and opacity like probabilities, but a splat "
            "file holds logarithms and logits; mend the program that wrote it",
        )
    world = PLY.inverse
    arrays = {
        "means": world.points(table[:, :3]),
        "log_scales": table[:, 7:10],
        "quats": world.quats(table[:, 10:14]),
        "logit_opacities": table[:, 6],
        "sh": world.sh(sh),
    }
    return Gaussians(**{name: torch.from_numpy(np.array(a)) for name, a in arrays.items()})


def scales_look_linear(
    means: Float[np.ndarray, "splats 3"], log_scales: Float[np.ndarray, "splats 3"]
) -> bool:
    """Whether these cannot be logarithms of scales.

    So it is if all are positive, and half of the splats would then be wider than an eighth of
    the whole scene along each of their axes. A scene in large units has positive logarithms
    too, but its splats are small beside it.
    """
    if len(means) < FEWEST_TO_JUDGE or log_scales.min() <= 0:
        return False
    diagonal = float(np.linalg.norm(np.ptp(means.astype(np.float64), axis=0)))
    return float(np.median(log_scales.min(axis=1))) >= np.log(max(diagonal, 1e-18) / 8)


def opacities_look_activated(logit_opacities: Float[np.ndarray, "splats"]) -> bool:
    """Whether these are probabilities: all lie in 0 to 1 and they nearly fill that range.

    Logits within 0 to 1 are opacities from 0.50 to 0.73. A scene may well have only those, as
    at the start of a run; it will hardly spread them over just this range.
    """
    low, high = float(logit_opacities.min()), float(logit_opacities.max())
    return len(logit_opacities) >= FEWEST_TO_JUDGE and 0 <= low < 0.2 and 0.8 < high <= 1


def _encode(arrays: Mapping[str, np.ndarray], sh_degree: int | None) -> bytes:
    """The bytes of the file."""
    means, quats, sh = arrays["means"], arrays["quats"], arrays["sh"]
    # A zero quaternion means "not rotated" here, but NaN in most viewers.
    quats = np.where(np.any(quats != 0, axis=1, keepdims=True), quats, [1.0, 0.0, 0.0, 0.0])
    sh = _padded(PLY.sh(sh), sh_degree)
    rest = sh[:, 1:].transpose(0, 2, 1).reshape(len(sh), -1)
    columns = {
        "x y z": PLY.points(means),
        "nx ny nz": np.zeros_like(means),
        "f_dc_0 f_dc_1 f_dc_2": sh[:, 0],
        " ".join(f"f_rest_{i}" for i in range(rest.shape[1])): rest,
        "opacity": arrays["logit_opacities"][:, None],
        "scale_0 scale_1 scale_2": arrays["log_scales"],
        "rot_0 rot_1 rot_2 rot_3": PLY.quats(quats),
    }
    names = " ".join(columns).split()
    table = np.concatenate(list(columns.values()), axis=1)
    _check_range(names, table)
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(table)}"]
    lines += [*(f"property float {name}" for name in names), "end_header", ""]
    return "\n".join(lines).encode("ascii") + table.astype("<f4").tobytes()


def _padded(sh: np.ndarray, degree: int | None) -> np.ndarray:
    count = sh.shape[1] if degree is None else (degree + 1) ** 2
    if degree not in (None, 0, 1, 2, 3) or count < sh.shape[1]:
        own = int(sh.shape[1] ** 0.5) - 1
        raise InputError(f"sh_degree must lie in {own} (the scene's own) to 3, got {degree}.")
    return np.pad(sh, ((0, 0), (0, count - sh.shape[1]), (0, 0)))


def _largest(name: str) -> float:
    """The greatest magnitude that a column may hold; the reader and the writer agree on it.

    Squares of the values, and scales that are made from their logarithms, then fit 32 bits.
    """
    return 80.0 if name.startswith("scale_") else 1e18


def _check_range(names: list[str], table: np.ndarray) -> None:
    wrong = ~(np.abs(table) <= [_largest(name) for name in names])
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"{names[column]} of splat {row} is {table[row, column]:g}, but a .ply may hold "
            f"-{_largest(names[column]):g} to {_largest(names[column]):g}; remove that splat."
        )


def _columns(path: Path, header: Header) -> dict[str, float]:
    """The columns that a scene needs, f_rest last, and their largest magnitudes."""
    vertex = header.element("vertex")
    assert vertex is not None
    present = set(vertex.names)
    missing = [name for name in FIXED.split() if name not in present]
    if missing:
        raise InvalidFile(path, header.size, _why_not(present, missing))
    rest = sum(name.startswith("f_rest_") for name in present)
    names = [f"f_rest_{i}" for i in range(rest)]
    if rest not in DEGREE_OF_REST or not present.issuperset(names):
        raise InvalidFile(
            path,
            header.size,
            f"there are {rest} columns f_rest_*, but harmonics up to degree 3 have 0, 9, 24 or "
            "45, numbered from 0",
        )
    return {name: _largest(name) for name in FIXED.split() + names}


def _why_not(present: set[str], missing: list[str]) -> str:
    """What a file without some columns seems to be."""
    if "packed_position" in present:
        return "this is a compressed .ply, which read_splats reads"
    named = f"element vertex lacks {', '.join(missing)}"
    if "f_dc_0" in missing and {"scale_0", "opacity"} <= present:
        return (
            f"{named}: a splat file stores color as f_dc_*, scales as logarithms and opacities "
            "as logits; a file without f_dc_* tends to have all of them activated, and viewers "
            "refuse it"
        )
    if "f_dc_0" in missing and "scale_0" in missing:
        return f"{named}: this is a point cloud or a mesh, not a scene of Gaussians"
    return named
