"""Mistakes at the command line: one clean message, exit code 2, no traceback."""

import os

import pytest

from splatsmith.cli.main import guarded, main
from splatsmith.errors import InputError
from splatsmith.optimize.guards import RunFailed
from splatsmith.optimize.signals import Interrupted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate"], 'error: Say what to make, e.g. splatsmith generate "a red mushroom".'),
        (["generate", "a ball", "--resume", "x"], "give --resume alone"),
        (["generate", "--resume", "no/such/run"], "no/such/run holds no run to resume"),
        (["generate", "--resume", "x", "--seed", "3"], "give --resume alone"),
        (["generate", "a ball", "--recipe", "quik"], 'there is no recipe "quik"'),
        (["generate", "a ball", "--recipe", "none.toml"], "none.toml: cannot be read"),
        (["generate", "a ball", "--set", "shape.stps=1"], 'Did you mean "steps"?'),
        (["generate", "a ball", "--set", "shape"], "must look like shape.steps=100"),
        (["generate", "a ball", "--prior", "none.safetensors"], "No prior at"),
        (["generate", "--image", "none.png", "--prior", "P"], "none.png: cannot be read"),
        (["generate", "a ball", "--matting", "plain"], "give one by --image"),
        (["generate", "a ball", "--start", "none.ply", "--prior", "P"], "none.ply: No such"),
        (
            ["generate", "a ball", "--start", "x", "--recipe", "magic3d", "--prior", "P"],
            "begins with a radiance field",
        ),
        (["generate", "--resume", "x", "--start", "y"], "give --resume alone"),
        (["generate", "a ball", "--recipe", "picture", "--prior", "P"], "works from a picture"),
        (["generate", "a ball", "--threads", "0"], "--threads must be 1 or more"),
        (["generate", "a ball", "--seed", "-1", "--prior", "P"], "The seed must lie in 0 to"),
        (["generate", "a red violin", "--prior", "P"], "violin"),
        (["generate", "", "--prior", "P"], "prompt is empty"),
        (["generate", "a ball " * 60, "--prior", "P"], "characters"),
        (["generate", "a\x07ball", "--prior", "P"], "character that is no text"),
        (["render", "none.ply", "--out", "x.png"], "none.ply"),
        (["render", "none.ply", "--out", "x.gif"], "must end in .mp4 (a film) or .png"),
        (["render", "none.ply", "--out", "x.mp4", "--size", "33"], "--size in 16 to 2048"),
        (["render", "none.ply", "--out", "x.mp4", "--elevation", "99"], "--elevation must"),
        (["render", "none.ply", "--out", "no/such/x.mp4"], "There is no folder no/such"),
        (["recipes", "quik"], 'there is no recipe "quik"'),
        (["words", "--prior", "none.safetensors"], "No prior at"),
        (["train", "prior", "--minutes", "0"], "--minutes must be positive"),
        (["train", "prior", "--device", "abacus"], "--device must be cpu, or cuda"),
    ],
)
def test_a_mistake_is_one_message(arguments, message, call, prior_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [str(prior_file) if a == "P" else a for a in arguments]
    code, said, complaint = call(*arguments)
    assert code == 2
    assert said == ""
    assert complaint.startswith("error: ")
    assert message in complaint
    assert list(tmp_path.iterdir()) == [], "a mistake must not leave anything behind"


@pytest.mark.parametrize("arguments", [["fly"], ["generate", "--sed", "3"], ["train"], []])
def test_a_wrong_command_is_explained(arguments, capsys):
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"", b"\x00" * 64, b"{}" * 40, b"ply\n", os.urandom(4096)])
def test_files_of_anything_are_refused(data, call, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(data)
    for arguments in (
        ("generate", "a ball", "--prior", path, "--out", tmp_path / "run"),
        ("words", "--prior", path),
        ("render", path, "--out", tmp_path / "x.png"),
    ):
        code, _, complaint = call(*arguments)
        assert code == 2
        assert str(path) in complaint
    recipe = path.rename(tmp_path / "file.toml")
    code, _, complaint = call("recipes", recipe)
    assert code == 2
    assert "file.toml" in complaint


def test_an_existing_run_is_not_replaced(call, prior_file, tmp_path):
    (tmp_path / "report.json").write_text('{"format": "splatsmith-run-1"}')
    code, _, complaint = call("generate", "a ball", "--prior", prior_file, "--out", tmp_path)
    assert code == 2
    assert "--resume" in complaint
    assert "--overwrite" in complaint


def raising(error):
    def command():
        raise error

    return command


def test_exit_codes(capsys):
    assert guarded(raising(InputError("x"))) == 2
    assert guarded(raising(RunFailed("x"))) == 1
    assert guarded(raising(OSError(28, "No space left on device", "a/b"))) == 1
    assert (
        capsys.readouterr().err == "error: x\nerror: x\nerror: a/b: No space left on device\n"
    )
    assert guarded(raising(KeyboardInterrupt())) == 130
    assert guarded(raising(Interrupted(15, 7, "runs/x"))) == 143
    said = capsys.readouterr().err.splitlines()[1]
    assert said == (
        "stopped by SIGTERM at step 7; saved in runs/x; "
        "go on with: splatsmith generate --resume runs/x"
    )
