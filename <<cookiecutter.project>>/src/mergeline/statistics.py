"""Intervals for a metric and for the difference of two, robust to rows that belong together.

Rows of one group (a day, a customer) are dependent, so a variance is taken over groups, not over rows: each
row's influence on the metric is summed within its group, and the sums are treated as independent. With one
row per group this is the usual row-wise interval, and for the AUC it is DeLong's.

Sources: Obuchowski (1997) for the AUC with clustered rows; Cameron & Miller (2015) for the factor G / (G - 1)
and Student's t with G - 1 degrees of freedom. `metrics` has the influence values and their sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .errors import DegenerateRows

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Influence:
    """A metric's value and how much each row moves it.

    `rows` has shape (n,), sums to zero, and is in the metric's own unit.
    """

    value: float
    rows: Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric, or candidate minus base, in the metric's unit, with its standard error over `groups` groups."""

    value: float
    standard_error: float
    groups: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Give the two-sided confidence interval, from Student's t with `groups - 1` degrees of freedom.

        >>> low, high = Estimate(value=0.032, standard_error=0.0104, groups=31).interval()
        >>> round(low, 3), round(high, 3)
        (0.011, 0.053)
        """
        half = float(stats.t.ppf(0.5 + level / 2, self.groups - 1)) * self.standard_error
        return self.value - half, self.value + half

    def p_value(self) -> float:
        """Give the two-sided probability of an estimate at least this far from zero when the truth is zero."""
        if self.standard_error == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.value) / self.standard_error, self.groups - 1))


def codes(values: Sequence[Any] | NDArray[Any]) -> Ints:
    """Number the groups: shape (n,), 0-based without gaps, equal values get equal numbers.

    >>> codes(["mon", "tue", "mon"]).tolist()
    [0, 1, 0]
    """
    return np.unique(np.asarray(values), return_inverse=True)[1].astype(np.int64).reshape(-1)


def estimate(influence: Influence, groups: Ints) -> Estimate:
    """Give a metric with its standard error.

    Args:
        influence: of n rows.
        groups: shape (n,), 0-based codes without gaps; rows with equal codes are dependent.

    Raises:
        DegenerateRows: fewer than two groups, so that no variance can be estimated.
    """
    sums = np.bincount(groups, influence.rows)
    count = len(sums)
    if count < 2:
        raise DegenerateRows(f"an interval needs at least two groups of rows, got {count}")
    variance = float(np.square(sums).sum()) * count / (count - 1)
    return Estimate(influence.value, variance**0.5, count)


def difference(base: Influence, candidate: Influence, groups: Ints) -> Estimate:
    """Subtract base from candidate, judged on the same rows in the same order. See `estimate`."""
    return estimate(Influence(candidate.value - base.value, candidate.rows - base.rows), groups)
