"""Metrics that are a function of sums over rows: the mean of a loss, a ratio of counts, R squared.

One description, `columns` and `combine`, gives the value, each row's influence and the value without each group.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DegenerateRows
from ..statistics import Floats, Influence, Ints

STEP = 1e-20
"""Of the complex step: the derivative is exact to the last digit (Squire & Trapp 1998)."""

Combine = Callable[[Any], Any]


def influence(columns: Sequence[NDArray[Any]], combine: Combine) -> Influence:
    """Make a metric from its columns.

    Args:
        columns: k arrays of shape (n,), summed over rows with their weights.
        combine: from k sums (numbers, complex ones too, or arrays of shape (m,)) to the metric.
    """
    table = np.array(columns, dtype=np.float64)
    sums = table.sum(axis=1)
    slopes = np.array([np.imag(combine(sums + 1j * STEP * unit)) / STEP for unit in np.eye(len(sums))])
    rows = slopes @ table

    def without(groups: Ints) -> Floats:
        by_group = np.array([np.bincount(groups, column) for column in table])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(combine(sums[:, None] - by_group), dtype=np.float64)

    return Influence(float(combine(sums)), rows - rows.mean(), without)


def mean(losses: Floats) -> Influence:
    """Give a metric that is a mean over rows."""
    return influence((losses, np.ones(len(losses))), lambda s: s[0] / s[1])


def ratio(over: NDArray[Any], under: NDArray[Any]) -> Influence:
    """Give sum(over) / sum(under), such as a share among some of the rows."""
    return influence((over, under), lambda s: s[0] / s[1])


def rmse(errors: Floats) -> Influence:
    """Give the root of the mean squared error."""
    found = influence((np.square(errors), np.ones(len(errors))), lambda s: (s[0] / s[1]) ** 0.5)
    return found if found.value else Influence(0.0, np.zeros(len(errors)), found.without)


def r2(labels: Floats, errors: Floats) -> Influence:
    """Give the share of the labels' variance that is explained, 1 - SSE / SST.

    Raises:
        DegenerateRows: all labels are equal.
    """
    centred = labels - labels.mean()
    if not float(np.square(centred).sum()):
        raise DegenerateRows(f"r2 needs labels that differ, all {len(labels)} are equal")
    columns = (np.square(errors), np.square(centred), centred, np.ones(len(labels)))
    return influence(columns, lambda s: 1 - s[0] / (s[1] - s[2] ** 2 / s[3]))


def f1(positive: NDArray[np.bool_], called: NDArray[np.bool_]) -> Influence:
    """Give the harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN).

    Raises:
        DegenerateRows: no row is positive and none is called so.
    """
    if not (positive | called).any():
        raise DegenerateRows("f1 needs a positive row, got none and none was called positive")
    hits = 2.0 * (positive & called)
    return ratio(hits, hits + (positive ^ called))
