"""What is around the model: what changed, the raw rows, what the models cost, how often the rows judged already."""

from collections.abc import Sequence

from . import looks as counting
from .blocks import ROWS, count, folded, plural, side, text
from .report import Change, Report
from .words import NOTHING, clean, code, escape

SUMMED = 3
"""How many changes a title names."""


def changes(report: Report) -> str:
    lines = [f"- {code(path)}" for path in report.code[:ROWS]]
    lines += [f"- {code(c.name)}: {side(c.base)} → {side(c.candidate)}" for c in report.params[:ROWS]]
    return folded(f"Changed: {count(report.code, 'file')} of the model, {count(report.params, 'parameter')}", lines)


def data(report: Report) -> str:
    if not report.data and not report.columns:
        return "Same raw rows." if report.base and report.base.bundle else ""
    lines = ["| | base | candidate |", "|:--|:--|:--|"]
    lines += [
        f"| {escape(change.name)} | {side(change.base)} | {side(change.candidate)} |"
        for change in [*report.data, *report.columns][: 2 * ROWS]
    ]
    return folded(f"Data changed: {_data_summary([*report.columns, *report.data])}", lines)


def _data_summary(changes: Sequence[Change]) -> str:
    shown = [f"{c.name} {text(c.base)} → {text(c.candidate)}" for c in changes if c.name in ("rows", "held-out period")]
    return "; ".join(shown) or "; ".join(clean(c.name) for c in changes[:SUMMED])


def raw_rows(report: Report) -> str:
    rows = report.rows
    if rows is None or not (rows.added or rows.removed or rows.changed):
        return ""
    if rows.changed and not rows.unchanged:
        changed = f"all {rows.changed:,} others have other content, as when a column comes or goes"
    else:
        changed = f"{rows.changed:,} with other content under the same id, {rows.unchanged:,} as before"
    return f"Raw rows: {rows.added:,} added, {rows.removed:,} removed, {changed}."


def drift(report: Report) -> str:
    lines = [
        f"| {code(row.column)} | {row.psi:.2f} | {escape(row.test)} {row.statistic:.3g} | {row.q:.2g} |"
        for row in report.drift[:ROWS]
    ]
    header = ["| column | stability index | test | q |", "|:--|--:|:--|--:|"]
    return folded(f"Drifted: {count(report.drift, 'column')}", [*header, *lines] if lines else [])


def duplicates(report: Report) -> str:
    count, judged = report.checks.duplicates, report.judged
    if not count:
        return ""
    share = f" ({count / judged.held_out:.1%})" if judged.held_out else ""
    return f"{plural(count, 'held-out row')}{share} equal to a training row in all but id and time."


def cost(report: Report) -> str:
    lines = [
        f"| {escape(cost.name)} | {escape(amount(cost.base, cost.unit))} | {escape(amount(cost.candidate, cost.unit))} "
        f"| {ratio(cost.base, cost.candidate) if cost.comparable else 'other machine'} |"
        for cost in report.cost[:ROWS]
    ]
    first = report.cost[0] if report.cost else None
    title = ""
    if first:
        before = f"{amount(first.base, first.unit)} → " if first.base is not None else ""
        title = f"Cost: {first.name} {before}{amount(first.candidate, first.unit)}"
    return folded(title, ["| | base | candidate | |", "|:--|--:|--:|--:|", *lines] if lines else [])


def amount(value: float | None, unit: str) -> str:
    """Show a cost with its unit."""
    return NOTHING if value is None else f"{value:,.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"


def ratio(base: float | None, candidate: float | None) -> str:
    """Show the candidate's cost by the base's."""
    return f"{candidate / base - 1:+.0%}" if base and candidate is not None else ""


def looks(report: Report) -> str:
    if report.looks is None or report.looks.candidates < counting.MANY:
        return ""
    count = report.looks.candidates
    return (
        f"> These held-out rows judged {count:,} candidates, {report.looks.releases:,} of which became releases. Among so many that are as good as their base, one or more "
        f"is called *better* with a chance of up to {counting.chance(count, report.level):.0%}. "
        "Move `data.as_of` in params.yaml, so that new rows judge."
    )
