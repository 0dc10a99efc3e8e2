"""A published U-Net that a scene bends: silent at first, learning, asleep while not asked."""

import pytest
import tiny
import torch

from splatsmith import generate
from splatsmith.cameras import orbit
from splatsmith.distill import OwnModel
from splatsmith.errors import InputError
from splatsmith.optimize.own_model import Learner
from splatsmith.priors.pretrained import open_pretrained
from splatsmith.priors.protocol import Adaptable
from splatsmith.prompts import Prompt

PROMPT = Prompt(text="a red ball")
CAMERAS = orbit([0.0, 90.0], 15.0, width=16, height=16)


def draws():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def prior(saved):
    return open_pretrained(str(saved(tiny.stable_diffusion)))


def asked(prior):
    shape = (2, prior.channels, prior.resolution, prior.resolution)
    return torch.randn(shape, generator=draws()), torch.tensor([0.3, 0.7])


def test_untrained_it_says_what_the_prior_says(prior):
    x_t, t = asked(prior)
    told = prior.condition(PROMPT, CAMERAS)
    before = prior.predict(x_t, t, told)
    assert isinstance(prior, Adaptable)
    adapter = prior.adapted(4, draws())
    after = adapter.predict(x_t, t, adapter.condition(PROMPT, CAMERAS, torch.ones(2)))
    assert torch.equal(before.value, prior.predict(x_t, t, told).value)
    torch.testing.assert_close(after.value, before.value)


def test_equal_seeds_give_equal_updates(prior):
    first = {k: p.clone() for k, p in prior.adapted(4, draws()).parameters_by_name().items()}
    second = prior.adapted(4, draws()).parameters_by_name()
    assert set(first) == set(second)
    assert all(torch.equal(first[name], second[name]) for name in first)
    ranks = [p.shape[0] for name, p in second.items() if ".lora_A." in name]
    assert len(ranks) >= 8
    assert set(ranks) == {4}


def test_it_learns_the_scene_and_the_prior_stays_as_it_is(prior):
    x_t, t = asked(prior)
    told = prior.condition(PROMPT, CAMERAS)
    before = prior.predict(x_t, t, told).value
    weights = {k: p.clone() for k, p in prior.network.named_parameters()}
    learner = Learner.begin(OwnModel(rank=4, rate=1e-2), prior, draws())
    x = torch.randn(x_t.shape, generator=draws())
    own = learner.about(PROMPT, CAMERAS)
    for step in range(12):
        learner.learn(prior, PROMPT, CAMERAS, x, torch.Generator().manual_seed(step))
    moved = learner.adapter.parameters_by_name()
    assert all(p.grad is not None for p in moved.values())
    assert float(moved["pose_out"].detach().abs().max()) > 0
    assert float((own(x_t, t).value - before).detach().abs().max()) > 1e-3
    assert torch.equal(prior.predict(x_t, t, told).value, before)
    for name, parameter in prior.network.named_parameters():
        if ".scene." not in name:
            old = weights.get(name.replace(".base_layer", ""))
            assert old is not None, name
            assert torch.equal(old, parameter)


def test_the_camera_counts_where_it_is_known(prior):
    x_t, t = asked(prior)
    adapter = prior.adapted(4, draws())
    torch.nn.init.normal_(adapter.pose_out, generator=draws())
    known, unknown = (
        adapter.predict(x_t, t, adapter.condition(PROMPT, CAMERAS, k)).value
        for k in (torch.tensor([1.0, 0.0]), torch.zeros(2))
    )
    assert float((known[0] - unknown[0]).detach().abs().max()) > 1e-3
    torch.testing.assert_close(known[1], unknown[1])


def test_a_run_by_vsd(saved, tmp_path):
    folder = saved(tiny.stable_diffusion)
    changes = ["shape.steps=3", "shape.start.count=40", "output.frames=2", "output.size=16"]
    changes += ["shape.upkeep.start=1", "shape.upkeep.stop=2", "shape.score.clamp=false"]
    result = generate(
        "a red ball",
        recipe="vsd-gaussians",
        prior=folder,
        out=tmp_path / "r",
        overrides=changes,
    )
    assert result.paths["scene"].is_file()


def test_a_transformer_has_no_place_for_it(saved):
    prior = open_pretrained(str(saved(tiny.sd3)))
    with pytest.raises(InputError, match="has a transformer"):
        prior.adapted(4, draws())
