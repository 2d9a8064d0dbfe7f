"""Intervals for a metric and for the difference of two, robust to rows that belong together.

Rows of one group (a day, a customer) are dependent, so a variance is taken over groups, not over rows: each
row's influence on the metric is summed within its group, and the sums are treated as independent. With one
row per group this is the usual row-wise interval, and for the AUC it is DeLong's.

Sources: Obuchowski (1997) for the AUC with clustered rows; Cameron & Miller (2015) for the factor G / (G - 1)
and Student's t with G - 1 degrees of freedom; Efron & Stein (1981) for the jackknife, which leaves one group out at
a time and does not underestimate where groups are few (CV3 of MacKinnon, Nielsen & Webb 2023); Satterthwaite (1946)
for the degrees of freedom of a sum of two variances. `metrics` has the influence values and their sources.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .errors import DegenerateRows

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

MANY_GROUPS = 100
"""From this many groups on, sums of influence values need no jackknife; with 61 their errors are 2% smaller than its."""
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Influence:
    """A metric's value and how much each row moves it.

    `rows` has shape (n,), sums to zero, and is in the metric's own unit. `without(groups)` gives, shape (G,), the
    metric of all rows but those of each group; NaN where the others cannot support it.
    """

    value: float
    rows: Floats
    without: Callable[[Ints], Floats] | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric, or candidate minus base, in the metric's unit, with its standard error over `groups` groups.

    `noise` is the standard deviation that training anew gives the value, from `noise_freedom` degrees of freedom;
    0 of 0 where it was not measured. `row_error` is the standard error as if rows were independent.
    """

    value: float
    standard_error: float
    groups: int
    noise: float = 0.0
    noise_freedom: float = 0.0
    row_error: float | None = None

    @property
    def error(self) -> float:
        """Give the standard error of both, test rows and training."""
        return float(np.hypot(self.standard_error, self.noise))

    @property
    def freedom(self) -> float:
        """Give the degrees of freedom of `error` (Satterthwaite 1946)."""
        if not self.noise:
            return self.groups - 1
        parts = self.standard_error**4 / (self.groups - 1) + self.noise**4 / self.noise_freedom
        return float(self.error**4 / parts)

    @property
    def design_effect(self) -> float | None:
        """Give how many times the variance by groups is that of independent rows (Kish 1965)."""
        return (self.standard_error / self.row_error) ** 2 if self.row_error else None

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Give the two-sided confidence interval, from Student's t.

        >>> low, high = Estimate(value=0.032, standard_error=0.0104, groups=31).interval()
        >>> round(low, 3), round(high, 3)
        (0.011, 0.053)
        """
        half = float(stats.t.ppf(0.5 + level / 2, self.freedom)) * self.error
        return self.value - half, self.value + half

    def p_value(self) -> float:
        """Give the two-sided probability of an estimate at least this far from zero when the truth is zero."""
        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.value) / self.error, self.freedom))

    def with_noise(self, deviation: float, freedom: float) -> "Estimate":
        """Add the noise of training anew."""
        return replace(self, noise=deviation, noise_freedom=freedom)

    def groups_needed(self, matters: float, level: float = 0.95) -> tuple[float, float, float] | None:
        """Give how many groups tell a difference of `matters` from none with 80% power, and that number's range.

        With se the standard error over G groups and noise that no number of rows shrinks, a power of 80% wants
        (z_{level} + z_{0.8})^2 (se^2 G / G' + noise^2) = matters^2. The range comes from the 95% interval of a variance
        (chi-square with G - 1 degrees of freedom). None where the noise of training alone is too large.

        Never from the observed difference: that makes a number which varies with the luck of the estimate
        (Hoenig & Heisey 2001).
        """
        reach = (matters / float(stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(POWER))) ** 2 - self.noise**2
        if reach <= 0:
            return None
        needed = self.groups * self.standard_error**2 / reach
        high, low = ((self.groups - 1) / stats.chi2.ppf(q, self.groups - 1) for q in (0.025, 0.975))
        return needed, needed * float(low), needed * float(high)


def codes(values: Sequence[Any] | NDArray[Any]) -> Ints:
    """Number the groups: shape (n,), 0-based without gaps, equal values get equal numbers.

    >>> codes(["mon", "tue", "mon"]).tolist()
    [0, 1, 0]
    """
    return np.unique(np.asarray(values), return_inverse=True)[1].astype(np.int64).reshape(-1)


def estimate(influence: Influence, groups: Ints) -> Estimate:
    """Give a metric with its standard error: the jackknife below `MANY_GROUPS` groups, else from influence values.

    Args:
        influence: of n rows.
        groups: shape (n,), 0-based codes without gaps; rows with equal codes are dependent.

    Raises:
        DegenerateRows: fewer than two groups, so that no variance can be estimated.
    """
    sums = np.bincount(groups, influence.rows)
    count, rows = len(sums), len(influence.rows)
    if count < 2:
        raise DegenerateRows(f"an interval needs at least two groups of rows, got {count}")
    variance = float(np.square(sums).sum()) * count / (count - 1)
    if count < MANY_GROUPS and influence.without is not None:
        left_out = influence.without(groups)
        if np.isfinite(left_out).all():
            variance = float(np.square(left_out - influence.value).sum()) * (count - 1) / count
    by_row = float(np.square(influence.rows).sum()) * rows / (rows - 1)
    return Estimate(influence.value, variance**0.5, count, row_error=by_row**0.5)


def subtract(base: Influence, candidate: Influence) -> Influence:
    """Give candidate minus base, judged on the same rows in the same order."""
    return combine([(1, candidate), (-1, base)])


def combine(parts: Sequence[tuple[int, Influence]]) -> Influence:
    """Add metrics of the same rows in the same order, each with its sign."""
    withouts = [(sign, part.without) for sign, part in parts if part.without is not None]

    def without(groups: Ints) -> Floats:
        return np.asarray(np.sum([sign * left_out(groups) for sign, left_out in withouts], axis=0))

    return Influence(
        sum(sign * part.value for sign, part in parts),
        np.sum([sign * part.rows for sign, part in parts], axis=0),
        without if len(withouts) == len(parts) else None,
    )


def difference(base: Influence, candidate: Influence, groups: Ints) -> Estimate:
    """Subtract base from candidate and give the estimate. See `estimate`."""
    return estimate(subtract(base, candidate), groups)


def deviation(differences: Sequence[float]) -> tuple[float, float]:
    """Give the standard deviation of k differences of models trained anew, and its k - 1 degrees of freedom."""
    return float(np.std(differences, ddof=1)), float(len(differences) - 1)


def bootstrap(of: Callable[[Floats], float], groups: Ints, seed: int, times: int = 1000) -> Estimate:
    """Estimate what has no influence values by drawing groups with replacement (Field & Welsh 2007).

    Args:
        of: gives the value from row weights, shape (n,); 1 for every row is the value itself. Several threads call it at
            once: numpy works beside itself.
        groups: see `estimate`.
        seed: of the draws.
        times: how many draws.

    Raises:
        DegenerateRows: fewer than two groups, or most draws have no value.
    """
    count = int(groups.max()) + 1 if len(groups) else 0
    if count < 2:
        raise DegenerateRows(f"an interval needs at least two groups of rows, got {count}")
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), times).astype(np.float64)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        values = np.array(list(pool.map(lambda draw: of(draw[groups]), draws)))
    values = values[np.isfinite(values)]
    if len(values) < times / 2:
        raise DegenerateRows(f"{times - len(values)} of {times} draws of groups give no finite value")
    return Estimate(of(np.ones(len(groups))), float(values.std(ddof=1)), count)
