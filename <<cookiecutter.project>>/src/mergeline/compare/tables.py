"""The tables of the page that have no plot: every number of the comment stands in one of them."""

from dataclasses import dataclass

from . import words
from .attributed import EFFECTS
from .report import Difference, Report


@dataclass(frozen=True, slots=True)
class Table:
    """A table as text: cells below their titles, the first `left` columns flush left, the others numbers."""

    title: str
    head: list[str]
    rows: list[list[str]]
    left: int = 1


def of(report: Report) -> list[Table]:
    """Give what has no plot: rows that are called otherwise, sensitive columns, drift, cost, earlier periods."""
    fairness, flips, found = report.fairness, report.flips, report.calibration
    sides = (("base", found.base), ("candidate", found.candidate)) if found else ()
    return [
        Table(
            "Slices that nobody named",
            ["found on half of the groups, judged on the other", "rows", "base", "candidate", "difference", "interval"],
            [
                [
                    row.value,
                    f"{row.rows:,}",
                    words.number(row.base),
                    words.number(row.candidate),
                    *_moved(row.difference),
                ]
                for row in report.slices.discovered
            ],
        ),
        Table(
            "Fairness",
            ["column", "value", "measure", "base", "candidate", "difference", "interval"],
            [
                [
                    row.column,
                    row.value or f"gap, {' to '.join(row.between or ())}",
                    row.measure,
                    words.number(row.base),
                    words.number(row.candidate),
                    *_moved(row.difference),
                ]
                for row in (fairness.rows if fairness else ())
            ],
            left=3,
        ),
        Table(
            f"Rows whose score moved most ({flips.right_to_wrong:,} flipped right to wrong, "
            f"{flips.wrong_to_right:,} wrong to right)"
            if flips
            else "",
            ["row", "label", "base", "candidate"],
            [
                [row.row, row.label or "", words.number(row.base), words.number(row.candidate)]
                for row in (flips.moved if flips else ())
            ],
            left=2,
        ),
        *(
            Table(
                f"Confusion of the {side}, calibration error {words.number(error)}",
                ["true class", *(f"called {name}" for name in matrix.classes)],
                [
                    [name, *(f"{n:,}" for n in counts)]
                    for name, counts in zip(matrix.classes, matrix.counts, strict=True)
                ],
            )
            for (side, matrix), error in zip(
                sides, (found.base_error, found.candidate_error) if found else (), strict=True
            )
            if matrix
        ),
        Table(
            "Drifted columns",
            ["column", "stability index", "test", "statistic", "q"],
            [[row.column, f"{row.psi:.2f}", row.test, f"{row.statistic:.3g}", f"{row.q:.2g}"] for row in report.drift],
        ),
        Table(
            "Cost",
            ["", "base", "candidate", ""],
            [
                [
                    f"{row.name}, {row.unit}",
                    words.number(row.base),
                    words.number(row.candidate),
                    "" if row.comparable else "other machine",
                ]
                for row in report.cost
            ],
        ),
        Table(
            "Which change did it, data or code",
            ["metric", "", "difference", "interval"],
            [
                [row.metric, EFFECTS[name], *_moved(effect)]
                for row in (report.attribution.rows if report.attribution else ())
                for name, effect in row.effects().items()
            ],
            left=2,
        ),
        Table(
            "Earlier periods",
            ["from", "to before", "base", "candidate", "difference", "interval"],
            [
                [row.first, row.end, words.number(row.base), words.number(row.candidate), *_moved(row.difference)]
                for row in (report.folds.rows if report.folds else ())
            ],
            left=2,
        ),
    ]


def _moved(difference: Difference | None) -> list[str]:
    return [words.signed(difference.value), words.interval(difference)] if difference else [words.NOTHING, ""]
