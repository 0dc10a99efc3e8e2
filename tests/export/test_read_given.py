"""Files of every kind that a run can begin from, read into one world."""

import struct
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from round_trips import seen

from splatsmith.errors import InputError, InvalidFile
from splatsmith.export.clouds import read_cloud
from splatsmith.export.given import read_given
from splatsmith.export.mesh_files import placing, write_mesh
from splatsmith.export.mesh_files.placing import linear
from splatsmith.export.mesh_files.read import displayed
from splatsmith.export.meshing.mesh import plain_mesh
from splatsmith.export.splats import write_splats
from splatsmith.scenes import Ball, Gaussians, begin
from splatsmith.scenes.clouds import Cloud
from splatsmith.scenes.given import Surface

RED, BLUE = torch.tensor([0.8, 0.2, 0.1]), torch.tensor([0.1, 0.2, 0.6])


def box():
    """A box off the origin whose sides differ; what is in front is red, the rest blue."""
    corner = torch.tensor([[x, y, z] for x in (0.0, 1) for y in (0.0, 1) for z in (0.0, 1)])
    quads = [[4, 6, 7, 5], [0, 1, 3, 2], [2, 3, 7, 6], [0, 4, 5, 1], [1, 5, 7, 3], [0, 2, 6, 4]]
    faces = [f for a, b, c, d in quads for f in ([a, b, c], [a, c, d])]
    sides, center = torch.tensor([0.2, 0.4, 0.8]), torch.tensor([0.3, -0.1, 0.25])
    mesh = plain_mesh((corner - 0.5) * sides + center, torch.tensor(faces))
    return replace(mesh, colors=torch.where(corner[:, :1] > 0.5, RED, BLUE))


def textured(mesh):
    """The same with a texture, red above and blue below."""
    picture = np.zeros((16, 16, 3), dtype=np.uint8)
    picture[:8], picture[8:] = (204, 51, 26), (26, 51, 153)
    front = mesh.vertices[:, 0] > 0.3
    uvs = torch.stack([torch.full((8,), 0.5), torch.where(front, 0.125, 0.875)], dim=1)
    return replace(mesh, uvs=uvs, texture=picture)


@pytest.mark.parametrize("look", ["plain", "textured"])
@pytest.mark.parametrize("ending", [".glb", ".obj", ".ply", ".stl"])
def test_our_own_meshes_come_back(tmp_path, ending, look):
    mesh, path = box(), tmp_path / f"box{ending}"
    write_mesh(
        path, textured(mesh) if look == "textured" else mesh, placing(mesh, origin="scene")
    )
    surface = read_given(path)
    assert isinstance(surface, Surface)
    assert surface.faces == 12
    points, colors = seen(surface)
    if ending == ".stl":  # In millimeters, and colorless.
        points = points / 1000
        assert torch.equal(colors, torch.full_like(colors, 0.5))
    else:
        expected = torch.where(points[:, :1] > 0.3, RED, BLUE)
        torch.testing.assert_close(colors, expected, atol=0.005, rtol=0)
    torch.testing.assert_close(points.amin(dim=0), mesh.bounds[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(points.amax(dim=0), mesh.bounds[1], atol=1e-5, rtol=0)


def exported(tmp_path, scene, name):
    path = tmp_path / name
    path.write_bytes(scene.export(file_type=path.suffix[1:]))
    return path


def test_parts_stand_where_nodes_place_them(tmp_path):
    """A mirrored part keeps its outside outside; materials' plain colors are light."""
    material = trimesh.visual.material.PBRMaterial(baseColorFactor=[128, 0, 255, 255])
    cube = trimesh.creation.box((1, 1, 1))
    cube.visual = trimesh.visual.TextureVisuals(material=material)
    mirror = np.diag([1.0, 2.0, -1.0, 1.0])
    mirror[:3, 3] = (0, 5, 0)
    scene = trimesh.Scene()
    scene.add_geometry(cube, geom_name="cube", node_name="first")
    scene.add_geometry(cube, geom_name="cube", node_name="second", transform=mirror)
    surface = read_given(exported(tmp_path, scene, "two.glb"))
    assert [len(part.faces) for part in surface.parts] == [12, 12]
    parts = sorted(surface.parts, key=lambda part: float(part.vertices.detach().max()))
    for part, height, middle in zip(parts, (1.0, 2.0), (0.0, 5.0), strict=True):
        corners = part.vertices.detach()[part.faces].double()
        center = torch.tensor([0.0, 0.0, middle])
        assert float(torch.linalg.det(corners - center).sum()) / 6 == pytest.approx(height)
    _, colors = seen(surface)
    half = float(displayed(np.array(128 / 255)))
    expected = torch.tensor([half, 0.001, 0.999]).expand_as(colors)
    torch.testing.assert_close(colors, expected, atol=1e-4, rtol=0)
    assert linear(np.array(half)) == pytest.approx(128 / 255)


def test_colors_of_faces_are_kept_apart(tmp_path):
    cube = trimesh.creation.box((1, 1, 1))
    cube.visual.face_colors = [
        [255, 0, 0, 255] if n < 6 else [0, 0, 255, 255] for n in range(12)
    ]
    surface = read_given(exported(tmp_path, cube, "cube.ply"))
    colors = seen(surface)[1].reshape(3, 12, 3)
    assert (colors[:, :6, 0] > 0.99).all()
    assert (colors[:, 6:, 2] > 0.99).all()


def test_a_texture_goes_on_beyond_its_rim(tmp_path):
    mesh = textured(box())
    moved = replace(mesh, uvs=mesh.uvs + torch.tensor([3.0, -2.0]))
    write_mesh(tmp_path / "box.glb", moved, placing(mesh, origin="scene"))
    points, colors = seen(read_given(tmp_path / "box.glb"))
    flat = (points[:, 0] > 0.39) & (colors[:, 0] > 0.5)
    assert flat.any()
    assert float(colors[:, 0].max()) == pytest.approx(0.8, abs=0.005)


def test_an_obj_may_name_only_files_beside_it(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (4, 4), "red").save(tmp_path / "secret.png")
    (tmp_path / "in" / "a.mtl").write_text("newmtl m\nKd 0 1 0\nmap_Kd ../secret.png\n")
    lines = ["mtllib a.mtl", "usemtl m", "v 0 0 0", "v 1 0 0", "v 0 1 0"]
    lines += ["vt 0 0", "vt 1 0", "vt 0 1", "f 1/1 2/2 3/3"]
    (tmp_path / "in" / "a.obj").write_text("\n".join(lines))
    _, colors = seen(read_given(tmp_path / "in" / "a.obj"))
    assert (colors[:, 1] > 0.99).all()
    assert (colors[:, 0] < 0.01).all()


POINTS = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
HEAD = "ply\nformat {} 1.0\nelement vertex 3\n{}end_header\n"
PLACE = "property float x\nproperty float y\nproperty float z\n"


@pytest.mark.parametrize(
    ("kind", "code", "white", "names"),
    [
        ("uchar", "B", 255, "red green blue"),
        ("ushort", "H", 65535, "r g b"),
        ("float", "f", 1.0, "red green blue"),
        ("double", "d", 255.0, "diffuse_red diffuse_green diffuse_blue"),
    ],
)
def test_clouds_have_places_and_colors(tmp_path, kind, code, white, names):
    header = PLACE + "".join(f"property {kind} {name}\n" for name in names.split())
    colors = np.array([[0, 0.2, 1], [1, 0.4, 0.6], [0, 0, 0.8]])
    told = colors * white if code in "fd" else (colors * white).astype(int)
    rows = [struct.pack(f"<3f3{code}", *p, *c) for p, c in zip(POINTS, told, strict=True)]
    path = tmp_path / "cloud.ply"
    path.write_bytes(HEAD.format("binary_little_endian", header).encode() + b"".join(rows))
    cloud = read_given(path)
    assert isinstance(cloud, Cloud)
    assert cloud.points.tolist() == [[-2.0, 1, 3], [-5, 4, 6], [-8, 7, 9]]
    np.testing.assert_allclose(cloud.colors, colors, atol=1e-6)


def test_bytes_of_a_dark_cloud_are_not_taken_for_fractions(tmp_path):
    header = PLACE + "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    text = "1 2 3 0 1 1\n4 5 6 0 1 0\n7 8 9 1 1 0\n"
    (tmp_path / "dark.ply").write_text(HEAD.format("ascii", header) + text)
    assert float(read_cloud(tmp_path / "dark.ply").colors.max()) == pytest.approx(1 / 255)
    (tmp_path / "bare.ply").write_text(HEAD.format("ascii", PLACE) + "1 2 3\n4 5 6\n7 8 9\n")
    assert read_cloud(tmp_path / "bare.ply").colors is None


@pytest.mark.parametrize(
    "ending", [".ply", ".compressed.ply", ".splat", ".spz", ".sog", ".glb"]
)
def test_splats_are_still_splats(tmp_path, gen, ending):
    path = tmp_path / f"scene{ending}"
    write_splats(path, begin(Ball(count=12), gen))
    given = read_given(path)
    assert isinstance(given, Gaussians)
    assert given.count == 12


TRIANGLE = b"solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\n"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.obj", b"", "holds no triangles|no proper .obj"),
        ("a.obj", b"v 0 0 0\nf 1 2 3\n", "a.obj"),
        ("a.obj", b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "no numbers|no proper"),
        ("a.stl", TRIANGLE, "a.stl"),
        ("a.stl", b"\x00" * 83, "a.stl"),
        ("a.glb", b"glTF\x02\x00\x00\x00\x14\x00\x00\x00", "a.glb"),
        (
            "a.ply",
            HEAD.format("ascii", "property float x\n").encode() + b"1\n2\n3\n",
            "lacks y, z",
        ),
        ("a.ply", HEAD.format("ascii", PLACE).encode() + b"1 2 3\n4 5 6\n7 8 inf\n", "row 2"),
        ("a.ply", b"ply\nformat ascii 1.0\nend_header\n", "no element 'vertex'"),
        ("a.txt", b"hello", "not a file of splats"),
    ],
)
def test_files_of_anything_are_refused(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InvalidFile, match=message) as caught:
        read_given(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InvalidFile, match="No such file"):
        read_given(tmp_path / "missing.obj")


def test_limits_hold(tmp_path, monkeypatch):
    mesh, path = textured(box()), tmp_path / "box.glb"
    write_mesh(path, mesh, placing(mesh))
    for name, most, message in (
        ("MOST_FACES", 11, "more than 11 triangles"),
        ("MOST_PIXELS", 255, "more than 255 pixels"),
        ("MOST_BYTES", 100, "at most 100"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"splatsmith.export.mesh_files.read.{name}", most)
            with pytest.raises(InvalidFile, match=message):
                read_given(path)


def test_without_trimesh_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.obj").write_bytes(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(InputError, match=r"splatsmith\[mesh\]"):
        read_given(tmp_path / "a.obj")


def test_colors_at_corners_of_a_glb_are_amounts_of_light_without_a_material_too(tmp_path):
    half = trimesh.creation.box()
    half.visual.vertex_colors = np.full((8, 4), [55, 55, 55, 255], dtype=np.uint8)
    half.export(tmp_path / "half.glb")
    (part,) = read_given(tmp_path / "half.glb").parts
    shown = torch.sigmoid(part.paint.logit_colors.detach())
    assert float(shown.mean()) == pytest.approx(float(displayed(np.array(55 / 255))), abs=0.005)


def test_placements_of_many_corners_are_counted_before_memory_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr("splatsmith.export.mesh_files.read.MOST_CORNERS", 5000)
    corners = np.random.default_rng(0).random((1000, 3))
    loose = trimesh.Trimesh(corners, [[0, 1, 2]], process=False)
    scene = trimesh.Scene()
    for number in range(8):
        scene.add_geometry(loose, node_name=str(number), geom_name="loose")
    scene.export(tmp_path / "many.glb")
    with pytest.raises(InvalidFile, match="more than 5,000 corners"):
        read_given(tmp_path / "many.glb")
