"""The native kernels against the reference: values, gradients, every instruction set."""

import dataclasses

import pytest
import torch
from splat_scenes import INPUTS, degenerate_scene, draw_with_gradients, random_scene

from splatsmith.render import native, splat

SCENES = {
    "one": {"count": 1},
    "none": {"count": 0, "views": 2},
    "odd size": {"count": 70, "width": 53, "height": 37, "views": 2, "degree": 3},
    "one pixel": {"count": 20, "width": 1, "height": 1, "degree": 1},
    "thin": {"count": 90, "width": 100, "height": 3, "views": 3, "background": "picture"},
    "crowd": {"count": 1500, "width": 64, "height": 48, "degree": 2, "background": "picture"},
    "opaque": {"count": 600, "width": 40, "height": 40, "degree": 1},
}


@pytest.fixture(params=native.isas())
def isa(request, monkeypatch):
    monkeypatch.setenv("SPLATSMITH_ISA", request.param)
    return request.param


def test_kernels_were_built():
    assert native.available()
    assert native.isas()[-1] == "baseline"
    assert native.peak() > 1e8


@pytest.mark.parametrize("name", SCENES)
def test_native_draws_what_the_reference_draws(gen, isa, name):
    scene = random_scene(gen, **SCENES[name])
    if name == "opaque":
        scene = dataclasses.replace(scene, opacities=1 - 0.1 * scene.opacities)
    seed = torch.Generator().manual_seed(1)
    ours, our_gradients = draw_with_gradients(scene, "native", seed)
    seed.manual_seed(1)
    theirs, their_gradients = draw_with_gradients(scene, "reference", seed)
    assert_pictures_agree(ours, theirs)
    for name, mine, other in zip(INPUTS, our_gradients, their_gradients, strict=True):
        scale = other.norm() + 1e-6
        assert (mine - other).norm() / scale < 1e-3, f"gradient of {name}"


def assert_pictures_agree(ours, theirs):
    """Close everywhere, but for the odd pixel where rounding decides about the cut at 1/255."""
    for name, scale in (("color", 1.0), ("alpha", 1.0), ("depth", 3.0)):
        error = (getattr(ours, name) - getattr(theirs, name)).abs() / scale
        assert error.numel() == 0 or error.max() < 2e-2, name
        assert (error > 2e-5).float().mean() <= 2e-3, name
    assert (ours.radii - theirs.radii).abs().sum() <= 2


def test_bits_do_not_depend_on_the_number_of_threads(gen, isa):
    scene = random_scene(gen, 900, width=70, height=50, views=3, degree=2)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            seed = torch.Generator().manual_seed(1)
            picture, gradients = draw_with_gradients(scene, "native", seed)
            outputs = (picture.color, picture.alpha, picture.depth, picture.radii)
            results.append([*outputs, *gradients])
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_degenerate_scenes_stay_finite_and_agree(seed):
    scene = degenerate_scene(torch.Generator().manual_seed(seed))
    pictures = {}
    for backend in ("native", "reference"):
        gen = torch.Generator().manual_seed(1)
        picture, gradients = draw_with_gradients(scene, backend, gen)
        pictures[backend] = picture
        tensors = {
            name: getattr(picture, name) for name in ("color", "alpha", "depth", "radii")
        }
        tensors |= {f"gradient of {n}": g for n, g in zip(INPUTS, gradients, strict=True)}
        for name, tensor in tensors.items():
            assert torch.isfinite(tensor).all(), f"{backend}: {name}"
    error = (pictures["native"].alpha - pictures["reference"].alpha).abs()
    assert (error > 1e-3).float().mean() < 0.01


@pytest.mark.parametrize("isa_name", native.isas())
@pytest.mark.parametrize("seed", range(20, 24))
def test_degenerate_scenes_stay_finite_in_every_instruction_set(monkeypatch, isa_name, seed):
    monkeypatch.setenv("SPLATSMITH_ISA", isa_name)
    scene = degenerate_scene(torch.Generator().manual_seed(seed), 200)
    picture, gradients = draw_with_gradients(scene, "native", torch.Generator().manual_seed(1))
    assert all(torch.isfinite(t).all() for t in (picture.color, picture.depth, *gradients))


def test_a_graph_can_be_walked_twice_and_by_parts(gen):
    scene = random_scene(gen, 50, views=2)
    tensors = [tensor.requires_grad_() for tensor in scene.tensors()]
    picture = scene.draw(tensors, "native")
    depth_alone = torch.autograd.grad(picture.depth.sum(), tensors[0], retain_graph=True)[0]
    again = torch.autograd.grad(picture.depth.sum(), tensors[0], retain_graph=True)[0]
    assert torch.equal(depth_alone, again)
    expected = scene.draw(tensors, "reference")
    reference = torch.autograd.grad(expected.depth.sum(), tensors[0])[0]
    torch.testing.assert_close(depth_alone, reference, atol=1e-2, rtol=1e-3)


def test_tensors_need_not_be_contiguous(gen):
    scene = random_scene(gen, 40, degree=1)
    expected = scene.draw(scene.tensors(), "native")
    strided = [torch.stack([t, t], dim=-1)[..., 0].requires_grad_() for t in scene.tensors()]
    picture = scene.draw(strided, "native")
    assert torch.equal(picture.color, expected.color)
    assert all(g is not None for g in torch.autograd.grad(picture.color.sum(), strided))


def test_many_drawings_at_once_do_not_share_memory(gen):
    scenes = [random_scene(gen, 30 + 10 * i, width=20 + i) for i in range(4)]
    lists = [[t.clone().requires_grad_() for t in scene.tensors()] for scene in scenes]
    pictures = [s.draw(t, "native") for s, t in zip(scenes, lists, strict=True)]
    for scene, tensors, picture in zip(scenes, lists, pictures, strict=True):
        late = torch.autograd.grad(picture.color.square().sum(), tensors)
        alone = scene.draw(tensors, "native").color.square().sum()
        for a, b in zip(late, torch.autograd.grad(alone, tensors), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("part", ["alpha", "depth"])
def test_a_background_that_nothing_asks_about_has_no_gradient(gen, part):
    scene = random_scene(gen, count=30, width=20, height=20, background="picture")
    background = scene.background.clone().requires_grad_()
    means = scene.means.clone().requires_grad_()
    shown = splat(
        means, scene.quats, scene.scales, scene.opacities, scene.sh, scene.cameras,
        background=background, backend="native",
    )  # fmt: skip
    getattr(shown, part).mean().backward()
    assert means.grad.abs().sum() > 0
    assert background.grad is None or not background.grad.any()
