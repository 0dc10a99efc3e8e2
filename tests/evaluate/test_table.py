"""Roll-ups of made-up records whose right figures are known; sheets that show everything."""

import io
from dataclasses import replace

import pytest
import torch
from rich.console import Console

from splatsmith.errors import InputError
from splatsmith.evaluate.lists import Job, jobs, lists_hash, prompt_lists, tier_named
from splatsmith.evaluate.record import Origin, Record
from splatsmith.evaluate.report import CAVEAT, markdown, spelled, terminal_tables
from splatsmith.evaluate.sheets import BLANK, list_sheet, views_of
from splatsmith.evaluate.statistics import Interval, wilson
from splatsmith.evaluate.table import HEADLINE, roll_up, summary
from splatsmith.export.sheet import LABEL_HEIGHT
from splatsmith.scenes import from_points

TIER = tier_named("standard")
ORIGIN = Origin(
    recipe="quick",
    recipe_sha256="a" * 64,
    prior="prior-v1",
    prior_sha256="b" * 64,
    evaluators=("E1 0123", "E2 4567"),
    lists_sha256=lists_hash(),
    version="0.1.0",
)


def record(prompt, seed=0, kind="run", origin=ORIGIN, failure="", **metrics):
    return Record(
        kind=kind,
        prompt=prompt,
        seed=seed,
        split="held",
        origin=origin,
        metrics=metrics,
        seconds=10.0 + seed,
        failure=failure,
    )


def made(right=30):
    """Of the 40 prompts of P-held the first `right` are right; all ceilings, no floors."""
    held = prompt_lists()["P-held"].prompts
    records = []
    for number, prompt in enumerate(held):
        hit = float(number < right)
        reading = {"E1 PR@1": hit, "E1 PRview": hit / 2, "E2 PRview": hit, "E1 JR": 1 - hit}
        records.append(record(prompt, **reading, Float=0.1 * hit, Fail=0.0))
        records.append(record(prompt, kind="ceiling", **{"E1 PR@1": 1.0, "Float": 0.0}))
        records.append(record(prompt, kind="floor", **{"E1 PR@1": 0.0}))
    return records


def row(roll, name, kind="run"):
    table = next(t for t in roll.lists if t.prompts.name == name)
    return next(r for r in table.rows if r.kind == kind)


def test_shares_and_means_are_those_of_the_records():
    roll = roll_up(made(30), TIER)
    found = row(roll, "P-held")
    assert found.label == "quick on prior-v1"
    assert found.count == 40
    assert found.cells["PR@1 (E1)"] == wilson(30, 40)
    assert found.cells["Float"].value == pytest.approx(0.075)
    assert found.cells["seconds"].value == 10
    assert found.normalized == pytest.approx(0.75)
    assert row(roll, "P-held", "ceiling").cells["PR@1 (E1)"].value == 1
    assert "seconds" not in row(roll, "P-held", "ceiling").cells
    assert roll.agreement == pytest.approx(1)


def test_janus_counts_only_where_a_front_can_be_told():
    roll = roll_up(made(20), TIER)
    assert row(roll, "P-janus").count == 12
    janus = prompt_lists()["P-janus"].prompts
    wrong = sum(prompt in janus for prompt in prompt_lists()["P-held"].prompts[20:])
    assert row(roll, "P-held").cells["Janus rate"] == wilson(wrong, 12)
    assert row(roll, "P-janus").cells["Janus rate"] == wilson(wrong, 12)


def test_a_list_takes_no_more_seeds_than_its_tier_says():
    records = [record("a red dog", seed, **{"E1 PR@1": 1.0}) for seed in range(4)]
    roll = roll_up(records, TIER)
    assert row(roll, "P-held").count == 1
    assert row(roll, "P-janus").count == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lists_sha256": "d" * 64}, "prompt lists"),
        ({"evaluators": ("E1 9999",)}, "evaluators"),
        ({"recipe_sha256": "e" * 64}, "recipe 'quick'"),
        ({"prior_sha256": "e" * 64}, "prior 'prior-v1'"),
    ],
)
def test_mixed_hashes_are_refused(change, says):
    other = record("a red dog", origin=replace(ORIGIN, **change))
    with pytest.raises(InputError, match=f"different {says}"):
        roll_up([record("an orange dog"), other], TIER)


def test_lists_of_another_version_and_nothing_at_all_are_refused():
    with pytest.raises(InputError, match="no records"):
        roll_up([], TIER)
    with pytest.raises(InputError, match="but this version has"):
        roll_up([record("a red dog", origin=replace(ORIGIN, lists_sha256="d" * 64))], TIER)


def test_each_recipe_has_its_row():
    other = replace(ORIGIN, recipe="sds-gaussians", recipe_sha256="f" * 64)
    roll = roll_up([record("a red dog"), record("a red dog", origin=other)], TIER)
    labels = [r.label for r in roll.lists[0].rows]
    assert labels == ["quick on prior-v1", "sds-gaussians on prior-v1"]


def test_the_report_opens_with_what_it_does_not_say():
    failed = record("a red dog", 1, failure="RunFailed: a | b", **{"E1 PR@1": 0.0, "Fail": 1.0})
    text = markdown(
        roll_up([*made(), failed], TIER),
        remarks={"P-janus": ["half as diverse"]},
        notes=["a note"],
    )
    lines = text.splitlines()
    assert lines[0] == CAVEAT
    assert "open vocabulary" in lines[0]
    assert lists_hash()[:12] in text
    assert "E1 0123, E2 4567" in text
    assert "0.75 (0.60–0.86)" in text
    assert "failed: a red dog, seed 1: RunFailed: a | b" in text
    assert "half as diverse" in text
    assert "a note" in text
    for prompt in prompt_lists()["P-held"].prompts:
        assert f"| {prompt} |" in text
    widths = {}
    for line in lines:
        if line.startswith("|"):
            widths.setdefault(line.count("|") - line.count("\\|"), []).append(line)
    assert len(widths) <= 6


def test_the_terminal_shows_the_headline():
    console = Console(width=160, record=True, file=io.StringIO())
    for table in terminal_tables(roll_up(made(), TIER)):
        console.print(table)
    text = console.export_text()
    assert "P-held" in text
    assert "Janus rate" in text
    assert "ceiling" in text


def test_what_applies_to_nothing_has_no_cell():
    column = next(c for c in HEADLINE if c.janus)
    assert summary(column, [record("a red house", **{"E1 JR": 1.0})]) is None
    assert spelled(Interval(0.5, float("nan"), float("nan")), 2) == "0.50"


def test_a_sheet_shows_every_object_and_leaves_the_failed_gray(gen):
    prompts = prompt_lists()["P-janus"]
    scene = from_points(torch.rand(50, 3, generator=gen) - 0.5, opacity=0.9)
    good, bad = views_of(scene), views_of(None)
    pictures = {Job(p, s): good for p in prompts.prompts for s in range(2)}
    pictures[Job(prompts.prompts[3], 1)] = bad
    sheet = list_sheet(prompts, 2, pictures, {Job(prompts.prompts[0], 0): "T 0.9"})
    step = 96 + LABEL_HEIGHT + 2
    assert sheet.shape == (LABEL_HEIGHT + 12 * step, 8 * 98 - 2, 3)
    top = LABEL_HEIGHT + 3 * step + LABEL_HEIGHT
    assert (sheet[top : top + 96, 4 * 98 : 4 * 98 + 96] == round(255 * BLANK)).all()
    assert (sheet[top : top + 96, :96] < 250).any()
    assert list_sheet(prompts, 2, {}, {}) is None


def test_all_runs_of_a_tier_are_in_some_table():
    records = [record(job.prompt, job.seed) for job in jobs(TIER)]
    assert sum(row(roll_up(records, TIER), name).count for name, _ in TIER.runs) == 40 + 24 + 20
