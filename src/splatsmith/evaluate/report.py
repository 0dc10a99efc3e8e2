"""A roll-up as text: Markdown for the file, and the headline for a terminal."""

import math
from collections.abc import Mapping, Sequence

from rich.table import Table

from splatsmith.evaluate.record import Record
from splatsmith.evaluate.statistics import Interval
from splatsmith.evaluate.table import (
    BOTH,
    HEADLINE,
    LOOK,
    READ,
    SAME,
    Column,
    ListTable,
    RollUp,
    Row,
)

# The first line of every table (evaluation.md, section 8).
CAVEAT = (
    "These figures are about a procedural toy world. They say nothing about open vocabulary, "
    "and must not stand beside figures that come from CLIP or from people."
)
NONE = "–"


def markdown(
    roll: RollUp,
    *,
    remarks: Mapping[str, Sequence[str]] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The whole report. `remarks` are lines by list name; `notes` are added at the end."""
    lines = [CAVEAT, "", f"Tier {roll.tier.name}: {roll.tier.about}", ""]
    for table in roll.lists:
        lines += [f"## {table.prompts.name}: {table.prompts.about}", ""]
        lines += [*_grid(table, HEADLINE), ""]
        for columns in (READ[:5], READ[5:], BOTH, SAME, LOOK):
            lines += [*_grid(table, columns), ""]
        for remark in (remarks or {}).get(table.prompts.name, ()):
            lines += [remark, ""]
    lines += ["## Prompt by prompt", "", *_by_prompt(roll.records), ""]
    lines += ["## Origin", "", *(f"- {line}" for line in (*_origin(roll), *notes))]
    return "\n".join(lines) + "\n"


def terminal_tables(roll: RollUp) -> list[Table]:
    """The headline of every list."""
    return [_terminal_table(table) for table in roll.lists]


def _terminal_table(table: ListTable) -> Table:
    shown = Table(title=f"{table.prompts.name}: {table.prompts.about}", title_justify="left")
    columns = [c for c in (*HEADLINE, *SAME) if any(c.title in row.cells for row in table.rows)]
    for title in ("", "n", *(c.title for c in columns)):
        shown.add_column(title, no_wrap=False)
    for row in table.rows:
        shown.add_row(row.label, str(row.count), *(_cell(row, c) for c in columns))
    return shown


def _grid(table: ListTable, columns: Sequence[Column]) -> list[str]:
    """Markdown lines; columns that no row has are left out, and so are rows without any."""
    used = [c for c in columns if any(c.title in row.cells for row in table.rows)]
    rows = [row for row in table.rows if any(c.title in row.cells for c in used)]
    titles = ["", "n", *(c.title for c in used)]
    bodies = [[row.label, str(row.count), *(_cell(row, c) for c in used)] for row in rows]
    if columns is HEADLINE:
        titles.append("nPR")
        for body, row in zip(bodies, rows, strict=True):
            body.append(NONE if row.normalized is None else f"{row.normalized:.2f}")
    return _table(titles, bodies) if used else []


def _cell(row: Row, column: Column) -> str:
    found = row.cells.get(column.title)
    return NONE if found is None else spelled(found, column.digits)


def spelled(found: Interval, digits: int) -> str:
    """Such as "0.71 (0.56–0.83)"; without an interval where there is none."""
    value = f"{found.value:.{digits}f}"
    if math.isnan(found.low):
        return value
    return f"{value} ({found.low:.{digits}f}–{found.high:.{digits}f})"


def _by_prompt(records: Sequence[Record]) -> list[str]:
    """A line for each prompt: means over its seeds, worst PRview first; none is left out."""
    runs: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.kind == "run":
            runs.setdefault((record.origin.recipe, record.prompt), []).append(record)
    names = ("E1 PR@1", "E1 PRview", "E2 PRview", "E1 T", "IoU*", "PSNR*", "Float", "Fail")
    rows = [
        (recipe, prompt, len(of), [_mean(of, name) for name in names])
        for (recipe, prompt), of in runs.items()
    ]
    rows.sort(key=lambda row: -1.0 if row[3][1] is None else row[3][1])
    bodies = [
        [recipe, prompt, str(n), *(NONE if v is None else f"{v:.2f}" for v in values)]
        for recipe, prompt, n, values in rows
    ]
    return _table(["recipe", "prompt", "seeds", *names], bodies)


def _mean(records: Sequence[Record], name: str) -> float | None:
    found = [v for r in records if (v := r.metrics.get(name)) is not None]
    return sum(found) / len(found) if found else None


def _origin(roll: RollUp) -> list[str]:
    first = roll.records[0].origin
    origins = {record.origin for record in roll.records}
    recipes = sorted({f"{o.recipe} {o.recipe_sha256[:12]}" for o in origins})
    priors = sorted({f"{o.prior} {o.prior_sha256[:12]}" for o in origins})
    code = sorted({f"{o.version} {o.commit}".strip() for o in origins})
    failures = [r for r in roll.records if r.failure]
    lines = [
        f"prompt lists {first.lists_sha256[:12]}; evaluators {', '.join(first.evaluators)}",
        f"recipe {', '.join(recipes)}; prior {', '.join(priors)}",
        f"splatsmith {', '.join(code)}",
        "Intervals are of 95 %: Wilson's for shares, bootstrap over prompts for means. "
        "Means of dE, dE*, CD* and Haze are over the objects that there are; a failed run "
        "counts as 0 in all else, as Janus and as floating.",
        "Janus rate, T and S are over snowman, chair, dog, duck, fish and airplane only.",
    ]
    if roll.agreement is not None:
        lines.append(
            f"Rank correlation of E1's and E2's PRview over runs: {roll.agreement:.2f}"
        )
    lines += [f"failed: {r.prompt}, seed {r.seed}: {r.failure}" for r in failures]
    return lines


def _table(titles: Sequence[str], bodies: Sequence[Sequence[str]]) -> list[str]:
    rows = [titles, ["---"] * len(titles), *bodies]
    return ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("\n", " ")
