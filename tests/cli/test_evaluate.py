"""`splatsmith evaluate`, with a prior that knows nothing and evaluators that say one thing."""

import json
import signal
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from splatsmith.cli import evaluation, evaluation_jobs, evaluation_report
from splatsmith.cli.evaluation_jobs import Request, prepare, samples, start
from splatsmith.cli.main import main
from splatsmith.errors import InputError
from splatsmith.evaluate.controls import Controls
from splatsmith.evaluate.evaluators import Judgement
from splatsmith.evaluate.lists import Job
from splatsmith.evaluate.record import read_records
from splatsmith.evaluate.report import CAVEAT
from splatsmith.evaluate.turning import turning_cameras
from splatsmith.optimize.signals import Interrupted
from splatsmith.recipes.load import load_recipe, recipe_names
from splatsmith.scenes import Ball, begin
from splatsmith.toybox import CATEGORIES, COLORS
from splatsmith.train.words import embedded_vocabulary, word_table

TINY = (
    "--set=shape.steps=4",
    "--set=shape.size=16",
    "--set=shape.start.count=60",
    "--set=output.frames=2",
    "--set=output.size=32",
    "--set=shape.upkeep.start=2",
    "--set=shape.upkeep.grow_gradient=inf",
    "--set=shape.upkeep.prune_opacity=0.0",
)


class OneThing:
    """Whatever it is shown, it is a red mushroom that turns."""

    def __init__(self, name, reads_azimuth):
        self.name, self.reads_azimuth = name, reads_azimuth

    def judge(self, pictures, category):
        views = len(pictures)
        kinds = torch.zeros(views, len(CATEGORIES))
        hues = torch.zeros(views, len(CATEGORIES), len(COLORS))
        kinds[:, list(CATEGORIES).index("mushroom")] = 3
        hues[:, :, list(COLORS).index("red")] = 3
        azimuth = torch.eye(12)[torch.arange(views) * 12 // views]
        azimuth = azimuth if self.reads_azimuth else None
        return Judgement(kinds.log_softmax(-1), hues.log_softmax(-1), azimuth)


def controls(evaluator, generator, count, *, pairs):
    return Controls(
        evaluator=evaluator.name,
        count=count,
        turning_auroc=0.99,
        two_faces=1.0,
        false_alarms=0.0,
        whole_turning={"duck": 0.9, "car": 0.4},
        color_accuracy=0.96 if evaluator.name.startswith("E1") else bad_color[0],
        wrong_color_seen=1.0,
        floater_auroc=1.0,
    )


bad_color = [0.97]


@pytest.fixture(scope="module")
def knowing_prior(tmp_path_factory, make_prior):
    """A prior file with the toybox's words and weights that know nothing."""
    path = tmp_path_factory.mktemp("weights") / "knowing.safetensors"
    return make_prior(path, word_table(), embedded_vocabulary())


@pytest.fixture(autouse=True)
def fake_evaluators(monkeypatch):
    monkeypatch.setattr(evaluation_jobs, "load_e1", lambda path: OneThing("E1 0123", True))
    monkeypatch.setattr(evaluation_jobs, "load_e2", lambda path: OneThing("E2 0123", False))
    monkeypatch.setattr(evaluation_report, "check_controls", controls)
    monkeypatch.setattr(evaluation_jobs, "SAMPLE_STEPS", 2)


@pytest.fixture
def run_it(knowing_prior, capsys):
    def run(out, *more, limit=2):
        arguments = ["evaluate", "--out", out, "--prior", knowing_prior, *TINY]
        arguments += ["--limit", limit, *more]
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.slow
def test_objects_are_made_weighed_and_laid_out(run_it, tmp_path):
    code, said, told = run_it(tmp_path)
    assert code == 0, told
    records = read_records(tmp_path / "records.jsonl")
    keys = [(r.kind, r.prompt, r.seed) for r in records]
    prompts = ["a red mushroom", "an orange mushroom"]
    assert keys[:2] == [("run", prompt, 0) for prompt in prompts]
    assert set(keys[2:]) == {
        (k, p, 0) for k in ("ceiling", "floor", "samples") for p in prompts
    }
    ceiling = next(r for r in records if r.kind == "ceiling")
    assert ceiling.metrics["IoU*"] > 0.85
    assert ceiling.metrics["E1 PR@1"] == 1
    samples = next(r for r in records if r.kind == "samples")
    assert samples.metrics["E1 T"] > 0.9
    text = (tmp_path / "table.md").read_text()
    assert text.startswith(CAVEAT)
    assert "P-held" in text
    assert "P-words: 16 of 16" in text
    assert "fronts seen well enough: duck\n" in text
    assert "made a second time: 1 of 2 runs, the same to the last byte" in text
    assert len((tmp_path / "records.csv").read_text().splitlines()) == 1 + len(records)
    with Image.open(tmp_path / "sheets" / "P-held.png") as sheet:
        assert sheet.height > 2 * 96
    assert str(tmp_path / "table.md") in said
    assert "runs 2/2: an orange mushroom" in told

    # The same command again finds everything done, and a torn line is mended.
    with (tmp_path / "records.jsonl").open("a") as file:
        file.write('{"torn": ')
    code, _, told = run_it(tmp_path)
    assert code == 0, told
    assert "dropped 9 bytes" in told
    assert "runs 1/" not in told
    assert read_records(tmp_path / "records.jsonl") == records
    assert (tmp_path / "table.md").read_text() == text

    # The same command once more puts the table on a page.
    page = tmp_path / "page.md"
    page.write_text("# Results\n\nBefore.\n")
    assert run_it(tmp_path, "--page", page)[0] == 0
    told = page.read_text()
    assert told.startswith("# Results\n\nBefore.\n")
    assert "\n## Tier standard, recipe quick\n" in told
    assert "\n### P-held" in told
    assert "`splatsmith evaluate --tier standard --recipe quick --prior" in told

    # A run that comes out different the second time voids the table.
    scene = tmp_path / "again" / "a-red-mushroom-0" / "scene.ply"
    scene.write_bytes(scene.read_bytes()[:-1] + b"!")
    assert run_it(tmp_path)[0] == 0
    assert (
        "**void**, for they came out different: a red mushroom (seed 0)"
        in (tmp_path / "table.md").read_text()
    )

    # One more run goes on where the last one stopped; another recipe may not.
    code, _, told = run_it(tmp_path, "--set=shape.views=2")
    assert code == 2
    assert "made with another recipe" in told
    assert "choose another --out" in told


@pytest.mark.slow
def test_a_picture_stands_for_the_object(run_it, tmp_path):
    out = tmp_path / "e"
    code, _, told = run_it(out, "--tier", "image", "--recipe", "picture", limit=1)
    assert code == 0, told
    assert "PSNR, dB" in (out / "table.md").read_text()
    records = {r.kind: r for r in read_records(out / "records.jsonl")}
    ceiling, floor, run = (records[k].metrics for k in ("ceiling", "floor", "run"))
    assert ceiling["PSNR"] > floor["PSNR"] + 3
    assert ceiling["IoU"] > 0.9
    assert {"PSNR", "SSIM", "IoU"} <= set(run)
    folder = next((out / "runs").iterdir())
    with Image.open(next(folder.glob("*.png"))) as picture:
        assert picture.size[0] > 0


def test_failures_become_lines_and_the_rest_goes_on(run_it, tmp_path, monkeypatch):
    def fail(prompt, **settings):
        raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setattr(evaluation_jobs.run, "generate", fail)
    monkeypatch.setattr(evaluation, "missing_references", lambda bench: [])
    code, _, told = run_it(tmp_path)
    assert code == 0, told
    records = read_records(tmp_path / "records.jsonl")
    assert [r.failure for r in records] == ["ZeroDivisionError: nothing to divide by"] * 2
    assert all(r.metrics["Fail"] == r.metrics["E1 JR"] == 1 for r in records)
    assert all(r.metrics["E1 PR@1"] == 0 for r in records)
    assert (
        "failed: a red mushroom, seed 0: ZeroDivisionError"
        in (tmp_path / "table.md").read_text()
    )


def test_a_full_disk_is_no_failure_of_the_method(run_it, tmp_path, monkeypatch):
    def fail(prompt, **settings):
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr(evaluation_jobs.run, "generate", fail)
    code, _, told = run_it(tmp_path)
    assert code == 1
    assert "No space left" in told
    assert read_records(tmp_path / "records.jsonl") == []


def test_ctrl_c_says_how_to_go_on(run_it, tmp_path, monkeypatch):
    def stop(prompt, **settings):
        raise Interrupted(signal.SIGTERM, 3, "runs/x")

    monkeypatch.setattr(evaluation_jobs.run, "generate", stop)
    code, _, told = run_it(tmp_path)
    assert code == 128 + signal.SIGTERM
    line = told.splitlines()[-1]
    assert line.startswith("stopped; 0 of 2 runs are in")
    assert line.endswith("go on with the same command")
    assert not (tmp_path / ".lock").exists()


def test_failed_controls_write_no_table(run_it, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "bad_color", [0.5])
    code, _, told = run_it(tmp_path)
    assert code == 2
    assert "color of true objects" in told
    assert list(tmp_path.iterdir()) == []


def test_controls_alone(run_it, tmp_path):
    code, said, _ = run_it(tmp_path / "none", "--controls-only")
    assert code == 0
    assert said.splitlines()[0].startswith("controls of E1 0123, 24 of each kind: AUROC of T")
    assert len(said.splitlines()) == 2
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "0"], "--limit must be 1 or more"),
        (["--recipe", "quik"], 'there is no recipe "quik"'),
        (["--set", "shape.stps=1"], 'Did you mean "steps"?'),
        (["--prior", "none.safetensors"], "none.safetensors"),
    ],
)
def test_mistakes_are_one_message(arguments, message, call, tmp_path):
    code, said, told = call("evaluate", "--out", tmp_path / "x", *arguments)
    assert (code, said) == (2, "")
    assert message in told
    assert list(tmp_path.iterdir()) == []


def needs_picture(name):
    return any(stage.reference is not None for stage in load_recipe(name).stage)


@pytest.mark.parametrize("name", [n for n in recipe_names() if needs_picture(n)])
def test_recipes_that_need_a_picture_are_refused(name, knowing_prior, tmp_path):
    request = Request("smoke", name, (), str(knowing_prior), None, tmp_path, None)
    with pytest.raises(InputError, match="works from a picture"):
        prepare(request)


@pytest.mark.parametrize("name", [n for n in recipe_names() if not needs_picture(n)])
def test_every_recipe_has_its_smoke(name, knowing_prior, tmp_path):
    request = Request("smoke", name, (), str(knowing_prior), None, tmp_path, None)
    bench = prepare(request)
    whole = load_recipe(name)
    assert bench.recipe.steps == pytest.approx(whole.steps / 10, abs=len(whole.stage))
    assert bench.origin.recipe == f"{name} (0.1 of the steps)"
    assert len(bench.jobs) == 6


def test_lines_are_json_with_hashes(run_it, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "missing_references", lambda bench: [])
    run_it(tmp_path, limit=1)
    line = json.loads((tmp_path / "records.jsonl").read_text().splitlines()[0])
    assert len(line["origin"]["recipe_sha256"]) == 64
    assert len(line["origin"]["prior_sha256"]) == 64
    assert line["origin"]["evaluators"] == ["E1 0123", "E2 0123"]
    assert line["peak_mib"] > 50
    assert Job(line["prompt"], line["seed"]) == Job("a red mushroom", 0)


def test_the_floor_is_the_start_of_its_own_prompt(knowing_prior, tmp_path, monkeypatch):
    asked = []

    def begun(plan, tell=None):
        asked.append((plan.prompt.text, plan.seed))
        if len(asked) > 1:
            raise InputError("its pictures agree on nothing")
        return SimpleNamespace(scene=begin(Ball(count=9), torch.Generator().manual_seed(0)))

    monkeypatch.setattr(evaluation_jobs.run, "fresh_state", begun)
    bench = prepare(Request("dev", "quick", (), str(knowing_prior), None, tmp_path, 1))
    assert start(bench, "a blue mug").count == 9
    assert start(bench, "a green dog") is None  # as its run, it shows nothing
    assert asked == [("a blue mug", 0), ("a green dog", 0)]


def test_priors_of_several_views_draw_their_samples_all_around(monkeypatch, tmp_path):
    """What comes back stands in the order of the turning test."""
    bench = prepare(Request("smoke", "mvdream", (), "embedded-multiview", None, tmp_path, 1))
    azimuths = []

    def drawn(prior, condition, generator, *, steps, guidance):
        return azimuths[0][:, None, None, None].expand(-1, 8, 8, 3)

    prior = bench.plan.prior.prior
    told = prior.condition

    def condition(prompt, cameras):
        azimuths.append(cameras.azimuth / 360 + 0.5)
        return told(prompt, cameras)

    monkeypatch.setattr(prior, "condition", condition)
    monkeypatch.setattr(evaluation_jobs, "sample_pictures", drawn)
    monkeypatch.setattr(evaluation_jobs, "plan_for", lambda bench, prompt: bench.plan)
    found = samples(bench, "a red mushroom")[:, 0, 0, 0]
    expected = (turning_cameras().azimuth / 360 + 0.5).clamp(0, 1)
    torch.testing.assert_close(found, expected)
