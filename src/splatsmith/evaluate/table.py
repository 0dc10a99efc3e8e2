"""Records rolled up: a row for every recipe and prior, and on the same lines what could be.

The ceiling are true held-out objects, the floor is the scene before its first step, and the
samples are what the prior draws with no scene at all: distillation cannot be blamed for what
its prior does not know.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from splatsmith.errors import InputError
from splatsmith.evaluate.lists import PromptList, Tier, lists_hash, prompt_lists
from splatsmith.evaluate.record import Record
from splatsmith.evaluate.statistics import Interval, mean_interval, spearman, wilson
from splatsmith.evaluate.wanted import wanted
from splatsmith.toybox.split import JANUS

OTHERS = ("ceiling", "floor", "samples")
SEED = 0  # of the bootstrap, so that equal records give equal tables


@dataclass(frozen=True)
class Column:
    """One metric of a table."""

    title: str
    metric: str  # its name in records; "seconds" is the record's own
    kind: Literal["share", "mean"]  # of yes and no, with Wilson's interval; or of numbers
    digits: int = 2
    janus: bool = False  # only objects whose front can be told count


HEADLINE = (
    Column("PR@1 (E1)", "E1 PR@1", "share"),
    Column("PR@1 (E2)", "E2 PR@1", "share"),
    Column("Janus rate", "E1 JR", "share", janus=True),
    Column("PSNR*, dB", "PSNR*", "mean", 1),
    Column("Float", "Float", "mean", 3),
    Column("failed", "Fail", "share"),
    Column("seconds", "seconds", "mean", 1),
)
READ = tuple(
    Column(f"{name} ({kind})", f"{kind} {name}", "mean" if name == "PRview" else "share")
    for kind in ("E1", "E2")
    for name in ("PR@5", "PRview", "Cat", "Col", "GeoCat")
)
BOTH = tuple(
    Column(f"{title} ({kind})", f"{kind} {metric}", "share")
    for kind in ("E1", "E2")
    for title, metric in (("both found", "Both"), ("both, with colors", "BothCol"))
)
LOOK = (
    Column("T", "E1 T", "mean", janus=True),
    Column("S", "E1 S", "mean", janus=True),
    Column("dE", "dE", "mean", 1),
    Column("dE*", "dE*", "mean", 1),
    Column("IoU*", "IoU*", "mean", 3),
    Column("CD* x 1000", "CD*", "mean", 2),
    Column("F*", "F*", "mean", 3),
    Column("Haze, %", "Haze", "mean", 2),
    Column("pieces", "Pieces", "mean", 1),
    Column("Needle", "Needle", "mean", 3),
    Column("VDI", "VDI", "mean", 3),
    Column("splats", "Splats", "mean", 0),
)
SAME = (  # with the very object that a picture was taken of
    Column("PSNR, dB", "PSNR", "mean", 1),
    Column("SSIM", "SSIM", "mean", 3),
    Column("IoU", "IoU", "mean", 3),
)
SCALES = {"CD*": 1000.0, "Haze": 100.0}  # what a column's title says the values are times


def titled(titles: Sequence[str]) -> list[Column]:
    """The columns with these titles, in the order of the titles."""
    known = {column.title: column for column in (*HEADLINE, *READ, *LOOK)}
    return [known[title] for title in titles]


@dataclass(frozen=True)
class Row:
    """One line: whose it is, how many objects, and an interval for each column that applies."""

    label: str
    kind: str  # run, ceiling, floor or samples
    count: int
    cells: Mapping[str, Interval]  # by column title
    normalized: float | None  # nPR: PR@1 where 0 is the floor's and 1 the ceiling's


@dataclass(frozen=True)
class ListTable:
    """All rows of one prompt list."""

    prompts: PromptList
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class RollUp:
    """Everything that a report says, as numbers."""

    tier: Tier
    records: tuple[Record, ...]
    lists: tuple[ListTable, ...]
    agreement: float | None  # rank correlation of E1's and E2's PRview over all runs


def roll_up(records: Sequence[Record], tier: Tier) -> RollUp:
    """The tables of a tier; InputError if the records do not belong together."""
    check_hashes(records)
    tables = [
        ListTable(prompt_lists()[name], rows)
        for name, seeds in tier.runs
        if (rows := _rows(records, prompt_lists()[name], seeds))
    ]
    return RollUp(tier, tuple(records), tuple(tables), _agreement(records))


def check_hashes(records: Sequence[Record]) -> None:
    """InputError unless all were weighed alike, and each name stands for one thing."""
    if not records:
        raise InputError("There are no records to make a table of; run an evaluation first.")
    _one("prompt lists", (r.origin.lists_sha256[:12] for r in records))
    _one("evaluators", (", ".join(r.origin.evaluators) for r in records))
    if records[0].origin.lists_sha256 != lists_hash():
        raise InputError(
            f"The records are of the prompt lists {records[0].origin.lists_sha256[:12]}, but "
            f"this version has {lists_hash()[:12]}; take the version that made them."
        )
    for what, names in (
        ("recipe", {(r.origin.recipe, r.origin.recipe_sha256) for r in records}),
        ("prior", {(r.origin.prior, r.origin.prior_sha256) for r in records}),
    ):
        for name in {name for name, _ in names}:
            _one(f"{what} {name!r}", (sha[:12] for other, sha in names if other == name))


def _one(what: str, found: Iterable[str]) -> None:
    different = sorted(set(found))
    if len(different) > 1:
        raise InputError(
            f"Records of different {what} cannot share a table: {' and '.join(different)}. "
            f"Keep each evaluation in a folder of its own."
        )


def _rows(records: Sequence[Record], prompts: PromptList, seeds: int) -> tuple[Row, ...]:
    mine = [r for r in records if r.prompt in prompts.prompts]
    runs = [r for r in mine if r.kind == "run" and r.seed < seeds]
    makers = dict.fromkeys((r.origin.recipe, r.origin.prior) for r in runs)
    rows = [
        (f"{recipe} on {prior}", "run", [r for r in runs if _maker(r) == (recipe, prior)])
        for recipe, prior in makers
    ]
    rows += [(kind, kind, [r for r in mine if r.kind == kind]) for kind in OTHERS]
    ends = [
        _share(of, "E1 PR@1") for kind in ("floor", "ceiling") for _, k, of in rows if k == kind
    ]
    return tuple(
        Row(label, kind, len(of), _cells(of), _normalized(of, ends) if kind == "run" else None)
        for label, kind, of in rows
        if of
    )


def _maker(record: Record) -> tuple[str, str]:
    return record.origin.recipe, record.origin.prior


def _cells(records: Sequence[Record]) -> dict[str, Interval]:
    cells = {c.title: summary(c, records) for c in (*HEADLINE, *READ, *BOTH, *SAME, *LOOK)}
    return {title: cell for title, cell in cells.items() if cell is not None}


def summary(column: Column, records: Sequence[Record]) -> Interval | None:
    """Mean or share with its interval; None where the metric applies to none of them."""
    if column.janus:
        records = [r for r in records if wanted(r.prompt).category in JANUS]
    pairs = [(v, r.prompt) for r in records if (v := _value(r, column.metric)) is not None]
    if not pairs:
        return None
    if column.kind == "share":
        return wilson(round(sum(v for v, _ in pairs)), len(pairs))
    scale = SCALES.get(column.metric, 1.0)
    values = torch.tensor([v * scale for v, _ in pairs], dtype=torch.float64)
    generator = torch.Generator().manual_seed(SEED)
    return mean_interval(values, [prompt for _, prompt in pairs], generator)


def told(column: Column, records: Sequence[Record]) -> str:
    """The summary as text, "85 % (62..95)"; empty where it applies to none of them."""
    found = summary(column, records)
    if found is None:
        return ""
    scale, digits = (100, 0) if column.kind == "share" else (1, column.digits)
    low, value, high = (x * scale for x in (found.low, found.value, found.high))
    unit = " %" if column.kind == "share" else ""
    return f"{value:.{digits}f}{unit} ({low:.{digits}f}..{high:.{digits}f})"


def _value(record: Record, metric: str) -> float | None:
    if metric == "seconds":
        return record.seconds if record.kind == "run" else None
    return record.metrics.get(metric)


def _share(records: Sequence[Record], metric: str) -> float:
    found = [v for r in records if (v := r.metrics.get(metric)) is not None]
    return sum(found) / len(found) if found else math.nan


def _normalized(records: Sequence[Record], ends: Sequence[float]) -> float | None:
    """(PR@1 - floor) / (ceiling - floor)."""
    low, high = ends
    value = (_share(records, "E1 PR@1") - low) / (high - low) if high != low else math.nan
    return value if math.isfinite(value) else None


def _agreement(records: Sequence[Record]) -> float | None:
    pairs = [
        (r.metrics["E1 PRview"], r.metrics["E2 PRview"])
        for r in records
        if r.kind == "run" and {"E1 PRview", "E2 PRview"} <= set(r.metrics)
    ]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    if len(known) < 3:
        return None
    first, second = torch.tensor(known, dtype=torch.float64).unbind(dim=1)
    return spearman(first, second)
