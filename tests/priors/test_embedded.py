"""The embedded prior: what it is told, what its file must be, and what its answers are."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.errors import InputError, InvalidFile
from splatsmith.images import Reference
from splatsmith.optimize.plan import Plan, make_plan
from splatsmith.priors import Prior
from splatsmith.priors.denoiser import Denoiser, DenoiserShape
from splatsmith.priors.embedded import (
    EmbeddedPrior,
    load_embedded,
    save_embedded,
    schedule_for,
)
from splatsmith.priors.protocol import sees_image
from splatsmith.priors.shipped import shipped_weights, usual_prior
from splatsmith.prompts import Prompt
from splatsmith.recipes.load import load_recipe
from splatsmith.train.words import embedded_vocabulary, word_table


@pytest.fixture
def net(gen: torch.Generator) -> Denoiser:
    table = word_table()
    shape = DenoiserShape(
        resolution=64, outer_width=8, middle_width=8, inner_width=16, inner_blocks=2,
        attentive_blocks=(1,), heads=2, signal_width=16, text_width=32, text_layers=1,
        vocabulary=len(table.words) + 1, words=table.length,
    )  # fmt: skip
    net = Denoiser(shape)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=gen) * 0.1)
    return net


@pytest.fixture
def file(net: Denoiser, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    prior = EmbeddedPrior(net, embedded_vocabulary(), word_table(), "tiny")
    save_embedded(path, prior, {"minutes": 0})
    return path


def test_what_was_saved_is_what_is_loaded(net: Denoiser, file: Path) -> None:
    prior = load_embedded(file)
    assert isinstance(prior, Prior)
    assert prior.vocabulary == embedded_vocabulary()
    assert prior.words.words == word_table().words
    assert prior.name.startswith("tiny ")
    for name, weight in prior.net.state_dict().items():
        torch.testing.assert_close(weight, net.state_dict()[name].half().float())


def test_a_condition_tells_words_view_and_camera(net: Denoiser, file: Path) -> None:
    prior = load_embedded(file)
    cameras = orbit([0.0, 180.0], 0.0, width=64, height=64)
    condition = prior.condition(Prompt(text="a red duck", negative="a barrel"), cameras)
    words = ["", *prior.words.words]
    said = [[words[row] for row in rows if row] for rows in condition.tokens.tolist()]
    assert said == [["a", "red", "duck", "front", "view"], ["a", "red", "duck", "back", "view"]]
    negative = condition.negative()
    assert [words[row] for row in negative.tokens[0].tolist() if row] == ["a", "barrel"]
    assert not negative.camera.any()
    both = condition.joined(negative)
    assert len(both) == 4
    assert both.tokens.tolist() == condition.tokens.tolist() + negative.tokens.tolist()


def test_encode_lets_the_gradient_through_and_decode_undoes_it(
    file: Path, gen: torch.Generator
) -> None:
    prior = load_embedded(file)
    color = torch.rand(1, 128, 128, 3, generator=gen, requires_grad=True)
    x = prior.encode(color)
    assert x.shape == (1, 3, 64, 64)
    x.sum().backward()
    assert color.grad is not None
    assert (color.grad > 0).all()
    picture = torch.rand(1, 64, 64, 3, generator=gen)
    torch.testing.assert_close(prior.decode(prior.encode(picture)), picture)


def test_predictions_carry_no_gradient_and_depend_on_the_condition(
    file: Path, gen: torch.Generator
) -> None:
    prior = load_embedded(file)
    cameras = orbit([0.0, 90.0], 0.0, width=64, height=64)
    x_t = torch.randn(2, 3, 64, 64, generator=gen, requires_grad=True)
    t = torch.tensor([0.3, 0.9])
    answers = [
        prior.predict(x_t, t, prior.condition(Prompt(text=text), cameras))
        for text in ("a red duck", "a blue boat")
    ]
    assert not answers[0].x0.requires_grad
    assert (answers[0].v - answers[1].v).abs().max() > 1e-4
    alpha, sigma = prior.schedule.alpha(t), prior.schedule.sigma(t)
    rebuilt = (
        alpha[:, None, None, None] * answers[0].x0 + sigma[:, None, None, None] * answers[0].eps
    )
    torch.testing.assert_close(rebuilt, x_t.detach(), atol=1e-4, rtol=1e-4)


def test_larger_pictures_get_more_noise() -> None:
    t = torch.tensor([0.5])
    difference = schedule_for(32).log_snr(t) - schedule_for(64).log_snr(t)
    torch.testing.assert_close(difference, torch.full((1,), 2 * torch.log(torch.tensor(2.0))))


def _with_header(file: Path, change: dict[str, str]) -> None:
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] |= change
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


@pytest.mark.parametrize(
    "change",
    [
        {"format": "something else"},
        {"shape": "{}"},
        {"shape": '{"resolution": 64, "evil": 1}'},
        {"shape": "[1, 2"},
        {"words": "7"},
        {"vocabulary": "{}"},
    ],
)
def test_a_changed_header_is_refused(file: Path, change: dict[str, str]) -> None:
    _with_header(file, change)
    with pytest.raises(InvalidFile, match="tiny"):
        load_embedded(file)


def test_damaged_files_are_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    for damaged in (b"", whole[:7], whole[:100], whole[:-5], b"\xff" * 64, b"\x80\x04pickle."):
        file.write_bytes(damaged)
        with pytest.raises(InvalidFile):
            load_embedded(file)
    with pytest.raises(InputError, match="those that ship are called embedded"):
        load_embedded(tmp_path / "none.safetensors")


def test_weights_that_are_not_finite_are_refused(net: Denoiser, tmp_path: Path) -> None:
    with torch.no_grad():
        next(net.parameters()).view(-1)[3] = torch.nan
    path = tmp_path / "nan.safetensors"
    save_embedded(path, EmbeddedPrior(net, embedded_vocabulary(), word_table(), "bad"), {})
    with pytest.raises(InvalidFile, match="finite"):
        load_embedded(path)


def test_the_shipped_weights_are_small_and_are_what_they_were() -> None:
    path = shipped_weights()
    assert path.stat().st_size <= 25_000_000
    prior = load_embedded()
    assert isinstance(prior, EmbeddedPrior)
    assert prior.resolution == 64


def test_shipped_weights_that_were_changed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = shipped_weights()
    copy = tmp_path / original.name
    data = bytearray(original.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    (tmp_path / "SHA256SUMS").write_text((original.parent / "SHA256SUMS").read_text())
    monkeypatch.setattr("splatsmith.priors.embedded.shipped_weights", lambda name: copy)
    with pytest.raises(InvalidFile, match="SHA-256"):
        load_embedded()


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a blue dog", "embedded"),
        ("a yellow duck on a green barrel", "embedded-pairs"),
        ("a white sheep in front of a red house", "embedded-pairs"),
        ("a bear wearing a crown", "embedded-pairs"),
        ("a car with yellow wheels", "embedded"),
        ("a cake with a red cherry on it", "embedded"),
        ("a dog, a cat", "embedded"),  # they stand in no relation
    ],
)
def test_two_things_are_asked_of_the_prior_that_knows_more_of_them(
    prompt: str, name: str
) -> None:
    assert usual_prior(prompt) == name


def test_a_plan_takes_the_prior_that_suits_the_prompt_and_says_so() -> None:
    def planned(prior: str | None) -> Plan:
        words = "a yellow duck atop a green barrel"
        return make_plan(words, 0, load_recipe("quick"), prior, nearest=False)

    assert planned(None).prior.source == "embedded-pairs"
    assert "names two things" in " ".join(planned(None).notes)
    assert planned("embedded").prior.source == "embedded"
    assert not planned("embedded").notes


def test_a_recipe_can_name_the_prior_that_it_is_made_for() -> None:
    recipe = load_recipe("mvdream")
    assert make_plan("a blue dog", 0, recipe, None, nearest=False).prior.source == recipe.prior
    two = "a yellow duck on a green barrel"
    assert make_plan(two, 0, recipe, None, nearest=False).prior.source == recipe.prior
    with pytest.raises(InputError, match="prior must be one of embedded"):
        replace(recipe, prior="embeded")


@pytest.mark.parametrize("recipe", ["zero123", "dreamgaussian-image"])
def test_a_picture_alone_is_enough_for_a_run(recipe: str) -> None:
    seen = Reference.of(torch.full((48, 48, 4), 200, dtype=torch.uint8).numpy())
    plan = make_plan("", 0, load_recipe(recipe), None, nearest=False, image=seen)
    assert sees_image(plan.prior.prior)
    assert plan.prior.source == "embedded-zero123"


@pytest.mark.parametrize("which", ["text", "negative"])
def test_a_prompt_that_would_not_be_heard_to_its_end_is_refused(which: str) -> None:
    """Words that it does not know take no room; those of views do."""
    prior = load_embedded(shipped_weights())
    heard, spoken = "a red dog and " * 5 + "a hat", "a red dog and " * 6
    prior.check_words(Prompt(**{"text": "a dog", which: heard + " abracadabra" * 5}))
    with pytest.raises(InputError, match=r"hears 22 words .* has 24"):
        prior.check_words(Prompt(**{"text": "a dog", which: spoken}))


def test_a_plan_refuses_a_prompt_that_is_too_long() -> None:
    spoken = " and ".join(["a red dog"] * 7)
    with pytest.raises(InputError, match="hears 22 words at most"):
        make_plan(spoken, 0, load_recipe("quick"), "embedded", nearest=True)
