"""Run folders: what they hold, who may touch them, and that a resumed run ends the same."""

import dataclasses
import errno
import json
import os
import signal

import pytest
from running import Stop, contents, stop_at

import splatsmith
from splatsmith import InputError, InvalidFile, generate, resume
from splatsmith.optimize.lock import locked
from splatsmith.optimize.plan import make_plan
from splatsmith.optimize.save import CheckpointWarning, finished_steps, folder_of
from splatsmith.optimize.signals import Interrupted
from splatsmith.recipes.load import load_recipe


@pytest.fixture(scope="module")
def whole(tmp_path_factory, prior, recipe):
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    generate("a ball", prior=prior, recipe=recipe, out=folder)
    return folder


def test_a_run_folder_holds_what_it_should(whole):
    names = {path.name for path in whole.iterdir()}
    assert names == {
        "recipe.toml",
        "events.jsonl",
        "checkpoints",
        "scene.ply",
        "turntable.mp4",
        "contact.png",
        "progress.png",
        "report.json",
    }
    assert sorted(finished_steps(whole / "checkpoints")) == [10, 12]
    events = [json.loads(line) for line in (whole / "events.jsonl").read_text().splitlines()]
    assert [event["step"] for event in events] == list(range(1, 13))


def test_the_report_tells_where_a_run_came_from(whole):
    report = json.loads((whole / "report.json").read_text())
    assert report["status"] == "done"
    assert (report["prompt"], report["seed"], report["threads"]) == ("a ball", 0, 1)
    assert report["metrics"]["steps"] == 12
    assert report["metrics"]["splats"] == 30
    assert set(report["parts_seconds"]) >= {"render", "prior", "backward", "step", "save"}
    assert report["versions"]["splatsmith"] == splatsmith.__version__
    for name, digest in report["sha256"].items():
        assert splatsmith.files.sha256_of(whole / name) == digest


def test_the_recipe_of_a_run_runs_again(whole, prior, tmp_path):
    assert load_recipe(whole / "recipe.toml").title == "A tiny run"
    generate("a ball", prior=prior, recipe=whole / "recipe.toml", out=tmp_path / "again")
    assert contents(tmp_path / "again") == contents(whole)


def test_the_scene_reads_back(whole, prior, recipe):
    import torch

    scene = splatsmith.load(whole / "scene.ply")
    made = generate("a ball", prior=prior, recipe=recipe).scene
    torch.testing.assert_close(scene.means, made.means)
    torch.testing.assert_close(scene.logit_opacities, made.logit_opacities)


@pytest.mark.parametrize("step", [1, 4, 5, 9, 11, 12])
def test_a_run_that_broke_off_ends_in_the_same_bytes(whole, prior, recipe, tmp_path, step):
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        generate("a ball", prior=prior, recipe=recipe, out=folder, callback=stop_at(step))
    seen = []
    resume(folder, prior=prior, callback=lambda info: seen.append(info.step))
    assert seen == list(range(step // 5 * 5 + 1 if step < 12 else 13, 13))
    assert contents(folder) == contents(whole)


def test_a_run_remembers_its_negative_and_what_it_hides(prior, recipe, tmp_path):
    """They are the run's: another negative is another run, and resuming needs neither."""
    words = {"negative": "a cube", "hide": ["smiling=back,side"]}

    def begin(folder, **also):
        generate("a smiling ball", prior=prior, recipe=recipe, out=folder, **words | also)

    begin(tmp_path / "whole")
    with pytest.raises(Stop):
        begin(tmp_path / "run", callback=stop_at(6))
    resume(tmp_path / "run", prior=prior)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert (report["negative"], report["hide"]) == ("a cube", ["smiling=back,side"])
    plans = [
        make_plan("a smiling ball", 0, recipe, prior, nearest=False, **some)
        for some in ({}, {"negative": "a cube"}, {"hide": ["smiling"]}, words)
    ]
    assert len({plan.run for plan in plans}) == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(whole, prior, recipe, tmp_path, number):
    folder = tmp_path / "run"
    send = stop_at(7, lambda: os.kill(os.getpid(), number))
    handler = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught:
        generate("a ball", prior=prior, recipe=recipe, out=folder, callback=send)
    assert (caught.value.step, caught.value.number) == (7, number)
    assert signal.getsignal(number) is handler
    assert sorted(finished_steps(folder / "checkpoints")) == [5, 7]
    resume(folder, prior=prior)
    assert contents(folder) == contents(whole)


def test_resuming_a_finished_run_changes_nothing(whole, prior):
    before = contents(whole)
    resume(whole, prior=prior)
    assert contents(whole) == before


def test_after_damage_the_older_checkpoint_is_used(whole, prior, recipe, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        generate("a ball", prior=prior, recipe=recipe, out=folder, callback=stop_at(11))
    newest = folder_of(folder / "checkpoints", 10) / "scene.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(CheckpointWarning, match="going on from step 5"):
        resume(folder, prior=prior)
    assert contents(folder) == contents(whole)


def test_a_run_is_not_overwritten_by_accident(whole, prior, recipe):
    before = contents(whole)
    with pytest.raises(InputError, match="holds a run already; go on with it by --resume"):
        generate("a cube", prior=prior, recipe=recipe, out=whole)
    assert contents(whole) == before


def test_overwriting_removes_a_run_and_nothing_else(prior, recipe, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        generate("a ball", seed=9, prior=prior, recipe=recipe, out=folder, callback=stop_at(11))
    (folder / "notes.txt").write_text("mine")
    generate("a ball", prior=prior, recipe=recipe, out=folder, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert json.loads((folder / "report.json").read_text())["seed"] == 0


def test_a_folder_of_something_else_is_left_alone(prior, recipe, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"is not empty \(thesis.tex\) and holds no run"):
            generate("x", prior=prior, recipe=recipe, out=tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", ["scene.ply", "reference.png", "recipe.toml", "report.json"])
def test_files_that_only_have_our_names_are_left_alone(prior, recipe, tmp_path, name):
    (tmp_path / name).write_text("{}")
    for overwrite in (False, True):
        with pytest.raises(InputError, match=rf"is not empty \({name}\) and holds no run"):
            generate("x", prior=prior, recipe=recipe, out=tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "{}"


def test_somebody_s_own_checkpoints_are_left_alone(prior, recipe, tmp_path):
    theirs = tmp_path / "run" / "checkpoints" / "model.pt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("hours")
    with pytest.raises(InputError, match=r"not empty \(checkpoints\) and holds no run"):
        generate("x", prior=prior, recipe=recipe, out=tmp_path / "run", overwrite=True)
    theirs.unlink()
    theirs.parent.rmdir()
    generate("x", prior=prior, recipe=recipe, out=tmp_path / "run")
    theirs.write_text("hours")
    generate("x", prior=prior, recipe=recipe, out=tmp_path / "run", overwrite=True)
    assert theirs.read_text() == "hours"


def test_what_a_kill_at_the_very_beginning_leaves_stops_nobody(prior, recipe, tmp_path):
    for name in ("recipe.toml", "reference.png", ".report.json.begun"):
        (tmp_path / name).touch()
    generate("a ball", prior=prior, recipe=recipe, out=tmp_path)
    assert not (tmp_path / "reference.png").exists()
    assert not (tmp_path / ".report.json.begun").exists()


def test_a_run_that_cannot_begin_takes_nothing_away_and_leaves_nothing(
    whole, prior, recipe, tmp_path, monkeypatch
):
    def refused(*args):
        raise InputError("no hull")

    monkeypatch.setattr("splatsmith.optimize.run.fresh_state", refused)
    before = contents(whole)
    with pytest.raises(InputError, match="no hull"):
        generate("a cube", prior=prior, recipe=recipe, out=whole, overwrite=True)
    assert contents(whole) == before
    with pytest.raises(InputError, match="no hull"):
        generate("a cube", prior=prior, recipe=recipe, out=tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


def test_two_processes_cannot_use_one_folder(whole, prior, recipe):
    with locked(whole):
        for attempt in (
            lambda: resume(whole, prior=prior),
            lambda: generate("x", prior=prior, recipe=recipe, out=whole, overwrite=True),
        ):
            with pytest.raises(InputError, match=f"in use by process {os.getpid()}"):
                attempt()
    assert not (whole / ".lock").exists()


def test_the_lock_of_a_dead_process_stops_nobody(whole):
    (whole / ".lock").write_text("1\n")
    with locked(whole):
        assert (whole / ".lock").read_text() == f"{os.getpid()}\n"


def test_resuming_needs_the_run_it_began(prior, recipe, tmp_path):
    with pytest.raises(InputError, match="holds no run to resume"):
        resume(tmp_path / "nowhere", prior=prior)
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        generate("a ball", prior=prior, recipe=recipe, out=folder, callback=stop_at(6))
    with pytest.raises(InputError, match="was not a file; pass it as prior"):
        resume(folder)
    text = (folder / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(text.replace("steps = 12", "steps = 13"))
    with pytest.raises(InvalidFile, match="was changed since the run began"):
        resume(folder, prior=prior)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"format": "splatsmith-run-1"}', "\x00", '{"a":' * 5000]
)
def test_a_damaged_report_is_an_error_and_not_a_crash(tmp_path, prior, text):
    (tmp_path / "recipe.toml").write_text("")
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(InvalidFile):
        resume(tmp_path, prior=prior)


@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 9, 16, 17, 18, 24, 30])
def test_a_full_disk_stops_a_run_that_can_be_resumed(
    whole, prior, recipe, tmp_path, monkeypatch, call
):
    """Fill the disk at some fsync; make room again; the run ends as if nothing had been."""
    folder, real, calls = tmp_path / "run", os.fsync, 0

    def full(descriptor):
        nonlocal calls
        calls += 1
        if calls >= call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises((InputError, OSError)) as caught:
        generate("a ball", prior=prior, recipe=recipe, out=folder)
    monkeypatch.undo()
    assert "No space left" in str(caught.value)
    assert str(folder) in str(caught.value)
    if (folder / "report.json").exists():
        resume(folder, prior=prior)
    else:  # It broke off before anything was begun.
        generate("a ball", prior=prior, recipe=recipe, out=folder)
    assert contents(folder) == contents(whole)


def test_a_stage_that_the_prior_cannot_serve_is_refused_before_it_begins(
    prior, recipe, tmp_path
):
    three = dataclasses.replace(prior, views=3)
    with pytest.raises(InputError, match=r"denoises 3 together; use --set shape\.views=3"):
        generate("x", prior=three, recipe=recipe, out=tmp_path / "run")
    latent = dataclasses.replace(prior, space="latent")
    with pytest.raises(InputError, match=r"use --set shape\.score\.clamp=false"):
        generate("x", prior=latent, recipe=recipe, overrides={"shape.score.clamp": True})
    assert not (tmp_path / "run").exists()


def test_bad_arguments_write_nothing(prior, recipe, tmp_path):
    out = tmp_path / "run"
    for change in ({"seed": -1}, {"overrides": ["shape.stps=3"]}, {"prior": out / "none"}):
        with pytest.raises(InputError):
            generate("a ball", **{"prior": prior, "recipe": recipe, "out": out, **change})
    with pytest.raises(InputError):
        generate("  ", prior=prior, recipe=recipe, out=out)
    assert not out.exists()
