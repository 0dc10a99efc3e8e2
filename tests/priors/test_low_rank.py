"""The adapter of the embedded prior: nothing at first, then something, and always small."""

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.priors.denoiser import Denoiser, DenoiserShape
from splatsmith.priors.embedded import EmbeddedPrior
from splatsmith.priors.low_rank import adapted_weights
from splatsmith.priors.protocol import Adaptable
from splatsmith.priors.text import WordTable
from splatsmith.prompts import Prompt, Vocabulary

CAMERAS = orbit([0.0, 120.0], 20.0, width=32, height=32)
PROMPT = Prompt(text="a red ball")
KNOWN = torch.ones(2)

pytestmark = pytest.mark.usefixtures("in_float32")


@pytest.fixture
def prior(gen):
    words = WordTable(("red", "ball", "a", "view", "front", "side"), 8)
    shape = DenoiserShape(
        resolution=64, outer_width=8, middle_width=8, inner_width=16, inner_blocks=2,
        attentive_blocks=(1,), heads=2, signal_width=16, text_width=32, text_layers=1,
        vocabulary=len(words.words) + 1, words=words.length,
    )  # fmt: skip
    net = Denoiser(shape)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=gen) * 0.2)
    vocabulary = Vocabulary({"object": ("ball",), "color": ("red",), "filler": ("a",)}, {})
    return EmbeddedPrior(net, vocabulary, words, "tiny")


@pytest.fixture
def noisy(gen):
    return torch.randn(2, 3, 64, 64, generator=gen), torch.tensor([0.3, 0.8])


def bent(adapter, gen, size=0.1):
    """The adapter after all of its zeros have become something."""
    with torch.no_grad():
        for name, parameter in adapter.parameters_by_name().items():
            if name.endswith((".B", "pose_out")):
                parameter.copy_(torch.randn(parameter.shape, generator=gen) * size)
    return adapter


def test_untrained_it_is_the_prior(prior, noisy, gen):
    assert isinstance(prior, Adaptable)
    adapter = prior.adapted(4, gen)
    said = prior.predict(*noisy, prior.condition(PROMPT, CAMERAS))
    with torch.no_grad():
        own = adapter.predict(*noisy, adapter.condition(PROMPT, CAMERAS, KNOWN))
    assert own.kind == said.kind == "v"
    # What could learn is left to torch, where the frozen network has kernels of its own.
    torch.testing.assert_close(own.value, said.value, rtol=1e-4, atol=1e-5)


def test_convolutions_and_attention_are_adapted_and_words_are_not(prior, gen):
    names = set(adapted_weights(prior.net))
    assert "attentions.1.query_key_value.weight" in names
    assert "attentions.1.words.weight" in names
    assert "outer.down.conv_in.weight" in names
    assert "fold_out.weight" in names
    assert not any(name.startswith(("text.", "signal.")) for name in names)
    adapter = prior.adapted(4, gen)
    count = sum(p.numel() for p in adapter.parameters_by_name().values())
    total = sum(p.numel() for p in prior.net.parameters())
    assert count < total
    assert not set(adapter.parameters_by_name()) & {n for n, _ in prior.net.named_parameters()}


@pytest.mark.parametrize("rank", [1, 3])
def test_every_update_has_at_most_its_rank(prior, gen, rank):
    adapter = bent(prior.adapted(rank, gen), gen, 1.0)
    for weight, update in zip(
        adapted_weights(prior.net).values(), adapter.updates, strict=True
    ):
        difference = (update.added_to(weight) - weight).detach().double().flatten(1)
        assert torch.linalg.matrix_rank(difference, rtol=1e-4) == min(rank, *difference.shape)
        torch.testing.assert_close(
            difference, (update.B @ update.A).detach().double(), atol=1e-5, rtol=1e-3
        )


def test_gradients_reach_the_adapter_and_nothing_else(prior, noisy, gen):
    adapter = bent(prior.adapted(2, gen), gen)
    told = adapter.condition(PROMPT, CAMERAS, KNOWN)
    adapter.predict(*noisy, told).value.square().sum().backward()
    for name, parameter in adapter.parameters_by_name().items():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert all(p.grad is None and not p.requires_grad for p in prior.net.parameters())


def test_its_gradient_is_that_of_central_differences(prior, noisy, gen):
    adapter = bent(prior.adapted(2, gen), gen)
    told = adapter.condition(PROMPT, CAMERAS, KNOWN)
    direction = torch.randn(2, 3, 64, 64, generator=gen)

    def value():
        return (adapter.predict(*noisy, told).value * direction).sum() / 1000

    value().backward()
    for name in ("updates.3.B", "pose_in", "pose_out"):
        parameter = adapter.parameters_by_name()[name]
        step = torch.zeros_like(parameter)
        step.view(-1)[3] = 1e-2
        with torch.no_grad():
            parameter += step
            above = value()
            parameter -= 2 * step
            below = value()
            parameter += step
        measured = float(above - below) / 2e-2
        assert float(parameter.grad.view(-1)[3]) == pytest.approx(measured, rel=0.05, abs=1e-3)


def test_it_knows_its_cameras_unless_they_are_dropped(prior, noisy, gen):
    adapter = bent(prior.adapted(2, gen), gen)
    other = orbit([10.0, 130.0], 20.0, width=32, height=32)
    with torch.no_grad():
        said, turned, dropped, both = (
            adapter.predict(*noisy, adapter.condition(PROMPT, cameras, known)).value
            for cameras, known in (
                (CAMERAS, KNOWN),
                (other, KNOWN),
                (CAMERAS, torch.tensor([0.0, 1.0])),
                (other, torch.tensor([0.0, 1.0])),
            )
        )
    assert not torch.allclose(said[0], turned[0])
    assert not torch.allclose(said[0], dropped[0])
    # Whoever is not told the camera cannot tell two cameras with the same view word apart.
    torch.testing.assert_close(dropped[0], both[0])
    torch.testing.assert_close(dropped[1], said[1], rtol=1e-3, atol=1e-4)


def test_the_same_generator_gives_the_same_adapter(prior):
    first, second, third = (
        prior.adapted(2, torch.Generator().manual_seed(seed)).state_dict() for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["pose_in"], third["pose_in"])
