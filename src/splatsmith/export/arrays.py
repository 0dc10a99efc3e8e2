"""Scenes as plain arrays in a file's own coordinates, and back: what all formats share.

The arrays have the names and shapes of `Gaussians`' parameters. On the way in every value is
checked; on the way out, quaternions get unit length and harmonics the degree of the format.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export.frames import Frame
from splatsmith.scenes.gaussians import SH_C0, Gaussians

Arrays = Mapping[str, np.ndarray]

LARGEST = 1e18  # of all values, so that their squares fit 32 bits
LARGEST_LOG_SCALE = 80.0  # so that scales fit 32 bits
SMALLEST_SCALE = 1e-13  # what a scale of zero is read as: a logarithm must exist
LEAST_OPACITY = 1e-6  # what opacity 0 is read as, and 1 less this for 1: a logit must exist


def arrays_of(scene: Gaussians, frame: Frame, degree: int) -> dict[str, np.ndarray]:
    """A scene's parameters in a file's frame, with 64 bits, harmonics up to `degree` at most.

    Raises InputError for values that no format holds.
    """
    arrays = {name: value.cpu().double().numpy() for name, value in scene.state().items()}
    arrays["sh"] = arrays["sh"][:, : (degree + 1) ** 2]
    wrong = _first_wrong(arrays)
    if wrong is not None:
        raise InputError(
            f"A file of splats cannot hold this scene: {wrong}; remove that splat."
        )
    return {
        "means": frame.points(arrays["means"]),
        "log_scales": arrays["log_scales"],
        "quats": frame.quats(unit(arrays["quats"])),
        "logit_opacities": arrays["logit_opacities"],
        "sh": frame.sh(arrays["sh"]),
    }


def scene_of(path: Path, arrays: Arrays, frame: Frame) -> Gaussians:
    """The scene that a file's arrays stand for, as float32 on the CPU.

    Raises InvalidFile for values that are not finite or out of range.
    """
    wrong = _first_wrong(arrays)
    if wrong is not None:
        raise InvalidFile(path, None, wrong)
    world = frame.inverse
    found = {
        "means": world.points(arrays["means"]),
        "log_scales": arrays["log_scales"],
        "quats": world.quats(arrays["quats"]),
        "logit_opacities": arrays["logit_opacities"],
        "sh": world.sh(arrays["sh"]),
    }
    return Gaussians(
        **{n: torch.from_numpy(np.array(a, dtype=np.float32)) for n, a in found.items()}
    )


def destination(path: str | Path) -> Path:
    """The path, if there is a folder to write it into; else InputError."""
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} to write {path.name} into.")
    return path


def unit(quats: Float[np.ndarray, "splats 4"]) -> Float[np.ndarray, "splats 4"]:
    """Quaternions of length 1; zero, which means "not rotated" here, is NaN elsewhere."""
    length = np.linalg.norm(quats, axis=1, keepdims=True)
    return np.where(length > 0, quats / np.where(length > 0, length, 1), [1.0, 0.0, 0.0, 0.0])


def smallest_three(
    quats: Float[np.ndarray, "splats 4"],
) -> tuple[Int[np.ndarray, "splats"], Float[np.ndarray, "splats 3"]]:
    """Which component of unit quaternions is the largest, and the others in their order.

    The sign is chosen so that the largest is positive; the others then lie in +-sqrt(1/2).
    """
    largest = np.abs(quats).argmax(axis=1)
    rows = np.arange(len(quats))
    signed = quats * np.where(quats[rows, largest] < 0, -1, 1)[:, None]
    return largest, signed[np.arange(4) != largest[:, None]].reshape(-1, 3)


def from_smallest_three(
    largest: Int[np.ndarray, "splats"], others: Float[np.ndarray, "splats 3"]
) -> Float[np.ndarray, "splats 4"]:
    """The quaternions that `smallest_three` was given, up to their sign."""
    quats = np.empty((len(others), 4))
    hidden = np.arange(4) == largest[:, None]
    quats[~hidden] = others.ravel()
    quats[hidden] = np.sqrt(np.maximum(0, 1 - (others**2).sum(axis=1)))
    return quats


def sigmoid(logit: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Probabilities of logits, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * logit))


def logit(probability: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Logits of probabilities; 0 and 1 become almost 0 and almost 1."""
    kept = np.clip(probability.astype(np.float64), LEAST_OPACITY, 1 - LEAST_OPACITY)
    return np.log(kept / (1 - kept))


def log_of_scales(
    path: Path, scales: Float[np.ndarray, "splats 3"]
) -> Float[np.ndarray, "splats 3"]:
    """Logarithms of standard deviations, zeros made tiny; InvalidFile if one is negative."""
    if not (scales >= 0).all():
        row = int((~(scales >= 0)).any(axis=1).argmax())
        raise InvalidFile(
            path, None, f"a scale of splat {row} is {scales[row].min():g}, but none is below 0"
        )
    return np.log(np.maximum(scales.astype(np.float64), SMALLEST_SCALE))


def color_of(constant: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Colors, 0 to 1 where a screen can show them, of harmonics of degree 0."""
    return 0.5 + SH_C0 * constant


def constant_of(color: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Harmonics of degree 0 that show a color."""
    return (color - 0.5) / SH_C0


def bytes_of(values: Float[np.ndarray, "..."], most: int = 255) -> Int[np.ndarray, "..."]:
    """Whole numbers 0 to `most` nearest to the values; what lies outside is moved inside."""
    return np.clip(np.rint(values), 0, most).astype(np.int64)


def morton_order(means: Float[np.ndarray, "splats 3"]) -> Int[np.ndarray, "splats"]:
    """An order in which splats that are near in space are near in the file (Morton 1966)."""
    low, size = means.min(axis=0), np.ptp(means, axis=0)
    cell = ((means - low) / np.where(size > 0, size, 1) * ((1 << 21) - 1)).astype(np.uint64)
    code = np.zeros(len(means), dtype=np.uint64)
    for bit in range(21):
        for axis in range(3):
            digit = (cell[:, axis] >> np.uint64(bit)) & np.uint64(1)
            code |= digit << np.uint64(3 * bit + axis)
    return np.argsort(code, kind="stable")


def _first_wrong(arrays: Arrays) -> str | None:
    """What is wrong with the first value that is not finite or too large, if there is one."""
    for name, values in arrays.items():
        largest = LARGEST_LOG_SCALE if name == "log_scales" else LARGEST
        wrong = ~(np.abs(values) <= largest)
        if wrong.any():
            place = np.argwhere(wrong)[0]
            value = values[tuple(place)]
            return (
                f"{name} of splat {place[0]} holds {value:g}, but must lie in "
                f"-{largest:g} to {largest:g}"
            )
    return None
