"""Radiance fields: encodings, normals, occupancy, state."""

from importlib import import_module

import pytest
import torch
import torch.nn.functional as F

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.render import fields_native
from splatsmith.render.shading import Shading
from splatsmith.scenes.encodings import triplane
from splatsmith.scenes.field import Field
from splatsmith.scenes.field_settings import (
    FieldSettings,
    Frequencies,
    HashGrid,
    Triplane,
    Voxels,
)

CAMERAS = orbit([0.0, 130.0], [15.0, -20.0], radius=2.5, width=16, height=12)
SMALL_GRID = HashGrid(levels=4, base=4, top=24, log2_rows=10)
SETTINGS = {
    "hash": FieldSettings(encoding=SMALL_GRID, backdrop="directions", samples=24, cells=12),
    "deep": FieldSettings(encoding=SMALL_GRID, layers=2, activation="exp", blob="gaussian",
                          blob_weight=5.0, blob_size=0.2, samples=24, cells=12),
    "frequencies": FieldSettings(encoding=Frequencies(octaves=3), layers=2, samples=24,
                                 cells=12, activation="relu"),
    "voxels": FieldSettings(encoding=Voxels(resolution=12), samples=24, cells=12),
    "latents": FieldSettings(encoding=Voxels(resolution=12), channels=4, colors="linear",
                             blob="none", shift=-1.0, backdrop="picture", samples=24, cells=12),
    "triplane": FieldSettings(encoding=Triplane(resolution=12, features=8), samples=24,
                              cells=12, normals="autograd"),
}  # fmt: skip


def background_of(settings):
    return None if settings.backdrop != "none" else torch.zeros(settings.channels)


def drawn(field, **more):
    """What it is optimized by, before its own background or black."""
    settings = field.settings
    background = background_of(settings)
    if settings.holds_latents:
        return field.render_latents(CAMERAS, background, **more)
    return field.render(CAMERAS, background, **more)


def wide_awake(name, gen, backend="auto"):
    """A field whose parameters all matter."""
    field = Field.fresh(SETTINGS[name], gen)
    with torch.no_grad():
        for parameter in field.parameters_by_name().values():
            parameter += 0.3 * torch.randn(parameter.shape, generator=gen)
    field.backend = backend
    return field


@pytest.mark.parametrize("name", SETTINGS)
def test_every_parameter_gets_a_gradient(gen, name):
    field, settings = wide_awake(name, gen), SETTINGS[name]
    shading = None
    if settings.channels == 3:
        lamp = CAMERAS.position
        shading = Shading.of(["lambertian", "textureless"], lamp, ambient=0.3)
    lit = {} if shading is None else {"shading": shading}
    picture = drawn(field, generator=gen, **lit)
    assert picture.color.shape == (2, 12, 16, settings.channels)
    picture.color.square().sum().backward()
    for label, parameter in field.parameters_by_name().items():
        assert parameter.grad is not None, label
        assert torch.isfinite(parameter.grad).all(), label
        touched = (parameter.grad != 0).float().mean()
        # Corners that no sample is near get none, nor do rectified units that are off.
        assert touched > (0.15 if label == "encoding" else 0.75), (label, touched)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_field_is_drawn_alike_by_the_kernels_and_by_the_twins(gen, name):
    field, settings = wide_awake(name, gen), SETTINGS[name]
    field.advance(0.5, gen)
    grads, pictures = [], []
    for backend in ("native", "reference"):
        field.backend = backend
        draws = torch.Generator().manual_seed(2)
        picture = drawn(field, generator=draws, normals=settings.channels == 3)
        loss = picture.color.square().sum() + picture.depth.sum()
        if picture.normal is not None:
            loss = loss + (picture.normal * picture.alpha).sum()
        grads.append(torch.autograd.grad(loss, list(field.parameters())))
        pictures.append(picture)
    for part in ("color", "alpha", "depth"):
        ours, twin = getattr(pictures[0], part), getattr(pictures[1], part)
        torch.testing.assert_close(ours, twin, atol=2e-3, rtol=1e-3)
        assert (ours - twin).abs().mean() < 5e-5
    for label, ours, twin in zip(field.parameters_by_name(), *grads, strict=True):
        assert (ours - twin).norm() / twin.norm() < 5e-3, label


@pytest.mark.parametrize("name", SETTINGS)
def test_a_field_comes_back_exactly_from_its_state(gen, name):
    field, settings = wide_awake(name, gen), SETTINGS[name]
    for step in range(settings.every + 1):
        field.advance(step / 10, gen)
    again = Field.from_state({k: v.clone() for k, v in field.state().items()})
    assert again.settings == settings
    for (key, value), (other, twin) in zip(
        field.state().items(), again.state().items(), strict=True
    ):
        assert key == other
        assert torch.equal(value, twin), key
    pictures = []
    for one in (field, again):
        draws = torch.Generator().manual_seed(1)
        one.advance(0.9, draws)
        pictures.append(drawn(one, generator=draws).color)
    assert torch.equal(*pictures)


def test_latents_look_gray_until_they_are_seen_and_then_as_the_decoder_shows_them(gen):
    field = wide_awake("latents", gen)
    assert torch.all(field.color(torch.rand(5, 3, generator=gen)) == 0.5)
    mix, base = torch.randn(3, 4, generator=gen) / 10, torch.tensor([0.5, 0.4, 0.6])
    latents = drawn(field).color.detach()
    field.learn_colors(latents, latents @ mix.T + base)
    torch.testing.assert_close(
        field.as_color(latents), latents @ mix.T + base, atol=2e-3, rtol=0
    )
    inside = field.matter(points := torch.rand(50, 3, generator=gen) - 0.5)[1]
    torch.testing.assert_close(field.color(points), field.as_color(inside).clamp(0, 1))
    again = Field.from_state(field.state())
    assert torch.equal(again.render(CAMERAS, None).color, field.render(CAMERAS, None).color)


def test_latents_are_shown_before_a_background_of_colors(gen):
    field = wide_awake("latents", gen)
    with torch.no_grad():
        field.to_color.copy_(
            torch.tensor([[0, 0, 0, 0, 1.0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
        )
    picture = field.render(CAMERAS, torch.tensor([0.0, 0.0, 1.0]))
    color, alpha = picture.color, picture.alpha[..., 0]
    assert 0.1 < alpha.mean() < 0.9
    torch.testing.assert_close(color[..., 0], alpha)  # red matter
    torch.testing.assert_close(color[..., 2], 1 - alpha)  # before blue


def test_bits_do_not_depend_on_the_number_of_threads(gen):
    field = wide_awake("hash", gen)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            draws = torch.Generator().manual_seed(4)
            picture = field.render(CAMERAS, torch.ones(3), generator=draws)
            inputs = field.encoding, field.network
            grads = torch.autograd.grad(picture.color.square().sum(), inputs)
            results.append([picture.color, picture.depth, *grads])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_voxels_are_what_grid_sample_makes_of_them(gen):
    settings = FieldSettings(encoding=Voxels(resolution=5), blob="none", activation="relu")
    field = wide_awake("voxels", gen)
    field = Field(settings, {"encoding": torch.randn(6**3 * 2, 2, generator=gen)})
    points = 2 * torch.rand(200, 3, generator=gen) - 1
    density, color = field.matter(points)
    values = field.encoding.reshape(2, 6, 6, 6, 2).permute(0, 4, 1, 2, 3).reshape(1, 4, 6, 6, 6)
    places = points[None, None, None]
    options = {"align_corners": True, "padding_mode": "border"}
    seen = F.grid_sample(values, places, **options)[0, :, 0, 0].T
    torch.testing.assert_close(density, seen[:, 0].clamp_min(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(color, seen[:, 1:].sigmoid(), atol=1e-5, rtol=1e-4)


def test_a_triplane_is_what_grid_sample_makes_of_its_planes(gen):
    planes = torch.randn(3, 9, 9, 4, generator=gen).requires_grad_()
    points = 3 * torch.rand(100, 3, generator=gen) - 1.5
    ours = triplane(points, planes, 1.2)
    unit = points / 1.2
    pairs = torch.stack([unit[:, [1, 0]], unit[:, [2, 0]], unit[:, [2, 1]]])[:, None]
    options = {"align_corners": True, "padding_mode": "border"}
    seen = F.grid_sample(planes.permute(0, 3, 1, 2), pairs, **options)
    torch.testing.assert_close(ours, seen.sum(0)[:, 0].T, atol=1e-5, rtol=1e-4)


def sphere_field(gen, normals):
    """Nearly nothing but the linear blob: density falls by 10 / 0.5 per unit of radius."""
    settings = FieldSettings(encoding=SMALL_GRID, normals=normals, normal_step=0.005, cells=16)
    field = Field.fresh(settings, gen)
    with torch.no_grad():
        field.network.zero_()
    return field


@pytest.mark.parametrize("normals", ["finite", "autograd"])
def test_normals_of_a_ball_point_outward(gen, normals):
    field = sphere_field(gen, normals)
    points = F.normalize(torch.randn(100, 3, generator=gen), dim=-1) * 0.4
    expected = F.normalize(points, dim=-1)
    # The differences are off by the step times a second derivative.
    error = 0.005 / 0.4 if normals == "finite" else 1e-5
    torch.testing.assert_close(field.normals(points), expected, atol=error, rtol=0)


def test_normals_by_differences_are_near_those_by_derivatives(gen):
    finite = wide_awake("hash", gen)
    settings = FieldSettings(encoding=SMALL_GRID, backdrop="directions", normals="autograd")
    exact = Field(settings, finite.parameters_by_name())
    points = 0.5 * torch.randn(500, 3, generator=gen)
    cosine = (finite.normals(points) * exact.normals(points)).sum(-1)
    assert cosine.median() > 0.99


def test_derivatives_of_normals_match_between_kernel_and_twin(gen):
    settings = FieldSettings(encoding=SMALL_GRID, normals="autograd")
    start = Field.fresh(settings, gen)
    with torch.no_grad():
        start.encoding += 0.3 * torch.randn(start.encoding.shape, generator=gen)
    points = 0.3 * torch.randn(40, 3, generator=gen)
    weight, grads = torch.randn(40, 3, generator=gen), []
    for backend in ("native", "reference"):
        start.backend = backend
        loss = (start.normals(points) * weight).sum()
        grads.append(torch.autograd.grad(loss, list(start.parameters())))
    for ours, twin in zip(*grads, strict=True):
        assert twin.norm() > 0
        assert (ours - twin).norm() / twin.norm() < 1e-3


def test_the_occupancy_grid_hides_nothing_that_can_be_seen(gen):
    settings = FieldSettings(encoding=SMALL_GRID, blob_size=0.3, samples=48, cells=24)
    field = Field.fresh(settings, gen)
    with torch.no_grad():
        field.encoding += torch.randn(field.encoding.shape, generator=gen)
        field.network *= 2
    whole = field.render(CAMERAS, torch.zeros(3))
    for step in range(3 * field.settings.every):
        field.advance(step / 100, gen)
    share = field.occupied().float().mean()
    assert 0.05 < share < 0.95, share
    part = field.render(CAMERAS, torch.zeros(3))
    assert len(part.samples.points) < 0.7 * len(whole.samples.points)
    assert (part.alpha - whole.alpha).abs().max() <= field.settings.threshold
    assert (part.color - whole.color).abs().max() <= field.settings.threshold


def test_what_became_empty_is_left_and_what_grows_is_found(gen):
    field = sphere_field(gen, "finite")
    field.advance(0.0, gen)
    before = field.occupied().sum()
    with torch.no_grad():
        field.network[-4] = -12.0  # the bias of density
    for _ in range(40 * field.settings.every):
        field.advance(0.0, gen)
    after = field.occupied().sum()
    assert after < 0.5 * before
    with torch.no_grad():
        field.network[-4] = 0.0
    for _ in range(field.settings.every):
        field.advance(0.0, gen)
    assert field.occupied().sum() > 0.9 * before


def test_a_field_that_is_empty_everywhere_can_come_back(gen):
    field = sphere_field(gen, "finite")
    with torch.no_grad():
        field.network[-4] = -60.0
    field.advance(0.0, gen)
    assert field.occupied().all()


def test_finer_levels_come_in_with_progress(gen):
    grid = HashGrid(levels=6, base=4, top=32, log2_rows=12, levels_at_start=2, levels_by=0.5)
    assert [grid.active(p) for p in (0.0, 0.12, 0.13, 0.25, 0.5, 1.0)] == [2, 2, 3, 4, 6, 6]
    field = Field.fresh(FieldSettings(encoding=grid), gen)
    first_fine = grid.lattice().levels[2].first
    field.advance(0.0, gen)
    field.render(CAMERAS, torch.zeros(3)).color.sum().backward()
    assert field.encoding.grad[:first_fine].any()
    assert not field.encoding.grad[first_fine:].any()
    field.advance(1.0, gen)
    field.zero_grad()
    field.render(CAMERAS, torch.zeros(3)).color.sum().backward()
    assert field.encoding.grad[first_fine:].any()


def test_an_exponential_density_is_cut_but_keeps_its_gradient(gen):
    settings = FieldSettings(
        encoding=SMALL_GRID, activation="exp", blob="gaussian", blob_weight=30.0
    )
    field = Field.fresh(settings, gen)
    density = field.density(torch.zeros(1, 3))
    torch.testing.assert_close(density, torch.exp(torch.tensor([15.0])))
    assert torch.autograd.grad(density.sum(), field.network)[0][-4] > 1e6


def test_a_field_can_become_a_given_picture(gen):
    """The whole of it learns: a red ball on white from two sides."""
    settings = FieldSettings(encoding=SMALL_GRID, samples=32, cells=16)
    field = Field.fresh(settings, gen)
    optimizer = torch.optim.Adam(field.parameters(), lr=0.05, eps=1e-15)
    target = torch.ones(2, 12, 16, 3)
    rows, columns = torch.meshgrid(torch.arange(12), torch.arange(16), indexing="ij")
    round_ = (rows - 5.5).square() + (columns - 7.5).square() < 4**2
    target[:, round_] = torch.tensor([0.9, 0.1, 0.1])
    for step in range(30):
        field.advance(step / 30, gen)
        optimizer.zero_grad()
        picture = field.render(CAMERAS, torch.ones(3), generator=gen)
        loss = (picture.color - target).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.02


def test_without_the_kernels_the_twins_draw_the_same_and_say_so(gen, monkeypatch):
    field = wide_awake("hash", gen)
    expected = field.render(CAMERAS, torch.zeros(3)).color
    monkeypatch.setattr(fields_native, "_fields", None)
    import_module("splatsmith.render.volume")._warn_once.cache_clear()
    with pytest.warns(UserWarning, match="kernels of radiance fields were not built"):
        slow = field.render(CAMERAS, torch.zeros(3)).color
    torch.testing.assert_close(slow, expected, atol=1e-3, rtol=0)
    field.render(CAMERAS, torch.zeros(3))  # warned once is enough
    field.backend = "native"
    with pytest.raises(InputError, match="were not built"):
        field.render(CAMERAS, torch.zeros(3))


def test_a_field_in_double_precision_is_drawn_by_the_twins(gen):
    field = wide_awake("voxels", gen)
    wide = Field(field.settings, {"encoding": field.encoding.double()})
    wide.advance(0.5, gen)
    cameras = CAMERAS.to(torch.float64)
    color = wide.render(cameras, torch.zeros(3, dtype=torch.float64)).color
    assert color.dtype == torch.float64
    expected = field.render(CAMERAS, torch.zeros(3)).color
    torch.testing.assert_close(color.float(), expected, atol=1e-3, rtol=0)
    assert torch.equal(Field.from_state(wide.state()).encoding, wide.encoding)


def test_mistakes_are_named(gen):
    field = Field.fresh(SETTINGS["deep"], gen)
    with pytest.raises(InputError, match="learns no background"):
        field.render(CAMERAS, None)
    state = field.state()
    with pytest.raises(InputError, match="needs the tensor settings"):
        Field.from_state({})
    with pytest.raises(InputError, match="cannot be read"):
        Field.from_state(state | {"settings": torch.zeros(3, dtype=torch.uint8)})
    with pytest.raises(InputError, match="network of this field must have shape"):
        Field.from_state(state | {"network": torch.zeros(3)})
    with pytest.raises(InputError, match="has the tensors"):
        Field.from_state({k: v for k, v in state.items() if k != "network"})
    with pytest.raises(InputError, match="activation of a field is one of"):
        FieldSettings(activation="tanh")
    with pytest.raises(InputError, match="1 to 32 levels"):
        HashGrid(levels=40)
    text = FieldSettings().to_tensor()
    broken = torch.tensor(list(bytes(text.tolist()).replace(b'"hidden"', b'"hiddem"')))
    with pytest.raises(InputError, match="hiddem"):
        FieldSettings.from_tensor(broken)
