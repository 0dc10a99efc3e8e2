"""The one function in front of the back ends: choice, refusal, and the glue to gsplat."""

import dataclasses
import re
import sys
from types import SimpleNamespace

import pytest
import torch
from splat_scenes import INPUTS, random_scene

from splatsmith.cameras import Cameras
from splatsmith.errors import InputError
from splatsmith.render import gsplat_cuda, native, reference
from splatsmith.render import splat as draw_splats
from splatsmith.render.harmonics import harmonics

FRONT = sys.modules["splatsmith.render.splat"]


@pytest.mark.parametrize("backend", ["native", "reference", "auto"])
@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_named(gen, backend, name, value):
    scene = random_scene(gen, 300)
    tensor = getattr(scene, name)
    index = tuple(size - 1 for size in tensor.shape)
    tensor[index] = value
    where = f"{name}[{', '.join(map(str, index))}] is {value}"
    with pytest.raises(InputError, match=re.escape(where)):
        scene.draw(scene.tensors(), backend)


def test_cameras_that_are_not_finite_are_named(gen):
    scene = random_scene(gen, 3)
    scene.cameras.K[0, 1, 1] = float("nan")
    with pytest.raises(InputError, match=re.escape("cameras.K[0, 1, 1] is nan")):
        scene.draw(scene.tensors(), "native")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("quats", lambda t: t[:-1], "quats has shape (6, 4), but beside 7 means"),
        ("sh", lambda t: t[:, :0], "1, 4, 9 or 16 coefficients"),
        ("opacities", lambda t: t.double(), "move it with .to(means)"),
        ("screen_offset", lambda t: t.repeat(2, 1, 1), "screen_offset has shape (2, 7, 2)"),
        ("background", lambda t: t.repeat(3, 1), "background has shape (3, 3)"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_shapes_and_dtypes_that_do_not_fit_are_refused(gen, name, change, message):
    scene = random_scene(gen, 7)
    scene = dataclasses.replace(scene, **{name: change(getattr(scene, name))})
    with pytest.raises(InputError, match=re.escape(message)):
        scene.draw(scene.tensors(), "auto")


def test_auto_takes_the_kernels_and_without_them_the_reference_with_one_warning(
    gen, monkeypatch
):
    scene = random_scene(gen, 10)
    tensors = [tensor.requires_grad_() for tensor in scene.tensors()]
    assert native.work(scene.draw(tensors, "auto").color)[0] > 0
    monkeypatch.setattr(native, "_splat", None)
    FRONT._warn_once.cache_clear()
    with pytest.warns(UserWarning, match="were not built"):
        picture = scene.draw(tensors, "auto")
    assert torch.equal(picture.color, scene.draw(tensors, "reference").color)
    assert torch.equal(
        picture.color, scene.draw(tensors, "auto").color
    )  # and no second warning
    with pytest.raises(InputError, match="were not built"):
        scene.draw(tensors, "native")


def test_doubles_are_drawn_by_the_reference_and_refused_by_the_kernels(gen):
    scene = random_scene(gen, 10, dtype=torch.float64)
    assert scene.draw(scene.tensors(), "auto").color.dtype == torch.float64
    with pytest.raises(InputError, match="float32 on the CPU"):
        scene.draw(scene.tensors(), "native")


def test_an_unknown_instruction_set_is_refused(gen, monkeypatch):
    monkeypatch.setenv("SPLATSMITH_ISA", "abacus")
    scene = random_scene(gen, 3)
    with pytest.raises(InputError, match='"abacus", but this machine has'):
        scene.draw(scene.tensors(), "native")


def test_one_background_color_serves_all_views(gen):
    scene = random_scene(gen, 10, views=2)
    *tensors, _, _ = scene.tensors()
    picture = draw_splats(*tensors, scene.cameras, torch.tensor([0.1, 0.2, 0.3]))
    again = draw_splats(*tensors, scene.cameras, torch.tensor([[0.1, 0.2, 0.3]] * 2))
    assert torch.equal(picture.color, again.color)


def test_gsplat_is_asked_for_by_the_name_of_its_extra(gen, monkeypatch):
    scene = random_scene(gen, 3)
    with pytest.raises(InputError, match="draws on CUDA"):
        scene.draw(scene.tensors(), "gsplat")
    monkeypatch.setitem(sys.modules, "gsplat", None)
    with pytest.raises(InputError, match=re.escape("splatsmith[gsplat]")):
        gsplat_cuda._gsplat()


@pytest.mark.parametrize("background", ["color", "picture"])
def test_the_glue_to_gsplat_draws_what_the_reference_draws(gen, background):
    """gsplat itself needs CUDA; its functions are played by a twin with the same signatures."""
    scene = random_scene(gen, 40, width=37, height=21, views=2, degree=2, background=background)
    scene.screen_offset[:] = 2 * torch.randn(scene.screen_offset.shape, generator=gen)
    tensors = [tensor.requires_grad_() for tensor in scene.tensors()]
    expected = scene.draw(tensors, "reference")
    *parameters, back, offset = tensors
    color, alpha, depth, radii = gsplat_cuda.draw_with(
        TWIN, *parameters, scene.cameras, back, offset
    )
    for mine, other in (
        (color, expected.color),
        (alpha, expected.alpha),
        (depth, expected.depth),
    ):
        torch.testing.assert_close(mine, other, atol=2e-5, rtol=1e-4)
    assert (radii - expected.radii).abs().max() <= 1
    mine = torch.autograd.grad(color.square().sum() + depth.sum(), tensors)
    other = torch.autograd.grad(expected.color.square().sum() + expected.depth.sum(), tensors)
    for name, a, b in zip(INPUTS, mine, other, strict=True):
        assert (a - b).norm() < 1e-3 * b.norm(), name


def _project(means, covars, quats, scales, viewmats, Ks, width, height, **options):
    assert covars is None
    assert (options["eps2d"], options["near_plane"]) == (0.3, 0.01)
    boxes, centers, depths, conics = [], [], [], []
    for viewmat, K in zip(viewmats, Ks, strict=True):
        angle = torch.zeros(1)
        camera = Cameras(viewmat[None], K[None], width, height, angle, angle, angle + 1)
        flat = reference.project(means, quats, scales, camera, None)
        box = torch.ceil(3.33 * flat.variance.detach().sqrt())
        boxes.append(torch.where(flat.depth[:, None] > 0.01, box, 0).int())
        centers.append(flat.center)
        depths.append(flat.depth)
        inverse = [flat.variance[:, 1], -flat.covariance, flat.variance[:, 0]]
        conics.append(torch.stack(inverse, dim=-1) / flat.det[:, None])
    return *(torch.stack(part) for part in (boxes, centers, depths, conics)), None


def _harmonics(degree, directions, coefficients, masks):
    assert coefficients.shape[:-2] == directions.shape[:-1] == masks.shape
    unit = torch.nn.functional.normalize(directions, dim=-1).flatten(0, 1)
    basis = harmonics(unit, degree).unflatten(0, masks.shape)
    return torch.einsum("vsk,vskc->vsc", basis, coefficients)


def _tiles(centers, boxes, depths, tile_size, tile_width, tile_height):
    assert centers.shape[:-1] == boxes.shape[:-1] == depths.shape
    return None, (tile_size, tile_width, tile_height), torch.argsort(depths, dim=-1)


def _offsets(order, views, tile_width, tile_height):
    assert order[1:] == (tile_width, tile_height)
    return torch.zeros(views * tile_height * tile_width, dtype=torch.int32)


def _rasterize(centers, conics, features, opacities, width, height, tile_size, offsets, order):
    assert tile_size * offsets.shape[-1] >= width
    assert tile_size * offsets.shape[-2] >= height
    x, y = torch.arange(width) + 0.5, torch.arange(height) + 0.5
    pixels = torch.cartesian_prod(y, x).flip(-1)
    blended, alphas = [], []
    for view, index in enumerate(order):
        dx, dy = (pixels[:, None] - centers[view, index]).unbind(-1)
        a, b, c = conics[view, index].unbind(-1)
        alpha = opacities[view, index] * torch.exp(-0.5 * (a * dx**2 + c * dy**2) - b * dx * dy)
        alpha = torch.where(alpha >= 1 / 255, alpha.clamp_max(0.999), 0.0)
        alpha = torch.where(torch.cumprod(1 - alpha, -1) > 1e-4, alpha, 0.0)
        left = torch.cumprod(1 - alpha, -1)
        before = torch.cat([torch.ones_like(left[:, :1]), left[:, :-1]], dim=-1)
        blended.append((alpha * before) @ features[view, index])
        alphas.append(1 - left[:, -1:])
    shape = (len(order), height, width, -1)
    return torch.stack(blended).reshape(shape), torch.stack(alphas).reshape(shape)


TWIN = SimpleNamespace(
    fully_fused_projection=_project,
    spherical_harmonics=_harmonics,
    isect_tiles=_tiles,
    isect_offset_encode=_offsets,
    rasterize_to_pixels=_rasterize,
)
