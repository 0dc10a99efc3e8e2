"""The rasterizer draws what a plain loop over triangles draws, with the light in the world."""

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.evaluate.raster import rasterize
from splatsmith.toybox import build, render
from splatsmith.toybox.geometry import ToyMesh, mesh


def by_loop(given, cameras, light, ambient, background, samples):
    """The slow twin: every sample of every triangle, one view at a time."""
    fine = cameras.resized(cameras.width * samples, cameras.height * samples)
    toward = light / light.norm()
    shade = ambient + (1 - ambient) * (given.normals @ toward).clamp(min=0)
    lit = given.color * shade[:, None]
    pictures, covers = [], []
    for i in range(len(cameras)):
        local = given.vertices @ fine.viewmat[i, :3, :3].T + fine.viewmat[i, :3, 3]
        screen = local @ fine.K[i].T
        place = screen[:, :2] / screen[:, 2:]
        color = torch.full((fine.height, fine.width, 3), float(background))
        depth = torch.full((fine.height, fine.width), torch.inf)
        y, x = torch.meshgrid(
            torch.arange(fine.height) + 0.5, torch.arange(fine.width) + 0.5, indexing="ij"
        )
        for face in given.faces.tolist():
            a, b, c = (place[v] for v in face)
            area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
            if area >= 0:
                continue
            v = ((x - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (y - a[1])) / area
            w = ((b[0] - a[0]) * (y - a[1]) - (x - a[0]) * (b[1] - a[1])) / area
            shares = torch.stack([1 - v - w, v, w], -1)
            near = (shares / local[face, 2]).sum(-1)
            hit = (shares >= 0).all(-1) & (1 / near < depth)
            mixed = (shares / local[face, 2]) @ lit[face] / near[..., None]
            color[hit], depth[hit] = mixed[hit], (1 / near)[hit]
        shape = (cameras.height, samples, cameras.width, samples)
        pictures.append(color.reshape(*shape, 3).mean((1, 3)))
        covers.append((depth < torch.inf).float().reshape(shape).mean((1, 3)))
    return torch.stack(pictures), torch.stack(covers)


def some_triangles(gen, count=60):
    """A soup of triangles that cross each other, some of them large."""
    center = torch.rand(count, 1, 3, generator=gen) * 1.2 - 0.6
    corner = center + torch.randn(count, 3, 3, generator=gen) * 0.25
    normal = torch.nn.functional.normalize(torch.randn(3 * count, 3, generator=gen), dim=-1)
    color = torch.rand(3 * count, 3, generator=gen)
    faces = torch.arange(3 * count).reshape(count, 3)
    return ToyMesh(corner.reshape(-1, 3), faces, normal, color)


@pytest.mark.parametrize("samples", [1, 2])
def test_it_draws_what_the_loop_draws(samples, gen):
    given = some_triangles(gen)
    cameras = orbit([20.0, 140.0, 260.0], [0.0, 40.0, -80.0], width=32, height=24)
    light = torch.tensor([1.0, -2.0, 1.5])
    drawn = rasterize(
        given, cameras, light=light, ambient=0.3, background=0.25, samples=samples
    )
    color, cover = by_loop(given, cameras, light, 0.3, 0.25, samples)
    # A sample that falls on an edge may go to either side by rounding.
    same = (drawn.color - color).abs().amax(-1) < 1e-3
    assert same.float().mean() > 0.998
    assert ((drawn.alpha[..., 0] - cover).abs() < 1e-6).float().mean() > 0.998


def test_a_mesh_covers_what_the_toybox_draws():
    toy = build("teapot", color="blue")
    cameras = orbit(torch.arange(4) * 90.0 + 10, 20.0, width=96, height=96)
    light = torch.tensor([0.0, 0.0, 1.0])
    drawn, true = rasterize(mesh(toy, 64), cameras, light=light), render(toy, cameras)
    ours, theirs = drawn.alpha > 0.5, true.alpha > 0.5
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.98
    inside = (drawn.alpha > 0.99) & (true.alpha > 0.99)
    assert (drawn.depth - true.depth).abs()[inside].quantile(0.95) < 0.05


def test_one_mesh_for_each_camera_and_the_light_of_each(gen):
    first, second = some_triangles(gen), some_triangles(gen)
    cameras = orbit([0.0, 90.0], 10.0, width=16, height=16)
    light = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    both = rasterize([first, second], cameras, light=light).color
    for i, given in enumerate((first, second)):
        alone = rasterize(given, cameras[[i]], light=light[i]).color
        torch.testing.assert_close(both[[i]], alone)


def test_light_follows_lambert():
    """A square that faces the camera, under light from the front, the side and behind."""
    corner = torch.tensor([[0.0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    square = ToyMesh(corner, faces, torch.tensor([[1.0, 0, 0]]).repeat(4, 1), torch.ones(4, 3))
    cameras = orbit(0.0, 0.0, width=8, height=8)
    for light, shade in (((1, 0, 0), 1.0), ((1, 1, 0), 0.5**0.5), ((-1, 0, 0), 0.0)):
        toward = torch.tensor([float(v) for v in light])
        seen = rasterize(square, cameras, light=toward, ambient=0.2).color[0, 4, 4]
        torch.testing.assert_close(seen, torch.full((3,), 0.2 + 0.8 * shade))
    behind = rasterize(square, orbit(180.0, 0.0, width=8, height=8), light=corner[0])
    assert behind.alpha.max() == 0


def test_what_does_not_pair_up_is_refused(gen):
    given, cameras = some_triangles(gen), orbit([0.0, 90.0], 0.0, width=8, height=8)
    with pytest.raises(InputError, match="one each"):
        rasterize([given], cameras, light=torch.ones(3))
    with pytest.raises(InputError, match=r"1\.\.8"):
        rasterize(given, cameras, light=torch.ones(3), samples=9)
