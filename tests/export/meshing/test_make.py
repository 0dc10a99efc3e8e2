"""The whole way, its extras, and the other method."""

import base64
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from asset_scenes import splats, two_colored_ball
from browser import screenshot

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.export.mesh_files.pictures import mesh_sheet
from splatsmith.export.mesh_files.viewer import write_viewer
from splatsmith.export.meshing import MeshSettings, extras, make_mesh, tsdf_surface
from splatsmith.export.meshing.density import grid_between
from splatsmith.export.meshing.hull import collision_hull
from splatsmith.export.meshing.mesh import plain_mesh, vertex_normals, volume
from splatsmith.export.meshing.surface import level_set
from splatsmith.export.meshing.tangents import shading_axes, vertex_tangents, with_normal_map
from splatsmith.export.meshing.topology import topology
from splatsmith.export.meshing.tsdf import fused
from splatsmith.export.meshing.unwrap import texels
from splatsmith.export.meshing.views import Views, front_depths, rays, seen, sphere_cameras

SMALL = MeshSettings(
    resolution=24,
    faces=400,
    texture=128,
    views=8,
    view_size=64,
    normal_map=True,
    lods=(0.25,),
    collision=True,
)


@pytest.fixture(scope="module")
def scene():
    return two_colored_ball(200)


@pytest.fixture(scope="module")
def made(scene):
    return make_mesh(scene, SMALL)


def test_a_made_mesh_keeps_what_was_asked_and_says_so(made):
    report = made.report
    assert report["watertight"]
    assert report["faces"] == len(made.mesh.faces) <= 400
    assert len(made.lods[0].faces) <= 100
    assert report["lods"][0]["faces"] == len(made.lods[0].faces)
    assert report["collision_faces"] == len(made.collision.faces)
    assert report["psnr"] > 10
    assert made.mesh.texture.shape == made.mesh.normal_map.shape == (128, 128, 3)
    assert made.lods[0].texture is not None


def test_the_hull_is_convex_closed_and_around(made):
    hull = made.collision
    assert topology(hull.faces).watertight
    assert volume(hull) > 0
    corners = hull.corners
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = torch.nn.functional.normalize(normal, dim=-1)
    above = torch.einsum("fi,pi->fp", normal, hull.vertices) - (normal * corners[:, 0]).sum(
        -1, keepdim=True
    )
    assert float(above.max()) < 1e-5
    assert volume(hull) > 0.9 * volume(made.mesh)
    assert len(collision_hull(made.mesh, 12).vertices) <= 12


def test_a_normal_map_says_what_a_shader_will_see():
    # A square of two triangles, turned and mirrored in its texture; the fine normals lean.
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    square = plain_mesh(vertices, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    lean = torch.nn.functional.normalize(torch.tensor([0.3, -0.2, 1.0]), dim=0)
    fine = replace(square, normals=lean.expand(4, 3))
    for uvs in (
        [[0.1, 0.9], [0.9, 0.9], [0.9, 0.1], [0.1, 0.1]],  # upright: v grows downward
        [[0.9, 0.9], [0.1, 0.9], [0.1, 0.1], [0.9, 0.1]],  # mirrored
        [[0.1, 0.1], [0.1, 0.9], [0.9, 0.9], [0.9, 0.1]],  # turned and mirrored
    ):
        blank = np.zeros((32, 32, 3), dtype=np.uint8)
        mapped = with_normal_map(replace(square, uvs=torch.tensor(uvs), texture=blank), fine)
        found = texels(mapped, 32)
        stored = mapped.normal_map.reshape(-1, 3)[found.sample.numpy()]
        local = torch.from_numpy(stored.astype(np.float32)) / 255 * 2 - 1
        axes = torch.stack(shading_axes(mapped, found.triangle, found.weight), dim=1)
        seen = torch.einsum("pi,pij->pj", local, axes)
        torch.testing.assert_close(seen, lean.expand_as(seen), atol=0.015, rtol=0)
    upright = torch.tensor([[0.1, 0.9], [0.9, 0.9], [0.9, 0.1], [0.1, 0.1]])
    tangents = vertex_tangents(replace(square, uvs=upright))
    # To the right is +x, up in the picture is +y: +1 by glTF's formula.
    torch.testing.assert_close(tangents, torch.tensor([[1.0, 0, 0, 1]]).expand(4, 4))


def test_what_leaks_through_hardly_moves_the_front():
    # Two sheets a unit apart; the front one lets much of the light through.
    y, z = torch.meshgrid(torch.linspace(-1, 1, 41), torch.linspace(-1, 1, 41), indexing="ij")
    sheet = torch.stack([torch.zeros_like(y), y, z], dim=-1).reshape(-1, 3)
    both = torch.cat([sheet + torch.tensor([0.5, 0, 0]), sheet - torch.tensor([0.5, 0, 0])])
    scene = splats(both, 0.05, 0.15)
    cameras = orbit(0.0, 0.0, radius=3.0, width=16, height=16)
    views = seen(scene, cameras)
    mean, front = views.depth[0, 8, 8, 0], front_depths(scene, cameras)[0, 8, 8, 0]
    assert float(mean) > 2.55
    assert float(front) == pytest.approx(2.5, abs=0.05)


def test_depths_of_a_ball_fuse_to_the_ball():
    low, high = torch.full((3,), -0.6), torch.full((3,), 0.6)
    cameras = sphere_cameras(20, low, high, 96)
    origin, direction = rays(cameras)
    a = direction.square().sum(-1)
    half = (direction * origin[:, None, None]).sum(-1)
    root = half**2 - a * (origin.square().sum(-1)[:, None, None] - 0.25)
    depth = torch.where(root > 0, (-half - root.clamp(min=0).sqrt()) / a, 0.0)[..., None]
    views = Views(cameras, torch.zeros(20, 96, 96, 3), (depth > 0).float(), depth)
    grid = grid_between(low, high, 32, margin=3)
    found = level_set(1 - fused(views, grid), grid, 1.0)
    radius = found.vertices.norm(dim=1)
    assert float(radius.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(radius.std()) < 0.01
    assert topology(found.faces).watertight


def test_the_methods_agree_about_a_ball(scene, made):
    other = tsdf_surface(scene, resolution=24, views=20).mesh
    assert topology(other.faces).watertight
    assert volume(other) == pytest.approx(volume(made.mesh), rel=0.35)
    with pytest.raises(InputError, match="nowhere opaque"):
        tsdf_surface(splats([[0.0, 0, 0]], 0.3, 0.2), resolution=16, views=4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"faces": 3}, "faces must lie in 4"),
        ({"texture": 16}, "texture must lie in 64"),
        ({"views": 0}, "views must lie in 1"),
        ({"lods": (1.5,)}, r"lods\[0\] must lie in 0\.001"),
        ({"method": "tsdf", "level": 0.5}, "Only the method density has a level"),
        ({"texture": 0, "normal_map": True}, "normal map needs a texture"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        MeshSettings(**wrong)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(extras.PACKAGES, "no_such_package", "no-such-package")
    with pytest.raises(InputError, match=r'pip install "splatsmith\[mesh\]"'):
        extras.needed("no_such_package")


def test_the_viewer_carries_everything_and_asks_for_nothing(made, scene, tmp_path):
    path = write_viewer(tmp_path / "a <ball>.html", made.mesh, scene)
    page = path.read_text()
    assert "a &lt;ball&gt;" in page
    # Nothing is fetched: no address but that of the texture inside.
    assert not re.search(r"https?://|src=\"|import ", page)
    packed = re.search(r'"splats": "([^"]+)"', page).group(1)
    rows = np.frombuffer(base64.b64decode(packed), "<f4").reshape(-1, 14)
    assert len(rows) == scene.count
    order = np.lexsort(rows[:, :3].T)
    expected = scene.means.detach().numpy()
    np.testing.assert_array_equal(rows[order, :3], expected[np.lexsort(expected.T)])
    np.testing.assert_allclose(rows[:, 8], 0.07**2, rtol=1e-4)
    packed = re.search(r'"mesh": "([^"]+)"', page).group(1)
    soup = np.frombuffer(base64.b64decode(packed), "<f4").reshape(-1, 3, 11)
    torch.testing.assert_close(torch.tensor(soup[..., :3]), made.mesh.corners)


@pytest.mark.parametrize("show", ["mesh", "splats"])
def test_a_browser_shows_the_front_red_and_nothing_beside(made, scene, tmp_path, show):
    page = write_viewer(tmp_path / "ball.html", made.mesh, scene)
    picture = screenshot(page, tmp_path, show=show)
    middle = picture[170:230, 170:230].reshape(-1, 3).mean(axis=0)
    # RED is (0.9, 0.1, 0.1); the splats let a little of the blue behind through.
    assert middle[0] > 200
    assert middle[2] < 60
    assert (picture[150:250, :15] == 255).all()


def test_the_sheet_shows_all_four(made, scene):
    sheet = mesh_sheet(scene, made.mesh, size=48)
    rows = sheet.reshape(4, -1, *sheet.shape[1:])
    assert all(float(row.std()) > 10 for row in rows)
    red = (rows[1][..., 0] > 180) & (rows[1][..., 2] < 80)
    assert int(red.sum()) > 100


def test_normals_are_shared_evenly():
    cube = torch.tensor([[x, y, z] for x in (0.0, 1) for y in (0.0, 1) for z in (0.0, 1)])
    quads = [[4, 6, 7, 5], [0, 1, 3, 2], [2, 3, 7, 6], [0, 4, 5, 1], [1, 5, 7, 3], [0, 2, 6, 4]]
    faces = torch.tensor([f for a, b, c, d in quads for f in ([a, b, c], [a, c, d])])
    expected = torch.nn.functional.normalize(cube - 0.5, dim=-1)
    # Weighted by angle alone the corners would be exact; by area too, it does not matter here.
    assert float((vertex_normals(cube, faces) * expected).sum(1).min()) > 0.999
