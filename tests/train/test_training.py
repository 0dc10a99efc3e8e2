"""Training the embedded prior: it learns, grows, resumes, and what it writes can be used."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from splatsmith.cameras import orbit
from splatsmith.errors import InputError, InvalidFile
from splatsmith.priors.denoiser import Denoiser, DenoiserShape
from splatsmith.priors.embedded import (
    EmbeddedPrior,
    load_embedded,
    save_embedded,
    schedule_for,
)
from splatsmith.priors.text import WordTable
from splatsmith.prompts import Prompt
from splatsmith.train.lesson import draw_lesson
from splatsmith.train.prior import Classroom, Student, train_prior
from splatsmith.train.settings import PHOTO, PriorTraining
from splatsmith.train.state import CHECKPOINT, first_weights, load_state
from splatsmith.train.words import embedded_vocabulary, word_table

TINY = DenoiserShape(
    resolution=32, outer_width=8, middle_width=8, inner_width=48, inner_blocks=1,
    attentive_blocks=(0,), heads=2, signal_width=16, text_width=32, text_layers=1,
)  # fmt: skip
BRIEF = PriorTraining(minutes=0.03, batch=4, shape=TINY, warm_up=5)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample sheets take long; their own test is below."""
    monkeypatch.setattr("splatsmith.train.progress.sample_sheet", lambda prior, path: None)


@pytest.mark.usefixtures("quiet")
def test_training_grows_saves_resumes_and_ends_in_a_usable_prior(tmp_path: Path) -> None:
    weights = train_prior(BRIEF, tmp_path)
    state = load_state(tmp_path)
    assert state.shape.resolution == 64
    assert 0 < state.grown_at < state.step
    longer = replace(BRIEF, minutes=0.06)
    assert train_prior(longer, tmp_path, resume=True) == weights
    resumed = load_state(tmp_path)
    assert resumed.step > state.step
    assert resumed.grown_at == state.grown_at
    prior = load_embedded(weights)
    assert prior.resolution == 64
    assert prior.vocabulary == embedded_vocabulary()


@pytest.mark.usefixtures("quiet")
def test_guidance_is_taught_and_then_said_in_one_pass(tmp_path: Path) -> None:
    shape = replace(TINY, guided=True)
    settings = replace(BRIEF, shape=shape, small_share=0.0, guided_from=0.0)
    prior = load_embedded(train_prior(settings, tmp_path))
    assert prior.nature.guidance == settings.guidance
    condition = prior.condition(Prompt(text="a red dog"), orbit([0.0], 0.0, width=8, height=8))
    assert prior.guides(condition, 3.0)
    assert not prior.guides(condition, 30.0)
    unwanted = prior.condition(
        Prompt(text="a red dog", negative="a barrel"), orbit([0.0], 0.0, width=8, height=8)
    )
    assert not prior.guides(unwanted, 3.0)


def test_the_answers_of_guided_lessons_are_those_of_two_passes() -> None:
    table = word_table()
    shape = replace(TINY, guided=True, vocabulary=len(table.words) + 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        student = Student(Denoiser(shape), "cpu")
        for parameter in student.average.parameters():
            parameter.normal_(std=0.3)
    lesson = draw_lesson(BRIEF, 32, 0, table, guided=0.7)
    taught = student.guided(lesson)
    rows = lesson.guidance > 1
    assert rows.any()
    torch.testing.assert_close(taught.answer[~rows], lesson.answer[~rows], rtol=0, atol=0)
    part = lesson.of(rows)
    with torch.no_grad():
        told, untold = (each.answered(student.average) for each in (part, part.untold()))
    difference = part.guidance[:, None, None, None] * (told - untold)
    assert difference.abs().max() > 0.5
    torch.testing.assert_close(taught.answer[rows], untold + difference, rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("quiet")
def test_the_teacher_of_guidance_stays_as_it_was_when_teaching_began(tmp_path: Path) -> None:
    """Else network and teacher would follow each other away from all pictures."""
    shape = replace(TINY, guided=True)
    settings = replace(BRIEF, shape=shape, small_share=0.0, guided_from=0.0)
    train_prior(settings, tmp_path)
    first = load_state(tmp_path).student(0, "cpu")
    assert first.teacher is not None
    train_prior(replace(settings, minutes=0.06), tmp_path, resume=True)
    second = load_state(tmp_path).student(0, "cpu")
    assert second.teacher is not None
    moved = False
    for name, weight in first.teacher.state_dict().items():
        assert torch.equal(weight, second.teacher.state_dict()[name])
        moved |= not torch.equal(weight, second.average.state_dict()[name])
    assert moved
    assert not any(p.requires_grad for p in second.teacher.parameters())


@pytest.mark.usefixtures("quiet")
def test_a_photo_prior_begins_from_another_and_never_sees_a_camera(tmp_path: Path) -> None:
    first = train_prior(replace(BRIEF, small_share=0.0), tmp_path / "first")
    brief = replace(PHOTO, minutes=0.02, batch=4, shape=TINY, warm_up=5)
    prior = load_embedded(train_prior(brief, tmp_path / "photo", start=first))
    assert not prior.nature.sees_cameras
    condition = prior.condition(
        Prompt(text="a red dog"), orbit([0.0, 90.0], 0.0, width=8, height=8)
    )
    assert not condition.camera.any()
    lesson = draw_lesson(replace(PHOTO, batch=64), 32, 0, word_table())
    assert not lesson.camera.any()
    with pytest.raises(InputError, match="its pictures have other channels"):
        train_prior(replace(brief, shape=replace(TINY, channels=4)), tmp_path, start=first)


def test_a_broader_world_begins_with_the_words_that_are_known(tmp_path: Path) -> None:
    """The new network says of old captions what the old one said, though its rows moved."""
    table = word_table()
    old_table = WordTable([*reversed(table.words[::2]), "unheard"], table.length)
    old_shape = replace(TINY, vocabulary=len(old_table.words) + 1, resolution=64)
    old = first_weights(old_shape, 5)
    with torch.no_grad():
        for parameter in old.parameters():
            parameter.normal_(std=0.1)
    save_embedded(
        tmp_path / "old", EmbeddedPrior(old, embedded_vocabulary(), old_table, ""), {}
    )
    settings = replace(BRIEF, shape=replace(TINY, text_layers=2, guided=True))
    state = Classroom(settings, table, "cpu", None).begin(tmp_path / "old")
    new = state.student(0, "cpu").net
    assert new.shape.vocabulary == len(table.words) + 1
    caption = [" ".join(table.words[:8:2])]
    x, t, camera = torch.randn(1, 3, 64, 64), torch.zeros(1), torch.zeros(1, 7)
    expected = load_embedded(tmp_path / "old").net(x, t, old_table.encode(caption), camera)
    torch.testing.assert_close(new(x, t, table.encode(caption), camera), expected)


def test_nothing_to_resume_and_damaged_checkpoints_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to resume"):
        train_prior(BRIEF, tmp_path, resume=True)
    (tmp_path / CHECKPOINT).write_bytes(b"\x00" * 50)
    with pytest.raises(InvalidFile, match="not a training checkpoint"):
        train_prior(BRIEF, tmp_path, resume=True)


def test_a_lesson_depends_on_seed_and_step_alone() -> None:
    table = word_table()
    first, again = (draw_lesson(BRIEF, 32, 7, table) for _ in range(2))
    other = draw_lesson(BRIEF, 32, 8, table)
    torch.testing.assert_close(first.x_t, again.x_t, rtol=0, atol=0)
    assert first.tokens.tolist() == again.tokens.tolist()
    assert (first.x_t - other.x_t).abs().max() > 0.1


def test_a_lesson_asks_about_a_true_picture() -> None:
    lesson = draw_lesson(replace(BRIEF, batch=64), 32, 0, word_table())
    alpha = torch.sigmoid(lesson.log_snr).sqrt()[:, None, None, None]
    sigma = torch.sigmoid(-lesson.log_snr).sqrt()[:, None, None, None]
    x0 = alpha * lesson.x_t - sigma * lesson.answer
    assert x0.min() > -1.001
    assert x0.max() < 1.001
    torch.testing.assert_close(x0[:, :, 0, 0], torch.ones(64, 3), atol=1e-3, rtol=0)


def test_captions_view_words_and_cameras_are_left_out_as_often_as_asked() -> None:
    settings = replace(BRIEF, batch=600)
    table = word_table()
    lesson = draw_lesson(settings, 32, 0, table)
    silent = (lesson.tokens == 0).all(dim=1).float().mean().item()
    view = (lesson.tokens == table.rows["view"]).any(dim=1).float().mean().item()
    blind = (lesson.camera[:, -1] == 0).float().mean().item()
    told = 1 - settings.nothing
    assert abs(silent - (1 - told * (1 - settings.no_caption))) < 0.05
    assert abs(view - settings.view_words * told * (1 - settings.no_caption)) < 0.07
    assert abs(blind - (1 - told * (1 - settings.no_camera))) < 0.07
    neither = (lesson.tokens == 0).all(dim=1) & (lesson.camera[:, -1] == 0)
    assert abs(neither.float().mean().item() - settings.nothing) < 0.05
    t_low = schedule_for(32).log_snr(torch.tensor(settings.middle_noise))
    low = (lesson.log_snr > t_low).float().mean().item()
    assert abs(low - settings.low_noise) < 0.05


def test_the_rate_warms_up_and_falls() -> None:
    settings = PriorTraining()
    assert settings.rate_at(0.1, 0) == pytest.approx(settings.rate / settings.warm_up)
    assert settings.rate_at(0.3, 10_000) == pytest.approx(settings.rate)
    assert settings.rate_at(1.0, 10_000) == pytest.approx(settings.final_rate)


def test_every_caption_word_is_in_the_vocabulary() -> None:
    vocabulary = embedded_vocabulary()
    assert set(word_table().words) <= vocabulary.words
    assert len(word_table().words) + 1 <= DenoiserShape().vocabulary
    assert json.loads(vocabulary.to_json())["kinds"]["object"]


@pytest.mark.usefixtures("quiet")
def test_a_training_goes_on_only_as_what_it_was_begun_as(tmp_path: Path) -> None:
    brief = replace(BRIEF, minutes=0.005, small_share=0.0)
    train_prior(brief, tmp_path)
    with pytest.raises(InputError, match="was begun with --seed 0; resume it with that seed"):
        train_prior(replace(brief, seed=1), tmp_path, resume=True)
    with pytest.raises(InputError, match="holds a training of 'pixel', not of 'photo'"):
        train_prior(replace(brief, kind="photo"), tmp_path, resume=True)
