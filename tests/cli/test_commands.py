"""Each command does what it says."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from splatsmith.recipes.load import load_recipe, parse_recipe, recipe_names

TINY = (
    "--set=shape.steps=4",
    "--set=shape.size=16",
    "--set=shape.start.count=20",
    "--set=output.frames=2",
    "--set=output.size=32",
    "--set=shape.upkeep.start=2",
    "--set=shape.upkeep.grow_gradient=inf",
    "--set=shape.upkeep.prune_opacity=0.0",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory, prior_file):
    """A run through the command line, in a process of its own."""
    out = tmp_path_factory.mktemp("runs") / "ball"
    command = [sys.executable, "-m", "splatsmith.cli", "generate", "a red ball", *TINY]
    command += ["--out", str(out), "--seed", "3", "--prior", str(prior_file), "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return out, done


def test_generate_leaves_a_run_and_says_where(made):
    out, done = made
    lines = done.stdout.splitlines()
    assert lines[0].startswith("20 splats in ")
    assert str(out / "scene.ply") in lines
    for name in ("scene.ply", "turntable.mp4", "contact.png", "progress.png", "recipe.toml"):
        assert (out / name).stat().st_size > 100
    assert "shape: step 4/4" in done.stderr
    report = json.loads((out / "report.json").read_text())
    assert (report["prompt"], report["seed"], report["threads"]) == ("a red ball", 3, 1)
    assert report["prior"]["sha256"]


def test_generate_takes_a_picture_and_keeps_it(call, prior_file, tmp_path):
    picture = Image.new("RGB", (60, 40), "white")
    picture.paste("red", (20, 10, 40, 30))
    picture.save(tmp_path / "thing.jpg")
    out = tmp_path / "run"
    code, said, _ = call(
        *("generate", "a red ball", "--image", tmp_path / "thing.jpg", "--view", 30, 20),
        *("--recipe", "picture", *TINY, "--out", out, "--prior", prior_file),
    )
    assert code == 0
    assert str(out / "reference.png") in said
    report = json.loads((out / "report.json").read_text())
    assert (report["image"]["azimuth"], report["image"]["elevation"]) == (30, 20)
    with Image.open(out / "reference.png") as kept:
        assert (kept.mode, kept.size) == ("RGBA", (256, 256))
        assert kept.getpixel((128, 128))[0] > 240
        assert kept.getpixel((10, 10))[3] == 0


def test_generate_begins_from_a_file_and_says_what_it_did(made, call, prior_file, tmp_path):
    thing = tmp_path / "thing.spz"
    assert call("convert", made[0] / "scene.ply", thing, "--scale", 9)[0] == 0
    out = tmp_path / "run"
    tiny = [setting for setting in TINY if "start" not in setting or "upkeep" in setting]
    code, said, noted = call(
        *("generate", "a red ball", "--start", thing, *tiny, "--out", out),
        *("--prior", prior_file),
    )
    assert code == 0, noted
    assert said.startswith("20 splats in ")
    assert str(out / "start.safetensors") in said
    (line,) = [line for line in noted.splitlines() if line.startswith("note: start")]
    assert line.startswith("note: start: thing.spz, 20 splats, moved by ")
    assert line.endswith("times as large, begins as 20 splats")


def test_a_finished_run_can_be_resumed_without_harm(made, call):
    out, _ = made
    before = (out / "scene.ply").read_bytes()
    code, said, _ = call("generate", "--resume", out)
    assert code == 0
    assert str(out / "scene.ply") in said
    assert (out / "scene.ply").read_bytes() == before


def test_negative_and_hidden_words_come_through(prior_file, call, tmp_path):
    out = tmp_path / "run"
    words = ("generate", "a red ball", *TINY, "--prior", prior_file, "--out", out)
    code, _, said = call(
        *words, "--negative", "blue cub", "--hide", "red=back,side", "--nearest"
    )
    assert code == 0, said
    report = json.loads((out / "report.json").read_text())
    assert (report["negative"], report["hide"]) == ("a blue cube", ["red=back,side"])
    code, _, said = call(*words, "--overwrite", "--hide", "green=back")
    assert (code, 'does not say "green"' in said) == (2, True)
    code, _, said = call(*words, "--overwrite", "--negative", "a violin")
    assert (code, "violin" in said) == (2, True)
    code, _, said = call("generate", "--resume", out, "--negative", "blue")
    assert (code, "give --resume alone" in said) == (2, True)


def test_render_makes_films_and_sheets(made, call, tmp_path):
    scene = made[0] / "scene.ply"
    code, said, _ = call(
        "render", scene, "--orbit", 3, "--size", 32, "--out", tmp_path / "a.mp4"
    )
    assert (code, said.strip()) == (0, str(tmp_path / "a.mp4"))
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"
    assert call("render", scene, "--size", 32, "--out", tmp_path / "b.png")[0] == 0
    with Image.open(tmp_path / "b.png") as sheet:
        assert sheet.width > 8 * 32


def test_words_lists_what_the_prior_knows(prior_file, call):
    code, said, _ = call("words", "--prior", prior_file)
    assert code == 0
    assert said.splitlines() == [
        "objects     ball, cube",
        "colors      red, blue",
        "also        sphere (ball)",
    ]


def test_recipes_lists_and_resolves(call):
    code, said, _ = call("recipes")
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == recipe_names()
    code, said, _ = call("recipes", "quick")
    assert parse_recipe(said, "said") == load_recipe("quick")


def test_doctor_tells_about_the_machine(call):
    code, said, _ = call("doctor")
    assert code == 0
    for word in (
        "cores",
        "CPU features",
        "memory",
        "gpu",
        "_splat",
        "_network",
        "usd",
        "torch",
        "gsplat",
        "weights",
    ):
        assert word in said


def test_help_names_the_commands_and_needs_no_torch():
    script = (
        "import sys\n"
        "from splatsmith.cli import main\n"
        "code = main(['--help'])\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in (
        "generate",
        "words",
        "render",
        "convert",
        "recipes",
        "evaluate",
        "doctor",
        "train",
    ):
        assert name in done.stdout


def test_importing_the_package_does_not_import_torch():
    script = "import splatsmith, sys; assert 'torch' not in sys.modules; splatsmith.Recipe"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
