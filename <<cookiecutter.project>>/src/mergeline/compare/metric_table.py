"""The metrics as a table with a text forest plot, and earlier periods below it."""

from collections.abc import Sequence

from .blocks import ROWS, count, fixed, folded
from .report import MetricRow, Report
from .words import NOTHING, code, escape, interval, number, signed

WIDTH = 21


def table(report: Report) -> str:
    """Show the metrics that have a gate; where none has, all of them."""
    return "\n".join(_rows(report, [row for row in report.metrics if row.matters is not None] or report.metrics))


def others(report: Report) -> str:
    others = [row for row in report.metrics if row.matters is None]
    if len(others) == len(report.metrics):
        return ""
    return folded(f"{count(others, 'metric')} without a gate", _rows(report, others) if others else [])


def _rows(report: Report, rows: Sequence[MetricRow]) -> list[str]:
    if report.base is None or not any(row.difference for row in rows):
        alone = [
            [
                _name(row, report),
                number(row.candidate, row.matters),
                escape(row.reason or "") if row.candidate is None else "",
            ]
            for row in rows[:ROWS]
        ]
        return ["| metric | candidate | |", "|:--|--:|:--|", *(f"| {' | '.join(cells)} |" for cells in alone)]
    axis = fixed("worse ◂       ▸ better")
    return [
        f"| metric | base | candidate | difference | {report.level:.0%} interval | `{axis}` | verdict |",
        "|:--|--:|--:|--:|:--|:-:|:--|",
        *(_row(row, report) for row in rows[:ROWS]),
    ]


def _row(row: MetricRow, report: Report) -> str:
    cells = [_name(row, report), number(row.base, row.matters), number(row.candidate, row.matters)]
    if row.difference is None:
        return "| " + " | ".join([*cells, NOTHING, escape(row.reason or ""), "", "cannot tell"]) + " |"
    word = (f"**{row.word}**" if row.word in ("better", "worse") else row.word) if row.matters is not None else ""
    drawn = f"`{fixed(forest(row.difference.value, row.difference.interval, row.better, row.matters))}`"
    return (
        "| "
        + " | ".join(
            [
                *cells,
                signed(row.difference.value, row.matters),
                fixed(interval(row.difference, row.matters)),
                drawn,
                word,
            ]
        )
        + " |"
    )


def _name(row: MetricRow, report: Report) -> str:
    name = escape(row.name)
    return f"**{name}**" if row.name == report.primary else name


def forest(value: float, interval: tuple[float, float], better: str, matters: float | None) -> str:
    """Draw an interval as text, zero in the middle, better to the right; `┊` is the smallest difference that matters.

    >>> forest(0.03, (0.01, 0.05), "higher", 0.005)
    '         ┊│┊├───●───┤'
    """
    sign = 1 if better == "higher" else -1
    low, high = sorted(sign * end for end in interval)
    half = WIDTH // 2
    reach = max(abs(low), abs(high), 2 * (matters or 0)) or 1.0

    def place(at: float) -> int:
        return half + round(at / reach * half)

    cells = [" "] * WIDTH
    for edge in (-1, 1) if matters else ():
        cells[place(edge * (matters or 0))] = "┊"
    cells[half] = "│"
    for i in range(place(low), place(high) + 1):
        cells[i] = "─" if i != half else "┼"
    cells[place(low)], cells[place(high)] = "├", "┤"
    cells[place(sign * value)] = "●"
    return "".join(cells)


def folds(report: Report) -> str:
    folds = report.folds
    if folds is None or not folds.rows:
        return ""
    primary = report.row(folds.metric)
    matters = primary.matters if primary else None
    lines = [f"| period | base | candidate | difference | {report.level:.0%} interval |", "|:--|--:|--:|--:|:--|"]
    for row in folds.rows[:ROWS]:
        cells = [
            f"{code(row.first)} to before {code(row.end)}",
            number(row.base, matters),
            number(row.candidate, matters),
        ]
        found = row.difference
        cells += (
            [signed(found.value, matters), interval(found, matters)] if found else [NOTHING, escape(row.reason or "")]
        )
        lines.append(f"| {' | '.join(cells)} |")
    title = f"{count(folds.rows, 'earlier period')} judged in {folds.metric}"
    if folds.mean:
        title += f": {signed(folds.mean.value, matters)} on average, {interval(folds.mean, matters)} by period"
    return folded(title, lines)
