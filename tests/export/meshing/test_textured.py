"""A texture goes from a scene's colors through a scene to a file and stays what it is."""

import numpy as np
import pytest
import torch
from asset_scenes import BLUE, RED, two_colored_ball

from mesh_scenes import baked_from
from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.export.meshing.bake import with_texture
from splatsmith.export.meshing.mesh import Mesh as Asset
from splatsmith.export.meshing.surface import decimated, density_surface
from splatsmith.export.meshing.texture import paint_of
from splatsmith.export.meshing.textured import painted, textured_asset, textured_scene
from splatsmith.export.meshing.topology import topology, welded
from splatsmith.export.meshing.unwrap import texels
from splatsmith.export.meshing.views import seen, sphere_cameras
from splatsmith.render.mesh_preview import draw_mesh
from splatsmith.scenes.handover import surface_of
from splatsmith.scenes.kinds import restored
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.tetrahedra import Tetrahedra

SIZE = 96
WANTED = {"resolution": 24, "faces": 500, "texture": SIZE}


@pytest.fixture(autouse=True, scope="module")
def few_views():
    with baked_from(16, 64):
        yield


@pytest.fixture(scope="module")
def ball():
    return two_colored_ball()


@pytest.fixture(scope="module")
def scene(ball):
    return textured_scene(ball, **WANTED)


@pytest.fixture(scope="module")
def asset(scene):
    return textured_asset(scene)


def test_a_scene_of_splats_becomes_a_closed_mesh_in_its_colors(scene):
    assert 400 < len(scene.faces) <= 500
    assert topology(scene.faces).watertight  # whole, though its layout is cut open
    picture = scene.render(orbit([0.0, 180.0], 0.0, width=64, height=64), torch.ones(3))
    for view, color in enumerate((RED, BLUE)):
        middle = picture.color[view, 28:36, 28:36].reshape(-1, 3)
        assert (middle - torch.tensor(color)).abs().max() < 0.08


def test_the_same_scene_gives_the_same_mesh_to_the_last_bit(ball, scene):
    again = textured_scene(ball, **WANTED)
    for name, value in scene.state().items():
        assert torch.equal(again.state()[name], value), name


def test_written_at_once_it_is_what_baking_writes(ball):
    surface = decimated(density_surface(ball, resolution=24).mesh, 500)
    views = seen(ball, sphere_cameras(12, *surface.bounds, 64))
    baked, _ = with_texture(surface, views, SIZE)
    asset = textured_asset(painted(surface, views, SIZE))
    # Logits keep a thousandth away from 0 and 1, which is less than a byte's step.
    assert np.abs(asset.texture.astype(int) - baked.texture.astype(int)).max() <= 1
    torch.testing.assert_close(asset.corners, baked.corners)
    torch.testing.assert_close(asset.uvs[asset.faces], baked.uvs[baked.faces])


def test_the_file_shows_what_the_scene_shows(scene, asset):
    cameras = orbit([0.0, 75.0, 200.0], [10.0, -30.0, 60.0], width=48, height=48)
    white = torch.ones(3)
    inside = draw_mesh(asset.vertices, asset.faces, cameras, paint_of(asset), white, samples=1)
    ours = scene.render(cameras, white)
    both = (ours.alpha == 1) & (inside.alpha == 1)
    assert both.float().mean() > 0.1
    assert ((ours.color - inside.color).abs() * both).max() < 0.01


def test_what_lies_beyond_the_seams_repeats_the_surface_after_optimization(scene):
    changed = Mesh.from_state(scene.state())
    with torch.no_grad():
        changed.paint.logit_texture.copy_(
            torch.randn(SIZE, SIZE, 3, generator=torch.Generator().manual_seed(0))
        )
    asset = textured_asset(changed)
    known = torch.zeros(SIZE * SIZE, dtype=torch.bool)
    known[texels(asset, SIZE).sample] = True
    repeats = changed.paint.repeats
    assert torch.equal(repeats.reshape(-1)[known], known.nonzero()[:, 0])
    assert known[repeats.reshape(-1)].all()
    rows = torch.from_numpy(asset.texture).reshape(-1, 3)
    assert torch.equal(rows, rows[repeats.reshape(-1)])


def test_vertices_on_seams_move_together(scene, asset):
    moved = Mesh.from_state(scene.state())
    with torch.no_grad():
        moved.vertices += 0.02 * torch.randn(
            moved.vertices.shape, generator=torch.Generator().manual_seed(1)
        )
    after = textured_asset(moved)
    assert len(asset.vertices) > len(scene.vertices)
    assert topology(welded(after).faces).watertight
    torch.testing.assert_close(after.corners, moved.vertices.detach()[moved.faces])
    assert (after.normals.norm(dim=1) - 1).abs().max() < 1e-4


def test_other_kinds_of_scene_take_their_own_surface():
    grid = Tetrahedra.sphere(16, radius=0.5)
    with torch.no_grad():
        grid.logit_colors[:] = torch.tensor([3.0, -3.0, -3.0])
    red = torch.sigmoid(torch.tensor([3.0, -3.0, -3.0]))
    for scene in (grid, surface_of(grid, 16)):
        found = textured_scene(scene, resolution=16, faces=200, texture=64)
        assert isinstance(textured_asset(found), Asset)
        assert (found.paint.image() - red).abs().max() < 0.02


def test_what_has_no_texture_is_refused(scene):
    plain = Mesh.colored(scene.vertices.detach(), scene.faces)
    with pytest.raises(InputError, match="no texture to write"):
        textured_asset(plain)
    assert restored("textured", scene.state()).paint.repeats is not None
