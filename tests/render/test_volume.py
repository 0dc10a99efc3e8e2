"""The volume renderer against closed forms and brute force; its kernels against the twin."""

import dataclasses

import pytest
import torch
from media import Medium, ball, cloud, slab, stripes

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.render import fields_native, volume_reference
from splatsmith.render.samples import Samples, cast
from splatsmith.render.shading import Shading
from splatsmith.render.volume import volume

BACKENDS = ["reference", "native"]
CAMERAS = orbit([20.0, 200.0], [10.0, -40.0], radius=3.0, width=24, height=18)
BLACK = torch.zeros(3)


def chords(radius):
    """Length of each ray within a ball, [views, height, width, 1]."""
    rays = cast(CAMERAS, radius)
    return (rays.far - rays.near).reshape(2, 18, 24, 1)


def test_rays_go_through_pixel_centers():
    rays = cast(CAMERAS, 1.0)
    points = (rays.origins + 2.0 * rays.directions / rays.cosine[:, None]).reshape(2, -1, 3)
    local = points @ CAMERAS.viewmat[:, :3, :3].mT + CAMERAS.viewmat[:, None, :3, 3]
    torch.testing.assert_close(local[..., 2], torch.full_like(local[..., 2], 2.0))
    pixels = (local @ CAMERAS.K.mT)[..., :2] / 2.0
    torch.testing.assert_close(pixels[0, 24 + 3], torch.tensor([3.5, 1.5]), atol=1e-4, rtol=0)
    torch.testing.assert_close(pixels[1, -1], torch.tensor([23.5, 17.5]), atol=1e-4, rtol=0)


def test_rays_of_a_camera_within_the_scene_begin_before_the_eye():
    rays = cast(orbit(0.0, 0.0, radius=0.5, width=8, height=8), 1.0)
    assert (rays.near < 0.02).all()
    assert (rays.near > 0).all()
    ends = rays.origins + rays.far[:, None] * rays.directions
    torch.testing.assert_close(ends.norm(dim=-1), torch.ones(64))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("density", [0.3, 4.0])
def test_a_uniform_ball_absorbs_by_its_chord(backend, density):
    picture = volume(Medium(ball(density, 0.7), samples=512), CAMERAS, BLACK, backend=backend)
    exact = 1 - torch.exp(-density * chords(0.7))
    inside = chords(0.7) > 0
    error = (picture.alpha - exact).abs()
    assert error.max() < 1.1 * density * 2 / 512  # one step too many or too few
    assert error.mean() < 0.3 * density * 2 / 512
    assert not picture.alpha[~inside].any()
    torch.testing.assert_close(picture.color, 0.25 * picture.alpha.expand(-1, -1, -1, 3))


@pytest.mark.parametrize("backend", BACKENDS)
def test_depth_in_a_uniform_ball_is_the_mean_of_an_exponential(backend):
    density = 3.0
    medium = Medium(ball(density, 1.0), samples=512)
    picture = volume(medium, CAMERAS, BLACK, backend=backend)
    rays, chord = cast(CAMERAS, 1.0), chords(1.0)
    mean = 1 / density - chord / torch.expm1(density * chord)
    exact = (rays.near.reshape(chord.shape) + mean) * rays.cosine.reshape(chord.shape)
    seen = chord > 0.1
    torch.testing.assert_close(picture.depth[seen], exact[seen], atol=4e-3, rtol=0)
    assert not picture.depth[chord == 0].any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_samples_lie_in_their_steps_is_right_on_average(gen, backend):
    """With few samples the middle of steps misses a thin slab's true mass; draws find it."""
    medium = Medium(slab(2.0, 0.05), samples=16)
    camera = orbit([0.0], [0.0], radius=3.0, fovy=5.0, width=40, height=40)
    seen = torch.stack(
        [
            -torch.log(1 - volume(medium, camera, BLACK, generator=gen, backend=backend).alpha)
            for _ in range(30)
        ]
    )
    assert abs(seen.mean() - 2.0 * 0.1) < 0.005
    assert seen.std() > 0.05


@pytest.fixture(scope="module")
def integrals():
    """Color and alpha of the cloud before black: the trapezoidal rule in float64."""
    rays = cast(CAMERAS.to(torch.float64), 1.0)
    share = torch.linspace(0, 1, 1000, dtype=torch.float64)
    t = rays.near[:, None] + share * (rays.far - rays.near)[:, None]
    points = rays.origins[:, None] + t[..., None] * rays.directions[:, None]
    density = cloud(points)
    depth = torch.cumulative_trapezoid(density, t)
    left = torch.exp(-torch.nn.functional.pad(depth, (1, 0)))
    color = torch.trapezoid((left * density)[..., None] * stripes(points), t[..., None], dim=1)
    return color.reshape(2, 18, 24, 3), (1 - left[:, -1]).reshape(2, 18, 24, 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cloud_looks_as_the_integral_says(integrals, backend):
    background = torch.tensor([0.2, 0.5, 0.9])
    color, alpha = (part.float() for part in integrals)
    medium = Medium(cloud, stripes, samples=256)
    picture = volume(medium, CAMERAS, background, backend=backend)
    # At the ends of a ray half a step is in or out: 0.08 of density there, times 1/256.
    torch.testing.assert_close(picture.alpha, alpha, atol=6e-4, rtol=0)
    assert (picture.alpha - alpha).abs().mean() < 1e-4
    behind = (1 - alpha) * background
    torch.testing.assert_close(picture.color, color + behind, atol=2e-3, rtol=0)


@pytest.mark.parametrize("isa", fields_native.isas())
@pytest.mark.parametrize("opaque", [1.0, 40.0])
def test_native_marching_and_compositing_are_those_of_the_twin(gen, monkeypatch, isa, opaque):
    monkeypatch.setenv("SPLATSMITH_ISA", isa)
    rays = cast(CAMERAS, 1.0)
    cells = torch.rand(9, 9, 9, generator=gen) < 0.5
    jitter = torch.rand(len(rays.near), generator=gen)
    given = rays, jitter, cells, 1.0, 2 / 75
    twin, (ours, _) = volume_reference.march(*given), fields_native.march(*given)
    apart = (twin.starts[1:] - twin.starts[:-1]) != (ours.starts[1:] - ours.starts[:-1])
    assert apart.float().mean() < 0.01  # cells that rounding decides about
    assert len(ours.points) > 3000
    same = ~(apart[twin.rays]), ~(apart[ours.rays])
    for name in ("rays", "distances", "points"):
        a, b = getattr(twin, name)[same[0]], getattr(ours, name)[same[1]]
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    check_compositing(gen, ours, opaque)


def check_compositing(gen, samples: Samples, opaque: float):
    count, rays = len(samples.points), len(samples.directions)
    density = opaque * torch.rand(count, generator=gen).square()
    values = torch.randn(count, 5, generator=gen)
    weights = [
        torch.randn(*shape, generator=gen) for shape in [(count,), (rays,), (rays,), (rays, 5)]
    ]
    results, gradients = [], []
    for composite in (fields_native.composite, volume_reference.composite):
        inputs = density.clone().requires_grad_(), values.clone().requires_grad_()
        sums = composite(samples, *inputs)
        results.append(sums)
        loss = sum((a * b).sum() for a, b in zip(sums, weights, strict=True))
        gradients.append(torch.autograd.grad(loss, inputs))
    for name, ours, twin in zip(results[0]._fields, *results, strict=True):
        torch.testing.assert_close(ours, twin, atol=3e-4, rtol=1e-4, msg=name)
    for ours, twin in zip(*gradients, strict=True):
        assert (ours - twin).norm() / twin.norm() < 1e-3
    if opaque > 10:
        assert (results[0].weights == 0).any()


def test_twin_gradients_match_central_differences(gen):
    rays = cast(CAMERAS[:1].resized(4, 3).to(torch.float64), 1.0)
    jitter = torch.rand(12, generator=gen, dtype=torch.float64)
    cells = torch.ones(2, 2, 2, dtype=torch.bool)
    samples = volume_reference.march(rays, jitter, cells, 1.0, 0.4)
    count = len(samples.points)
    density = torch.rand(count, generator=gen, dtype=torch.float64).requires_grad_()
    values = torch.rand(count, 2, generator=gen, dtype=torch.float64).requires_grad_()
    function = lambda d, v: tuple(volume_reference.composite(samples, d, v))  # noqa: E731
    assert torch.autograd.gradcheck(function, (density, values))


@pytest.mark.parametrize("backend", BACKENDS)
def test_thin_media_keep_their_digits(backend):
    medium = Medium(lambda p: torch.full_like(p[:, 0], 1e-4), samples=100)
    picture = volume(medium, CAMERAS, BLACK, backend=backend)
    centre = picture.alpha[0, 9, 12, 0].item()
    assert abs(centre / (1e-4 * chords(1.0)[0, 9, 12, 0].item()) - 1) < 0.02


def test_samples_behind_something_opaque_are_not_asked_for():
    clear, opaque = Medium(ball(0.1, 0.9)), Medium(ball(200.0, 0.9))
    for medium in (clear, opaque):
        volume(medium, CAMERAS, BLACK, backend="native")
    assert opaque.asked < 0.3 * clear.asked
    seen = Medium(ball(200.0, 0.9))
    whole = volume(seen, CAMERAS, BLACK, backend="reference")
    part = volume(opaque, CAMERAS, BLACK, backend="native")
    torch.testing.assert_close(part.color, whole.color, atol=2e-4, rtol=0)
    assert seen.asked == clear.asked


@pytest.mark.parametrize("backend", BACKENDS)
def test_empty_cells_are_left_out(backend):
    cells = torch.zeros(4, 4, 4, dtype=torch.bool)
    cells[2:] = True  # x > 0
    half = Medium(slab(1.0, 0.5), cells=cells)
    picture = volume(half, CAMERAS, BLACK, backend=backend)
    exact = volume(
        Medium(lambda p: slab(1.0, 0.5)(p) * (p[:, 0] > 0)), CAMERAS, BLACK, backend=backend
    )
    torch.testing.assert_close(picture.alpha, exact.alpha, atol=1e-5, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_scene_of_nothing_is_background(backend):
    nothing = torch.zeros(4, 4, 4, dtype=torch.bool)
    background = torch.rand(2, 18, 24, 3, generator=torch.Generator().manual_seed(1))
    picture = volume(Medium(cloud, cells=nothing), CAMERAS, background, backend=backend)
    assert torch.equal(picture.color, background)
    assert not picture.depth.any()


def test_light_is_that_of_shading(gen):
    medium = Medium(ball(500.0, 0.6), samples=400)
    lamp = 4.0 * CAMERAS.position / CAMERAS.position.norm(dim=-1, keepdim=True)
    shading = Shading.of(["textureless", "albedo"], lamp, ambient=0.2)
    picture = volume(medium, CAMERAS, BLACK, shading=shading, normals=True)
    middle = picture.color[:, 9, 12]
    assert (middle[0] > 0.9).all()  # white, and the lamp is behind the camera
    torch.testing.assert_close(middle[1], torch.full((3,), 0.25), atol=1e-3, rtol=0)
    edge = picture.color[0][picture.alpha[0, ..., 0] > 0.99].amin()
    assert 0.2 < edge < 0.8
    covered = picture.alpha[..., 0] > 0.9
    torch.testing.assert_close(
        picture.normal[covered].norm(dim=-1), torch.ones(int(covered.sum()))
    )
    toward = (picture.normal[0, 9, 12] * lamp[0] / 4).sum()
    assert toward > 0.98
    needed = volume(medium, CAMERAS, BLACK, shading=shading)  # the same, where no lamp is none
    assert torch.equal(needed.color, picture.color)
    assert torch.equal(needed.normal[0], picture.normal[0])
    assert not needed.normal[1].any()
    plain = Shading.of(["albedo", "albedo"], lamp, ambient=0.2)
    unlit = volume(medium, CAMERAS, BLACK, shading=plain)
    assert unlit.normal is None
    assert torch.equal(unlit.color, volume(medium, CAMERAS, BLACK).color)


def test_the_same_generator_gives_the_same_bits():
    medium = Medium(cloud, stripes, samples=32)
    draws = [
        volume(medium, CAMERAS, BLACK, generator=torch.Generator().manual_seed(seed)).color
        for seed in (3, 3, 4)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_mistakes_are_named():
    medium = Medium(cloud)
    with pytest.raises(InputError, match="background has shape"):
        volume(medium, CAMERAS, torch.zeros(4))
    shading = Shading.of(["albedo"], torch.ones(1, 3), ambient=0.1)
    with pytest.raises(InputError, match="one lamp per camera"):
        volume(medium, CAMERAS, BLACK, shading=shading)
    double = dataclasses.replace(CAMERAS.to(torch.float64))
    with pytest.raises(InputError, match="float32 on the CPU"):
        volume(medium, double, BLACK.double(), backend="native")
