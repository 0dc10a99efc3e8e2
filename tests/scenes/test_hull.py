"""Hulls of things whose outlines are known in closed form."""

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.scenes.hull import carved, colored_hull, project, surface

SIZE = 64
RED, BLUE = torch.tensor([0.9, 0.1, 0.1]), torch.tensor([0.1, 0.1, 0.9])


def around(views=8, elevations=(0.0, 45.0)):
    azimuths = [k * 360 / views for _ in elevations for k in range(views)]
    heights = [elevation for elevation in elevations for _ in range(views)]
    return orbit(azimuths, torch.tensor(heights), width=SIZE, height=SIZE)


def rays(cameras):
    """Directions [views rows columns 3] of the middles of pixels."""
    line = torch.arange(SIZE) + 0.5
    v, u = torch.meshgrid(line, line, indexing="ij")
    pixels = torch.stack([u, v, torch.ones_like(u)], dim=-1)
    there = torch.einsum("vij,rcj->vrci", torch.linalg.inv(cameras.K), pixels)
    rotation = cameras.viewmat[:, :3, :3]
    return torch.nn.functional.normalize(
        torch.einsum("vji,vrcj->vrci", rotation, there), dim=-1
    )


def balls(cameras, centers, radius):
    """Which ball each pixel sees first, -1 for none, and where."""
    eye, way = cameras.position[:, None, None], rays(cameras)
    nearest = torch.full(way.shape[:3], torch.inf)
    which = torch.full(way.shape[:3], -1)
    for number, center in enumerate(centers):
        to = torch.tensor(center) - eye
        along = (to * way).sum(dim=-1)
        inside = radius**2 - (to.square().sum(dim=-1) - along**2)
        depth = along - inside.clamp_min(0).sqrt()
        hit = (inside > 0) & (depth < nearest)
        nearest, which = torch.where(hit, depth, nearest), torch.where(hit, number, which)
    return which, eye + way * nearest[..., None].nan_to_num(posinf=0)


def middles(cells):
    axis = (torch.arange(cells) + 0.5) / cells * 2 - 1
    return torch.cartesian_prod(axis, axis, axis)


def test_a_pixel_and_the_point_it_sees_belong_together():
    cameras = around()
    which, places = balls(cameras, [(0.1, -0.2, 0.3)], 0.4)
    pixels, depth = project(places[3].reshape(-1, 3), cameras)
    expected = torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE)).flip(1) + 0.5
    hit = which[3].reshape(-1) >= 0
    torch.testing.assert_close(pixels[3][hit], expected[hit].float(), atol=1e-3, rtol=0)
    assert (depth[3][hit] > 2).all()


def test_the_hull_of_a_ball_is_about_the_ball():
    cameras = around(16, (-30.0, 0.0, 30.0, 70.0))
    which, _ = balls(cameras, [(0.1, 0.0, -0.1)], 0.5)
    hull = carved(which >= 0, cameras, 48, 1.0).reshape(-1)
    distance = (middles(48) - torch.tensor([0.1, 0.0, -0.1])).norm(dim=1)
    assert hull[distance < 0.47].all()  # A pixel is 0.036 wide.
    assert not hull[distance > 0.62].any()
    assert float(hull.sum() / (distance < 0.5).sum()) == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize("agreed", [0.3, 0.75, 1.0])
def test_carving_is_counting(agreed, gen):
    """The definition, cell by cell and view by view."""
    cameras = around(3)
    masks = torch.rand(6, SIZE, SIZE, generator=gen) > 0.4
    hull = carved(masks, cameras, 6, agreed).reshape(-1)
    for number, middle in enumerate(middles(6)):
        seen = 0
        for view in range(6):
            there = cameras.viewmat[view] @ torch.cat([middle, torch.ones(1)])
            x, y, z = (cameras.K[view] @ there[:3]).tolist()
            column, row = int(x / z // 1), int(y / z // 1)
            if 0 <= column < SIZE and 0 <= row < SIZE:
                seen += int(masks[view, row, column])
        assert bool(hull[number]) == (seen >= agreed * 6 - 1e-4)


def test_a_view_that_is_wrong_can_be_outvoted():
    cameras = around()
    which, _ = balls(cameras, [(0.0, 0.0, 0.0)], 0.5)
    masks = which >= 0
    wrong = masks.clone()
    wrong[5] = False
    assert not carved(wrong, cameras, 24, 1.0).any()
    trusting = carved(wrong, cameras, 24, 0.9)
    assert (trusting >= carved(masks, cameras, 24, 1.0)).all()


def test_the_surface_of_a_block():
    hull = torch.zeros(7, 7, 7, dtype=torch.bool)
    hull[1:5, 1:6, 0:4] = True
    expected = hull.clone()
    expected[2:4, 2:5, 1:3] = False  # What lies at the rim of the grid is surface too.
    assert torch.equal(surface(hull), expected)


def test_points_have_the_colors_of_the_pictures_that_see_them(gen):
    """Two balls that hide each other from some sides."""
    cameras = around()
    centers = [(0.45, 0.0, 0.0), (-0.45, 0.0, 0.0)]
    which, _ = balls(cameras, centers, 0.4)
    pictures = torch.ones(*which.shape, 3)
    pictures[which == 0], pictures[which == 1] = RED, BLUE
    hull = carved(which >= 0, cameras, 48, 1.0)
    cloud = colored_hull(hull, pictures, which >= 0, cameras, 2000, gen)
    assert len(cloud) == 2000
    distance = torch.stack(
        [(cloud.points - torch.tensor(center)).norm(dim=1) for center in centers]
    )
    assert (distance.amin(dim=0) < 0.5).all()
    clear = cloud.points[:, 0].abs() > 0.1
    expected = torch.where(cloud.points[:, :1] > 0, RED, BLUE)
    error = (cloud.colors - expected).abs().amax(dim=1)[clear]
    assert float((error < 0.1).float().mean()) > 0.97


def test_more_points_than_cells_and_fewer(gen):
    cameras = around()
    which, _ = balls(cameras, [(0.0, 0.0, 0.0)], 0.3)
    hull = carved(which >= 0, cameras, 16, 1.0)
    pictures = torch.zeros(*which.shape, 3)
    cells = int(surface(hull).sum())
    for count in (1, cells // 2, cells, 5 * cells + 1):
        cloud = colored_hull(hull, pictures, which >= 0, cameras, count, gen)
        assert len(cloud) == count
        where = ((cloud.points + 1) / 2 * 16).long()
        assert surface(hull)[tuple(where.T)].all()
        assert len(where.unique(dim=0)) == min(count, cells)


def test_nothing_has_no_surface(gen):
    cameras = around()
    nothing = torch.zeros(16, SIZE, SIZE, dtype=torch.bool)
    hull = carved(nothing, cameras, 8, 0.5)
    with pytest.raises(InputError, match="agree on no place"):
        colored_hull(hull, torch.ones(16, SIZE, SIZE, 3), nothing, cameras, 10, gen)
