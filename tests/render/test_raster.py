"""The rasterizer: closed forms and gradients by the twin, and the kernels held to the twin."""

import math

import pytest
import torch

from mesh_scenes import flat, soup, sphere, views
from splatsmith.errors import InputError
from splatsmith.render import raster_native
from splatsmith.render.raster import (
    antialias,
    face_neighbors,
    interpolate,
    normal_sums,
    rasterize,
    to_clip,
)

BOTH = ["reference", "native"]


@pytest.fixture(params=raster_native.isas())
def isa(request, monkeypatch):
    monkeypatch.setenv("SPLATSMITH_ISA", request.param)
    return request.param


def test_kernels_were_built():
    assert raster_native.available()
    assert raster_native.isas()[-1] == "baseline"


def centers(width, height, dtype=torch.float32):
    y, x = torch.meshgrid(
        torch.arange(height, dtype=dtype) + 0.5,
        torch.arange(width, dtype=dtype) + 0.5,
        indexing="ij",
    )
    return torch.stack([x, y], dim=-1)


@pytest.mark.parametrize("backend", BOTH)
def test_a_triangle_covers_the_centers_inside_it(gen, backend):
    for _ in range(20):
        corners = torch.rand(3, 2, generator=gen, dtype=torch.float64) * 30 - 4
        clip = torch.cat([corners, corners.new_ones(3, 1)], dim=1).float()[None]
        shown = rasterize(clip, torch.tensor([[0, 1, 2]]), 21, 17, backend=backend)
        signs = []
        for i in range(3):
            a, b = corners[i], corners[(i + 1) % 3]
            to = centers(21, 17, torch.float64) - a
            signs.append((b - a)[0] * to[..., 1] - (b - a)[1] * to[..., 0])
        signs = torch.stack(signs)
        inside = (signs > 0).all(0) | (signs < 0).all(0)
        clear = (signs.abs() > 1e-3).all(0)
        assert torch.equal((shown.triangle[0] == 0)[clear], inside[clear])


@pytest.mark.parametrize("backend", BOTH)
def test_triangles_with_shared_edges_leave_no_crack(gen, backend):
    """A fan about a pixel's center, whose spokes run through many centers exactly."""
    turns = torch.linspace(0, 2 * math.pi, 17)[:-1] + 1e-3
    rim = torch.stack([torch.cos(turns), torch.sin(turns)], dim=1) * 60 + 16.5
    rim[::4] = rim[::4].round() + 0.5
    corners = torch.cat([torch.tensor([[16.5, 16.5]]), rim])
    w = torch.rand(len(corners), 1, generator=gen) + 1
    clip = torch.cat([corners * w, w], dim=1)[None]
    index = torch.arange(16)
    faces = torch.stack([torch.zeros_like(index), index + 1, (index + 1) % 16 + 1], dim=1)
    shown = rasterize(clip, faces, 33, 33, backend=backend)
    assert (shown.triangle >= 0).all()
    torch.testing.assert_close(shown.barycentric.sum(-1), torch.ones(1, 33, 33))


@pytest.mark.parametrize("backend", BOTH)
def test_barycentrics_and_depth_are_those_of_rays_that_meet_triangles(gen, backend):
    """Against the intersection of Moller and Trumbore (1997) in float64."""
    vertices, faces = soup(gen, 9)
    cameras = views(1)
    shown = rasterize(to_clip(vertices, cameras), faces, 48, 40, backend=backend)
    seen = (shown.triangle[0] >= 0).nonzero()
    assert len(seen) > 100
    corners = vertices.double()[faces[shown.triangle[0][seen[:, 0], seen[:, 1]]]]
    K, viewmat = cameras.K[0].double(), cameras.viewmat[0].double()
    pixel = torch.cat([seen.flip(1) + 0.5, torch.ones(len(seen), 1)], dim=1).double()
    ray = torch.linalg.solve(K, pixel.T).T @ viewmat[:3, :3]  # camera z grows by 1 along it
    eye = cameras.position[0].double()
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = torch.linalg.cross(ray, two)
    scale = (one * across).sum(-1)
    start = eye - corners[:, 0]
    u = (start * across).sum(-1) / scale
    other = torch.linalg.cross(start, one)
    v = (ray * other).sum(-1) / scale
    z = (two * other).sum(-1) / scale
    found = shown.barycentric[0][seen[:, 0], seen[:, 1]].double()
    torch.testing.assert_close(
        found, torch.stack([1 - u - v, u, v], dim=1), atol=3e-4, rtol=0.0
    )
    depth = shown.depth[0, seen[:, 0], seen[:, 1], 0].double()
    torch.testing.assert_close(depth, z, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("backend", BOTH)
def test_the_nearer_triangle_hides_the_other_and_what_is_behind_is_cut(backend):
    clip = flat([[-9, -9, 2], [40, -9, 2], [-9, 40, 2], [-9, -9, 1], [40, -9, 3], [-9, 40, 3]])
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    shown = rasterize(clip, faces, 12, 12, backend=backend)
    assert torch.equal(
        shown.triangle[0] == 1, rasterize(clip, faces[1:], 12, 12).depth[0, ..., 0] < 2
    )
    floor = torch.tensor([[[-50.0, 8.0, -1.0], [70.0, 8.0, -1.0], [6.0, 40.0, 4.0]]])
    seen = rasterize(floor, torch.tensor([[0, 1, 2]]), 12, 40, backend=backend)
    assert (seen.triangle >= 0).any()
    assert (seen.depth[seen.triangle >= 0] > 0.01).all()
    behind = rasterize(-floor.abs(), torch.tensor([[0, 1, 2]]), 12, 40, backend=backend)
    assert (behind.triangle == -1).all()


SCENES = {
    "sphere": lambda gen: (*sphere(16), views(2)),
    "fine": lambda gen: (*sphere(40), views(1, 32, 32)),
    "soup": lambda gen: (*soup(gen, 60), views(3, 53, 37)),
    "inside": lambda gen: (*soup(gen, 40), views(2, 40, 40, radius=0.3)),
    "pixel": lambda gen: (*soup(gen, 5), views(1, 1, 1)),
    "thin": lambda gen: (*soup(gen, 20), views(2, 100, 3)),
    "none": lambda gen: (torch.zeros(3, 3), torch.zeros(0, 3, dtype=torch.long), views(1)),
}


def picture_and_gradients(vertices, faces, cameras, backend, keep=None):
    """Everything in a row: fragments, interpolation, antialiasing, and what comes back."""
    gen = torch.Generator().manual_seed(5)
    clip = to_clip(vertices, cameras).detach().requires_grad_()
    values = torch.rand(len(vertices), 4, generator=gen).requires_grad_()
    shown = rasterize(clip, faces, cameras.width, cameras.height, backend=backend)
    mixed = interpolate(values, faces, shown, backend=backend)
    around = face_neighbors(faces, len(vertices), backend=backend)
    smooth = antialias(mixed, shown, clip, faces, around, backend=backend)
    keep = torch.ones_like(shown.depth) if keep is None else keep
    weight = torch.rand(smooth.shape, generator=gen) * keep
    loss = (weight * smooth).sum() + (0.1 * weight[..., :1] * shown.depth).sum()
    loss = loss + (weight[..., :3] * shown.barycentric).sum()
    return shown, smooth, torch.autograd.grad(loss, [clip, values])


@pytest.mark.parametrize("name", SCENES)
def test_kernels_draw_what_the_twin_draws(gen, isa, name):
    vertices, faces, cameras = SCENES[name](gen)
    ours, mine, _ = picture_and_gradients(vertices, faces, cameras, "native")
    theirs, other, _ = picture_and_gradients(vertices, faces, cameras, "reference")
    same = ours.triangle == theirs.triangle
    assert (~same).float().mean() < 2e-3
    keep = same[..., None].float()
    assert ((ours.barycentric - theirs.barycentric).abs() * keep).max() < 5e-3
    assert ((ours.depth - theirs.depth).abs() * keep).max() < 1e-3
    error = (mine - other).abs() * keep
    assert (error > 1e-3).float().mean() < 3e-3


@pytest.mark.parametrize("name", ["sphere", "fine", "soup", "thin"])
def test_gradients_of_the_kernels_are_those_of_the_twin(gen, name):
    vertices, faces, cameras = SCENES[name](gen)
    _, mine, _ = picture_and_gradients(vertices, faces, cameras, "native")
    _, other, _ = picture_and_gradients(vertices, faces, cameras, "reference")
    keep = ((mine - other).abs() < 1e-3).all(-1, keepdim=True).float()
    _, _, ours = picture_and_gradients(vertices, faces, cameras, "native", keep)
    _, _, theirs = picture_and_gradients(vertices, faces, cameras, "reference", keep)
    for what, a, b in zip(("clip", "attributes"), ours, theirs, strict=True):
        assert b.norm() > 0
        assert (a - b).norm() / b.norm() < 5e-3, what


def test_bits_do_not_depend_on_the_number_of_threads(gen):
    vertices, faces, cameras = SCENES["soup"](gen)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            shown, smooth, grads = picture_and_gradients(vertices, faces, cameras, "native")
            results.append([shown.triangle, shown.barycentric, smooth, *grads])
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_the_twins_gradients_are_those_of_central_differences(gen):
    vertices, faces = sphere(4, dtype=torch.float64)
    cameras = views(1, 14, 13).to(torch.float64)
    clip = to_clip(vertices, cameras)
    around = face_neighbors(faces, len(vertices))
    values = torch.rand(len(vertices), 2, generator=gen, dtype=torch.float64)

    def whole(clip, values):
        shown = rasterize(clip, faces, 14, 13)
        mixed = interpolate(values, faces, shown)
        return torch.cat([antialias(mixed, shown, clip, faces, around), shown.depth], dim=-1)

    inputs = (clip.requires_grad_(), values.requires_grad_())
    assert torch.autograd.gradcheck(whole, inputs, eps=1e-7, fast_mode=True)


def test_attributes_may_differ_between_views(gen):
    vertices, faces, cameras = SCENES["sphere"](gen)
    shown = rasterize(to_clip(vertices, cameras), faces, 48, 40)
    values = torch.rand(2, len(vertices), 3, generator=gen).requires_grad_()
    outputs = {b: interpolate(values, faces, shown, backend=b) for b in BOTH}
    torch.testing.assert_close(outputs["native"], outputs["reference"])
    grads = [torch.autograd.grad(out.square().sum(), values)[0] for out in outputs.values()]
    torch.testing.assert_close(grads[0], grads[1])


def area(corners):
    x, y = corners.unbind(-1)
    return 0.5 * (x * y.roll(-1) - x.roll(-1) * y).sum().abs()


def coverage(clip, faces, backend, size=40):
    """How many pixels a mesh covers, antialiased."""
    shown = rasterize(clip, faces, size, size, backend=backend)
    mask = (shown.triangle >= 0).to(clip)[..., None]
    around = face_neighbors(faces, clip.shape[1])
    return antialias(mask, shown, clip, faces, around, backend=backend).sum()


@pytest.mark.parametrize("backend", BOTH)
@pytest.mark.parametrize("name", ["upright", "slanted", "wide"])
def test_a_triangle_covers_its_area_and_the_gradient_is_that_of_the_area(backend, name):
    corners = {
        "upright": [[5.2, 4.1], [35.3, 6.7], [11.8, 36.4]],
        "slanted": [[4.3, 20.2], [30.9, 3.3], [36.1, 34.8]],
        "wide": [[2.6, 17.3], [37.7, 19.9], [20.4, 29.2]],
    }[name]
    plane = torch.tensor(corners, requires_grad=True)
    w = torch.tensor([[1.0], [2.0], [1.5]])
    clip = torch.cat([plane * w, w], dim=1)[None]
    total = coverage(clip, torch.tensor([[0, 1, 2]]), backend)
    found = torch.autograd.grad(total, plane)[0]
    expected = torch.autograd.grad(area(plane), plane)[0]
    assert abs(total - area(plane)) / area(plane) < 0.01
    assert (found - expected).norm() / expected.norm() < 0.06


@pytest.mark.parametrize("backend", BOTH)
def test_triangles_smaller_than_pixels_have_the_same_silhouette(backend):
    """The walk goes on to the rim; the single triangle of a pixel would hardly ever have it."""
    vertices, faces = sphere(60, 0.8)
    cameras = views(1, 40, 40)
    scale = torch.tensor(1.0, requires_grad=True)
    clip = to_clip(vertices * scale, cameras)
    total = coverage(clip, faces, backend)
    slope = torch.autograd.grad(total, scale)[0]
    # The rim of a sphere of radius r at distance d is seen under the angle asin(r / d).
    focal = cameras.K[0, 0, 0].double()
    disk = lambda r: math.pi * (focal * r / math.sqrt(2.5**2 - r * r)) ** 2  # noqa: E731
    assert abs(total - disk(0.8)) / disk(0.8) < 0.01
    expected = (disk(0.8001) - disk(0.7999)) / 0.0002 * 0.8
    assert abs(slope - expected) / expected < 0.05


def test_a_sphere_fits_itself_to_a_silhouette():
    vertices, faces = sphere(8, 1.0)
    cameras = views(2, 32, 32)
    around = face_neighbors(faces, len(vertices))

    def mask(radius, shift):
        clip = to_clip(vertices * radius + shift, cameras)
        shown = rasterize(clip, faces, 32, 32)
        hard = (shown.triangle >= 0).float()[..., None]
        return antialias(hard, shown, clip, faces, around)

    shift = torch.tensor([0.1, -0.05, 0.08])
    goal = mask(torch.tensor(0.6), shift)
    radius = torch.tensor(0.45, requires_grad=True)
    moved = torch.zeros(3, requires_grad=True)
    (slope,) = torch.autograd.grad((mask(radius, moved) - goal).square().sum(), radius)
    assert slope < 0  # it must grow
    optimizer = torch.optim.Adam([radius, moved], lr=0.03)
    for _ in range(30):
        optimizer.zero_grad()
        (mask(radius, moved) - goal).square().mean().backward()
        optimizer.step()
    assert abs(radius - 0.6) < 0.01
    assert (moved - shift).norm() < 0.02


def test_neighbors_of_faces(gen):
    _, faces = sphere(6)
    found = {b: face_neighbors(faces, int(faces.max()) + 1, backend=b) for b in BOTH}
    assert torch.equal(found["native"], found["reference"])
    for face in range(len(faces)):
        for k in range(3):
            edge = {int(faces[face, (k + 1) % 3]), int(faces[face, (k + 2) % 3])}
            other = set(faces[found["native"][face, k]].tolist())
            assert edge <= other
            assert found["native"][face, k] != face
    book = torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4], [0, 1, 5]])  # four pages, one spine
    for backend in BOTH:
        assert face_neighbors(book, 6, backend=backend).tolist() == [
            [-1, -1, 1],
            [-1, -1, 2],
            [-1, -1, 3],
            [-1, -1, 0],
        ]


def test_sums_of_normals_and_their_gradients(gen):
    vertices, faces = sphere(6)
    found = {}
    for backend in BOTH:
        leaf = vertices.clone().requires_grad_()
        sums = normal_sums(leaf, faces, backend=backend)
        weight = torch.randn(sums.shape, generator=torch.Generator().manual_seed(3))
        found[backend] = (sums, *torch.autograd.grad((weight * sums).sum(), leaf))
        unit = torch.nn.functional.normalize(sums, dim=1)
        assert (unit * vertices / 0.7).sum(1).min() > 0.99  # outward
    for mine, other in zip(*found.values(), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)


def test_wrong_input_is_refused_with_its_reason():
    clip = flat([[0, 0, 1], [4, 0, 1], [0, 4, 1]])
    face = torch.tensor([[0, 1, 2]])
    with pytest.raises(InputError, match="name the vertices 0 to 3, but there are 3"):
        rasterize(clip, torch.tensor([[0, 1, 3]]), 4, 4)
    with pytest.raises(InputError, match="at least one pixel"):
        rasterize(clip, face, 0, 4)
    broken = clip.clone()
    broken[0, 1, 2] = math.nan
    with pytest.raises(InputError, match="Vertex 1 in view 0"):
        rasterize(broken, face, 4, 4)
    with pytest.raises(InputError, match="float64"):
        rasterize(clip.double(), face, 4, 4, backend="native")
    with pytest.raises(InputError, match="one set for all"):
        interpolate(torch.zeros(2, 3, 1), face, rasterize(clip, face, 4, 4))


def test_without_the_kernels_the_twin_draws_and_says_so(monkeypatch):
    from splatsmith.render import raster

    clip, face = flat([[0, 0, 1], [9, 0, 1], [0, 9, 1]]), torch.tensor([[0, 1, 2]])
    expected = rasterize(clip, face, 8, 8)
    monkeypatch.setattr(raster_native, "kernels", None)
    raster._warn_once.cache_clear()
    with pytest.warns(UserWarning, match="native mesh kernels were not built"):
        shown = rasterize(clip, face, 8, 8)
    assert torch.equal(shown.triangle, expected.triangle)


@pytest.mark.parametrize("backend", BOTH)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_belong_together_is_refused_before_memory_is_read(gen, backend):
    vertices, faces = soup(gen, 12)
    clip = to_clip(vertices, views(2, 16, 16))
    shown = rasterize(clip, faces, 16, 16, backend=backend)
    colors = torch.rand(len(vertices), 3, generator=gen)
    with pytest.raises(InputError, match="The fragments show triangle"):
        interpolate(colors, faces[:1], shown, backend=backend)
    picture = interpolate(colors, faces, shown, backend=backend)
    around = face_neighbors(faces, len(vertices))
    for other in (
        (picture[:1], clip, faces, around),
        (picture, clip[:1], faces, around),
        (picture, clip, faces, around[:3]),
    ):
        color, corners, triangles, neighbors = other
        with pytest.raises(InputError, match="do not fit fragments"):
            antialias(color, shown, corners, triangles, neighbors, backend=backend)
