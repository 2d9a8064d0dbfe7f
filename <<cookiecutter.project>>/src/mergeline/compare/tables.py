"""The tables of the page that have no plot: what the comment says of a thing stands here too, and all of it."""

from collections.abc import Callable
from dataclasses import dataclass

from . import words
from .attributed import EFFECTS
from .report import Difference, Report
from .surroundings import amount, ratio

AGAINST = ["base", "candidate"]
MOVED = [*AGAINST, "difference", "interval"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as text: cells below their titles, the first `left` columns flush left, the others numbers."""

    title: str
    head: list[str]
    rows: list[list[str]]
    left: int = 1
    note: str = ""

    def number(self, column: int) -> bool:
        """Say whether a column holds numbers, which stand flush right."""
        return column >= self.left and self.head[column] not in ("", "interval")


def of(report: Report) -> list[Table]:
    """Give the tables that have rows or something to say."""
    return [table for make in TABLES for table in make(report) if table.rows or table.note]


def _attribution(report: Report) -> list[Table]:
    found = report.attribution
    if found is None:
        return []
    rows = [
        [row.metric, EFFECTS[name], *_moved(effect, metric.matters if metric else None)]
        for row in found.rows
        for metric in (report.row(row.metric),)
        for name, effect in row.effects().items()
    ]
    judged = f"Judged on {found.judged:,} rows in {found.groups:,} groups that none of the four models was trained on."
    note = judged if rows else f"It cannot be told: {found.reason}." if found.reason else "`model attribute` tells it."
    return [Table("Which change did it, data or code", ["metric", "", "difference", "interval"], rows, 2, note)]


def _asked(report: Report) -> list[Table]:
    matters = _matters(report)
    rows = [
        [
            f"{row.column} = {row.value}",
            f"{row.rows:,}",
            words.number(row.base, matters),
            words.number(row.candidate, matters),
            row.reason or row.word,
        ]
        for row in report.slices.asked
    ]
    return [Table("Slices that gates.yaml names", ["slice", "rows", *AGAINST, ""], rows)]


def _fairness(report: Report) -> list[Table]:
    found = report.fairness
    if found is None:
        return []
    rows = [
        [
            row.column,
            row.value if row.value is not None else f"gap, {' to '.join(row.between or ())}",
            row.measure,
            f"{row.rows:,}",
            *(words.number(side) for side in (row.base, row.candidate)),
            *_moved(row.difference),
            words.NOTHING if row.q is None else f"{row.q:.2g}",
            row.reason or (row.word if row.difference else ""),
        ]
        for row in found.rows
    ]
    shown = sum(row.word != "no change shown" for row in found.rows)
    note = f"{shown} of {found.tested:,} differences shown (q is adjusted for all of them)." if found.tested else ""
    if found.too_small:
        note = f"{note} Values with too few rows or groups are not judged.".strip()
    return [Table("Fairness", ["column", "value", "measure", "rows", *MOVED, "q", ""], rows, left=3, note=note)]


def _flips(report: Report) -> list[Table]:
    found = report.flips
    if found is None:
        return []
    names = "right to wrong", "wrong to right"
    if report.task == "regression":
        tenth = "by more than a tenth of the labels' standard deviation"
        names = f"error grew {tenth}", f"error shrank {tenth}"
    counts = {names[0]: found.right_to_wrong, names[1]: found.wrong_to_right, "wrong in another way": found.other}
    share = [
        [name, f"{count:,}", f"{count / found.rows:.2%}" if found.rows else words.NOTHING]
        for name, count in counts.items()
    ]
    moved = [[row.row, row.label or "", words.number(row.base), words.number(row.candidate)] for row in found.moved]
    return [
        Table(f"Rows that are called otherwise, of {found.rows:,}", ["", "rows", "share"], share),
        Table("Rows whose score moved most", ["row", "label", *AGAINST], moved, left=2),
    ]


def _calibration(report: Report) -> list[Table]:
    found = report.calibration
    if found is None:
        return []
    sides = {"base": found.base, "candidate": found.candidate}
    whole = ["expected calibration error", words.number(found.base_error), words.number(found.candidate_error)]
    matrices = [
        Table(
            f"Confusion of the {side}"
            + (f" at threshold {matrix.threshold:.4g}" if matrix.threshold is not None else ""),
            ["true class", *(f"called {name}" for name in matrix.classes)],
            [[name, *(f"{n:,}" for n in counts)] for name, counts in zip(matrix.classes, matrix.counts, strict=True)],
        )
        for side, matrix in sides.items()
        if matrix
    ]
    return [*matrices, Table("Calibration", ["", *AGAINST], [whole])]


def _cost(report: Report) -> list[Table]:
    rows = [
        [
            cost.name,
            amount(cost.base, cost.unit),
            amount(cost.candidate, cost.unit),
            ratio(cost.base, cost.candidate) if cost.comparable else "other machine",
        ]
        for cost in report.cost
    ]
    return [Table("Cost", ["", *AGAINST, "change"], rows)]


def _folds(report: Report) -> list[Table]:
    found = report.folds
    if found is None:
        return []
    row = report.row(found.metric)
    matters, mean = row.matters if row else None, found.mean
    rows = [
        [row.first, row.end, words.number(row.base, matters), words.number(row.candidate, matters)]
        + (_moved(row.difference, matters) if row.difference else [words.NOTHING, row.reason or ""])
        for row in found.rows
    ]
    note = f"{words.signed(mean.value, matters)} on average, {words.interval(mean, matters)} by period." if mean else ""
    return [Table(f"Earlier periods, {found.metric}", ["from", "to before", *MOVED], rows, left=2, note=note)]


TABLES: tuple[Callable[[Report], list[Table]], ...] = (
    _attribution,
    _asked,
    _fairness,
    _flips,
    _calibration,
    _cost,
    _folds,
)


def _matters(report: Report) -> float | None:
    primary = report.row(report.primary)
    return primary.matters if primary else None


def _moved(difference: Difference | None, matters: float | None = None) -> list[str]:
    if difference is None:
        return [words.NOTHING, ""]
    return [words.signed(difference.value, matters), words.interval(difference, matters)]
