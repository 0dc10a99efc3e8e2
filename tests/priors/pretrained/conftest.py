"""No network, no cache but a fresh one, and tiny pipelines that are made once."""

import sys
from pathlib import Path

import pytest

from splatsmith.cli.main import main

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))  # published.py, gpu.py

RECIPE = """
title = "A few steps"
output = { save_every = 5, snapshots = 2, frames = 2, size = 16 }

[[stage]]
name = "shape"
steps = 3
views = 2
size = 16
start = { kind = "ball", count = 30, color_spread = 1.0 }
score = { kind = "sds", guidance = 7.5, times = { kind = "uniform", low = 0.3, high = 0.9 } }
"""


@pytest.fixture(autouse=True)
def alone(tmp_path_factory, monkeypatch):
    """A cache of our own that nobody has written to, and no hub."""
    monkeypatch.setenv("SPLATSMITH_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """`saved(make, **changes)`: the folder of a tiny pipeline, made once; not to be changed."""
    made = {}

    def folder(make, **changes):
        key = (make.__name__, *sorted(changes))
        if key not in made:
            made[key] = tmp_path_factory.mktemp(make.__name__)
            make(made[key], **changes)
        return made[key]

    return folder


@pytest.fixture
def generate(capsys, tmp_path):
    """`splatsmith generate` for a few steps with a prior; (exit code, folder, what it said)."""
    recipe = tmp_path / "few.toml"
    recipe.write_text(RECIPE)

    def run(prior, *more):
        out = tmp_path / "run"
        given = ["--prior", str(prior), "--out", str(out), "--recipe", str(recipe), *more]
        code = main(["generate", "a red ball", *given])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, out, said.err

    return run
