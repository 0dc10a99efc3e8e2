"""Reading binary glTF of strangers: the document, its nodes, and the numbers of accessors.

Every index, offset and length is checked against what is there before it is used; nothing
outside of the file is opened. What concerns splats alone is in `glb.py`.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from splatsmith.errors import InvalidFile

EXTENSION = "KHR_gaussian_splatting"
JSON_CHUNK, BIN_CHUNK = b"JSON", b"BIN\0"
MAX_JSON = 16 << 20  # bytes
MAX_VISITS = 10_000  # nodes on all paths from the roots
MAX_PRIMITIVES = 1000  # of all meshes, as often as they are placed
KINDS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
KNOWN = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}


class Document:
    """A .glb in memory; raises InvalidFile if it is none."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.primitives = 0
        magic, version, size = self._unpack("<4sII", data, 0)
        if magic != b"glTF" or version != 2 or size != len(data):
            raise InvalidFile(
                path, 0, f"this is no binary glTF 2.0 of {len(data)} bytes (it says {size})"
            )
        length, kind = self._unpack("<I4s", data, 12)
        if kind != JSON_CHUNK or length > min(MAX_JSON, len(data) - 20):
            raise InvalidFile(
                path, 12, f"the first chunk must be JSON of at most {MAX_JSON} bytes"
            )
        try:
            fields = json.loads(data[20 : 20 + length])
        except (ValueError, RecursionError) as error:
            raise InvalidFile(path, 20, f"its JSON is broken: {error}") from None
        if not isinstance(fields, dict):
            raise InvalidFile(path, 20, "its JSON is no object")
        self.fields: dict[str, Any] = fields
        self.body = b""
        if len(data) > 20 + length:
            size, kind = self._unpack("<I4s", data, 20 + length)
            start = 28 + length
            if kind != BIN_CHUNK or size > len(data) - start:
                raise InvalidFile(path, 20 + length, "the second chunk must be the binary one")
            self.body = data[start : start + size]

    def placed_meshes(self) -> Iterator[tuple[dict, Float64[np.ndarray, "4 4"]]]:
        """Every mesh of the scene, and what takes its coordinates to the scene's."""
        waiting = [(root, np.eye(4)) for root in self._roots()[: MAX_VISITS + 1]]
        visits = 0
        while waiting:
            number, parent = waiting.pop()
            node = self._entry("nodes", number)
            children = self._list(node, "children")
            visits += 1
            if visits + len(waiting) + len(children) > MAX_VISITS:
                raise InvalidFile(
                    self.path, 20, f"more than {MAX_VISITS} nodes, or a node within itself"
                )
            matrix = parent @ self._matrix(node)
            waiting += [(child, matrix) for child in children]
            if "mesh" in node:
                yield self._entry("meshes", node["mesh"]), matrix

    def splat_primitives(self, mesh: dict) -> Iterator[dict]:
        """The primitives of a mesh that are Gaussians of the kind that we know."""
        primitives = self._list(mesh, "primitives")
        self.primitives += len(primitives)
        if self.primitives > MAX_PRIMITIVES:
            raise InvalidFile(self.path, 20, f"more than {MAX_PRIMITIVES} primitives")
        for primitive in primitives:
            extensions = primitive.get("extensions") if isinstance(primitive, dict) else None
            splats = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
            if not isinstance(splats, dict):
                continue
            for key, known in KNOWN.items():
                if splats.get(key, known) != known:
                    raise InvalidFile(
                        self.path, 20, f"{key} of its splats must be {known!r} to be understood"
                    )
            if splats.get("extensions"):
                raise InvalidFile(self.path, 20, "its splats are compressed by an extension")
            yield primitive

    def has(self, primitive: dict, name: str) -> bool:
        """Whether a primitive has that attribute."""
        attributes = primitive.get("attributes")
        return isinstance(attributes, dict) and name in attributes

    def count_of(self, primitive: dict, name: str) -> int:
        """How many entries an attribute has."""
        return self._whole(self._accessor(primitive, name), "count", 0)

    def attribute(
        self, primitive: dict, name: str, width: int
    ) -> Float64[np.ndarray, "count width"]:
        """The numbers of an attribute, as many rows as POSITION has."""
        accessor = self._accessor(primitive, name)
        kind = KINDS.get(self._whole(accessor, "componentType", 0))
        count = self._whole(accessor, "count", 0)
        found = accessor.get("type")
        if kind is None or not isinstance(found, str) or WIDTHS.get(found) != width:
            raise InvalidFile(self.path, 20, f"{name} must be {width} plain numbers an entry")
        if count != self.count_of(primitive, "POSITION"):
            raise InvalidFile(self.path, 20, f"{name} has {count} entries, unlike POSITION")
        if "sparse" in accessor:
            raise InvalidFile(self.path, 20, f"{name} is sparse, which is not accepted")
        view = self._entry("bufferViews", accessor.get("bufferView"))
        buffer = self._entry("buffers", view.get("buffer"))
        if view.get("buffer") != 0 or "uri" in buffer:
            raise InvalidFile(self.path, 20, f"{name} lies outside of the file")
        item = width * np.dtype(kind).itemsize
        start = self._whole(view, "byteOffset", 0) + self._whole(accessor, "byteOffset", 0)
        stride = self._whole(view, "byteStride", item)
        end = self._whole(view, "byteOffset", 0) + self._whole(view, "byteLength", 0)
        last = start + stride * (count - 1) + item
        if stride < item or not 0 < last <= min(end, len(self.body)):
            raise InvalidFile(self.path, 20, f"{name} does not lie within its buffer view")
        step = np.dtype(kind).itemsize
        rows = np.ndarray((count, width), kind, self.body, start, (stride, step))
        return _plain(rows, normalized=accessor.get("normalized") is True)

    def _roots(self) -> list:
        """Numbers of the nodes that the scene begins with."""
        scenes = self._list(self.fields, "scenes")
        if scenes:
            scene = self._entry("scenes", self._whole(self.fields, "scene", 0))
            return self._list(scene, "nodes")
        nodes = self._list(self.fields, "nodes")
        inner = [
            child
            for node in nodes
            if isinstance(node, dict)
            for child in self._list(node, "children")
        ]
        within = {child for child in inner if type(child) is int}
        return [number for number in range(len(nodes)) if number not in within]

    def _matrix(self, node: dict) -> Float64[np.ndarray, "4 4"]:
        """What takes a node's coordinates to its parent's."""
        if "matrix" in node:
            return self._numbers(node, "matrix", np.eye(4).ravel()).reshape(4, 4).T
        x, y, z, w = self._numbers(node, "rotation", np.array([0.0, 0, 0, 1]))
        matrix = np.eye(4)
        matrix[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
        matrix[:3, :3] *= self._numbers(node, "scale", np.ones(3))
        matrix[:3, 3] = self._numbers(node, "translation", np.zeros(3))
        return matrix

    def _accessor(self, primitive: dict, name: str) -> dict:
        if not self.has(primitive, name):
            raise InvalidFile(self.path, 20, f"its splats lack the attribute {name}")
        return self._entry("accessors", primitive["attributes"][name])

    def _entry(self, kind: str, number: object) -> dict:
        entries = self._list(self.fields, kind)
        if type(number) is not int or not 0 <= number < len(entries):
            raise InvalidFile(self.path, 20, f"there is no number {number} in {kind}")
        entry = entries[number]
        if not isinstance(entry, dict):
            raise InvalidFile(self.path, 20, f"number {number} of {kind} is no object")
        return entry

    def _list(self, fields: dict, key: str) -> list:
        found = fields.get(key, [])
        if not isinstance(found, list):
            raise InvalidFile(self.path, 20, f"{key} must be a list")
        return found

    def _whole(self, fields: dict, key: str, default: int) -> int:
        found = fields.get(key, default)
        if type(found) is not int or not 0 <= found < 1 << 40:
            raise InvalidFile(self.path, 20, f"{key} must be a whole number, not negative")
        return found

    def _numbers(
        self, fields: dict, key: str, default: Float64[np.ndarray, "count"]
    ) -> Float64[np.ndarray, "count"]:
        found = fields.get(key, default.tolist())
        good = isinstance(found, list) and len(found) == len(default)
        if not good or not all(type(n) in (int, float) and abs(n) < 1e12 for n in found):
            raise InvalidFile(self.path, 20, f"{key} must be {len(default)} numbers")
        return np.array(found, dtype=np.float64)

    def _unpack(self, form: str, data: bytes, offset: int) -> tuple:
        if offset + struct.calcsize(form) > len(data):
            raise InvalidFile(self.path, len(data), "the file ends within a header")
        return struct.unpack_from(form, data, offset)


def _plain(rows: np.ndarray, *, normalized: bool) -> Float64[np.ndarray, "count width"]:
    """Numbers as they are meant: whole ones may stand for fractions of their largest."""
    values = rows.astype(np.float64)
    if not normalized or rows.dtype.kind == "f":
        return values
    return np.maximum(values / np.iinfo(rows.dtype).max, -1)
