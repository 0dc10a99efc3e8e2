"""The loop does what distillation promises, and does it the same way every time."""

import pytest
import torch

from splatsmith import generate
from splatsmith.cameras import turntable
from splatsmith.recipes.load import overridden
from splatsmith.recipes.rates import rate_at


def psnr(a, b):
    return float(-10 * torch.log10((a - b).square().mean()))


def test_a_scene_follows_the_prior(prior, recipe, target_scene):
    """From gray splats to the known scene, seen from cameras that no step used."""
    changes = {
        "shape.steps": 150,
        "shape.start.count": 60,
        "shape.start.radius": 0.7,
        "shape.score.weight": "sigma_over_alpha",
        "shape.rates.means": 1e-2,
        "shape.rates.log_scales": 2e-2,
        "shape.rates.sh": 5e-2,
    }
    losses = []
    result = generate(
        "anything",
        prior=prior,
        recipe=recipe,
        overrides=changes,
        callback=lambda info: losses.append(info.distance),
    )
    cameras = turntable(6, elevation=20, width=16, height=16)
    with torch.no_grad():
        made = result.scene.render(cameras, torch.ones(3)).color
        wanted = target_scene.render(cameras, torch.ones(3)).color
    assert psnr(torch.ones_like(wanted), wanted) < 15
    assert psnr(made, wanted) > 27
    assert sum(losses[-10:]) < 0.3 * sum(losses[:10])
    assert result.metrics["skipped"] == 0


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(prior, recipe):
    first, second, third = (
        generate("x", seed=seed, prior=prior, recipe=recipe).scene.state() for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not any(torch.equal(first[name], third[name]) for name in ("means", "sh"))


def test_no_global_randomness_is_used(prior, recipe):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    generate("x", prior=prior, recipe=recipe)
    assert torch.equal(before, torch.get_rng_state())


def test_the_callback_sees_every_step(prior, recipe):
    infos = []
    result = generate("x", prior=prior, recipe=recipe, callback=infos.append)
    assert [info.step for info in infos] == list(range(1, 13))
    last = infos[-1]
    assert (last.stage, last.steps, last.views, last.splats) == ("shape", 12, 2, 30)
    assert last.color.shape == last.pseudo_ground_truth.shape == (2, 16, 16, 3)
    assert 0 <= float(last.pseudo_ground_truth.min()) <= float(last.color.max()) <= 1.001
    assert result.paths == {}


def test_one_step_is_adam_on_the_loss(prior, recipe):
    """Adam's first step has the length of the learning rate, whatever the gradient."""
    one = overridden(recipe, {"shape.steps": 1})
    none = overridden(recipe, {"shape.steps": 1, "shape.rates.means": 0.0})
    moved = generate("x", prior=prior, recipe=one).scene
    stayed = generate("x", prior=prior, recipe=none).scene
    step = (moved.means - stayed.means).detach().abs()
    seen = step > 0
    assert float(seen.float().mean()) > 0.9
    torch.testing.assert_close(step[seen], torch.full_like(step[seen], 4e-3), rtol=1e-3, atol=0)
    assert torch.equal(moved.log_scales, stayed.log_scales)


def test_a_decaying_rate_reaches_its_end(recipe):
    rates = overridden(
        recipe, {"shape.rates.means.start": 1e-2, "shape.rates.means.end": 1e-4}
    ).stage[0].rates  # fmt: skip
    values = [rate_at(rates, "means", progress) for progress in (0.0, 0.5, 1.0)]
    assert values == pytest.approx([1e-2, 1e-3, 1e-4])


def test_a_second_stage_goes_on_with_the_scene(prior, recipe):
    from dataclasses import replace

    first = recipe.stage[0]
    still = replace(first.rates, means=0.0, log_scales=0.0, quats=0.0, logit_opacities=0.0)
    second = replace(first, name="paint", start=None, rates=still, steps=3)
    both = generate("x", prior=prior, recipe=replace(recipe, stage=(first, second))).scene
    alone = generate("x", prior=prior, recipe=recipe).scene
    assert torch.equal(both.means, alone.means)
    assert not torch.equal(both.sh, alone.sh)
