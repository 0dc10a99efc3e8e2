"""Meshes as scenes: pictures in closed form, gradients, light, paints, state."""

import math

import pytest
import torch
from torch import nn

from mesh_scenes import sphere, views
from splatsmith.errors import InputError
from splatsmith.render.mesh import Hits
from splatsmith.render.shading import Shading
from splatsmith.scenes.mesh import Mesh
from splatsmith.scenes.paint import FieldColors, ImageTexture, colors_to_logits


class Stripes(nn.Module):
    """A field: a color that runs along x."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        self.register_buffer("shift", torch.tensor(0.25))

    def forward(self, points):
        return torch.sigmoid(points[:, :1] * self.slope + self.shift)


def ball(colors=None, radius=0.7):
    return Mesh.colored(*sphere(24, radius), colors)


def test_a_sphere_looks_as_a_sphere_does():
    cameras = views(2, 48, 48)
    red = torch.tensor([0.8, 0.2, 0.1])
    scene = ball(red.expand(len(sphere(24)[0]), 3))
    picture = scene.render(cameras, torch.ones(3))
    middle = (slice(None), 24, 24)
    torch.testing.assert_close(picture.color[middle], red.expand(2, 3), atol=1e-4, rtol=0.0)
    torch.testing.assert_close(
        picture.depth[middle][:, 0], torch.full((2,), 1.8), atol=0.02, rtol=0.0
    )
    toward = torch.nn.functional.normalize(cameras.position, dim=-1)
    torch.testing.assert_close(picture.normal[middle], toward, atol=0.06, rtol=0.0)
    focal = cameras.K[0, 0, 0]
    disk = math.pi * (focal * 0.7 / math.sqrt(2.5**2 - 0.49)) ** 2
    assert (picture.alpha.sum(dim=(1, 2, 3)) / disk - 1).abs().max() < 0.02
    corner = (slice(None), 0, 0)
    assert torch.equal(picture.color[corner], torch.ones(2, 3))
    assert torch.equal(picture.depth[corner], torch.zeros(2, 1))
    edge = (picture.alpha > 0.05) & (picture.alpha < 0.95)
    assert edge.any()
    near = math.sqrt(2.5**2 - 0.49) * math.cos(math.asin(0.7 / 2.5))
    assert (picture.depth[edge] - near).abs().max() < 0.25


def test_backgrounds_are_colors_or_pictures(gen):
    cameras, scene = views(2, 20, 16), ball()
    whole = torch.rand(2, 16, 20, 3, generator=gen)
    over = scene.render(cameras, whole)
    outside = (over.alpha == 0).expand_as(whole)
    assert torch.equal(over.color[outside], whole[outside])
    each = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    picture = scene.render(cameras, each)
    assert torch.equal(picture.color[:, 0, 0], each)
    with pytest.raises(InputError, match="background has shape"):
        scene.render(cameras, torch.ones(3, 3))


def test_light_falls_as_the_lamp_says():
    cameras, scene = views(1, 40, 40), ball().requires_grad_(False)
    lamp = cameras.position * 2
    looks = {
        look: scene.render(cameras, torch.zeros(3), shading=Shading.of([look], lamp, 0.2))
        for look in ("albedo", "lambertian", "textureless")
    }
    middle = {look: float(p.color[0, 20, 20, 0]) for look, p in looks.items()}
    assert abs(middle["albedo"] - 0.5) < 1e-3
    assert abs(middle["lambertian"] - 0.5) < 0.01
    assert abs(middle["textureless"] - 1.0) < 0.01
    behind = Shading.of(["textureless"], -lamp, 0.2)
    dark = scene.render(cameras, torch.zeros(3), shading=behind)
    assert abs(float(dark.color[0, 20, 20, 0]) - 0.2) < 0.01


def test_gradients_reach_vertices_and_colors_and_pull_the_right_way():
    cameras = views(2, 32, 32)
    scene = ball()
    picture = scene.render(cameras, torch.ones(3))
    picture.color.sum().backward()
    assert scene.parameters_by_name().keys() == {"vertices", "logit_colors"}
    assert scene.paint.logit_colors.grad.abs().sum() > 0
    outward = (scene.vertices.grad * scene.vertices).sum()
    assert outward < 0  # a larger grey ball before white is darker
    scene.vertices.requires_grad_(False)
    scene.vertices.grad = None
    scene.render(cameras, torch.ones(3)).color.sum().backward()
    assert scene.vertices.grad is None


def image(gen, vertices, faces):
    """A texture whose coordinates are the vertices' longitude and height."""
    u = torch.atan2(vertices[:, 1], vertices[:, 0]) / (2 * math.pi) + 0.5
    v = 0.5 + 0.5 * vertices[:, 2] / vertices.norm(dim=1)
    return ImageTexture(torch.randn(8, 6, 3, generator=gen), torch.stack([u, v], 1), faces)


def test_an_image_is_the_right_way_up(gen):
    vertices, faces = sphere(24)
    paint = image(gen, vertices, faces)
    with torch.no_grad():
        paint.logit_texture[:4] = -8.0  # black above,
        paint.logit_texture[4:] = 8.0  # white below
    picture = Mesh(vertices, faces, paint).render(views(1, 40, 40), torch.full((3,), 0.5))
    assert picture.color[0, 14, 20].max() < 0.05
    assert picture.color[0, 30, 20].min() > 0.95
    picture.color.square().sum().backward()
    assert paint.logit_texture.grad.abs().sum() > 0


def seamed(gen):
    """Two triangles of a square, each on a piece of its own in an image of 6 x 8 pixels."""
    vertices = torch.tensor([[0.0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    uv = torch.tensor(
        [[0.05, 0.1], [0.4, 0.1], [0.4, 0.9], [0.6, 0.1], [0.95, 0.9], [0.6, 0.9]]
    )
    repeats = torch.arange(48).reshape(6, 8)
    repeats[:, 3] = repeats[:, 2]  # the gap between the pieces shows what is left of it,
    repeats[:, 4] = repeats[:, 5]  # or right of it
    texture = torch.randn(6, 8, 3, generator=gen)
    return vertices, faces, ImageTexture(texture, uv, torch.arange(6).reshape(2, 3), repeats)


def test_pixels_that_repeat_others_show_and_move_them(gen):
    vertices, faces, paint = seamed(gen)
    image = paint.image()
    assert torch.equal(image[:, 3], image[:, 2])
    assert torch.equal(image[:, 2], torch.sigmoid(paint.logit_texture)[:, 2])
    Mesh(vertices, faces, paint).render(views(1, 40, 40), torch.ones(3)).color.sum().backward()
    assert (paint.logit_texture.grad[:, 3:5] == 0).all()
    beside = paint.logit_texture.grad[:, 2].abs().sum()
    alone = ImageTexture(paint.logit_texture, paint.uv, paint.uv_faces)
    Mesh(vertices, faces, alone).render(views(1, 40, 40), torch.ones(3)).color.sum().backward()
    assert beside > alone.logit_texture.grad[:, 2].abs().sum()


def test_the_gradient_of_an_image_is_right(gen):
    *_, paint = seamed(gen)
    paint = paint.double()
    corners = torch.rand(40, 3, generator=gen, dtype=torch.float64)
    corners = corners / corners.sum(dim=1, keepdim=True)
    hits = Hits(corners, torch.randint(2, (40,), generator=gen), corners)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    texture = paint.logit_texture.detach().clone().requires_grad_()

    def colors(logits):
        return torch.func.functional_call(paint, {"logit_texture": logits}, (hits, faces))

    paint.forward = paint.color
    assert torch.autograd.gradcheck(colors, (texture,))


def test_a_field_colors_points_of_the_world():
    vertices, faces = sphere(24)
    scene = Mesh(vertices, faces, FieldColors(Stripes()))
    assert set(scene.parameters_by_name()) == {"vertices", "field.slope"}
    cameras = views(1, 41, 41)
    picture = scene.render(cameras, torch.ones(3))
    at = 1.8 / 2.5  # share of the way to the camera's target
    point = cameras.position[0] * (1 - at)
    expected = scene.paint.field(point[None])[0]
    torch.testing.assert_close(picture.color[0, 20, 20], expected, atol=0.02, rtol=0.0)
    picture.color.sum().backward()
    assert scene.paint.field.slope.grad.abs().sum() > 0


def test_state_brings_the_scene_back_exactly(gen):
    vertices, faces = sphere(8)
    colors = torch.rand(len(vertices), 3, generator=gen)
    scenes = [
        Mesh.colored(vertices, faces, colors),
        Mesh(vertices, faces, image(gen, vertices, faces)),
        Mesh(*seamed(gen)),
        Mesh(vertices, faces, FieldColors(Stripes())),
    ]
    cameras = views(1, 16, 16)
    for scene in scenes:
        fresh = Stripes()
        with torch.no_grad():
            fresh.slope.zero_()
        again = Mesh.from_state(scene.state(), field=fresh)
        assert again.state().keys() == scene.state().keys()
        for name, value in scene.state().items():
            assert torch.equal(again.state()[name], value), name
        pictures = [s.render(cameras, torch.ones(3)).color for s in (scene, again)]
        assert torch.equal(*pictures)


@pytest.mark.usefixtures("unchecked")
def test_wrong_meshes_are_refused_with_their_reason(gen):
    vertices, faces = sphere(4)
    with pytest.raises(InputError, match="at least one face"):
        Mesh.colored(vertices, faces[:0])
    with pytest.raises(InputError, match="name the vertices"):
        Mesh.colored(vertices, faces + 1)
    with pytest.raises(InputError, match="row 2"):
        Mesh.colored(vertices.index_fill(0, torch.tensor([2]), math.nan), faces)
    with pytest.raises(InputError, match="do not fit"):
        Mesh.colored(vertices, faces, torch.ones(2, 3))
    with pytest.raises(InputError, match="three corners"):
        Mesh(vertices, faces, image(gen, vertices, faces[:3]))
    state = Mesh(*seamed(gen)).state()
    for wrong in (state["repeats"] + 1, state["repeats"] - 1, state["repeats"][:3]):
        with pytest.raises(InputError, match="repeats must name one of the image's 48 pixels"):
            Mesh.from_state(state | {"repeats": wrong})
    with pytest.raises(InputError, match="tensors vertices and faces"):
        Mesh.from_state({"vertices": vertices})
    with pytest.raises(InputError, match="give a field"):
        Mesh.from_state(Mesh(vertices, faces, FieldColors(Stripes())).state())
    state = Mesh(vertices, faces, FieldColors(Stripes())).state()
    with pytest.raises(InputError, match="another make"):
        Mesh.from_state(state, field=nn.Linear(3, 3))
    with pytest.raises(InputError, match="those of a field"):
        Mesh.from_state({"vertices": vertices, "faces": faces, "paint": vertices})


def test_logits_of_colors_are_finite():
    logits = colors_to_logits(torch.tensor([[0.0, 0.5, 1.0]]))
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(torch.sigmoid(logits), torch.tensor([[0.001, 0.5, 0.999]]))
