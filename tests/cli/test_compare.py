"""`splatsmith compare`: every recipe makes the same runs; their figures stand side by side."""

import json

import pytest
from PIL import Image

from splatsmith.cli import comparison
from splatsmith.cli.comparison import Comparison, costs_of, origin_of
from splatsmith.cli.main import main
from splatsmith.cli.pages import check_page, put_section
from splatsmith.errors import InputError
from splatsmith.evaluate.lists import Job
from splatsmith.evaluate.record import Origin, Record, read_records
from splatsmith.train.words import embedded_vocabulary, word_table

TINY = """
title = "{title}"
output = {{ save_every = 2, snapshots = 2, frames = 2, size = 32 }}
[[stage]]
name = "shape"
steps = {steps}
views = 2
size = 16
start = {{ kind = "ball", count = {count}, radius = 0.6, opacity = 0.6 }}
"""


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    """Two recipe files that differ in steps and splats."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, steps, count in (("short", 2, 40), ("long", 4, 60)):
        text = TINY.format(title=name, steps=steps, count=count)
        (folder / f"{name}.toml").write_text(text)
    return [str(folder / "short.toml"), str(folder / "long.toml")]


@pytest.fixture(scope="module")
def prior(tmp_path_factory, make_prior):
    path = tmp_path_factory.mktemp("weights") / "knowing.safetensors"
    return str(make_prior(path, word_table(), embedded_vocabulary()))


@pytest.fixture(autouse=True)
def without_controls(monkeypatch):
    """The evaluators' own tests test them; here they would take minutes."""
    monkeypatch.setattr(comparison, "controls_of", lambda bench: [])


@pytest.mark.slow
def test_recipes_are_compared_and_what_is_there_is_not_made_again(
    recipes, prior, tmp_path, capsys, monkeypatch
):
    out, page = tmp_path / "both", tmp_path / "results.md"
    command = ["compare", *recipes, "--out", str(out), "--prior", prior, "--page", str(page)]
    command += ["--prompts", "a red dog", "a blue mug"]
    assert main(command) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    for name, steps, count in (("short", 2, 40), ("long", 4, 60)):
        records = read_records(out / name / "records.jsonl")
        assert [(r.prompt, r.seed) for r in records] == [("a red dog", 0), ("a blue mug", 0)]
        report = json.loads((out / name / "runs" / "a-red-dog-0" / "report.json").read_text())
        assert report["metrics"]["steps"] == steps
        assert report["metrics"]["parameters"] == count * (3 + 3 + 4 + 1 + 3)
        assert f"| {name} |" in said
        assert f"| {count * 14:,} |" in said
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.width > 4 * 96
        assert sheet.height > 2 * 96
    assert "## Methods side by side" in page.read_text()

    def never(wanted, recipe):
        raise AssertionError(f"{recipe} was made again")

    monkeypatch.setattr(comparison, "_apart", never)
    assert main(command) == 0
    assert page.read_text().count("## Methods side by side") == 1


def test_costs_are_means_over_the_runs_that_did_not_fail(tmp_path):
    class Bench:
        recipe = type("R", (), {"stage": (type("S", (), {"steps": 10, "views": 4}),)})

        def folder(self, job):
            return tmp_path / f"{job.seed}"

    origin = Origin(
        recipe="r", recipe_sha256="", prior="p", prior_sha256="", evaluators=(), lists_sha256=""
    )
    records = []
    for seed, (seconds, peak, failure) in enumerate(
        [(2.0, 90, ""), (4.0, 80, ""), (9.0, 70, "x")]
    ):
        records.append(
            Record(
                kind="run", prompt="a", seed=seed, split="dev", origin=origin,
                seconds=seconds, peak_mib=peak, failure=failure,
            )
        )  # fmt: skip
        if not failure:
            (tmp_path / f"{seed}").mkdir()
            report = {
                "metrics": {"parameters": 100 + seed},
                "parts_seconds": {"render": 0.5 + seed},
            }
            (tmp_path / f"{seed}" / "report.json").write_text(json.dumps(report))
    costs = costs_of(Bench(), records)
    assert costs.seconds == 5.0
    assert costs.peak_mib == 90
    assert costs.parameters == 100.5
    assert costs.views_per_second == pytest.approx(40 / 1.0)


def test_recipes_that_asked_another_prior_are_named():
    runs = [
        [
            Record(
                kind="run", prompt="a", seed=0, split="dev", seconds=1.0, peak_mib=1,
                failure="", origin=Origin(
                    recipe=name, recipe_sha256="", prior=prior, prior_sha256="",
                    evaluators=("E1", "E2"), lists_sha256="0" * 64, commit=commit,
                ),
            )
        ]
        for name, prior, commit in (
            ("quick", "v2", "abc"), ("mvdream", "views", "abc"), ("sjc", "v2", "def")
        )
    ]  # fmt: skip
    (line,) = origin_of(["quick", "mvdream", "sjc"], runs)
    assert line.startswith("- prior v2, and of mvdream views; evaluators E1, E2; lists 000")
    assert line.endswith("commit abc and def")


def test_without_prompts_eight_of_those_that_may_be_tuned_on_are_made(tmp_path):
    wanted = Comparison(("quick",), (), 2, (), None, tmp_path)
    assert len(wanted.jobs) == 16
    assert wanted.jobs[0].prompt == "a blue mushroom"
    assert [job.seed for job in wanted.jobs] == [0] * 8 + [1] * 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["quick", "quick"], "quick is there twice"),
        (["quick", "mine/quick.toml"], "quick is there twice"),
        (["quick", "--page", "no/such/folder/page.md"], "there is no folder no/such/folder"),
        (["quick", "--seeds", "0"], "--seeds must be 1 to 100, got 0"),
        (["quikc"], "quick"),
        (["quick", "--prompts", "a red dog", "a red violin"], "violin"),
    ],
)
def test_what_will_not_do_is_said_and_nothing_is_written(arguments, said, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["compare", *arguments, "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_prompt_that_is_said_twice_is_one_job(tmp_path):
    wanted = Comparison(("quick",), ("a red dog", "a red dog"), 2, (), None, tmp_path)
    assert wanted.jobs == [Job("a red dog", 0), Job("a red dog", 1)]


def test_a_page_that_cannot_take_a_section_is_refused_beforehand(tmp_path):
    page = tmp_path / "page.md"
    check_page(None, "one")
    check_page(page, "one")
    page.write_text("<!-- one -->\nold\n<!-- end of one -->")  # no line break at its end
    put_section(page, "one", "new\n")
    assert page.read_text() == "<!-- one -->\nnew\n<!-- end of one -->\n"
    page.write_text("<!-- one -->\nold\n")
    with pytest.raises(InputError, match="but not <!-- end of one --> after it"):
        check_page(page, "one")
    page.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="no page in UTF-8"):
        check_page(page, "one")


def test_a_section_is_replaced_and_its_neighbors_stay(tmp_path):
    page = tmp_path / "page.md"
    for name, text in (("one", "1\n"), ("two", "2\n"), ("one", "3\n")):
        put_section(page, name, text)
    whole = page.read_text()
    assert whole == (
        "# Results\n\n<!-- one -->\n3\n<!-- end of one -->\n\n"
        "<!-- two -->\n2\n<!-- end of two -->\n"
    )
