"""The autoencoder learns and resumes; a latent prior on it carries a gradient to a picture."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.errors import InputError, InvalidFile
from splatsmith.priors import Prior
from splatsmith.priors.autoencoder import Autoencoder, AutoencoderShape
from splatsmith.priors.denoiser import Denoiser, DenoiserShape
from splatsmith.priors.embedded import EmbeddedPrior, load_embedded, save_embedded
from splatsmith.prompts import Prompt
from splatsmith.train.autoencoder import (
    WEIGHTS,
    AutoencoderTraining,
    examined,
    load_autoencoder,
    pictures,
    train_autoencoder,
)
from splatsmith.train.prior import Classroom, train_prior
from splatsmith.train.settings import LATENT_TRAINING
from splatsmith.train.words import embedded_vocabulary, word_table

SMALL = AutoencoderShape(fine_width=8, coarse_width=16, blocks=1)
BRIEF = AutoencoderTraining(minutes=0.08, batch=4, shape=SMALL, warm_up=5)
TINY = DenoiserShape(
    resolution=32, channels=4, outer_width=8, middle_width=8, inner_width=48, inner_blocks=1,
    attentive_blocks=(0,), heads=2, signal_width=16, text_width=32, text_layers=1, guided=True,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def steady_clock() -> Iterator[None]:
    """A twelfth of a second a look, so that a training takes as many steps on any machine."""
    ticks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: next(ticks) / 12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("splatsmith.train.autoencoder.time", clock)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("latent")
    train_autoencoder(BRIEF, folder)
    return folder


def test_it_learns_and_its_latents_are_about_standard_normal(trained: Path) -> None:
    net = load_autoencoder(trained / WEIGHTS, SMALL)
    untrained = Autoencoder(SMALL)
    assert examined(net, BRIEF) > examined(untrained, BRIEF) + 3  # dB
    x = pictures(BRIEF, 1_000_000)
    latents = net.encode(x)
    assert latents.shape == (4, 4, 32, 32)
    assert latents.std() == pytest.approx(1.0, abs=0.4)
    assert (trained / "autoencoder.png").is_file()


def test_resumed_it_counts_on(trained: Path) -> None:
    longer = replace(BRIEF, minutes=0.1)
    before = json.loads((trained / "autoencoder.jsonl").read_text().splitlines()[-1])
    train_autoencoder(longer, trained, resume=True)
    after = json.loads((trained / "autoencoder.jsonl").read_text().splitlines()[-1])
    assert after["step"] > before["step"]


def test_a_latent_prior_is_trained_saved_and_reaches_a_picture(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gen: torch.Generator
) -> None:
    monkeypatch.setattr("splatsmith.train.progress.sample_sheet", lambda prior, path: None)
    settings = replace(LATENT_TRAINING, minutes=0.03, batch=4, shape=TINY, warm_up=5)
    net = load_autoencoder(trained / WEIGHTS, SMALL)
    prior = load_embedded(train_prior(settings, tmp_path, autoencoder=net))
    assert isinstance(prior, Prior)
    assert (prior.space, prior.channels, prior.resolution) == ("latent", 4, 32)
    color = torch.rand(2, 128, 128, 3, generator=gen, requires_grad=True)
    x = prior.encode(color)
    x.square().sum().backward()
    assert color.grad is not None
    assert color.grad.abs().sum() > 0
    assert prior.decode(x.detach()).shape == color.shape
    condition = prior.condition(
        Prompt(text="a red dog"), orbit([0.0, 90.0], 0.0, width=8, height=8)
    )
    t = torch.tensor([0.5, 0.7])
    assert prior.guides(condition, 4.0)
    guided = prior.predict_guided(x.detach(), t, condition, 4.0)
    assert guided.x0.shape == x.shape


def test_a_latent_prior_begins_with_what_one_for_pixels_knows(
    trained: Path, tmp_path: Path
) -> None:
    pixels = replace(TINY, channels=3, resolution=64, vocabulary=len(word_table().words) + 1)
    pixels = replace(pixels, words=word_table().length)
    given = EmbeddedPrior(Denoiser(pixels), embedded_vocabulary(), word_table(), "pixels")
    save_embedded(tmp_path / "pixels.safetensors", given, {})
    settings = replace(LATENT_TRAINING, shape=TINY)
    room = Classroom(settings, word_table(), "cpu", load_autoencoder(trained / WEIGHTS, SMALL))
    net = room.begin(tmp_path / "pixels.safetensors").student(0, "cpu").net
    own = net.state_dict()
    for name, weight in given.net.state_dict().items():
        if name in own and own[name].shape == weight.shape:
            torch.testing.assert_close(own[name], weight.half().float(), rtol=0, atol=0)
    assert own["fold_in.weight"].shape[1] == 16  # four channels of 2 x 2 cells: its own
    assert not any(name.startswith("outer.") for name in own)


def test_what_is_not_an_autoencoder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no autoencoder at"):
        load_autoencoder(tmp_path / WEIGHTS, SMALL)
    (tmp_path / WEIGHTS).write_bytes(b"\x00" * 40)
    with pytest.raises(InvalidFile, match="not an autoencoder's checkpoint"):
        load_autoencoder(tmp_path / WEIGHTS, SMALL)
