"""What is given becomes a scene: fitted, capped, in its own colors."""

import pytest
import torch

from splatsmith.errors import InputError
from splatsmith.scenes import Ball, begin
from splatsmith.scenes.clouds import Cloud, Growth
from splatsmith.scenes.gaussians import SH_C0
from splatsmith.scenes.given import (
    Surface,
    as_gaussians,
    as_tetrahedra,
    described,
    fitted,
    upright,
)
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.paint import ImageTexture, colors_to_logits
from splatsmith.scenes.point_starts import Hull, Points
from splatsmith.scenes.transforms import UPRIGHT, importance


def cube(side=1.0, at=(0.0, 0.0, 0.0), colors=None):
    """A closed cube; its corners are colored."""
    corner = torch.tensor([[x, y, z] for x in (0.0, 1) for y in (0.0, 1) for z in (0.0, 1)])
    quads = [[4, 6, 7, 5], [0, 1, 3, 2], [2, 3, 7, 6], [0, 4, 5, 1], [1, 5, 7, 3], [0, 2, 6, 4]]
    faces = [f for a, b, c, d in quads for f in ([a, b, c], [a, c, d])]
    colors = corner if colors is None else colors
    return Mesh.colored((corner - 0.5) * side + torch.tensor(at), torch.tensor(faces), colors)


def places(given):
    if isinstance(given, Surface):
        return torch.cat([part.vertices.detach() for part in given.parts])
    return given.points if isinstance(given, Cloud) else given.means.detach()


def things(factor, offset, gen):
    scene = begin(Ball(count=50, radius=0.8), gen)
    state = scene.state()
    state["means"] = state["means"] * factor + torch.tensor(offset)
    state["log_scales"] = state["log_scales"] + torch.tensor(factor).log()
    scene = type(scene).from_state(state)
    return [
        scene,
        Cloud(scene.means.detach()),
        Surface((cube(factor, offset), cube(0.5 * factor, offset))),
    ]


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_what_does_not_fit_is_moved_and_resized(kind, gen):
    given = things(7.0, (3.0, -2.0, 5.0), gen)[kind]
    found, said = fitted(given, 0.9)
    before, after = places(given).double(), places(found).double()
    assert float(after.norm(dim=1).max()) == pytest.approx(0.9, rel=1e-5)
    middle = (after.amin(dim=0) + after.amax(dim=0)) / 2
    assert middle.abs().max() < 1e-5
    factor = 0.9 / float(
        (before - (before.amin(dim=0) + before.amax(dim=0)) / 2).norm(dim=1).max()
    )
    assert f"{factor:.3g} times as large" in said
    torch.testing.assert_close(
        torch.cdist(after, after), factor * torch.cdist(before, before), atol=1e-4, rtol=1e-4
    )
    if kind == 0:
        torch.testing.assert_close(found.scales, given.scales * factor)


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_what_fits_stays_to_the_bit(kind, gen):
    given = things(0.6, (0.1, 0.0, 0.0), gen)[kind]
    found, said = fitted(given, 0.9)
    assert found is given
    assert said == "which fits"
    tiny = things(0.01, (0.0, 0.0, 0.0), gen)[kind]
    assert float(places(fitted(tiny, 0.9)[0]).norm(dim=1).max()) == pytest.approx(0.9, rel=1e-5)


def test_a_single_point_is_only_moved():
    found, said = fitted(Cloud(torch.tensor([[5.0, 5, 5]])), 0.9)
    assert found.points.abs().max() == 0
    assert said == "moved by -5, -5, -5 and made 1 times as large"


def test_far_away_things_keep_their_shape(gen):
    shape = torch.randint(-50, 50, (40, 3), generator=gen).float()
    found, _ = fitted(Cloud(shape + 1e6), 0.9)
    again, _ = fitted(Cloud(shape), 0.9)
    torch.testing.assert_close(found.points, again.points)


@pytest.mark.parametrize("axes", UPRIGHT)
def test_axes_are_turned_up(axes, gen):
    rotation = torch.tensor(UPRIGHT[axes], dtype=torch.float64)
    up = torch.zeros(3)
    up["xyz".index(axes[0])] = 1.0 if axes.endswith("up") else -1.0
    turned = upright(Cloud(torch.stack([up, up])), rotation)
    torch.testing.assert_close(turned.points[0], torch.tensor([0.0, 0.0, 1.0]))
    tall = Mesh.colored(torch.stack([up, 2 * up, up + 1]), torch.tensor([[0, 1, 2]]))
    found = upright(Surface((tall,)), rotation).parts[0].vertices
    torch.testing.assert_close(found[1], torch.tensor([0.0, 0.0, 2.0]))


def test_too_many_splats_leave_those_that_show_most(gen):
    scene = begin(Ball(count=60), gen)
    few = as_gaussians(Points(count=25), scene, gen)
    least = importance(scene).sort(descending=True).values[24]
    expected = scene.means.detach()[importance(scene) >= least]
    assert torch.equal(few.means.detach(), expected)
    whole = as_gaussians(Points(count=100, sh_degree=1), scene, gen)
    assert torch.equal(whole.logit_opacities, scene.logit_opacities)
    assert whole.sh_degree == 1


def test_a_cloud_becomes_splats_with_its_colors(gen):
    cloud = Cloud(torch.randn(30, 3, generator=gen), torch.rand(30, 3, generator=gen))
    scene = as_gaussians(Points(opacity=0.7), cloud, gen)
    assert torch.equal(scene.means, cloud.points)
    torch.testing.assert_close(0.5 + SH_C0 * scene.sh[:, 0], cloud.colors)
    torch.testing.assert_close(scene.opacities, torch.full((30,), 0.7))
    assert as_gaussians(Points(count=10), cloud, gen).count == 10
    growth = Growth(trials=2000, reach=1.0)
    more = as_gaussians(Hull(count=200, growth=growth), cloud, gen)
    assert more.count == 200
    assert torch.equal(more.means[:30], cloud.points)


def test_a_surface_gets_splats_by_area_in_its_colors(gen):
    red, blue = torch.tensor([0.9, 0.1, 0.1]), torch.tensor([0.1, 0.1, 0.9])
    large = cube(0.8, colors=red.expand(8, 3))
    small = cube(0.4, (0.0, 0.0, 0.9), colors=blue.expand(8, 3))
    scene = as_gaussians(Points(count=1000, scale=0.5), Surface((large, small)), gen)
    assert scene.count == 1000
    color = 0.5 + SH_C0 * scene.sh.detach()[:, 0]
    torch.testing.assert_close(color[:800], red.expand(800, 3))  # a fifth of the area is blue
    torch.testing.assert_close(color[800:], blue.expand(200, 3))
    face = scene.means.detach()[:800].abs().amax(dim=1)
    torch.testing.assert_close(face, torch.full((800,), 0.4))
    side = 0.5 * (6 * 0.8**2 / 800) ** 0.5 / 2
    assert scene.scales[0].tolist() == pytest.approx([side, side, 0.1 * side], rel=1e-4)


def test_a_closed_surface_becomes_tetrahedra(gen):
    """Two cubes apart, the vertices of each told once for each face, as files do."""
    parts = []
    for at in ((-0.4, 0.0, 0.0), (0.4, 0.0, 0.0)):
        mesh = cube(0.5, at)
        split = mesh.vertices.detach()[mesh.faces].reshape(-1, 3)
        image = colors_to_logits(torch.tensor([0.2, 0.7, 0.3]).expand(4, 4, 3))
        corners = torch.arange(36).reshape(-1, 3)
        paint = ImageTexture(image, torch.full((36, 2), 0.5), corners)
        parts.append(Mesh(split, corners, paint))
    grid = as_tetrahedra(Surface(tuple(parts)), 32, gen)
    mesh = grid.mesh()
    low, high = mesh.vertices.amin(dim=0), mesh.vertices.amax(dim=0)
    torch.testing.assert_close(low, torch.tensor([-0.65, -0.25, -0.25]), atol=0.05, rtol=0)
    torch.testing.assert_close(high, torch.tensor([0.65, 0.25, 0.25]), atol=0.05, rtol=0)
    corners = mesh.vertices.detach()[mesh.faces].double()
    volume = float(torch.linalg.det(corners).sum()) / 6
    assert volume == pytest.approx(2 * 0.5**3, rel=0.15)
    color = torch.sigmoid(mesh.paint.logit_colors).mean(dim=0)
    torch.testing.assert_close(color, torch.tensor([0.2, 0.7, 0.3]), atol=0.02, rtol=0)


def test_what_has_no_inside_is_refused(gen):
    with pytest.raises(InputError, match="points have no inside"):
        as_tetrahedra(Cloud(torch.zeros(3, 3)), 16, gen)
    mesh = cube()
    open_ = Mesh.colored(mesh.vertices.detach() * 0.5, mesh.faces[:-1])
    with pytest.raises(InputError, match="not closed"):
        as_tetrahedra(Surface((open_,)), 16, gen)
    flat = Mesh.colored(torch.zeros(3, 3), torch.tensor([[0, 1, 2]]))
    with pytest.raises(InputError, match="no area"):
        as_gaussians(Points(), Surface((flat,)), gen)


def test_things_are_described(gen):
    words = [described(given) for given in things(1.0, (0.0, 0.0, 0.0), gen)]
    assert words == ["50 splats", "a cloud of 50 points without colors", "a mesh of 24 faces"]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"count": 0}, "count"),
        ({"radius": 1.5}, "radius"),
        ({"opacity": 1.0}, "opacity"),
        ({"scale": 0.0}, "scale"),
        ({"sh_degree": 4}, "sh_degree"),
    ],
)
def test_impossible_numbers_are_refused(keywords, message):
    with pytest.raises(InputError, match=message):
        Points(**keywords)


def octahedron(reach=1.0, at=(0.0, 0.0, 0.0)):
    corners = torch.eye(3).repeat_interleave(2, 0) * torch.tensor([1.0, -1] * 3)[:, None]
    faces = [[a, b, c] for a in (0, 1) for b in (2, 3) for c in (4, 5)]
    outward = [f if (f[0] + f[1] + f[2]) % 2 == 0 else f[::-1] for f in faces]
    return Mesh.colored(corners * reach + torch.tensor(at), torch.tensor(outward))


@pytest.mark.parametrize("turned", [(False,), (True,), (False, True)])
def test_parts_whose_faces_look_inward_are_turned(turned, gen):
    parts = []
    for place, inward in enumerate(turned):
        part = octahedron(0.35, (1.0 * place - 0.5, 0.0, 0.0))
        faces = part.faces.flip(1) if inward else part.faces
        parts.append(Mesh.colored(part.vertices.detach(), faces))
    found = as_tetrahedra(Surface(tuple(parts)), 32, gen).mesh().vertices
    reach = torch.stack([found[:, 0].amin(), found[:, 0].amax()])
    expected = torch.tensor([-0.85, len(turned) - 1.15])
    torch.testing.assert_close(reach, expected, atol=0.05, rtol=0)


def test_what_fits_becomes_tetrahedra_though_it_reaches_the_grid_s_end(gen):
    for given in (
        Surface((octahedron(1.0),)),
        begin(Ball(count=400, radius=1.0, opacity=0.9, falloff="constant"), gen),
    ):
        found, said = fitted(given, 0.9)
        assert said == "which fits"
        assert len(as_tetrahedra(found, 32, gen).mesh().faces) > 100
