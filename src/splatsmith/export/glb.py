"""Gaussians as .glb files: binary glTF 2.0 with the extension KHR_gaussian_splatting (2026).

A primitive of points whose attributes are 32-bit numbers: centers, quaternions x y z w,
standard deviations, opacities, and a triple for each harmonic. COLOR_0 is for programs that
show points only; it holds linear light, as glTF has it.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from splatsmith.export import arrays as share
from splatsmith.export.gltf import BIN_CHUNK, EXTENSION, JSON_CHUNK, Document
from splatsmith.export.parts import Part
from splatsmith.export.untrusted import check_count

FLOAT, BYTE = 5126, 5121  # glTF's numbers for the kinds of components
ARRAY_BUFFER = 34962
POINTS = 0
TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
KERNEL, COLORS = "ellipse", "srgb_rec709_display"


def encode_glb(arrays: share.Arrays) -> bytes:
    """The bytes of a file; `arrays` are in its frame."""
    attributes = _attributes(arrays)
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    body = b""
    for name, values in attributes.items():
        count, width = values.shape
        views.append(
            {"buffer": 0, "byteOffset": len(body), "byteLength": values.nbytes}
            | {"target": ARRAY_BUFFER}
        )
        accessor: dict[str, Any] = {
            "bufferView": len(accessors),
            "count": count,
            "type": TYPES[width],
        }
        accessor |= {"componentType": FLOAT if values.dtype.kind == "f" else BYTE}
        if values.dtype.kind != "f":
            accessor |= {"normalized": True}
        if name == "POSITION":
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        accessors.append(accessor)
        body += values.tobytes()
    primitive = {
        "attributes": {name: number for number, name in enumerate(attributes)},
        "mode": POINTS,
        "extensions": {EXTENSION: {"kernel": KERNEL, "colorSpace": COLORS}},
    }
    document = {
        "asset": {"version": "2.0", "generator": "splatsmith"},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "splats"}],
        "meshes": [{"primitives": [primitive]}],
        "buffers": [{"byteLength": len(body)}],
        "bufferViews": views,
        "accessors": accessors,
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(body)
    return b"".join(
        [
            struct.pack("<4sII", b"glTF", 2, size),
            struct.pack("<I4s", len(text), JSON_CHUNK),
            text,
            struct.pack("<I4s", len(body), BIN_CHUNK),
            body,
        ]
    )


def decode_glb(path: Path, data: bytes) -> list[Part]:
    """The groups of splats of a file, as its nodes place them; InvalidFile for other bytes."""
    document = Document(path, data)
    found = [
        (primitive, matrix, document.count_of(primitive, "POSITION"))
        for mesh, matrix in document.placed_meshes()
        for primitive in document.splat_primitives(mesh)
    ]
    check_count(path, sum(count for _, _, count in found), len(data))
    return [
        Part(_decode_primitive(document, primitive), matrix)
        for primitive, matrix, count in found
        if count
    ]


def _decode_primitive(document: Document, primitive: dict) -> dict[str, np.ndarray]:
    own = f"{EXTENSION}:"
    degree = max(d for d in range(4) if d == 0 or document.has(primitive, _harmonic(d, 0)))
    columns = [
        document.attribute(primitive, _harmonic(d, number), 3)
        for d in range(degree + 1)
        for number in range(2 * d + 1)
    ]
    scales = document.attribute(primitive, f"{own}SCALE", 3)
    opacities = document.attribute(primitive, f"{own}OPACITY", 1)[:, 0]
    return {
        "means": document.attribute(primitive, "POSITION", 3),
        "log_scales": share.log_of_scales(document.path, scales),
        "quats": np.roll(document.attribute(primitive, f"{own}ROTATION", 4), 1, axis=1),
        "logit_opacities": share.logit(opacities),
        "sh": np.stack(columns, axis=1),
    }


def _attributes(arrays: share.Arrays) -> dict[str, np.ndarray]:
    """What the primitive holds, by the names of the extension."""
    opacity = share.sigmoid(arrays["logit_opacities"])[:, None]
    shown = np.clip(share.color_of(arrays["sh"][:, 0]), 0, 1)
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    fallback = share.bytes_of(255 * np.concatenate([linear, opacity], axis=1))
    numbers = {
        "POSITION": arrays["means"],
        f"{EXTENSION}:ROTATION": np.roll(arrays["quats"], -1, axis=1),
        f"{EXTENSION}:SCALE": np.exp(arrays["log_scales"]),
        f"{EXTENSION}:OPACITY": opacity,
    }
    degree = int(arrays["sh"].shape[1] ** 0.5) - 1
    for d in range(degree + 1):
        for number in range(2 * d + 1):
            numbers[_harmonic(d, number)] = arrays["sh"][:, d * d + number]
    attributes = {name: np.ascontiguousarray(v, dtype="<f4") for name, v in numbers.items()}
    return attributes | {"COLOR_0": fallback.astype(np.uint8)}


def _harmonic(degree: int, number: int) -> str:
    return f"{EXTENSION}:SH_DEGREE_{degree}_COEF_{number}"
