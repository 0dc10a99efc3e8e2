import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.render import splat
from splatsmith.scenes import Gaussians, color_to_sh


def tensors(count: int, coefficients: int = 1, seed: int = 0) -> dict[str, torch.Tensor]:
    gen = torch.Generator().manual_seed(seed)
    shapes = {
        "means": (count, 3),
        "log_scales": (count, 3),
        "quats": (count, 4),
        "logit_opacities": (count,),
        "sh": (count, coefficients, 3),
    }
    drawn = {name: torch.randn(shape, generator=gen) for name, shape in shapes.items()}
    drawn["log_scales"] -= 3
    drawn["means"] *= 0.3
    return drawn


@given(
    count=st.integers(1, 20),
    degree=st.integers(0, 3),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.float16]),
)
def test_state_comes_back_to_the_bit(count, degree, dtype):
    given = {k: v.to(dtype) for k, v in tensors(count, (degree + 1) ** 2).items()}
    scene = Gaussians.from_state(Gaussians(**given).state())
    assert (scene.count, scene.sh_degree) == (count, degree)
    assert set(scene.state()) == set(given)
    for name, value in scene.state().items():
        assert value.dtype == dtype
        assert torch.equal(value, given[name])


def test_a_scene_does_not_share_memory_with_what_it_was_made_from():
    given = tensors(3)
    scene = Gaussians(**given)
    given["means"].zero_()
    assert scene.means.abs().min() > 0


def test_parameters_have_the_names_that_recipes_use():
    scene = Gaussians(**tensors(3))
    names = ["means", "log_scales", "quats", "logit_opacities", "sh"]
    assert list(scene.parameters_by_name()) == names
    assert dict(scene.named_parameters()).keys() == set(names)
    assert all(parameter.requires_grad for parameter in scene.parameters())


def test_activations():
    given = tensors(2)
    given["log_scales"] = torch.full((2, 3), math.log(0.25))
    given["logit_opacities"] = torch.tensor([0.0, math.log(3)])
    scene = Gaussians(**given)
    torch.testing.assert_close(scene.scales, torch.full((2, 3), 0.25))
    torch.testing.assert_close(scene.opacities, torch.tensor([0.5, 0.75]))


def test_render_draws_activated_values_and_reaches_every_parameter():
    scene = Gaussians(**tensors(30, 4))
    cameras = orbit([0.0, 120.0], 20.0, width=16, height=16)
    offset = torch.zeros(2, 30, 2, requires_grad=True)
    white = torch.ones(3)
    picture = scene.render(cameras, white, screen_offset=offset, backend="reference")
    expected = splat(
        scene.means,
        scene.quats,
        torch.exp(scene.log_scales),
        torch.sigmoid(scene.logit_opacities),
        scene.sh,
        cameras,
        white,
        backend="reference",
    )
    assert torch.equal(picture.color, expected.color)
    picture.color.square().sum().backward()
    for name, parameter in scene.parameters_by_name().items():
        assert parameter.grad.abs().sum() > 0, name
    assert offset.grad.abs().sum() > 0


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_a_color_put_into_harmonics_is_seen_from_every_side(degree):
    color = torch.tensor([[0.9, 0.3, 0.1]])
    scene = Gaussians(
        means=torch.zeros(1, 3),
        log_scales=torch.full((1, 3), math.log(0.3)),
        quats=torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        logit_opacities=torch.tensor([20.0]),
        sh=color_to_sh(color, degree),
    )
    assert scene.sh_degree == degree
    cameras = orbit([0.0, 100.0, 250.0], [0.0, 45.0, -60.0], width=9, height=9)
    center = scene.render(cameras, torch.zeros(3), backend="reference").color[:, 4, 4]
    torch.testing.assert_close(center, color.expand(3, 3), atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"means": torch.zeros(2, 3)}, r"log_scales of 2 splats must have shape \(2, 3\)"),
        ({"quats": torch.zeros(3, 3)}, r"quats of 3 splats must have shape \(3, 4\)"),
        ({"sh": torch.zeros(3, 5, 3)}, "1 or 4 or 9 or 16"),
        ({"logit_opacities": torch.zeros(3, 1)}, r"logit_opacities .* shape \(3,\)"),
        ({"means": torch.tensor([[0.0] * 3, [math.nan] * 3, [0.0] * 3])}, "row 1"),
        ({"quats": torch.ones(3, 4, dtype=torch.long)}, "floating-point"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_refused(change, said):
    # from_state, unlike the constructor, has no shapes in its annotations.
    with pytest.raises(InputError, match=said):
        Gaussians.from_state(tensors(3) | change)


def test_no_splats_and_unknown_tensors_are_refused():
    with pytest.raises(InputError, match="at least one splat"):
        Gaussians.from_state({k: v[:0] for k, v in tensors(1).items()})
    with pytest.raises(InputError, match="got means"):
        Gaussians.from_state({"means": torch.zeros(1, 3)})
    with pytest.raises(InputError, match="must be 0, 1, 2 or 3"):
        color_to_sh(torch.zeros(1, 3), 4)


def test_replace_keeps_what_is_frozen_frozen():
    scene = Gaussians(**tensors(3))
    scene.quats.requires_grad_(False)
    scene.replace(tensors(5))
    assert scene.count == 5
    assert [p.requires_grad for p in scene.parameters_by_name().values()] == [
        True,
        True,
        False,
        True,
        True,
    ]
