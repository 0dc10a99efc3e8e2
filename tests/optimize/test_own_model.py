"""The model of the scene's own renders: it learns, is saved, and resumes to the same bytes."""

import dataclasses
import json

import pytest
import torch
from running import Stop, contents, stop_at
from torch import nn

from splatsmith import InputError, generate, resume
from splatsmith.cameras import orbit
from splatsmith.distill import SDS, VSD, OwnModel, distill, distillation_loss
from splatsmith.optimize.guards import BadValue
from splatsmith.optimize.own_model import NAME, Learner
from splatsmith.optimize.save import finished_steps, read_checkpoint
from splatsmith.priors.analytic import AnalyticPrior
from splatsmith.priors.denoiser import Denoiser, DenoiserShape
from splatsmith.priors.embedded import EmbeddedPrior
from splatsmith.priors.prediction import Prediction
from splatsmith.priors.text import WordTable
from splatsmith.prompts import Prompt, Vocabulary
from splatsmith.recipes.load import overridden, parse_recipe

VSD_RECIPE = """
title = "A tiny run of VSD"
output = { save_every = 2, snapshots = 2, frames = 2, size = 16 }

[[stage]]
name = "shape"
steps = 7
views = 2
size = 16
start = { kind = "ball", count = 12, color_spread = 1.0 }

[stage.score]
kind = "vsd"
guidance = 3.0
own = { rank = 2, rate = 1e-2, camera_dropped = 0.5 }
"""
PROMPT = Prompt(text="a ball")
CAMERAS = orbit([0.0, 90.0], 0.0, width=16, height=16)


class Pictures:
    """An adapter with all the capacity there is: one picture for each view of a step."""

    def __init__(self, prior):
        self.prior = prior
        self.pictures = nn.Parameter(torch.zeros(2, 3, 16, 16))

    def parameters_by_name(self):
        return {"pictures": self.pictures}

    def condition(self, prompt, cameras, known):
        return known

    def predict(self, x_t, t, condition):
        return Prediction.of("x0", self.pictures + 0, x_t, t, self.prior.schedule)


class PicturePrior(AnalyticPrior):
    def adapted(self, rank, generator):
        return Pictures(self)


@pytest.fixture
def painter(prior):
    return PicturePrior(targets=prior.targets, resolution=prior.resolution)


@pytest.fixture(scope="module")
def tiny():
    """An embedded prior whose weights know nothing."""
    words = WordTable(("ball", "a", "view", "front", "side", "back"), 8)
    shape = DenoiserShape(
        resolution=32, middle_width=8, inner_width=8, inner_blocks=1, attentive_blocks=(0,),
        heads=2, signal_width=16, text_width=32, text_layers=1,
        vocabulary=len(words.words) + 1, words=words.length,
    )  # fmt: skip
    net, gen = Denoiser(shape), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=gen) * 0.2)
    vocabulary = Vocabulary({"object": ("ball",), "filler": ("a",)}, {})
    return EmbeddedPrior(net, vocabulary, words, "tiny")


@pytest.fixture(scope="module")
def recipe():
    return parse_recipe(VSD_RECIPE, "vsd")


def lessons(learner, prior, x, count):
    for step in range(count):
        learner.learn(prior, PROMPT, CAMERAS, x, torch.Generator().manual_seed(step))


def test_once_it_knows_the_renders_vsd_is_sds(painter, gen):
    """The loop of learning closes the circle that the scores' own tests draw."""
    x = torch.rand(2, 3, 16, 16, generator=gen) * 2 - 1
    learner = Learner.begin(OwnModel(rate=0.05), painter, gen)
    condition = painter.condition(PROMPT, CAMERAS)

    def gradient(settings):
        draws = torch.Generator().manual_seed(1)
        own = learner.about(PROMPT, CAMERAS)
        return distill(settings, painter, condition, x, 0.5, draws, own).gradient

    plain = gradient(SDS(guidance=7.5))
    before = (gradient(VSD()) - plain).abs().max()
    lessons(learner, painter, x, 150)
    after = (gradient(VSD()) - plain).abs().max()
    assert before > 0.2
    assert after < 0.02 * before


def test_vsd_finds_what_the_prior_knows(painter, gen):
    """Pixels alone, the own model learning along: what the recipes' oracle is for the rest."""
    target = painter.condition(PROMPT, CAMERAS).targets[:, 0]
    x = torch.zeros(2, 3, 16, 16).requires_grad_()
    learner = Learner.begin(OwnModel(rate=0.05), painter, gen)
    adam = torch.optim.Adam([x], lr=0.05)
    condition, own = painter.condition(PROMPT, CAMERAS), learner.about(PROMPT, CAMERAS)
    for step in range(200):
        adam.param_groups[0]["lr"] = 0.05 * (1 - step / 200)
        draws = torch.Generator().manual_seed(step)
        distilled = distill(VSD(), painter, condition, x, step / 200, draws, own)
        adam.zero_grad()
        distillation_loss(x, distilled).backward()
        learner.learn(painter, PROMPT, CAMERAS, x, draws)
        adam.step()
    error = (x.detach() - target).square().mean(dim=(1, 2, 3))
    assert (-10 * torch.log10(error / 4)).min() > 25
    assert (-10 * torch.log10(target.square().mean(dim=(1, 2, 3)) / 4)).max() < 15


def test_the_embedded_prior_learns_what_the_scene_looks_like(tiny, gen):
    x = torch.rand(2, 3, 1, 1, generator=gen).expand(2, 3, 32, 32) * 2 - 1
    learner = Learner.begin(OwnModel(rank=4, rate=3e-2, camera_dropped=0.0), tiny, gen)
    t, noise = torch.tensor([0.7, 0.7]), torch.randn(x.shape, generator=gen)
    alpha, sigma = tiny.schedule.alpha(t), tiny.schedule.sigma(t)
    x_t = alpha[:, None, None, None] * x + sigma[:, None, None, None] * noise

    def error():
        with torch.no_grad():
            said = learner.about(PROMPT, CAMERAS)(x_t, t)
        return float((said.x0 - x).square().mean())

    before = error()
    lessons(learner, tiny, x, 60)
    assert error() < 0.75 * before


def test_a_lesson_that_is_not_finite_changes_nothing(painter, gen):
    learner = Learner.begin(OwnModel(rate=0.1), painter, gen)
    x = torch.rand(2, 3, 16, 16, generator=gen)
    lessons(learner, painter, x, 2)
    before = {name: tensor.clone() for name, tensor in learner.state().items()}
    x[0, 0, 0, 0] = float("inf")
    with pytest.raises(BadValue) as caught:
        lessons(learner, painter, x, 1)
    assert caught.value.tensor == NAME
    assert all(torch.equal(before[name], tensor) for name, tensor in learner.state().items())


def test_a_prior_that_cannot_be_adapted_is_refused_before_the_run(prior, recipe, tmp_path):
    with pytest.raises(InputError, match="this prior has no place for one"):
        generate("a ball", prior=prior, recipe=recipe, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny, recipe):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    generate("a ball", prior=tiny, recipe=recipe, out=folder)
    return folder


def test_the_own_model_is_in_every_checkpoint(whole):
    places = whole / "checkpoints"
    assert sorted(finished_steps(places)) == [6, 7]
    run = json.loads((places / "step-000007" / "manifest.json").read_text())["run"]
    states = [
        read_checkpoint(places / f"step-{step:06d}", run).groups["own"] for step in (6, 7)
    ]
    learned = [name for name in states[0] if name.endswith(".B") and "parameter" in name]
    assert learned
    assert any(not torch.equal(states[0][name], states[1][name]) for name in learned)
    assert "moment.pose_out.exp_avg_sq" in states[0]


@pytest.mark.parametrize("step", [1, 5])
def test_a_run_of_vsd_that_broke_off_ends_in_the_same_bytes(
    whole, tiny, recipe, tmp_path, step
):
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        generate("a ball", prior=tiny, recipe=recipe, out=folder, callback=stop_at(step))
    resume(folder, prior=tiny)
    assert contents(folder) == contents(whole)


def test_a_stage_without_vsd_leaves_no_model_behind(tiny, recipe, tmp_path):
    """The model belongs to its stage; a run broken off in the next one resumes all the same."""
    shape = dataclasses.replace(recipe.stage[0], steps=2)
    polish = dataclasses.replace(shape, name="polish", start=None, steps=4, score=SDS())
    two = dataclasses.replace(recipe, stage=(shape, polish))
    undisturbed, folder = tmp_path / "whole", tmp_path / "run"
    generate("a ball", prior=tiny, recipe=two, out=undisturbed)
    assert not list(undisturbed.glob("checkpoints/*/own.safetensors"))
    for step in (2, 5):
        with pytest.raises(Stop):
            generate(
                "a ball", prior=tiny, recipe=two, out=folder, callback=stop_at(step),
                overwrite=True,
            )  # fmt: skip
        resume(folder, prior=tiny)
        assert contents(folder) == contents(undisturbed)


def test_a_checkpoint_without_its_model_is_an_error(tiny, recipe, gen):
    learner = Learner.begin(recipe.stage[0].score.own, tiny, gen)
    state = learner.state()
    state.pop("parameter.pose_out")
    with pytest.raises(InputError, match="no proper pose_out of the own model"):
        learner.restore(state)
    other = Learner.begin(OwnModel(rank=1), tiny, gen)
    with pytest.raises(InputError, match="of the own model"):
        other.restore(learner.state())


@pytest.mark.parametrize("change", ["rank=1", "rate=1e-4", "camera_dropped=0.0", "particles=2"])
def test_every_key_of_the_own_model_counts(whole, tiny, recipe, tmp_path, change):
    changed = overridden(recipe, [f"shape.score.own.{change}"])
    generate("a ball", prior=tiny, recipe=changed, out=tmp_path / "run")
    assert (tmp_path / "run/scene.ply").read_bytes() != (whole / "scene.ply").read_bytes()


TOGETHER = VSD_RECIPE.replace("rank = 2,", "rank = 2, particles = 3,")


@pytest.fixture(scope="module")
def together():
    return parse_recipe(TOGETHER, "together")


def test_scenes_made_together_share_the_model_and_are_not_alike(tiny, recipe, together):
    result = generate("a ball", recipe=together, prior=tiny)
    alone = generate("a ball", recipe=recipe, prior=tiny)
    assert len(result.particles) == 3
    assert result.particles[0] is result.scene
    means = [scene.means.detach() for scene in (*result.particles, alone.scene)]
    for first in range(4):
        for second in range(first):
            # The first begins and is looked at as the one alone: what differs is the model.
            assert not torch.equal(means[first], means[second])


def test_scenes_made_together_have_nothing_else_in_common(tiny, recipe, together):
    """Before a stage of VSD the first of three is what one alone is."""

    def seen(recipe):
        shape = dataclasses.replace(recipe.stage[0], start=None, steps=4)
        before = dataclasses.replace(recipe.stage[0], name="before", steps=4, score=SDS())
        pictures = []
        stages = dataclasses.replace(recipe, stage=(before, shape))
        result = generate(
            "a ball", recipe=stages, prior=tiny, callback=lambda info: pictures.append(info)
        )
        return result, [info.color for info in pictures]

    (one, alone), (three, first) = seen(recipe), seen(together)
    assert len(one.particles) == 1
    assert len(three.particles) == 3
    assert all(torch.equal(*pair) for pair in zip(alone[:5], first[:5], strict=True))
    assert not torch.equal(alone[-1], first[-1])


@pytest.mark.parametrize("step", [1, 4])
def test_scenes_made_together_resume_to_the_same_bytes(tiny, together, tmp_path, step):
    generate("a ball", recipe=together, prior=tiny, out=tmp_path / "whole")
    with pytest.raises(Stop):
        generate(
            "a ball", recipe=together, prior=tiny, out=tmp_path / "stopped",
            callback=stop_at(step),
        )  # fmt: skip
    resume(tmp_path / "stopped", prior=tiny)
    whole = contents(tmp_path / "whole")
    assert {"scene.ply", "scene-2.ply", "scene-3.ply", "contact-3.png"} <= set(whole)
    assert whole["scene-2.ply"] != whole["scene-3.ply"]
    assert contents(tmp_path / "stopped") == whole
