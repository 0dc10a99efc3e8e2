"""Plain pictures of meshes: shapes known in closed form, paints that say where they are."""

import math

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.render.mesh_preview import (
    draw_mesh,
    hits,
    normal_paint,
    vertex_paint,
    wire_paint,
)

SQUARE = torch.tensor([[0.5, -1.0, -1], [0.5, 1, -1], [0.5, 1, 1], [0.5, -1, 1]])
FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])


def test_a_square_fills_what_geometry_says_at_its_depth():
    camera = orbit(0.0, 0.0, radius=3.5, fovy=60.0, width=64, height=64)
    paint = vertex_paint(SQUARE, FACES)
    picture = draw_mesh(SQUARE, FACES, camera, paint, torch.zeros(3), samples=4)
    half = 32 / math.tan(math.radians(30)) / 3.0  # pixels: focal length over distance
    assert float(picture.alpha.sum()) == pytest.approx((2 * half) ** 2, rel=0.01)
    assert float(picture.depth[0, 32, 32]) == pytest.approx(3.0)
    # The world's +Y is to the right and +Z is up when one looks at the front.
    away = 10.5 / half
    right_and_up = picture.color[0, 32 - 11, 32 + 10]
    torch.testing.assert_close(right_and_up, torch.tensor([0.5, away, away]), atol=1e-3, rtol=0)


def test_colors_are_even_in_the_world_not_in_the_picture():
    camera = orbit(60.0, 0.0, radius=3.0, width=96, height=96)
    seen = hits(SQUARE, FACES, camera)
    place = (seen.share[:, :, None] * SQUARE[FACES[seen.triangle]]).sum(1)
    local = place @ camera.viewmat[0, :3, :3].T + camera.viewmat[0, :3, 3]
    torch.testing.assert_close(local[:, 2], seen.depth, atol=1e-4, rtol=0)
    pixel = (local @ camera.K[0].T)[:, :2] / local[:, 2:]
    row, column = seen.pixel // 96, seen.pixel % 96
    torch.testing.assert_close(pixel, torch.stack([column, row], 1) + 0.5, atol=1e-3, rtol=0)


def test_the_back_is_not_drawn_and_the_nearer_wins():
    behind = orbit(180.0, 0.0, width=32, height=32)
    assert len(hits(SQUARE, FACES, behind).pixel) == 0
    both = torch.cat([SQUARE, SQUARE - torch.tensor([1.0, 0, 0])])
    seen = hits(both, torch.cat([FACES + 4, FACES]), orbit(0.0, 0.0, width=32, height=32))
    assert len(seen.pixel) > 500
    assert bool((seen.triangle >= 2).all())  # the near square hides all of the far one


def test_normals_and_wires_show():
    camera = orbit(0.0, 0.0, width=96, height=96)
    normals = torch.tensor([[1.0, 0, 0]]).expand(4, 3)
    paint = normal_paint(normals, FACES)
    picture = draw_mesh(SQUARE, FACES, camera, paint, torch.zeros(3))
    torch.testing.assert_close(picture.color[0, 48, 48], torch.tensor([1.0, 0.5, 0.5]))
    wires = wire_paint(SQUARE, normals, FACES, 0.1)
    picture = draw_mesh(SQUARE, FACES, camera, wires, torch.ones(3), samples=1)
    drawn = picture.color[0, ..., 0][picture.alpha[0, ..., 0] > 0]
    # Three lines a triangle, half of 0.1 wide: 4 x 2 + 2 x 2.83 long, of an area of 4.
    assert float((drawn < 0.74).float().mean()) == pytest.approx(0.05 * 13.66 / 4, rel=0.25)
    with pytest.raises(InputError, match=r"1\.\.8"):
        draw_mesh(SQUARE, FACES, camera, wires, torch.ones(3), samples=9)
