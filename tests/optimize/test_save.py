"""Checkpoints: whole or not there, and damage is never taken for a checkpoint."""

import errno
import os
import random
import warnings

import pytest
import torch

from splatsmith.errors import InvalidFile
from splatsmith.optimize.events import Events, Mark
from splatsmith.optimize.save import (
    Checkpoint,
    CheckpointWarning,
    SaveFailed,
    drop_unfinished,
    finished_steps,
    folder_of,
    load_checkpoint,
    save_checkpoint,
    tidy,
)


def checkpoint(step, mark=None):
    return Checkpoint(
        step=step,
        run="run",
        groups={"scene": {"means": torch.arange(12.0).view(4, 3) + step}, "record": {}},
        counters={"skipped": 1, "loss": 1 / 3},
        events=mark or Mark(),
    )


@pytest.fixture
def two(tmp_path):
    """A folder with the checkpoints of steps 10 and 20."""
    for step in (10, 20):
        save_checkpoint(tmp_path, checkpoint(step))
    return tmp_path


def loaded(root):
    return load_checkpoint(root, "run", root / "events.jsonl")


def test_what_is_saved_is_loaded(two):
    found = loaded(two)
    assert found.step == 20
    assert found.counters == {"skipped": 1, "loss": 1 / 3}
    assert torch.equal(found.groups["scene"]["means"], checkpoint(20).groups["scene"]["means"])


def test_saving_twice_gives_the_same_bytes(two):
    before = {p.name: p.read_bytes() for p in folder_of(two, 20).iterdir()}
    save_checkpoint(two, checkpoint(20))
    assert {p.name: p.read_bytes() for p in folder_of(two, 20).iterdir()} == before


def test_no_checkpoint_yet(tmp_path):
    assert loaded(tmp_path) is None


def test_an_unfinished_save_is_passed_over_without_a_word(two):
    (folder_of(two, 20) / "manifest.json").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loaded(two).step == 10
    drop_unfinished(two)
    assert not folder_of(two, 20).exists()


def test_every_damaged_byte_is_noticed(two):
    """Flip bits and cut files everywhere: the other checkpoint is used, with a warning."""
    draw = random.Random(0)
    files = sorted(folder_of(two, 20).iterdir())
    for trial in range(120):
        path = draw.choice(files)
        whole = path.read_bytes()
        place = draw.randrange(len(whole))
        if trial % 3:
            damaged = bytearray(whole)
            damaged[place] ^= 1 << draw.randrange(8)
            path.write_bytes(damaged)
        else:
            path.write_bytes(whole[:place])
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            found = loaded(two)
        path.write_bytes(whole)
        if found.step == 20:  # Only blanks of the manifest may change without a trace.
            assert not heard
            assert found.counters == {"skipped": 1, "loss": 1 / 3}
        else:
            assert found.step == 10
            assert [w.category for w in heard] == [CheckpointWarning]
            assert "going on from step 10" in str(heard[0].message)


def test_if_all_are_damaged_that_is_an_error(two):
    for step in (10, 20):
        (folder_of(two, step) / "scene.safetensors").write_bytes(b"")
    with pytest.raises(InvalidFile, match="must have"):
        loaded(two)


def test_a_checkpoint_of_another_run_is_refused(two):
    with pytest.raises(InvalidFile, match="belongs to another run"):
        load_checkpoint(two, "other", two / "events.jsonl")


def test_values_that_are_not_finite_are_refused(tmp_path):
    bad = checkpoint(5)
    bad.groups["scene"]["means"][1, 2] = float("nan")
    save_checkpoint(tmp_path, bad)
    with pytest.raises(InvalidFile, match="tensor means is not finite"):
        loaded(tmp_path)


def test_tidy_keeps_the_newest_and_the_scheduled_one_before(tmp_path):
    for step in (10, 20, 23, 30, 99):
        save_checkpoint(tmp_path, checkpoint(step))
    tidy(tmp_path, 30, lambda step: step % 10 == 0)
    assert sorted(finished_steps(tmp_path)) == [20, 30]


@pytest.mark.parametrize("call", range(11))
def test_a_disk_that_refuses_leaves_the_checkpoint_before(tmp_path, monkeypatch, call):
    """Let each call that touches the disk fail in turn."""
    save_checkpoint(tmp_path, checkpoint(10))
    calls = 0

    def failing(real):
        def wrapped(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls == call + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        return wrapped

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, failing(getattr(os, name)))
    with pytest.raises(SaveFailed, match="earlier checkpoints are intact") as caught:
        save_checkpoint(tmp_path, checkpoint(20))
    assert "No space left" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    monkeypatch.undo()
    assert loaded(tmp_path).step == 10
    assert not folder_of(tmp_path, 20).exists()


def test_the_diary_is_cut_back_to_the_mark(tmp_path):
    path = tmp_path / "events.jsonl"
    events = Events(path, Mark())
    events.add("step", 1, loss=0.5)
    mark = events.mark()
    events.add("step", 2, loss=0.25)
    events.close()
    again = Events(path, mark)
    again.add("step", 2, loss=0.25)
    assert again.mark().size == 2 * mark.size + 1
    again.close()
    assert path.read_text().splitlines()[1] == '{"event": "step", "step": 2, "loss": 0.25}'


def test_a_diary_that_was_changed_rules_out_its_checkpoint(tmp_path):
    path = tmp_path / "events.jsonl"
    events = Events(path, Mark())
    events.add("step", 1, loss=0.5)
    save_checkpoint(tmp_path, checkpoint(10, events.mark()))
    events.close()
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.6"))
    with pytest.raises(InvalidFile, match="was changed since the checkpoint"):
        loaded(tmp_path)
