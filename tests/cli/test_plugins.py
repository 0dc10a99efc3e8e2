"""`--plugin FILE.py`: run before the command, and every mistake in it is one clean line."""

from pathlib import Path

import pytest

from splatsmith.cli import comparison
from splatsmith.cli.main import main
from splatsmith.evaluate.record import read_records
from splatsmith.train.words import embedded_vocabulary, word_table

pytestmark = pytest.mark.usefixtures("scores_as_they_were")

EXAMPLE = Path(__file__).parents[2] / "examples" / "03_own_score.py"

TINY = """
title = "tiny"
output = { save_every = 2, snapshots = 2, frames = 2, size = 32 }
[[stage]]
name = "shape"
steps = 3
views = 2
size = 16
start = { kind = "ball", count = 40, radius = 0.6, opacity = 0.6 }
score = { kind = "antithetic" }
"""


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_a_recipe_is_shown_with_the_keys_of_a_score_from_outside(call):
    recipe = EXAMPLE.with_suffix(".toml")
    code, out, _ = call("recipes", recipe, "--plugin", EXAMPLE)
    assert code == 0
    assert 'kind = "antithetic"' in out
    assert "pairs = 1" in out


def test_a_run_is_made_and_taken_up_with_it(call, tiny, prior_file, tmp_path):
    out = tmp_path / "run"
    made = ["generate", "a red ball", "--recipe", tiny, "--prior", prior_file, "--out", out]
    code, _, said = call(*made)
    assert code == 2
    assert 'got "antithetic".\n  A score of your own' in said
    assert not out.exists()
    code, shown, said = call(*made, "--plugin", EXAMPLE)
    assert code == 0, said
    assert str(out / "scene.ply") in shown
    code, shown, said = call("generate", "--resume", out, "--plugin", EXAMPLE)
    assert code == 0, said
    assert str(out / "scene.ply") in shown


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("no.txt", "", "--plugin takes a Python file, FILE.py, got"),
        ("none.py", None, "none.py: there is no such file."),
        ("half.py", "x = 1\ny = (", "half.py, line 2: SyntaxError: '(' was never closed"),
        ("lacks.py", "\nimport nosuchmodule", "lacks.py, line 2: ModuleNotFoundError: No"),
        ("leaves.py", "raise SystemExit(3)", "leaves.py, line 1: SystemExit: 3"),
        ("binary.py", "\0", "binary.py: SyntaxError: source code string cannot contain null"),
        (
            "refused.py",
            "import splatsmith\nsplatsmith.add_score(int, print)",
            "refused.py: The settings of a score must be a dataclass, got int.",
        ),
    ],
)
def test_a_file_that_cannot_be_run_is_one_line(call, tmp_path, name, text, message):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    code, _, said = call("recipes", "--plugin", path)
    assert code == 2
    assert message in said


def test_a_score_that_fails_in_a_run_is_one_line(call, tiny, prior_file, tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(EXAMPLE.read_text().replace("one.guided(settings).eps", "one.guidance"))
    made = ["generate", "a red ball", "--recipe", tiny, "--prior", prior_file]
    code, _, said = call(*made, "--out", tmp_path / "run", "--plugin", path)
    assert code == 2
    assert "The score 'antithetic' failed (" in said
    assert "wrong.py, line " in said


@pytest.mark.slow
def test_compare_takes_it_along_into_the_process_of_each_recipe(
    tiny, make_prior, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(comparison, "controls_of", lambda bench: [])
    prior = make_prior(tmp_path / "prior.safetensors", word_table(), embedded_vocabulary())
    command = ["compare", str(tiny), "--out", str(tmp_path / "both"), "--prior", str(prior)]
    command += ["--prompts", "a red dog", "--plugin", str(EXAMPLE)]
    assert main(command) == 0, capsys.readouterr().err
    (record,) = read_records(tmp_path / "both" / "tiny" / "records.jsonl")
    assert record.failure in ("", "the scene shows no object")
