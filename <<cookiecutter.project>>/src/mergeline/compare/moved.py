"""What moved for whom: slices, sensitive columns, rows that are called otherwise, calibration."""

from .blocks import ROWS, count, fixed, folded, side
from .report import Confusion, FairnessRow, Report, SliceRow
from .words import NOTHING, code, escape, interval, number, signed

SLICE_HEADER = ("| slice | rows | base | candidate | difference | interval | |", "|:--|--:|--:|--:|--:|:--|:--|")


def slices(report: Report) -> str:
    slices, primary = report.slices, report.row(report.primary)
    matters = primary.matters if primary else None
    lines = []
    for word in ("worse", "better"):
        lines += [_slice(row, matters, _named(row)) for row in slices.moved if row.word == word][: ROWS // 2]
    small = f" ({slices.small:,} more are too small to judge)" if slices.small else ""
    title = f"No slice of {slices.tested:,} moved by what matters{small}"
    below = [f"Too small to judge: {', '.join(code(name) for name in slices.too_small[:ROWS])}."]
    if not slices.too_small:
        below = []
    if lines:
        title = f"{count(slices.moved, 'slice')} of {slices.tested:,} moved in {slices.metric}{small}"
        below = [*SLICE_HEADER, *lines, "", f"False discoveries are held at 5% ({slices.control}).", "", *below]
    elif not slices.tested:
        title = f"No slice is large enough to judge, of {slices.small:,}"
    if not slices.tested and not slices.small:
        return ""
    return folded(title, below) or f"{title}."


def discovered(report: Report) -> str:
    slices, primary = report.slices, report.row(report.primary)
    matters = primary.matters if primary else None
    if not slices.discovered:
        return ""
    title = f"{count(slices.discovered, 'slice')} that nobody named moved in {slices.metric} (found on half of the groups, tested on the other half)"
    return folded(title, [*SLICE_HEADER, *(_slice(row, matters, code(row.value)) for row in slices.discovered)])


def _named(row: SliceRow) -> str:
    return f"{code(row.column)} = {code(row.value)}"


def _slice(row: SliceRow, matters: float | None, name: str) -> str:
    cells = [name, f"{row.rows:,}", number(row.base, matters), number(row.candidate, matters)]
    cells += [signed(row.difference.value, matters), interval(row.difference, matters), row.word]
    return "| " + " | ".join(cells) + " |"


def fairness(report: Report) -> str:
    """Show gaps, then values; which values are too small is left to the report, for they may be few persons."""
    found = report.fairness
    if found is None or not (found.rows or found.too_small):
        return ""
    shown = sum(row.word != "no change shown" for row in found.rows)
    title = f"Fairness: {shown} of {found.tested:,} differences shown" if found.tested else "Fairness of the candidate"
    lines = [_fair(row) for row in found.rows[: 2 * ROWS]]
    if lines:
        lines = [
            "| | measure | rows | base | candidate | difference | interval | |",
            "|:--|:--|--:|--:|--:|--:|:--|:--|",
            *lines,
            "",
        ]
    if found.too_small:
        lines.append("Values with too few rows or groups are not judged.")
    return folded(title, lines)


def _fair(row: FairnessRow) -> str:
    name = f"{code(row.column)} = {code(row.value)}" if row.value is not None else code(row.column)
    if row.between:
        name += f": gap, {code(row.between[0])} to {code(row.between[1])}"
    cells = [name, escape(row.measure), f"{row.rows:,}", number(row.base), number(row.candidate)]
    if row.difference is None:
        cells += [NOTHING, escape(row.reason or ""), ""]
    else:
        word = row.word if row.word == "no change shown" else f"**{row.word}**"
        cells += [signed(row.difference.value), fixed(interval(row.difference)), word]
    return "| " + " | ".join(cells) + " |"


def flips(report: Report) -> str:
    found = report.flips
    if found is None or not (found.moved or found.right_to_wrong or found.wrong_to_right or found.other):
        return ""
    counts = f"{found.right_to_wrong:,} right to wrong, {found.wrong_to_right:,} wrong to right"
    if report.task == "regression":
        counts = f"errors grew in {found.right_to_wrong:,}, shrank in {found.wrong_to_right:,}, by a tenth of the labels' standard deviation"
    other = f", {found.other:,} wrong in another way" if found.other else ""
    lines = [
        f"| {code(row.row)} | {side(row.label)} | {number(row.base)} | {number(row.candidate)} |" for row in found.moved
    ]
    header = ["| row whose score moved most | label | base | candidate |", "|:--|:--|--:|--:|"]
    title = f"Flips: {counts}{other}, of {found.rows:,} rows"
    return folded(title, [*header, *lines]) if lines else f"{title}."


def calibration(report: Report) -> str:
    found = report.calibration
    if found is None:
        return ""
    lines: list[str] = []
    for whose, matrix in (("base", found.base), ("candidate", found.candidate)):
        lines += _confusion(whose, matrix) if matrix else []
    base = f"{number(found.base_error)} → " if found.base_error is not None else ""
    title = f"Expected calibration error {base}{number(found.candidate_error)}"
    return folded(f"{title}; confusion matrix", lines) if lines else f"{title}."


def _confusion(whose: str, matrix: Confusion) -> list[str]:
    at = f", threshold {matrix.threshold:.4g}" if matrix.threshold is not None else ""
    return [
        f"| {whose}{at} | {' | '.join(f'called {code(name)}' for name in matrix.classes[:ROWS])} |",
        f"|:--|{'--:|' * len(matrix.classes[:ROWS])}",
        *(
            f"| {code(name)} | {' | '.join(f'{count:,}' for count in counts[:ROWS])} |"
            for name, counts in zip(matrix.classes[:ROWS], matrix.counts, strict=False)
        ),
        "",
    ]
