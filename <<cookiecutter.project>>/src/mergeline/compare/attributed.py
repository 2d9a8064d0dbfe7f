"""Which of two changes did it, data or code: a small table for the primary metric, the others folded away."""

from .blocks import ROWS, count, fixed, folded
from .report import AttributionRow, Report
from .words import escape, interval, signed

EFFECTS = {
    "data": "new data alone",
    "code": "new code alone",
    "together": "only both together",
    "total": "in all",
}
ASKED = (
    "Data and code both changed. Which of them made the difference takes two more models: `model attribute` trains "
    "them and completes this report."
)


def attribution(report: Report) -> str:
    found = report.attribution
    if found is None:
        return ""
    if found.reason:
        return f"Data and code both changed; what each of them did cannot be told: {escape(found.reason)}."
    if not found.rows:
        return ASKED
    first = next((row for row in found.rows if row.metric == report.primary), found.rows[0])
    lines = [f"Which change did it, judged on {found.judged:,} rows in {found.groups:,} groups:", ""]
    return "\n".join(lines + _table(report, first))


def others(report: Report) -> str:
    """Show the effects on the metrics beside the primary one."""
    rows = [row for row in (report.attribution.rows if report.attribution else []) if row.metric != report.primary]
    lines = [line for row in rows[:ROWS] for line in ("", *_table(report, row))]
    return folded(f"Which change did it, in {count(rows, 'other metric')}", lines[1:])


def _table(report: Report, row: AttributionRow) -> list[str]:
    judged = report.row(row.metric)
    matters = judged.matters if judged else None
    return [
        f"| {escape(row.metric)} | difference | {report.level:.0%} interval |",
        "|:--|--:|:--|",
        *(
            f"| {EFFECTS[name]} | {signed(found.value, matters)} | {fixed(interval(found, matters))} |"
            for name, found in row.effects().items()
        ),
    ]
