"""Priors for several views and for pictures: what they are taught, and that they learn it."""

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from splatsmith.priors.denoiser import Denoiser, DenoiserShape
from splatsmith.priors.embedded import EmbeddedPrior, load_embedded, save_embedded
from splatsmith.train.lesson import draw_lesson, sampler_for
from splatsmith.train.prior import Student, train_prior
from splatsmith.train.samples import pictured_objects, sample_sheet
from splatsmith.train.settings import (
    IMAGEDREAM,
    MULTIVIEW,
    PHOTO_MULTIVIEW,
    TRAININGS,
    ZERO123,
    PriorTraining,
)
from splatsmith.train.state import load_state
from splatsmith.train.words import embedded_vocabulary, word_table

TINY = DenoiserShape(
    resolution=32, outer_width=8, middle_width=8, inner_width=48, inner_blocks=1,
    attentive_blocks=(0,), heads=2, signal_width=16, text_width=32, text_layers=1, guided=True,
)  # fmt: skip


def brief(settings: PriorTraining) -> PriorTraining:
    shape = replace(TINY, views=settings.shape.views, reference=settings.shape.reference)
    return replace(settings, minutes=0.02, batch=8, shape=shape, warm_up=5)


def fresh_student(settings: PriorTraining, *, spread: float | None = None) -> Student:
    """Always the same one; its average's weights are drawn that wide, if told."""
    shape = replace(settings.shape, vocabulary=len(word_table().words) + 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        student = Student(Denoiser(shape), "cpu")
        for parameter in student.average.parameters() if spread else ():
            parameter.normal_(std=spread)
    return student


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A twelfth of a second a look: as many steps on any machine, and no sheets."""
    ticks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: next(ticks) / 12)
    monkeypatch.setattr("splatsmith.train.prior.time", clock)
    monkeypatch.setattr("splatsmith.train.progress.sample_sheet", lambda prior, path: None)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prior for single views of 64 x 64 pixels that knows nothing."""
    table = word_table()
    shape = replace(
        TINY, resolution=64, vocabulary=len(table.words) + 1, words=table.length, guided=False
    )
    path = tmp_path_factory.mktemp("start") / "single.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Denoiser(shape)
    save_embedded(path, EmbeddedPrior(net, embedded_vocabulary(), table, "single"), {})
    return path


def test_the_views_of_a_lesson_are_of_one_object_and_told_alike() -> None:
    settings = replace(MULTIVIEW, batch=64)
    lesson = draw_lesson(settings, 32, 3, word_table(), guided=0.5)
    for told in (lesson.log_snr, lesson.guidance, lesson.camera[:, -1]):
        groups = told.view(16, 4)
        assert (groups == groups[:, :1]).all()
    known = lesson.camera.view(16, 4, 7)[lesson.camera.view(16, 4, 7)[:, 0, -1] > 0]
    # sin and cos of azimuth: a quarter turn further is (cos, -sin) of the one before.
    torch.testing.assert_close(known[:, 1, 0], known[:, 0, 1], atol=1e-5, rtol=0)
    torch.testing.assert_close(known[:, 1, 1], -known[:, 0, 0], atol=1e-5, rtol=0)
    alpha = torch.sigmoid(lesson.log_snr).sqrt()[:, None, None, None]
    sigma = torch.sigmoid(-lesson.log_snr).sqrt()[:, None, None, None]
    x0 = alpha * lesson.x_t - sigma * lesson.answer
    batch = sampler_for(settings, 32, "train").batch_at(3)
    torch.testing.assert_close(x0, batch.color.permute(0, 3, 1, 2) * 2 - 1, atol=1e-3, rtol=0)
    assert len({batch.captions[i] for i in range(64)}) > 8
    first = lesson.tokens.view(16, 4, -1)[:, :, :3]  # before any view words
    assert (first == first[:, :1]).all()


def test_a_relative_lesson_tells_nothing_of_where_the_first_view_stands() -> None:
    table = word_table()
    for settings in (PHOTO_MULTIVIEW, ZERO123, IMAGEDREAM):
        lesson = draw_lesson(replace(settings, batch=64), 32, 0, table)
        assert not lesson.camera.any()
        assert not (lesson.tokens == table.rows["view"]).any()
        assert not settings.nature.sees_cameras


def test_a_lesson_with_pictures_says_how_each_view_stands_to_its_own() -> None:
    settings = replace(IMAGEDREAM, batch=400)
    lesson = draw_lesson(settings, 32, 1, word_table())
    batch = sampler_for(settings, 32, "train").batch_at(1)
    seen = batch.reference
    assert seen is not None
    assert lesson.picture is not None
    assert lesson.relation is not None
    torch.testing.assert_close(
        lesson.picture[4:8, :3], lesson.picture[4:5, :3].expand(4, -1, -1, -1)
    )
    torch.testing.assert_close(
        lesson.picture[::4, 3], seen.alpha[..., 0] * 2 - 1, atol=1e-6, rtol=0
    )
    known = lesson.relation[:, -1] > 0
    told = (1 - settings.nothing) * (1 - settings.no_reference)
    assert abs(known.float().mean().item() - told) < 0.12
    turn = torch.deg2rad(batch.azimuth - seen.azimuth.repeat_interleave(4))
    torch.testing.assert_close(lesson.relation[known, 1], turn.sin()[known], atol=1e-5, rtol=0)
    rise = torch.deg2rad(batch.elevation - seen.elevation.repeat_interleave(4))
    torch.testing.assert_close(lesson.relation[known, 0], rise[known], atol=1e-5, rtol=0)
    assert not lesson.relation[~known].any()
    untold = lesson.untold()
    assert untold.relation is not None
    assert not untold.relation.any()
    assert not untold.tokens.any()


def test_guided_answers_of_groups_are_those_of_two_passes() -> None:
    settings = brief(IMAGEDREAM)
    student = fresh_student(settings, spread=0.3)
    lesson = draw_lesson(replace(settings, batch=24), 32, 0, word_table(), guided=0.6)
    taught = student.guided(lesson)
    rows = lesson.guidance > 1
    assert rows.any()
    assert not rows.all()
    with torch.no_grad():
        told, untold = (each.answered(student.average) for each in (lesson, lesson.untold()))
    difference = lesson.guidance[:, None, None, None] * (told - untold)
    assert difference[rows].abs().max() > 0.5
    expected = untold + difference
    torch.testing.assert_close(taught.answer[rows], expected[rows], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(taught.answer[~rows], lesson.answer[~rows], rtol=0, atol=0)


def test_pictures_are_read_first_and_nothing_else_is_learned_meanwhile() -> None:
    """A picture comes to say what its caption and camera say, in the network's own words."""
    settings = brief(ZERO123)
    student = fresh_student(settings)
    before = {name: p.detach().clone() for name, p in student.net.named_parameters()}
    lesson = draw_lesson(settings, 32, 0, word_table())
    losses = [student.learn(lesson, settings, 2e-3, step, reading=True) for step in range(30)]
    assert losses[-1] < 0.5 * losses[0]
    moved = {n for n, p in student.net.named_parameters() if not torch.equal(p, before[n])}
    assert moved
    assert all(name.startswith("looking.") for name in moved)
    assert lesson.caption is not None
    assert (lesson.caption > 0).any(dim=1).all()  # told of or not, each picture has one


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize("name", ["multiview", "photo-multiview", "zero123", "imagedream"])
def test_it_begins_from_single_views_learns_and_resumes(
    name: str, single: Path, tmp_path: Path
) -> None:
    settings = brief(TRAININGS[name])
    weights = train_prior(settings, tmp_path, start=single)
    first = load_state(tmp_path)
    assert first.shape.resolution == 64
    train_prior(replace(settings, minutes=0.03), tmp_path, resume=True)
    assert load_state(tmp_path).step > first.step
    prior = load_embedded(weights)
    assert prior.views == settings.shape.views
    assert prior.sees_image == settings.shape.reference
    assert prior.nature.sees_cameras == (name == "multiview")
    across = prior.net.across["0"]
    assert across.out.weight.abs().max() > 0  # no longer silent
    x = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    other = x.clone()
    other[1] += 1
    t, nothing = torch.full((4,), 0.5), torch.zeros(4, 7)
    tokens = torch.zeros(4, prior.words.length, dtype=torch.long)
    log_snr = prior.schedule.log_snr(t)
    with torch.no_grad():
        answers = [prior.net(each, log_snr, tokens, nothing) for each in (x, other)]
    moved = (answers[0] - answers[1]).abs().amax(dim=(1, 2, 3))
    assert (moved[[0, 2, 3]] > 0).all() == (prior.views == 4)


def test_sheets_show_views_side_by_side_and_the_picture_first(tmp_path: Path) -> None:
    table = word_table()
    shape = replace(TINY, views=4, reference=True, guided=False)
    shape = replace(shape, vocabulary=len(table.words) + 1, words=table.length)
    prior = EmbeddedPrior(Denoiser(shape), embedded_vocabulary(), table, "tiny")
    sample_sheet(prior, tmp_path / "sheet.png", steps=1)
    from PIL import Image

    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 5 * 34 - 2
    asked = pictured_objects()
    assert len(asked) == 8
    assert asked[0].image is not None
    assert 0.05 < asked[0].image.alpha(64).mean() < 0.7
    assert pictured_objects()[3] == asked[3]
