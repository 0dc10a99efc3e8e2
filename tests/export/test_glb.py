"""glTF: the document as the extension has it, nodes that place splats, and what is refused."""

import json
import struct

import numpy as np
import pytest
import torch
import trimesh
from dialects import random_scene
from kept import errors

from splatsmith.errors import InvalidFile
from splatsmith.export import read_splats, write_splats
from splatsmith.export.frames import GLTF
from splatsmith.scenes.transforms import moved, resized, turned

EXTENSION = "KHR_gaussian_splatting"


@pytest.fixture
def made(tmp_path):
    """A file, its scene and its document."""
    scene = random_scene(1, count=6, degree=2)
    write_splats(tmp_path / "a.glb", scene)
    data = (tmp_path / "a.glb").read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    return tmp_path / "b.glb", scene, json.loads(data[20 : 20 + length]), data[28 + length :]


def rewritten(path, document: dict, body: bytes):
    """A file with another document."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(body), len(text), b"JSON")
    path.write_bytes(head + text + struct.pack("<I4s", len(body), b"BIN\0") + body)
    return path


def test_the_document_is_as_the_extension_has_it(made):
    _, scene, document, body = made
    primitive = document["meshes"][0]["primitives"][0]
    assert primitive["mode"] == 0
    assert primitive["extensions"][EXTENSION] == {
        "kernel": "ellipse",
        "colorSpace": "srgb_rec709_display",
    }
    assert document["extensionsUsed"] == [EXTENSION]
    names = {f"{EXTENSION}:{name}" for name in ("ROTATION", "SCALE", "OPACITY")}
    names |= {f"{EXTENSION}:SH_DEGREE_{d}_COEF_{n}" for d in range(3) for n in range(2 * d + 1)}
    assert set(primitive["attributes"]) == names | {"POSITION", "COLOR_0"}
    view = document["bufferViews"][primitive["attributes"][f"{EXTENSION}:SCALE"]]
    scales = np.frombuffer(body, "<f4", 18, view["byteOffset"]).reshape(6, 3)
    np.testing.assert_allclose(scales, scene.scales.detach(), rtol=1e-6)
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])


def test_trimesh_sees_the_same_points(made):
    path, scene, document, body = made
    loaded = trimesh.load(rewritten(path, document, body))
    points = np.concatenate([g.vertices for g in loaded.geometry.values()])
    expected = GLTF.points(scene.means.detach().numpy())
    np.testing.assert_allclose(points, expected, atol=1e-6)


def test_nodes_place_their_splats(made):
    """Two nodes with one mesh: one by a matrix, one within another by turn, size and move."""
    path, scene, document, body = made
    quarter = [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]  # about glTF's z, our x
    document["nodes"] = [
        {"mesh": 0, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1]},
        {"children": [2], "translation": [1, 2, 3]},
        {"mesh": 0, "rotation": quarter, "scale": [2, 2, 2]},
    ]
    document["scenes"] = [{"nodes": [0, 1]}]
    both = read_splats(rewritten(path, document, body))
    assert both.count == 12
    about_x = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)
    first = moved(scene, torch.tensor([7.0, 5, 6], dtype=torch.float64))
    second = resized(turned(scene, about_x), 2.0)
    second = moved(second, torch.tensor([3.0, 1, 2], dtype=torch.float64))
    near = both.means.detach()[:, 0] < 5.5
    for expected, which in ((first, ~near), (second, near)):
        part = type(scene)(**{name: value[which] for name, value in both.state().items()})
        assert max(errors(expected, part).values()) < 1e-5
    del document["scene"], document["scenes"]
    assert read_splats(rewritten(path, document, body)).count == 12


def test_whole_numbers_stand_for_fractions(made):
    """Attributes may be bytes or shorts, as the extension allows."""
    path, _, document, body = made
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    opacity = document["accessors"][attributes[f"{EXTENSION}:OPACITY"]]
    opacity |= {"componentType": 5121, "normalized": True, "byteOffset": 0}
    document["bufferViews"].append({"buffer": 0, "byteOffset": len(body), "byteLength": 8})
    opacity["bufferView"] = len(document["bufferViews"]) - 1
    body += bytes([0, 51, 102, 153, 204, 255, 0, 0])
    back = read_splats(rewritten(path, document, body))
    expected = torch.tensor([0, 0.2, 0.4, 0.6, 0.8, 1])
    torch.testing.assert_close(back.opacities.detach(), expected, rtol=0, atol=1e-5)


def change(document: dict, where: str, value: object) -> None:
    *path, last = where.split("/")
    for step in path:
        document = document[int(step)] if isinstance(document, list) else document[step]
    if isinstance(document, list):
        document[int(last)] = value
    else:
        document[last] = value


SPLATS = "meshes/0/primitives/0"


@pytest.mark.parametrize(
    ("where", "value", "reason"),
    [
        (f"{SPLATS}/extensions/{EXTENSION}/kernel", "box", "kernel of its splats"),
        (f"{SPLATS}/extensions/{EXTENSION}/colorSpace", "lin_rec709_display", "colorSpace"),
        (
            f"{SPLATS}/extensions/{EXTENSION}/extensions",
            {"X": {}},
            "compressed by an extension",
        ),
        (f"{SPLATS}/extensions", {}, "holds no splats"),
        (f"{SPLATS}/attributes/POSITION", 99, "no number 99 in accessors"),
        (f"{SPLATS}/attributes", {"POSITION": 0}, "lack the attribute"),
        ("accessors/0/count", 7, "unlike POSITION"),
        ("accessors/0/count", 5_000_000, "cannot hold"),
        ("accessors/0/count", 10**9, "at most"),
        ("accessors/0/count", -1, "must be a whole number"),
        ("accessors/0/count", True, "must be a whole number"),
        ("accessors/1/sparse", {}, "sparse"),
        ("accessors/1/type", "VEC3", "plain numbers"),
        ("bufferViews/1/byteOffset", 10**6, "does not lie within"),
        ("bufferViews/1/byteStride", 4, "does not lie within"),
        ("bufferViews/1/buffer", 1, "no number 1 in buffers"),
        ("buffers/0/uri", "/etc/passwd", "outside of the file"),
        ("nodes/0/children", [0], "more than 1000 primitives"),
        ("nodes/0/children", [0] * 100_000, "a node within itself"),
        ("meshes/0/primitives", [{}] * 1001, "more than 1000 primitives"),
        ("nodes/0/scale", [1, 2, 1], "unevenly"),
        ("nodes/0/scale", [-1, 1, 1], "mirrors"),
        ("nodes/0/scale", [0, 0, 0], "mirrors its splats or scales"),
        ("nodes/0/matrix", [1, 2], "must be 16 numbers"),
        ("nodes", {}, "nodes must be a list"),
    ],
)
def test_other_documents_are_refused(made, where, value, reason):
    path, _, document, body = made
    change(document, where, value)
    with pytest.raises(InvalidFile, match=reason):
        read_splats(rewritten(path, document, body))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"glTF" + bytes(8), "no binary glTF"),
        (struct.pack("<4sII", b"glTF", 2, 12), "ends within a header"),
        (struct.pack("<4sIII4s", b"glTF", 2, 20, 4, b"JSON"), "the first chunk"),
        (struct.pack("<4sIII4s", b"glTF", 2, 24, 4, b"JSON") + b"[[[[", "JSON is broken"),
        (struct.pack("<4sIII4s", b"glTF", 2, 24, 4, b"JSON") + b"1234", "no object"),
    ],
)
def test_other_bytes_are_refused(tmp_path, data, reason):
    (tmp_path / "a.glb").write_bytes(data)
    with pytest.raises(InvalidFile, match=reason):
        read_splats(tmp_path / "a.glb")
