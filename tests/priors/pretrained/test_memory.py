"""Memory: the estimate against what is really alive, the modes against each other."""

import pytest
import tiny
import torch

from splatsmith.cameras import orbit
from splatsmith.errors import InputError
from splatsmith.priors.pretrained import PriorOptions, open_pretrained
from splatsmith.priors.pretrained.memory import largest_block, numbers_in
from splatsmith.priors.pretrained.placing import offloaded
from splatsmith.priors.pretrained.rehearsal import LiveBytes, rehearsal
from splatsmith.prompts import Prompt

VIEWS = 3
CAMERAS = orbit([0.0, 120.0, 240.0], 10.0, width=64, height=64)


def prior_of(saved, memory):
    folder = str(saved(tiny.stable_diffusion))
    return open_pretrained(folder, PriorOptions(memory=memory, size=64))


def test_live_bytes_counts_what_is_alive():
    with LiveBytes() as alive:
        a = torch.zeros(1000)
        b = a.view(10, 100) + 1
        assert alive.now == 8000
        del a
        assert alive.now == 4000
        b = b.reshape(-1)[:10]
        assert alive.now == 4000
        del b
        assert alive.now == 0
    assert alive.most == 8000


def test_nothing_is_counted_twice_or_that_was_there_before():
    old = torch.zeros(1000)
    with LiveBytes() as alive:
        kept = old.view(-1)
        old.add_(1)
        assert alive.now == 0
        assert kept.shape == old.shape


def step(prior, color, condition):
    """A step as the loop takes it, but for the scene."""
    x = prior.encode(color)
    both = condition.joined(condition.negative())
    with torch.no_grad():
        prior.predict(torch.cat([x, x]).detach(), torch.full((2 * len(x),), 0.5), both)
    x.backward(torch.ones_like(x))
    return x.detach()


@pytest.mark.parametrize("memory", ["high", "medium", "low"])
def test_the_rehearsal_needs_what_the_step_needs(saved, gen, memory):
    prior = prior_of(saved, memory)
    condition = prior.condition(Prompt(text="a ball"), CAMERAS)
    color = torch.rand(VIEWS, 64, 64, 3, generator=gen, requires_grad=True)
    step(prior, color, condition)  # loads what is to be loaded
    color.grad = None
    with rehearsal() as alive:
        step(prior, color, condition)
    expected = prior._need(prior.options, VIEWS, 2).step
    assert alive.most == pytest.approx(expected, rel=0.15)


def test_less_memory_takes_less(saved):
    needs = [prior_of(saved, memory)._need(PriorOptions(memory=memory, size=64), VIEWS, 2)
             for memory in ("high", "medium", "low")]  # fmt: skip
    assert needs[0].step > 1.5 * needs[1].step > 1.8 * needs[2].step
    assert needs[0].weights == needs[1].weights > 0
    assert needs[0].text > 0


def test_all_modes_give_the_same_latents_and_gradients(saved, gen):
    color = torch.rand(VIEWS, 64, 64, 3, generator=gen)
    found = {}
    for memory in ("high", "medium", "low"):
        leaf = color.clone().requires_grad_()
        prior = prior_of(saved, memory)
        condition = prior.condition(Prompt(text="a ball"), CAMERAS)
        x = step(prior, leaf, condition)
        with torch.no_grad():
            answer = prior.predict(x, torch.full((VIEWS,), 0.5), condition)
        found[memory] = (x, leaf.grad, answer.eps)
    for memory in ("medium", "low"):
        for one, other in zip(found[memory], found["high"], strict=True):
            torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


def test_pictures_larger_than_the_autoencoder_knows_are_encoded_in_tiles(saved, gen):
    folder = str(saved(tiny.stable_diffusion))
    found = []
    for memory in ("medium", "low"):
        prior = open_pretrained(folder, PriorOptions(memory=memory, size=128))
        color = torch.full((1, 128, 128, 3), 0.5, requires_grad=True)
        x = prior.encode(color)
        x.sum().backward()
        assert x.shape == (1, 4, 64, 64)
        assert (color.grad.abs().sum(-1) > 0).all()
        found.append(x.detach())
    torch.testing.assert_close(found[0].mean(), found[1].mean(), atol=0.02, rtol=0.1)
    assert not torch.equal(*found)


def test_a_network_brought_block_by_block_answers_the_same(saved, gen):
    prior = prior_of(saved, "high")
    condition = prior.condition(Prompt(text="a ball"), CAMERAS)
    x_t = torch.randn(VIEWS, 4, 32, 32, generator=gen)
    t = torch.full((VIEWS,), 0.5)
    whole = prior.predict(x_t, t, condition).eps
    prior._network = offloaded(prior.network, torch.device("cpu"))
    torch.testing.assert_close(prior.predict(x_t, t, condition).eps, whole)


def test_released_weights_come_back(saved):
    prior = prior_of(saved, "high")
    before = prior.network
    prior.release()
    assert prior.network is not before


def test_low_memory_encodes_three_quarters_of_the_size(tmp_path):
    tiny.stable_diffusion(tmp_path, unet=tiny.unet(sample_size=256))
    sizes = {m: open_pretrained(str(tmp_path), PriorOptions(memory=m)).size
             for m in ("high", "medium", "low")}  # fmt: skip
    assert sizes == {"high": 512, "medium": 512, "low": 384}


def test_too_little_memory_is_refused_with_a_remedy(saved, generate, monkeypatch):
    folder = saved(tiny.stable_diffusion)
    prior = prior_of(saved, "high")
    needs = {m: prior._need(PriorOptions(memory=m, size=64), 2, 2).total
             for m in ("high", "medium", "low")}  # fmt: skip
    where = "splatsmith.priors.pretrained.prior.free_bytes"
    monkeypatch.setattr(where, lambda device: (needs["high"] + needs["medium"]) // 2)
    code, out, said = generate(folder, "--prior-set", "size=64")
    assert code == 2
    assert "an estimate" in said
    assert "Use --memory medium (about" in said
    assert not out.exists()
    monkeypatch.setattr(where, lambda device: 1000)
    with pytest.raises(InputError, match="Take fewer views"):
        prior.check_room(2, 2)
    monkeypatch.setattr(where, lambda device: None)
    assert prior.check_room(2, 2).startswith("The prior needs about")


def test_what_a_file_holds_is_counted_by_its_header(saved, tmp_path):
    folder = saved(tiny.stable_diffusion)
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    network = open_pretrained(str(folder)).network
    assert numbers_in([path]) == sum(p.numel() for p in network.parameters())
    bad = tmp_path / "bad.safetensors"
    for data in (b"\xff" * 16, b"\x02" + b"\x00" * 7 + b"[]", b""):
        bad.write_bytes(data)
        with pytest.raises(InputError, match="is no safetensors file"):
            numbers_in([bad])


def test_the_largest_block_is_less_than_all(saved):
    network = open_pretrained(str(saved(tiny.stable_diffusion))).network
    whole = sum(p.nbytes for p in network.parameters())
    assert 0 < largest_block(network) < whole
