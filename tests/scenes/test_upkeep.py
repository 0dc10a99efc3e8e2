import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.render import Picture
from splatsmith.scenes import Gaussians, Upkeep, UpkeepState, from_points
from splatsmith.scenes.upkeep import apply, observe

QUIET = {"start": 0, "stop": 1000, "every": 10, "grow_gradient": math.inf, "least": 1}


def make(
    scales: list[float], opacities: list[float] | None = None
) -> tuple[Gaussians, torch.optim.Adam, UpkeepState]:
    """Splats in a row along x, with moments that are not zero."""
    count = len(scales)
    points = torch.zeros(count, 3)
    points[:, 0] = torch.arange(count) * 10.0
    opacity = torch.tensor(opacities or [0.5] * count)
    state = from_points(points, opacity=opacity).state()
    state["log_scales"] = torch.log(torch.tensor(scales))[:, None].repeat(1, 3)
    scene = Gaussians.from_state(state)
    optimizer = torch.optim.Adam(
        [
            {"params": [value], "name": name, "lr": 1e-9}
            for name, value in scene.parameters_by_name().items()
        ]
    )
    sum(value.sum() for value in scene.parameters_by_name().values()).backward()
    optimizer.step()
    return scene, optimizer, UpkeepState.empty(scene)


def saw(state: UpkeepState, gradient: list[float], radius: list[float] | None = None) -> None:
    state.gradient_sum = torch.tensor(gradient)
    state.seen = torch.ones(len(gradient))
    state.radius = torch.tensor(radius or [0.01] * len(gradient))


def places(scene: Gaussians) -> list[int]:
    """Which of the first splats these are: they were 10 apart."""
    return (scene.means[:, 0] / 10).round().int().tolist()


def test_small_splats_are_cloned_and_large_ones_split(gen):
    scene, optimizer, state = make([0.01, 0.01, 0.1])
    saw(state, [0.0, 0.5, 0.5])
    grows = Upkeep(**QUIET | {"grow_gradient": 0.1, "split_scale": 0.05})
    report = apply(grows, state, scene, optimizer, 10, gen)
    assert (report.cloned, report.split, report.pruned, report.count) == (1, 1, 0, 5)
    assert places(scene) == [0, 1, 1, 2, 2]
    assert torch.equal(scene.means[1], scene.means[2])  # a clone starts on its parent
    assert not torch.equal(scene.means[3], scene.means[4])  # children of a split do not
    widths = scene.scales[:, 0].tolist()
    assert widths == pytest.approx([0.01, 0.01, 0.01, 0.1 / 1.6, 0.1 / 1.6])
    fresh = optimizer.state[scene.means]["exp_avg"].abs().sum(dim=1) == 0
    assert fresh.tolist() == [False, False, True, True, True]


def test_pruning_goes_by_opacity_world_size_and_screen_size(gen):
    scene, optimizer, state = make([0.01, 0.01, 0.5, 0.01], [0.5, 0.001, 0.5, 0.5])
    saw(state, [0.0] * 4, [0.01, 0.01, 0.01, 0.4])
    prunes = Upkeep(**QUIET | {"prune_world_size": 0.2, "prune_screen_size": 0.3})
    report = apply(prunes, state, scene, optimizer, 10, gen)
    assert (report.pruned, report.rescued, report.count) == (3, 0, 1)
    assert places(scene) == [0]
    assert optimizer.state[scene.means]["exp_avg"].shape == (1, 3)


def test_screen_size_prunes_even_when_others_grow_in_the_same_visit(gen):
    # Published code clears the radii while growing, just before pruning reads them.
    scene, optimizer, state = make([0.01, 0.01])
    saw(state, [0.5, 0.0], [0.01, 0.4])
    both = Upkeep(**QUIET | {"grow_gradient": 0.1, "prune_screen_size": 0.3})
    report = apply(both, state, scene, optimizer, 10, gen)
    assert (report.cloned + report.split, report.pruned) == (1, 1)
    assert places(scene) == [0, 0]


@pytest.mark.parametrize(("scale", "survives"), [(0.3, True), (0.5, False)])
def test_a_splat_about_to_be_split_is_judged_by_its_childrens_size(gen, scale, survives):
    scene, optimizer, state = make([0.01, scale])
    saw(state, [0.0, 0.5])
    both = Upkeep(**QUIET | {"grow_gradient": 0.1, "prune_world_size": 0.2})
    report = apply(both, state, scene, optimizer, 10, gen)
    assert (report.split, report.pruned) == ((1, 0) if survives else (0, 1))
    assert report.count == (3 if survives else 1)


def test_splats_too_faint_do_not_grow(gen):
    scene, optimizer, state = make([0.01, 0.01], [0.5, 0.001])
    saw(state, [0.0, 0.5])
    report = apply(Upkeep(**QUIET | {"grow_gradient": 0.1}), state, scene, optimizer, 0, gen)
    assert (report.cloned, report.split, report.pruned, report.count) == (0, 0, 1, 1)


def test_under_a_cap_the_largest_gradients_grow(gen):
    scene, optimizer, state = make([0.001] * 5)
    saw(state, [0.2, 0.9, 0.3, 0.8, 0.0])
    grows = Upkeep(**QUIET | {"grow_gradient": 0.1, "cap": 7})
    report = apply(grows, state, scene, optimizer, 10, gen)
    assert (report.cloned, report.count) == (2, 7)
    assert places(scene) == [0, 1, 2, 3, 4, 1, 3]


def test_pruned_splats_make_room_under_the_cap(gen):
    scene, optimizer, state = make([0.001] * 3, [0.5, 0.5, 0.001])
    saw(state, [0.2, 0.9, 0.0])
    grows = Upkeep(**QUIET | {"grow_gradient": 0.1, "cap": 3})
    report = apply(grows, state, scene, optimizer, 10, gen)
    assert places(scene) == [0, 1, 1]
    assert (report.cloned, report.pruned) == (1, 1)


@settings(max_examples=40)
@given(
    count=st.integers(1, 30),
    cap=st.integers(1, 40),
    least=st.integers(1, 5),
    seed=st.integers(0, 10_000),
)
def test_counts_add_up_and_bounds_hold(count, cap, least, seed):
    gen = torch.Generator().manual_seed(seed)
    draw = torch.rand(4, count, generator=gen)
    scene, optimizer, state = make(
        (draw[0] * 0.1 + 1e-3).tolist(), (draw[1] ** 4 * 0.9 + 1e-4).tolist()
    )
    saw(state, draw[2].tolist(), draw[3].tolist())
    numbers = Upkeep(
        **QUIET
        | {
            "grow_gradient": 0.5,
            "split_scale": 0.05,
            "prune_opacity": 0.1,
            "prune_world_size": 0.08,
            "prune_screen_size": 0.7,
            "cap": cap,
            "least": least,
        }
    )
    report = apply(numbers, state, scene, optimizer, 10, gen)
    assert report.count == scene.count
    assert report.count == count + report.cloned + report.split - report.pruned
    assert report.count <= max(cap, count)
    assert report.count >= min(least, count)
    for name, value in scene.parameters_by_name().items():
        assert optimizer.state[value]["exp_avg"].shape == value.shape, name
    assert len(state.seen) == scene.count


def test_never_everything_is_pruned(gen):
    opacities = [0.001, 0.004, 0.002, 0.003, 0.0005]
    scene, optimizer, state = make([0.01] * 5, opacities)
    guarded = Upkeep(**QUIET | {"least": 2})
    report = apply(guarded, state, scene, optimizer, 10, gen)
    assert (report.pruned, report.rescued, report.count) == (3, 2, 2)
    assert places(scene) == [1, 3]


def test_a_reset_clamps_opacity_and_forgets_its_moments(gen):
    scene, optimizer, state = make([0.01] * 3, [0.9, 0.02, 0.004])
    resets = Upkeep(**QUIET | {"start": 500, "reset_at": 7, "reset_to": 0.01})
    before = optimizer.state[scene.means]["exp_avg"].clone()
    assert not apply(resets, state, scene, optimizer, 6, gen).reset
    assert scene.opacities[0] > 0.8
    report = apply(resets, state, scene, optimizer, 7, gen)
    assert report.reset
    assert scene.opacities.tolist() == pytest.approx([0.01, 0.01, 0.004], rel=1e-4)
    assert optimizer.state[scene.logit_opacities]["exp_avg"].abs().max() == 0
    assert optimizer.state[scene.logit_opacities]["exp_avg_sq"].abs().max() == 0
    assert torch.equal(optimizer.state[scene.means]["exp_avg"], before)


def test_a_reset_does_not_feed_the_pruning_of_the_same_visit(gen):
    scene, optimizer, state = make([0.01] * 3, [0.9] * 3)
    numbers = Upkeep(**QUIET | {"reset_every": 10, "reset_to": 0.001, "prune_opacity": 0.005})
    report = apply(numbers, state, scene, optimizer, 10, gen)
    assert (report.pruned, report.count, report.reset) == (0, 3, True)
    assert scene.opacities.tolist() == pytest.approx([0.001] * 3, rel=1e-4)


def test_the_timetable():
    numbers = Upkeep(start=100, stop=500, every=150, reset_at=450, reset_every=200)
    assert [step for step in range(1000) if numbers.due(step)] == [100, 250, 400]
    assert [step for step in range(1000) if numbers.resets(step)] == [200, 400, 450]
    quiet = Upkeep(start=10, stop=20, every=1)
    assert not any(quiet.resets(step) for step in range(1000))


def test_nothing_happens_between_visits(gen):
    scene, optimizer, state = make([0.01] * 2, [0.5, 0.001])
    saw(state, [0.5, 0.5])
    parameters = list(scene.parameters())
    report = apply(Upkeep(**QUIET), state, scene, optimizer, 11, gen)
    assert (report.count, report.pruned, report.reset) == (2, 0, False)
    assert all(a is b for a, b in zip(parameters, scene.parameters(), strict=True))
    assert state.gradient_sum.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"reset_every": 700}, "reset_every is 700, but density control ends at step 500"),
        ({"start": 600}, "start is 600"),
        ({"reset_at": 500}, "reset_at is 500"),
    ],
)
def test_settings_that_would_never_act_in_the_run_are_refused(numbers, said):
    Upkeep(**{"start": 100} | numbers).check_run(15_000)
    with pytest.raises(InputError, match=said):
        Upkeep(**{"start": 100} | numbers).check_run(500)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"every": 0}, "every, cap and least >= 1"),
        ({"grow_gradient": 0.0}, "grow_gradient must be positive"),
        ({"prune_world_size": math.nan}, "prune_world_size must be positive"),
        ({"prune_opacity": 1.0}, "prune_opacity"),
        ({"reset_to": 0.0}, "reset_to"),
        ({"reset_at": -1}, "reset_at"),
    ],
)
def test_impossible_numbers_are_refused(numbers, said):
    with pytest.raises(InputError, match=said):
        Upkeep(**numbers)


def picture(radii: list[list[float]], width: int, height: int) -> Picture:
    views = len(radii)
    blank = torch.zeros(views, height, width, 3)
    return Picture(
        color=blank, alpha=blank[..., :1], depth=blank[..., :1], radii=torch.tensor(radii)
    )


def test_every_view_counts_and_only_where_the_splat_was_drawn():
    _, _, state = make([0.01] * 3)
    gradient = torch.tensor(
        [[[0.3, 0.4], [1.0, 0.0], [9.0, 9.0]], [[0.0, 0.1], [9.0, 9.0], [9.0, 9.0]]]
    )
    shown = picture([[2.0, 4.0, 0.0], [8.0, 0.0, 0.0]], 40, 20)
    observe(state, shown, gradient)
    # Half the width is 20 pixels, half the height 10.
    assert state.gradient_sum.tolist() == pytest.approx([math.hypot(6, 4) + 1, 20, 0])
    assert state.seen.tolist() == [2, 1, 0]
    assert state.radius.tolist() == pytest.approx([0.2, 0.1, 0])
    observe(state, shown, gradient, loss_scale=2.0)
    assert state.gradient_sum.tolist() == pytest.approx([3 * (math.hypot(6, 4) + 1), 60, 0])
    assert state.seen.tolist() == [4, 2, 0]


def test_gradients_that_are_not_finite_count_as_nothing():
    _, _, state = make([0.01] * 2)
    gradient = torch.tensor([[[math.nan, 1.0], [math.inf, 0.0]]])
    observe(state, picture([[1.0, 1.0]], 2, 2), gradient)
    assert state.gradient_sum.tolist() == [1.0, 0.0]


def test_pictures_without_radii_are_refused():
    _, _, state = make([0.01])
    blank = torch.zeros(1, 2, 2, 3)
    with pytest.raises(InputError, match="radii"):
        observe(
            state,
            Picture(color=blank, alpha=blank[..., :1], depth=blank[..., :1]),
            torch.zeros(1, 1, 2),
        )


def test_screen_gradients_do_not_depend_on_the_pictures_size():
    scene = from_points(torch.tensor([[0.0, 0.1, 0.1]]), opacity=0.9)
    scene.log_scales.data.fill_(math.log(0.25))
    sums = []
    for size in (64, 256):
        state = UpkeepState.empty(scene)
        cameras = orbit([0.0, 90.0], 0.0, width=size, height=size)
        offset = torch.zeros(2, 1, 2, requires_grad=True)
        drawn = scene.render(cameras, torch.ones(3), screen_offset=offset, backend="reference")
        ramp = torch.arange(size)[None, None, :, None] / size
        ((drawn.color * ramp).sum() / size**2).backward()  # A loss that is a mean over pixels.
        observe(state, drawn, offset.grad)
        sums.append(state.gradient_sum.item())
    assert sums[0] == pytest.approx(sums[1], rel=0.02)
    assert sums[0] > 1e-3


def test_growth_follows_its_generator():
    found = []
    for seed in (1, 1, 2):
        scene, optimizer, state = make([0.1] * 4)
        saw(state, [0.5] * 4)
        gen = torch.Generator().manual_seed(seed)
        apply(Upkeep(**QUIET | {"grow_gradient": 0.1}), state, scene, optimizer, 10, gen)
        found.append(scene.means.detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_the_state_comes_back_to_the_bit():
    _, _, state = make([0.01] * 3)
    saw(state, [0.1, 0.2, 0.3])
    state.seen[0], state.radius[1] = 7, 0.5
    saved = {name: value.clone() for name, value in state.state().items()}
    again = UpkeepState.from_state(saved)
    assert all(torch.equal(saved[name], value) for name, value in again.state().items())
    observe(again, picture([[1.0] * 3], 4, 4), torch.ones(1, 3, 2))
    assert all(torch.equal(saved[name], value) for name, value in state.state().items())
    for bad in ({}, saved | {"seen": torch.zeros(2)}):
        with pytest.raises(InputError, match="upkeep state"):
            UpkeepState.from_state(bad)


def test_clones_and_splits_do_not_disturb_a_run_that_goes_on(gen):
    """Grow for real: a few splats learn a picture, and more of them learn it better."""
    target = torch.rand(1, 16, 16, 3, generator=gen)
    cameras = orbit(0.0, 0.0, width=16, height=16)
    errors = {}
    for grows in (False, True):
        draw = torch.Generator().manual_seed(1)
        points = torch.rand(12, 3, generator=draw) - 0.5
        scene = from_points(points, opacity=0.8)
        optimizer = torch.optim.Adam(
            [
                {"params": [value], "name": name, "lr": 0.02}
                for name, value in scene.parameters_by_name().items()
            ]
        )
        state = UpkeepState.empty(scene)
        limit = 1e-6 if grows else math.inf
        numbers = Upkeep(start=10, stop=40, every=10, grow_gradient=limit, cap=60)
        for step in range(60):
            offset = torch.zeros(1, scene.count, 2, requires_grad=True)
            drawn = scene.render(
                cameras, torch.ones(3), screen_offset=offset, backend="reference"
            )
            loss = (drawn.color - target).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            observe(state, drawn, offset.grad)
            apply(numbers, state, scene, optimizer, step, draw)
        errors[grows] = loss.item()
        assert scene.count == (60 if grows else 12)
    assert errors[True] < 0.9 * errors[False]


def test_nothing_is_reset_from_stop_on():
    assert not Upkeep(start=100, stop=500, reset_at=600).resets(600)
    assert Upkeep(start=100, stop=700, reset_at=600).resets(600)
    with pytest.raises(InputError, match="reset_at is 600, but"):
        Upkeep(start=100, stop=500, reset_at=600).check_run(1000)
