"""Meshes as binary glTF 2.0 (.glb): one node, one material, pictures inside.

Written by hand, since it is a page, so that every byte follows from the mesh: no dates, no
order of a dict that may change. Khronos' validator finds nothing to say about the files.
"""

import io
import json
import struct
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from splatsmith import __version__
from splatsmith.export.mesh_files.placing import linear
from splatsmith.export.meshing.mesh import Mesh

FLOAT, SHORT, LONG = 5126, 5123, 5125
VERTICES, INDICES = 34962, 34963
LINEAR, MIPMAPS, CLAMP = 9729, 9987, 33071


@dataclass(frozen=True, kw_only=True)
class Material:
    """How light meets the surface; roughness and metal are defaults, nothing is measured."""

    roughness: float = 0.9
    metallic: float = 0.0
    unlit: bool = False  # show the colors as they are, with KHR_materials_unlit


@dataclass
class Bin:
    """The binary chunk as it grows, and what points into it."""

    data: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)

    def add_bytes(self, raw: bytes, **about: Any) -> int:
        """Store bytes at a multiple of four; returns the number of their view."""
        self.data += bytes(-len(self.data) % 4)
        self.views.append(
            {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw), **about}
        )
        self.data += raw
        return len(self.views) - 1

    def add_array(self, values: np.ndarray, kind: str, component: int, **about: Any) -> int:
        """Store one value or vector per vertex, or indices; returns the accessor's number."""
        self.accessors.append(
            {
                "bufferView": self.add_bytes(values.tobytes(), **about),
                "componentType": component,
                "count": len(values),
                "type": kind,
            }
        )
        return len(self.accessors) - 1


def glb_bytes(mesh: Mesh, name: str, material: Material | None = None) -> bytes:
    """The file for a mesh that is already placed (y up, meters)."""
    material = material or Material()
    store = Bin()
    mapped = mesh.normal_map is not None and not material.unlit
    attributes = _attributes(store, mesh if mapped else replace(mesh, tangents=None))
    flat = mesh.faces.numpy().reshape(-1)
    # 65535 itself is reserved for restarts.
    short = len(mesh.vertices) < 65535
    indices = store.add_array(
        flat.astype("<u2" if short else "<u4"),
        "SCALAR",
        SHORT if short else LONG,
        target=INDICES,
    )
    primitive = {"attributes": attributes, "indices": indices, "material": 0, "mode": 4}
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"splatsmith {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0}],
        "meshes": [{"name": name, "primitives": [primitive]}],
        **_materials(store, mesh, name, material),
        "accessors": store.accessors,
        "bufferViews": store.views,
    }
    store.data += bytes(-len(store.data) % 4)
    document["buffers"] = [{"byteLength": len(store.data)}]
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    chunks += struct.pack("<II", len(store.data), 0x004E4942) + bytes(store.data)
    return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks


def png_bytes(picture: UInt8[np.ndarray, "rows columns 3"]) -> bytes:
    """A picture as PNG; equal pictures give equal bytes."""
    draft = io.BytesIO()
    Image.fromarray(picture).save(draft, format="PNG", optimize=False)
    return draft.getvalue()


def _attributes(store: Bin, mesh: Mesh) -> dict[str, int]:
    places = mesh.vertices.numpy().astype("<f4")
    found = {"POSITION": store.add_array(places, "VEC3", FLOAT, target=VERTICES)}
    ends = {"min": places.min(axis=0).tolist(), "max": places.max(axis=0).tolist()}
    store.accessors[found["POSITION"]] |= ends
    given = {
        "NORMAL": ("VEC3", mesh.normals),
        "TANGENT": ("VEC4", mesh.tangents),
        "TEXCOORD_0": ("VEC2", mesh.uvs),
    }
    for key, (kind, values) in given.items():
        if values is not None:
            raw = values.numpy().astype("<f4")
            found[key] = store.add_array(raw, kind, FLOAT, target=VERTICES)
    if mesh.colors is not None and mesh.texture is None:
        light = linear(mesh.colors.double().clamp(0, 1).numpy()).astype("<f4")
        found["COLOR_0"] = store.add_array(light, "VEC3", FLOAT, target=VERTICES)
    return found


def _materials(store: Bin, mesh: Mesh, name: str, material: Material) -> dict[str, Any]:
    surface: dict[str, Any] = {
        "metallicFactor": material.metallic,
        "roughnessFactor": material.roughness,
    }
    made: dict[str, Any] = {"name": name, "pbrMetallicRoughness": surface}
    pictures: list[tuple[str, np.ndarray]] = []
    if mesh.texture is not None:
        surface["baseColorTexture"] = {"index": len(pictures)}
        pictures.append(("base color", mesh.texture))
    if mesh.normal_map is not None and not material.unlit:
        made["normalTexture"] = {"index": len(pictures)}
        pictures.append(("normals", mesh.normal_map))
    if material.unlit:
        made["extensions"] = {"KHR_materials_unlit": {}}
    found: dict[str, Any] = {"materials": [made]}
    if material.unlit:
        found["extensionsUsed"] = ["KHR_materials_unlit"]
    if pictures:
        sampler = {"magFilter": LINEAR, "minFilter": MIPMAPS, "wrapS": CLAMP, "wrapT": CLAMP}
        found["samplers"] = [sampler]
        found["textures"] = [{"sampler": 0, "source": i} for i in range(len(pictures))]
        found["images"] = [
            {"name": label, "mimeType": "image/png", "bufferView": store.add_bytes(png)}
            for label, png in ((label, png_bytes(picture)) for label, picture in pictures)
        ]
    return found
