"""Gaussians as .splat files (antimatter15/splat, 2023): 32 bytes a splat and no header.

Center and scales are 32-bit numbers; color, opacity and quaternion take a byte each. There is
one color a splat: harmonics of degree 1 and higher have no place.
"""

from pathlib import Path

import numpy as np

from splatsmith.errors import InvalidFile
from splatsmith.export import arrays as share
from splatsmith.export.untrusted import check_count, take

ROW = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("color", "u1", 4), ("quat", "u1", 4)])


def encode_splat(arrays: share.Arrays) -> bytes:
    """The bytes of a file; `arrays` are in its frame."""
    rows = np.empty(len(arrays["means"]), dtype=ROW)
    rows["mean"] = arrays["means"]
    rows["scale"] = np.exp(arrays["log_scales"])
    rows["color"][:, :3] = share.bytes_of(255 * share.color_of(arrays["sh"][:, 0]))
    rows["color"][:, 3] = share.bytes_of(255 * share.sigmoid(arrays["logit_opacities"]))
    # With the largest component negative, -1 becomes byte 0, which readers that divide by 128
    # and readers that divide by 127.5 understand alike; +1 would not fit into a byte.
    largest, _ = share.smallest_three(arrays["quats"])
    sign = np.sign(arrays["quats"][np.arange(len(rows)), largest])
    rows["quat"] = share.bytes_of(128 - 128 * arrays["quats"] * sign[:, None])
    return rows.tobytes()


def decode_splat(path: Path, data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file, in its frame; raises InvalidFile for any other bytes."""
    if len(data) % ROW.itemsize:
        raise InvalidFile(
            path,
            len(data) - len(data) % ROW.itemsize,
            f"a .splat file has {ROW.itemsize} bytes for each splat, but this one has "
            f"{len(data)} bytes",
        )
    check_count(path, len(data) // ROW.itemsize)
    rows = take(path, data, 0, ROW, len(data) // ROW.itemsize, "the splats")
    color = rows["color"].astype(np.float64) / 255
    return {
        "means": rows["mean"],
        "log_scales": share.log_of_scales(path, rows["scale"]),
        "quats": rows["quat"].astype(np.float64) / 128 - 1,
        "logit_opacities": share.logit(color[:, 3]),
        "sh": share.constant_of(color[:, None, :3]),
    }
