"""Files are read back by other programs, to the same geometry, axes, units and colors."""

import io
import json
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from khronos import complaints
from PIL import Image

from splatsmith.errors import InputError
from splatsmith.export.mesh_files import Material, placing, write_mesh
from splatsmith.export.mesh_files.placing import linear
from splatsmith.export.meshing.mesh import Mesh, plain_mesh, volume

SIDES = torch.tensor([0.2, 0.4, 0.8])  # of the box: along the front, to the left, up
CENTER = torch.tensor([0.3, -0.1, 0.25])


def box():
    """A closed box whose sides differ, off the origin; its front face is red."""
    corner = torch.tensor([[x, y, z] for x in (0.0, 1) for y in (0.0, 1) for z in (0.0, 1)])
    quads = [[4, 6, 7, 5], [0, 1, 3, 2], [2, 3, 7, 6], [0, 4, 5, 1], [1, 5, 7, 3], [0, 2, 6, 4]]
    faces = [f for a, b, c, d in quads for f in ([a, b, c], [a, c, d])]
    mesh = plain_mesh((corner - 0.5) * SIDES + CENTER, torch.tensor(faces))
    assert volume(mesh) == pytest.approx(float(SIDES.prod()))
    front = corner[:, :1] > 0.5
    red, blue = torch.tensor([0.8, 0.2, 0.1]), torch.tensor([0.1, 0.2, 0.6])
    return replace(mesh, colors=torch.where(front, red, blue))


def textured_box():
    """The same with a texture: red above, blue below, and uvs that say which."""
    picture = np.zeros((16, 16, 3), dtype=np.uint8)
    picture[:8], picture[8:] = (204, 51, 26), (26, 51, 153)
    mesh = box()
    front = mesh.vertices[:, 0] > CENTER[0]
    uvs = torch.stack([torch.full((8,), 0.5), torch.where(front, 0.125, 0.875)], dim=1)
    tangents = torch.tensor([0.0, 1, 0, 1]).repeat(8, 1)
    return replace(
        mesh, uvs=uvs, texture=picture, tangents=tangents, normal_map=np.full_like(picture, 128)
    )


def read(path):
    return trimesh.load(path, force="mesh", process=False)


def vertex_colors(path, read_back):
    """Colors 0..1 at vertices; of a .glb by the specification, since trimesh drops them."""
    if path.suffix != ".glb":
        return read_back.visual.vertex_colors[:, :3] / 255
    document, binary = chunks(path.read_bytes())
    number = document["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]
    about = document["accessors"][number]
    assert (about["componentType"], about["type"]) == (5126, "VEC3")
    start = document["bufferViews"][about["bufferView"]]["byteOffset"]
    flat = np.frombuffer(binary, "<f4", 3 * about["count"], start)
    return flat.reshape(-1, 3)


# What each format calls (front, left, up), as axis and sign.
AXES = {
    ".glb": ((2, 1), (0, 1), (1, 1)),
    ".obj": ((2, 1), (0, 1), (1, 1)),
    ".ply": ((1, -1), (0, 1), (2, 1)),
    ".stl": ((1, -1), (0, 1), (2, 1)),
}


@pytest.mark.parametrize("ending", AXES)
def test_the_same_box_comes_back_upright_and_in_its_unit(tmp_path, ending):
    mesh, path = box(), tmp_path / f"box{ending}"
    write_mesh(path, mesh, placing(mesh, origin="base", size=1.6))
    again = read(path)
    unit = 1000 if ending == ".stl" else 1
    for (axis, sign), side in zip(AXES[ending], (SIDES * 2).tolist(), strict=True):
        low, high = sorted((again.bounds[:, axis] * sign).tolist())
        assert high - low == pytest.approx(side * unit, rel=1e-5)
        bottom = 0 if side == pytest.approx(1.6) else -side * unit / 2
        assert low == pytest.approx(bottom, abs=1e-4 * unit)
    if ending == ".stl":
        again.merge_vertices()  # It says every corner again.
    assert again.is_watertight
    assert again.volume == pytest.approx(float(SIDES.prod()) * 8 * unit**3, rel=1e-4)
    if ending == ".stl":
        return
    axis, sign = AXES[ending][0]
    front = again.vertices[:, axis] * sign > 0
    colors = vertex_colors(path, again)
    expected = np.where(front[:, None], [0.8, 0.2, 0.1], [0.1, 0.2, 0.6])
    expected = linear(expected) if ending == ".glb" else expected  # COLOR_0 is linear.
    np.testing.assert_allclose(colors, expected, atol=0.005)
    outward = again.vertices - again.bounds.mean(axis=0)
    assert ((again.vertex_normals * outward).sum(axis=1) > 0).all()


@pytest.mark.parametrize("origin", ["base", "center", "scene"])
def test_the_origin_is_where_it_was_asked_for(tmp_path, origin):
    mesh, path = box(), tmp_path / "box.glb"
    write_mesh(path, mesh, placing(mesh, origin=origin))
    low = {
        "base": [-0.2, 0, -0.1],
        "center": [-0.2, -0.4, -0.1],
        "scene": [-0.3, -0.15, 0.2],  # left, up, front of the box's corner in the scene
    }[origin]
    np.testing.assert_allclose(read(path).bounds[0], low, atol=1e-6)


@pytest.mark.parametrize("ending", [".glb", ".obj"])
def test_a_texture_stays_on_its_side(tmp_path, ending):
    mesh, path = textured_box(), tmp_path / f"box{ending}"
    written = write_mesh(path, mesh, placing(mesh))
    assert all(file.is_file() for file in written)
    again = read(path)
    shown = again.visual.to_color().vertex_colors[:, :3]
    front = again.vertices[:, 2] > 0
    assert (shown[front] == [204, 51, 26]).all()
    assert (shown[~front] == [26, 51, 153]).all()


def test_a_ply_carries_the_textures_colors(tmp_path):
    mesh, path = replace(textured_box(), colors=None), tmp_path / "box.ply"
    write_mesh(path, mesh, placing(mesh))
    again = read(path)
    front = again.vertices[:, 1] < 0
    assert (again.visual.vertex_colors[front][:, :3] == [204, 51, 26]).all()


def chunks(data):
    """The JSON and the binary part of a .glb, by the specification."""
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    start = 20 + size
    rest, kind = struct.unpack_from("<I4s", data, start)
    assert kind == b"BIN\0"
    assert start + 8 + rest == len(data)
    return json.loads(data[20:start]), data[start + 8 :]


def test_a_glb_says_what_it_should(tmp_path):
    mesh, path = textured_box(), tmp_path / "a box.glb"
    write_mesh(path, mesh, placing(mesh))
    document, binary = chunks(path.read_bytes())
    (material,) = document["materials"]
    assert material["pbrMetallicRoughness"]["metallicFactor"] == 0
    assert material["pbrMetallicRoughness"]["roughnessFactor"] == 0.9
    assert document["nodes"][0]["name"] == "a box"
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    start = view["byteOffset"]
    picture = Image.open(io.BytesIO(binary[start : start + view["byteLength"]]))
    assert (np.array(picture) == mesh.texture).all()
    write_mesh(path, mesh, placing(mesh), material=Material(unlit=True))
    document, _ = chunks(path.read_bytes())
    assert document["extensionsUsed"] == ["KHR_materials_unlit"]
    first = path.read_bytes()
    write_mesh(path, mesh, placing(mesh), material=Material(unlit=True))
    assert path.read_bytes() == first


@pytest.mark.parametrize("make", [box, textured_box])
@pytest.mark.parametrize("unlit", [False, True])
def test_khronos_validator_has_nothing_to_say(tmp_path, make, unlit):
    mesh, path = make(), tmp_path / "box.glb"
    write_mesh(path, mesh, placing(mesh), material=Material(unlit=unlit))
    assert complaints(path) == []


def test_many_vertices_take_long_indices(tmp_path):
    count = 70000
    mesh = Mesh(
        torch.rand(count, 3, generator=torch.Generator().manual_seed(0)),
        torch.arange(count - count % 3).reshape(-1, 3),
        torch.tensor([0.0, 0, 1]).expand(count, 3).contiguous(),
    )
    path = tmp_path / "many.glb"
    write_mesh(path, mesh, placing(mesh, origin="scene"))
    again = read(path)
    assert (again.faces == mesh.faces.numpy()).all()
    np.testing.assert_array_equal(again.vertices[:, 0], mesh.vertices[:, 1].numpy())


@pytest.mark.parametrize("make", [box, textured_box])
def test_a_usdz_is_an_aligned_zip_with_the_scene_first(tmp_path, make):
    mesh, path = make(), tmp_path / "box.usdz"
    write_mesh(path, mesh, placing(mesh))
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        entries = archive.infolist()
        scene = archive.read("scene.usda").decode()
    assert entries[0].filename == "scene.usda"
    for entry in entries:
        name, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
        assert (entry.header_offset + 30 + name + extra) % 64 == 0
        assert entry.compress_type == zipfile.ZIP_STORED
    assert scene.count("{") == scene.count("}")
    assert 'upAxis = "Y"' in scene


@pytest.mark.parametrize("make", [box, textured_box])
def test_usd_itself_reads_the_usdz(tmp_path, make):
    usd = pytest.importorskip("pxr.Usd", reason="NOT seen by OpenUSD: install usd-core")
    from pxr import UsdGeom, UsdShade

    mesh, path = make(), tmp_path / "box.usdz"
    write_mesh(path, mesh, placing(mesh))
    stage = usd.Stage.Open(str(path))
    shape = UsdGeom.Mesh(stage.GetPrimAtPath("/Asset/Geometry"))
    points = np.array(shape.GetPointsAttr().Get())
    upright = mesh.vertices - CENTER + torch.tensor([0.0, 0.0, 0.4])
    expected = upright[:, [1, 2, 0]].numpy()
    np.testing.assert_allclose(points, expected, atol=1e-6)
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    bound = UsdShade.MaterialBindingAPI(shape.GetPrim()).ComputeBoundMaterial()[0]
    assert bound.ComputeSurfaceSource()[0].GetIdAttr().Get() == "UsdPreviewSurface"


def test_an_open_stl_warns(tmp_path):
    mesh, path = box(), tmp_path / "open.stl"
    with pytest.warns(UserWarning, match=r"not closed \(3 open edges"):
        write_mesh(path, plain_mesh(mesh.vertices, mesh.faces[1:]), placing(mesh))


def test_wrong_requests_are_refused(tmp_path):
    mesh = box()
    with pytest.raises(InputError, match=r"must end in \.glb, "):
        write_mesh(tmp_path / "box.fbx", mesh, placing(mesh))
    with pytest.raises(InputError, match="no folder"):
        write_mesh(tmp_path / "no" / "box.glb", mesh, placing(mesh))
    with pytest.raises(InputError, match="y up by its standard"):
        write_mesh(tmp_path / "box.glb", mesh, placing(mesh), up="z")
    with pytest.raises(InputError, match="size of an asset"):
        placing(mesh, size=0.0)
