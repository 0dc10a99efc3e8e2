"""Records come back as they were written; damaged files are refused with place and remedy."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatsmith.errors import InputError, InvalidFile
from splatsmith.evaluate.record import (
    KINDS,
    Origin,
    Record,
    append,
    drop_torn_line,
    from_line,
    read_records,
    to_csv,
    to_line,
)

ORIGIN = Origin(
    recipe="quick",
    recipe_sha256="a" * 64,
    prior="prior-v1",
    prior_sha256="b" * 64,
    evaluators=("E1 0123", "E2 4567"),
    lists_sha256="c" * 64,
    version="0.1.0",
    commit="abcdef+",
)


def record(seed=0, prompt="a red dog", **more):
    values = {"metrics": {"IoU": 0.75, "dE": None}, "seconds": 1.5, "peak_mib": 300} | more
    return Record(kind="run", prompt=prompt, seed=seed, split="held", origin=ORIGIN, **values)


numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(
    kind=st.sampled_from(KINDS),
    prompt=st.text(),
    seed=st.integers(0, 2**63 - 1),
    metrics=st.dictionaries(st.text(), numbers, max_size=5),
    failure=st.text(max_size=100),
)
def test_a_record_comes_back_from_its_line(kind, prompt, seed, metrics, failure):
    made = Record(
        kind=kind,
        prompt=prompt,
        seed=seed,
        split="dev",
        origin=ORIGIN,
        metrics=metrics,
        failure=failure,
    )
    line = to_line(made)
    assert "\n" not in line
    assert from_line(line) == made


def test_a_file_holds_what_was_appended(tmp_path):
    path = tmp_path / "records.jsonl"
    assert read_records(path) == []
    made = [record(seed) for seed in range(3)]
    for one in made:
        append(path, one)
    assert read_records(path) == made
    assert drop_torn_line(path) == ""


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_is_said_and_dropped(tmp_path, cut):
    path = tmp_path / "records.jsonl"
    append(path, record(0))
    append(path, record(1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with pytest.raises(InvalidFile, match="torn"):
        read_records(path)
    said = drop_torn_line(path)
    assert str(path) in said
    assert "made again" in said
    assert read_records(path) == [record(0)]
    append(path, record(1))
    assert path.read_bytes() == whole


def change(**changes):
    table = json.loads(to_line(record()))
    return json.dumps({**table, **changes})


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[]",
        "nonsense",
        "[" * 5000,
        change(format="other"),
        change(kind="picture"),
        change(seed="0"),
        change(seed=-1),
        change(extra=1),
        change(metrics={"IoU": "good"}),
        change(metrics={"IoU": float("nan")}),
        change(origin={}),
        change(origin=3),
        change(prompt=None),
    ],
)
def test_a_damaged_line_is_refused_with_its_place(tmp_path, line):
    path = tmp_path / "records.jsonl"
    first = to_line(record(1)) + "\n"
    path.write_text(first + line + "\n")
    with pytest.raises(InvalidFile, match="line 2") as caught:
        read_records(path)
    assert caught.value.offset == len(first)
    assert "remove this line" in str(caught.value)


def test_the_same_run_twice_is_refused(tmp_path):
    path = tmp_path / "records.jsonl"
    append(path, record(0))
    append(path, record(0, seconds=9.0))
    with pytest.raises(InvalidFile, match="line 2 repeats line 1"):
        read_records(path)


def test_only_numbers_are_written():
    for value in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="Metric IoU"):
            to_line(record(metrics={"IoU": value}))


def test_a_long_failure_is_cut():
    assert len(from_line(to_line(record(failure="x" * 10_000))).failure) == 2000


def test_a_row_of_the_csv_has_every_metric_of_any_record():
    first = record(prompt='a "red", mug', metrics={"T": 0.5, "JR": None})
    second = record(prompt="a dog", metrics={"T": 1.0, "Float": 0.25})
    rows = list(csv.DictReader(io.StringIO(to_csv([first, second]))))
    assert [row["prompt"] for row in rows] == ['a "red", mug', "a dog"]
    assert rows[0]["T"] == "0.5"
    assert (rows[0]["JR"], rows[0]["Float"]) == ("", "")
    assert float(rows[1]["Float"]) == 0.25
