"""Slices whose primary metric moved, with the rate of false discoveries held over all slices that were tested."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from .. import metrics, statistics
from ..columns import MISSING
from ..errors import DegenerateRows
from ..statistics import Estimate
from .judge import Scored, describe, difference
from .report import FEWEST_GROUPS, SliceRow, Slices

FEWEST_ROWS_OF_A_CLASS = 20
LARGEST_VALUES = 100
FALSE_DISCOVERIES = 0.05


def run(scored: Scored, columns: tuple[str, ...], metric: metrics.Metric, matters: float, level: float) -> Slices:
    """Test every value of every slice column that has enough rows and groups.

    A slice has moved when its probability, adjusted by Benjamini & Hochberg (1995) over all tested slices, is at
    most 5% and it moved by at least `matters`. A column with more than 100 values is judged on its 100 largest.
    """
    if scored.base is None:
        return Slices(metric=metric.name)
    tested: list[tuple[str, str, NDArray[np.bool_], float, float, Estimate]] = []
    small = 0
    for column in columns:
        values = scored.rows[column].cast(pl.String).fill_null(MISSING)
        sizes = values.value_counts().sort(["count", values.name], descending=[True, False])
        small += max(0, len(sizes) - LARGEST_VALUES)
        for value in sizes[values.name].head(LARGEST_VALUES).to_list():
            rows = (values == value).to_numpy()
            groups = statistics.codes(scored.groups[rows])
            if groups.max() + 1 < FEWEST_GROUPS or _fewest(scored, rows) < FEWEST_ROWS_OF_A_CLASS:
                small += 1
                continue
            try:
                base, candidate, found = difference(metric.name, scored, rows)
            except DegenerateRows:
                small += 1
                continue
            tested.append((column, value, rows, base, candidate, found))
    if not tested:
        return Slices(metric=metric.name, small=small)
    adjusted = stats.false_discovery_control([found.p_value() for *_, found in tested])
    moved = [
        SliceRow(
            column=column,
            value=value,
            rows=int(rows.sum()),
            groups=found.groups,
            base=base,
            candidate=candidate,
            difference=describe(found, level),
            q=float(q),
            word="better" if metric.gain(found.value) > 0 else "worse",
        )
        for (column, value, rows, base, candidate, found), q in zip(tested, adjusted, strict=True)
        if q <= FALSE_DISCOVERIES and abs(found.value) >= matters
    ]
    moved.sort(key=lambda row: (row.word == "better", -abs(row.difference.value)))
    return Slices(metric=metric.name, moved=moved, tested=len(tested), small=small)


def _fewest(scored: Scored, rows: NDArray[np.bool_]) -> int:
    """Give the number of rows in the rarest class, or of all rows for regression."""
    labels = scored.labels[rows]
    if labels.dtype != np.int64:
        return len(labels)
    return int(np.unique(labels, return_counts=True)[1].min()) if len(np.unique(labels)) > 1 else 0
