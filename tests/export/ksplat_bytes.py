"""A writer of .ksplat for tests only, after the layout of mkkellogg/GaussianSplats3D 0.4.7."""

import struct

import numpy as np

from splatsmith.export import arrays as share
from splatsmith.export.frames import PLY
from splatsmith.scenes.gaussians import Gaussians

BUCKET, BLOCK = 4, 0.5  # splats to a full bucket; its edge
STEPS = 32767


def ksplat_bytes(scene: Gaussians, level: int, *, sections: int = 1) -> bytes:
    """The scene in a file of that level, as many sections with splats in turn."""
    arrays = share.arrays_of(scene, PLY, scene.sh_degree)
    bodies = []
    for number in range(sections):
        part = {name: values[number::sections] for name, values in arrays.items()}
        bodies.append(_section(part, level))
    header = bytearray(4096)
    struct.pack_into("<BB", header, 0, 0, 1)
    struct.pack_into("<IIII", header, 4, sections, sections, scene.count, scene.count)
    struct.pack_into("<H", header, 20, level)
    struct.pack_into("<ff", header, 36, -2.0, 2.0)
    heads = b"".join(head for head, _ in bodies)
    return bytes(header) + heads + b"".join(body for _, body in bodies)


def _section(arrays: dict[str, np.ndarray], level: int) -> tuple[bytes, bytes]:
    means = arrays["means"]
    cell = np.floor(means / BLOCK).astype(int)
    _, bucket = np.unique(cell, axis=0, return_inverse=True)
    bucket = bucket.reshape(-1)
    order, middles, sizes, full = [], [], [], 0
    groups = [np.flatnonzero(bucket == b) for b in range(bucket.max() + 1)]
    pieces = [g[i : i + BUCKET] for g in groups for i in range(0, len(g), BUCKET)]
    pieces.sort(key=len, reverse=True)  # Full buckets stand first.
    for piece in pieces:
        order += piece.tolist()
        middles.append((cell[piece[0]] + 0.5) * BLOCK)
        if len(piece) == BUCKET:
            full += 1
        else:
            sizes.append(len(piece))
    where = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    arrays = {name: values[order] for name, values in arrays.items()}
    degree = int(arrays["sh"].shape[1] ** 0.5) - 1
    rows = []
    for i in range(len(order)):
        rows.append(_row(arrays, i, level, np.array(middles)[where[i]], degree))
    head = bytearray(1024)
    count = len(order)
    buckets = (0, 0, 0) if level == 0 else (BUCKET, len(pieces), 12)
    struct.pack_into(
        "<IIIIfHxxI", head, 0, count, count, *buckets[:2], BLOCK, buckets[2], STEPS
    )
    struct.pack_into("<IIH", head, 32, full if level else 0, len(sizes) if level else 0, degree)
    tables = np.array(sizes, "<u4").tobytes() + np.array(middles, "<f4").tobytes()
    return bytes(head), (tables if level else b"") + b"".join(rows)


def _row(
    arrays: dict[str, np.ndarray], i: int, level: int, middle: np.ndarray, degree: int
) -> bytes:
    mean, kind = arrays["means"][i], "<f4" if level == 0 else "<f2"
    if level == 0:
        place = mean.astype("<f4").tobytes()
    else:
        steps = np.rint((mean - middle) / (BLOCK / 2) * STEPS) + STEPS
        place = steps.astype("<u2").tobytes()
    color = share.bytes_of(255 * share.color_of(arrays["sh"][i, 0]))
    opacity = share.bytes_of(255 * share.sigmoid(arrays["logit_opacities"][i : i + 1]))
    parts = [
        place,
        np.exp(arrays["log_scales"][i]).astype(kind).tobytes(),
        arrays["quats"][i].astype(kind).tobytes(),
        np.concatenate([color, opacity]).astype("u1").tobytes(),
    ]
    for d in range(1, degree + 1):
        band = arrays["sh"][i, d * d : (d + 1) ** 2].T.ravel()
        if level == 2:
            parts.append(np.clip(np.rint((band + 2) / 4 * 255), 0, 255).astype("u1").tobytes())
        else:
            parts.append(band.astype(kind).tobytes())
    return b"".join(parts)
