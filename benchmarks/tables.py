"""Make one of the tables of docs/results.md: runs, weights, claims.

    python benchmarks/tables.py S1 [--limit N] [--part K/N] [--out FOLDER] [--page FILE]

What each table compares and what it is to show stands in claims.toml, written before the runs.
The same command goes on after a stop, and arms that are made alike, in whatever tables, share
their runs. The evaluators are tested first, or there is no table.
"""

import argparse
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from parts import add_part, part_of

from splatsmith.cli.evaluation_jobs import (
    Bench,
    Request,
    carry_out,
    claim,
    missing_runs,
    prepare,
)
from splatsmith.cli.evaluation_report import controls_line, controls_of
from splatsmith.cli.pages import put_section
from splatsmith.evaluate.record import Record
from splatsmith.evaluate.statistics import holm, mcnemar, paired_difference
from splatsmith.evaluate.table import check_hashes, titled, told
from splatsmith.memory import keep_memory

HERE = Path(__file__).parent
COLUMNS = ("PR@1 (E1)", "PR@1 (E2)", "PRview (E1)", "Janus rate", "T", "IoU*", "PSNR*, dB")
MORE = ("dE", "dE*", "Float", "Haze, %", "failed", "splats")  # seconds are for `compare`
SHARES = {"E1 JR", "E1 PR@1", "E2 PR@1", "Fail"}


@dataclass(frozen=True)
class Arm:
    """One way of doing it, and the records of its runs."""

    name: str
    records: tuple[Record, ...]

    def values(self, metric: str) -> dict[tuple[str, int], float]:
        """The metric by prompt and seed, where it applies."""
        found = {(r.prompt, r.seed): r.metrics.get(metric) for r in self.records}
        return {key: value for key, value in found.items() if value is not None}


def main() -> None:
    """Runs first, then the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tables = tomllib.loads((HERE / "claims.toml").read_text())
    parser.add_argument("table", choices=list(tables))
    parser.add_argument("--out", type=Path, default=HERE / "records")
    parser.add_argument("--limit", type=int, help="only the first so many runs of each arm")
    parser.add_argument("--page", type=Path, default=HERE.parent / "docs" / "results.md")
    add_part(parser, "arm")
    asked = parser.parse_args()
    keep_memory()
    table = tables[asked.table]
    benches = [bench_of(table, arm, asked.out, asked.limit) for arm in table["arms"]]
    if asked.part:
        for arm, bench in part_of(list(zip(table["arms"], benches, strict=True)), asked.part):
            records_of(bench, arm["name"])
        return
    controls = [controls_line(one) for one in controls_of(benches[0])]
    arms = [
        Arm(arm["name"], records_of(bench, arm["name"]))
        for arm, bench in zip(table["arms"], benches, strict=True)
    ]
    check_hashes([record for arm in arms for record in arm.records])
    text = section(asked.table, table, arms, controls, asked.limit)
    put_section(asked.page, asked.table, text)
    print(text)


def bench_of(
    table: Mapping[str, Any], arm: Mapping[str, Any], out: Path, limit: int | None
) -> Bench:
    """An arm's evaluation, opened and checked; what decides its runs names its folder."""
    request = Request(
        tier=table["tier"],
        recipe=table.get("recipe", "quick"),
        overrides=tuple(arm["set"]),
        prior=arm.get("prior"),
        evaluator=None,
        out=out,
        limit=limit,
    )
    bench = prepare(request)
    made = hashlib.sha256()
    for part in (bench.origin.recipe_sha256, bench.origin.prior_sha256, table["tier"]):
        made.update(part.encode())
    folder = out / made.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{request.recipe}: {', '.join(arm['set']) or 'as it is'}"
    return replace(bench, out=folder, origin=replace(bench.origin, recipe=name))


def records_of(bench: Bench, name: str) -> tuple[Record, ...]:
    """The arm's records; runs that are missing are made now."""
    claim(bench)
    for number, job in enumerate(todo := missing_runs(bench), start=1):
        record = carry_out(bench, job)
        print(f"{name} {number}/{len(todo)}: {job.prompt} {record.seconds:.0f} s", flush=True)
    wanted = {(job.prompt, job.seed) for job in bench.jobs}
    return tuple(r for r in bench.records() if r.kind == "run" and (r.prompt, r.seed) in wanted)


def section(
    name: str,
    table: Mapping[str, Any],
    arms: Sequence[Arm],
    controls: Sequence[str],
    limit: int | None,
) -> str:
    """The table's part of the page."""
    limited = f" --limit {limit}" if limit else ""
    first = arms[0].records[0]
    columns = titled((*COLUMNS, *MORE))
    lines = [f"## {name}: {table['title']}", "", table["note"], ""]
    lines += ["| arm | n | " + " | ".join(c.title for c in columns) + " |"]
    lines += ["|" + "---|" * (len(columns) + 2)]
    for arm in arms:
        cells = [told(c, arm.records) for c in columns]
        lines.append(f"| {arm.name} | {len(arm.records)} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "In brackets: 95 % intervals, Wilson's or by bootstrap over prompts.",
    ]
    lines += ["", "| claim | difference | wanted | p (Holm) | holds |", "|---|---|---|---|---|"]
    lines += verdicts(table.get("claims", []), {arm.name: arm for arm in arms})
    origin = first.origin
    priors = dict.fromkeys(r.origin.prior for arm in arms for r in arm.records)
    lines += [
        "",
        f"`python benchmarks/tables.py {name}{limited}`; commit {origin.commit}, "
        f"priors {', '.join(priors)}, evaluators {', '.join(origin.evaluators)}, "
        f"lists {origin.lists_sha256[:12]}.",
        *(f"- {line}" for line in controls),
    ]
    return "\n".join(lines) + "\n"


def verdicts(claims: Sequence[Mapping[str, Any]], arms: Mapping[str, Arm]) -> list[str]:
    """A line for each claim, p-values adjusted for their number."""
    tests = [compared(one, arms[one["better"]], arms[one["worse"]]) for one in claims]
    adjusted = holm([p for _, p in tests])
    lines = []
    for one, (gain, _), p in zip(claims, tests, adjusted, strict=True):
        # A claim of "not worse by more than" needs no significance.
        holds = gain >= one["by"] and (one["by"] < 0 or p < 0.05)
        lines.append(
            f"| {one['says']} ({one['metric']}) | {gain:+.3f} | {one['by']:+.3f} | {p:.3f} | "
            f"{'yes' if holds else 'no'} |"
        )
    return lines


def compared(one: Mapping[str, Any], better: Arm, worse: Arm) -> tuple[float, float]:
    """How far the better arm is ahead over paired runs, and the p-value of no difference."""
    first, second = better.values(one["metric"]), worse.values(one["metric"])
    keys = [key for key in first if key in second]
    sign = -1.0 if one.get("lower") else 1.0
    a = torch.tensor([sign * first[k] for k in keys], dtype=torch.float64)
    b = torch.tensor([sign * second[k] for k in keys], dtype=torch.float64)
    gain = float((a - b).mean())
    if one["metric"] in SHARES:
        return gain, mcnemar([v != 0 for v in a.tolist()], [v != 0 for v in b.tolist()])
    clusters = [prompt for prompt, _ in keys]
    interval = paired_difference(a, b, clusters, torch.Generator().manual_seed(0))
    return gain, normal_p(interval.value, interval.low, interval.high)


def normal_p(value: float, low: float, high: float) -> float:
    """Two-sided p of no difference for a normal estimate with this 95 % interval."""
    spread = (high - low) / (2 * 1.96)
    if not spread > 0:
        return 1.0 if value == 0 else 0.0
    return float(torch.special.erfc(torch.tensor(abs(value) / spread / 2**0.5)))


if __name__ == "__main__":
    main()
