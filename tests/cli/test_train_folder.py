"""A training is not begun over another one, and one folder has one training at a time."""

import pytest

from splatsmith.optimize.lock import locked


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "prior.safetensors"])
@pytest.mark.parametrize("model", ["prior", "evaluator"])
def test_what_a_training_has_left_is_not_replaced(call, tmp_path, name, model):
    (tmp_path / name).write_bytes(b"hours")
    code, _, wrong = call("train", model, "--out", tmp_path, "--minutes", 0.01)
    assert code == 2
    assert f"holds a training already ({name}); go on with it by --resume" in wrong
    assert (tmp_path / name).read_bytes() == b"hours"


def test_a_resumed_training_has_its_start(call, tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes(b"")
    code, _, wrong = call("train", "prior", "--out", tmp_path, "--resume", "--start", "x")
    assert code == 2
    assert "has its start already; leave --start out of --resume" in wrong


def test_two_trainings_do_not_share_a_folder(call, tmp_path):
    with locked(tmp_path):
        code, _, wrong = call("train", "prior", "--out", tmp_path, "--minutes", 0.01)
    assert code == 2
    assert "is in use by process" in wrong
