"""Slices whose primary metric moved, with the rate of false discoveries held over all slices that were tested."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from .. import metrics
from ..columns import MISSING
from ..errors import BadSettings, DegenerateRows
from ..statistics import Estimate
from .judge import Scored, describe, difference, influence
from .report import FEWEST_GROUPS, Control, SliceRow, Slices, SliceValue

FEWEST_ROWS_OF_A_CLASS = 20
LARGEST_VALUES = 100
FALSE_DISCOVERIES = 0.05
NAMED = 20
"""How many slices that are too small are named."""


@dataclass(frozen=True, slots=True)
class Tested:
    """One slice: base, candidate and their difference on `rows`, shape (n,), true inside the slice."""

    column: str
    value: str
    rows: NDArray[np.bool_]
    base: float
    candidate: float
    found: Estimate


def run(scored: Scored, columns: tuple[str, ...], metric: metrics.Metric, matters: float, level: float) -> Slices:
    """Test every value of every slice column that has enough rows and groups.

    A slice has moved when its probability, adjusted over all tested slices (see `control`), is at most 5% and it moved
    by at least `matters`. A column with more than 100 values is judged on its 100 largest. A metric that the project
    wrote is not judged by slice: it would take a bootstrap for each. Nor is one that all rows together do not support.
    """
    if scored.base is None or metric.own:
        return Slices(metric=metric.name)
    try:
        difference(metric.name, scored)
    except DegenerateRows:
        return Slices(metric=metric.name)
    tested: list[Tested] = []
    small: list[str] = []
    for column in columns:
        for value, rows in values(scored, column):
            found = judged(scored, column, value, rows, metric) if rows is not None else None
            if found:
                tested.append(found)
            else:
                small.append(f"{column} = {value}")
    how = control(tested)
    return Slices(
        metric=metric.name,
        moved=moved(tested, how, metric, matters, level),
        tested=len(tested),
        small=len(small),
        too_small=small[:NAMED],
        control=how,
    )


def asked(
    scored: Scored, columns: tuple[str, ...], names: Iterable[str], metric: metrics.Metric, moved: Sequence[SliceRow]
) -> list[SliceValue]:
    """Give the slices that gates.yaml names: all values of a column, or one as `column=value`.

    Args:
        scored: both sides, or the candidate alone.
        columns: that schema.py names as slices.
        names: of gates.yaml.
        metric: the primary one.
        moved: what `run` found.

    Of a column with more than 100 values the 100 largest are given; a value that no held-out row has, has no rows.

    Raises:
        BadSettings: no such column.
    """
    words = {(row.column, row.value): row.word for row in moved}
    found = {}
    for name in names:
        column, _, wanted = name.partition("=")
        if column not in columns:
            raise BadSettings(
                f"gates.yaml: slices.{name}: SLICES of src/model/schema.py has no {column}; it has: {', '.join(columns)}"
            )
        parts = dict(values(scored, column))
        for value in [wanted] if wanted else [value for value, inside in parts.items() if inside is not None]:
            row = _asked(scored, column, value, parts, metric)
            found[column, value] = msgspec.structs.replace(row, word=words.get((column, value), row.word))
    return list(found.values())


def _asked(
    scored: Scored,
    column: str,
    value: str,
    parts: Mapping[str, NDArray[np.bool_] | None],
    metric: metrics.Metric,
) -> SliceValue:
    inside = parts.get(value)
    row = SliceValue(column=column, value=value, rows=0 if inside is None else int(inside.sum()))
    if inside is None:
        beyond = f"not among the {LARGEST_VALUES} largest values of the held-out rows"
        return msgspec.structs.replace(row, reason=beyond if value in parts else "no held-out row has this value")
    if metric.own:
        return msgspec.structs.replace(row, reason="a metric of your own is not judged by slice")
    if not large_enough(scored, inside):
        return msgspec.structs.replace(row, reason="too few rows or groups")
    try:
        row = msgspec.structs.replace(row, candidate=influence(metric.name, scored, "candidate", inside).value)
        return msgspec.structs.replace(row, base=influence(metric.name, scored, "base", inside).value)
    except DegenerateRows as why:
        return msgspec.structs.replace(row, reason=str(why.args[0]))


def values(scored: Scored, column: str) -> list[tuple[str, NDArray[np.bool_] | None]]:
    """Give a column's values, the most frequent first, with their rows; None for the rows of the 101st and on."""
    found = scored.rows[column].cast(pl.String).fill_null(MISSING)
    sizes = found.value_counts().sort(["count", column], descending=[True, False])[column].to_list()
    return [(value, (found == value).to_numpy() if i < LARGEST_VALUES else None) for i, value in enumerate(sizes)]


def large_enough(scored: Scored, rows: NDArray[np.bool_]) -> bool:
    """Say whether rows hold 10 groups and 20 rows of each class that is held out (regression: 20 rows)."""
    if len(np.unique(scored.groups[rows])) < FEWEST_GROUPS:
        return False
    if scored.labels.dtype != np.int64:
        return int(rows.sum()) >= FEWEST_ROWS_OF_A_CLASS
    inside = scored.labels[rows]
    return all((inside == code).sum() >= FEWEST_ROWS_OF_A_CLASS for code in np.unique(scored.labels))


def judged(scored: Scored, column: str, value: str, rows: NDArray[np.bool_], metric: metrics.Metric) -> Tested | None:
    """Judge one slice; None where it is too small."""
    if not large_enough(scored, rows):
        return None
    try:
        return Tested(column, value, rows, *difference(metric.name, scored, rows))
    except DegenerateRows:
        return None


def control(tested: Sequence[Tested]) -> Control:
    """Say how the rate of false discoveries is held.

    By Benjamini & Yekutieli (2001) where slices of several columns share rows and not all differences have one sign, so
    that the tests may depend on each other in any way; else by Benjamini & Hochberg (1995).
    """
    signs = {found.found.value > 0 for found in tested if found.found.value}
    several = len({found.column for found in tested}) > 1
    return "Benjamini-Yekutieli" if several and len(signs) > 1 else "Benjamini-Hochberg"


def adjusted(found: Sequence[Estimate], how: Control = "Benjamini-Hochberg") -> NDArray[np.float64]:
    """Give the probabilities, shape (k,), adjusted for the rate of false discoveries among all k."""
    if not found:
        return np.empty(0)
    chances = [estimate.p_value() for estimate in found]
    return np.asarray(stats.false_discovery_control(chances, method="by" if how == "Benjamini-Yekutieli" else "bh"))


def moved(
    tested: Sequence[Tested], how: Control, metric: metrics.Metric, matters: float, level: float
) -> list[SliceRow]:
    """Give the slices that moved, the worst first."""
    rows = [
        SliceRow(
            column=one.column,
            value=one.value,
            rows=int(one.rows.sum()),
            groups=one.found.groups,
            base=one.base,
            candidate=one.candidate,
            difference=describe(one.found, level),
            q=float(q),
            word="better" if metric.gain(one.found.value) > 0 else "worse",
        )
        for one, q in zip(tested, adjusted([one.found for one in tested], how), strict=True)
        if q <= FALSE_DISCOVERIES and abs(one.found.value) >= matters
    ]
    return sorted(rows, key=lambda row: (row.word == "better", -abs(row.difference.value)))
