import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from splatsmith.errors import InputError
from splatsmith.scenes import Gaussians, from_points
from splatsmith.scenes.surgery import clear_moments, rearrange, rotate, split_children

RATE, BETA1, BETA2, EPS = 0.01, 0.9, 0.999, 1e-8


def scene_and_adam(count: int, foreach: bool = True) -> tuple[Gaussians, torch.optim.Adam]:
    gen = torch.Generator().manual_seed(0)
    scene = from_points(torch.rand(count, 3, generator=gen), opacity=0.5)
    return scene, adam(scene, foreach)


def adam(scene: Gaussians, foreach: bool) -> torch.optim.Adam:
    groups = [
        {"params": [parameter], "name": name, "lr": RATE}
        for name, parameter in scene.parameters_by_name().items()
    ]
    return torch.optim.Adam(groups, betas=(BETA1, BETA2), eps=EPS, foreach=foreach)


def step(scene: Gaussians, optimizer: torch.optim.Adam, pull: torch.Tensor) -> None:
    """One step on a loss whose gradient at every parameter's row i is `pull[i]`."""
    optimizer.zero_grad()
    total = sum(
        (parameter.flatten(1).sum(1) if parameter.ndim > 1 else parameter) @ pull
        for parameter in scene.parameters_by_name().values()
    )
    total.backward()
    optimizer.step()


@pytest.mark.parametrize("foreach", [False, True])
def test_survivors_move_on_as_if_nothing_had_happened(foreach):
    pulls = [torch.tensor([1.0, -2.0, 3.0, 0.5]) * scale for scale in (1.0, 0.3, -0.2, 0.7)]
    source = torch.tensor([3, 1])
    scene, optimizer = scene_and_adam(4, foreach)
    for pull in pulls[:2]:
        step(scene, optimizer, pull)
    rearrange(scene, optimizer, source, torch.zeros(2, dtype=torch.bool))
    for pull in pulls[2:]:
        step(scene, optimizer, pull[source])
    untouched, its_optimizer = scene_and_adam(4, foreach)
    for pull in pulls:
        step(untouched, its_optimizer, pull)
    for name, value in scene.state().items():
        assert torch.equal(value, untouched.state()[name][source]), name


def test_a_survivor_moves_by_adams_own_formula():
    scene, optimizer = scene_and_adam(3)
    pulls = [torch.tensor([1.0, -2.0, 4.0]), torch.tensor([0.5, 1.0, -1.0])]
    for pull in pulls:
        step(scene, optimizer, pull)
    rearrange(scene, optimizer, torch.tensor([2]), torch.tensor([False]))
    before = scene.means.detach().clone()
    step(scene, optimizer, torch.tensor([2.0]))
    first = second = 0.0
    for gradient in (4.0, -1.0, 2.0):  # row 2 of the pulls, then the pull after pruning
        first = BETA1 * first + (1 - BETA1) * gradient
        second = BETA2 * second + (1 - BETA2) * gradient**2
    size = first / (1 - BETA1**3) / (math.sqrt(second / (1 - BETA2**3)) + EPS)
    torch.testing.assert_close(scene.means.detach(), before - RATE * size)


def test_fresh_rows_start_without_moments_and_the_others_keep_theirs():
    scene, optimizer = scene_and_adam(3)
    step(scene, optimizer, torch.tensor([1.0, 2.0, 3.0]))
    old = copy.deepcopy(optimizer.state[scene.sh]["exp_avg"])
    rearrange(scene, optimizer, torch.tensor([2, 0, 2]), torch.tensor([False, False, True]))
    for name, parameter in scene.parameters_by_name().items():
        moments = optimizer.state[parameter]
        assert moments["step"] == 1
        for key in ("exp_avg", "exp_avg_sq"):
            assert moments[key].shape == parameter.shape, name
            assert moments[key][:2].abs().min() > 0
            assert moments[key][2].abs().max() == 0
    assert torch.equal(optimizer.state[scene.sh]["exp_avg"][:2], old[[2, 0]])
    assert len(optimizer.state) == 5
    step(scene, optimizer, torch.tensor([1.0, 1.0, 1.0]))


def test_the_optimizers_state_can_be_saved_and_loaded_after_surgery():
    scene, optimizer = scene_and_adam(4)
    step(scene, optimizer, torch.ones(4))
    rearrange(scene, optimizer, torch.tensor([0, 2, 2]), torch.tensor([False, False, True]))
    again = Gaussians.from_state(scene.state())
    twin = adam(again, True)
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for _ in range(2):
        step(scene, optimizer, torch.tensor([1.0, -1.0, 2.0]))
        step(again, twin, torch.tensor([1.0, -1.0, 2.0]))
    for name, value in scene.state().items():
        assert torch.equal(value, again.state()[name])


def test_other_groups_are_left_alone_and_unfit_ones_refused():
    scene, _ = scene_and_adam(3)
    background = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.Adam(
        [
            {"params": [scene.means], "name": "means"},
            {"params": [background], "name": "background"},
        ]
    )
    rearrange(scene, optimizer, torch.tensor([0]), torch.tensor([False]))
    assert optimizer.param_groups[0]["params"][0] is scene.means
    assert optimizer.param_groups[1]["params"][0] is background
    stranger = torch.optim.Adam([{"params": [background], "name": "means"}])
    with pytest.raises(InputError, match="one group per name"):
        rearrange(scene, stranger, torch.tensor([0]), torch.tensor([False]))


def test_clearing_moments_keeps_the_count_of_steps():
    scene, optimizer = scene_and_adam(3)
    step(scene, optimizer, torch.ones(3))
    clear_moments(optimizer, scene.logit_opacities)
    cleared = optimizer.state[scene.logit_opacities]
    assert cleared["exp_avg"].abs().max() == 0
    assert cleared["exp_avg_sq"].abs().max() == 0
    assert cleared["step"] == 1
    assert optimizer.state[scene.means]["exp_avg"].abs().min() > 0


def test_children_are_drawn_from_their_parents_own_normal_distribution(gen):
    # A quarter turn about z takes the splat's x axis to the world's y axis.
    half = math.sqrt(0.5)
    scene = Gaussians(
        means=torch.tensor([[1.0, 2.0, 3.0]]),
        log_scales=torch.log(torch.tensor([[0.4, 0.1, 0.02]])),
        quats=3.0 * torch.tensor([[half, 0.0, 0.0, half]]),
        logit_opacities=torch.zeros(1),
        sh=torch.zeros(1, 1, 3),
    )
    children = split_children(scene, torch.zeros(5000, dtype=torch.long), gen)
    offset = children["means"] - scene.means.detach()
    expected = torch.diag(torch.tensor([0.1, 0.4, 0.02]) ** 2)
    torch.testing.assert_close(offset.T.cov(), expected, atol=0.005, rtol=0)
    assert offset.mean(dim=0).abs().max() < 0.02
    width = torch.exp(children["log_scales"])
    torch.testing.assert_close(
        width, (torch.tensor([[0.4, 0.1, 0.02]]) / 1.6).expand(10_000, 3)
    )


@given(
    quat=st.lists(st.floats(-2, 2), min_size=4, max_size=4).filter(
        lambda q: sum(value**2 for value in q) > 1e-3
    ),
    vector=st.lists(st.floats(-2, 2), min_size=3, max_size=3),
)
def test_rotate_is_the_rotation_matrix_of_the_quaternion(quat, vector):
    q, v = (torch.tensor([values], dtype=torch.float64) for values in (quat, vector))
    w, x, y, z = (q / q.norm())[0].tolist()
    matrix = torch.tensor(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ],
        dtype=torch.float64,
    )
    torch.testing.assert_close(rotate(q, v)[0], matrix @ v[0])


def test_a_quaternion_of_length_zero_turns_nothing():
    vector = torch.tensor([[1.0, 2.0, 3.0]])
    assert torch.equal(rotate(torch.zeros(1, 4), vector), vector)
