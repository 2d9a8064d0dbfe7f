"""How far each raw column's values moved, from the two profiles of the raw rows: never from the base's rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import stats

from ..statistics import Floats
from . import data_diff
from .judge import Names
from .report import DriftRow

FALSE_DISCOVERIES = 0.05
FEWEST_PSI = 0.1
"""Below it a population counts as stable (Siddiqi 2006)."""
MOST = 10
MOST_STEADY = 30
BINS = 10
FEWEST_EXPECTED = 5
"""A category of which either side is expected to have fewer rows joins the others (Cochran 1954)."""
IDS = 0.9
"""A column of whole numbers with this share of distinct ones names rows: it says nothing by moving."""


def run(base: Path, candidate: Path, names: Names) -> tuple[list[DriftRow], list[DriftRow]]:
    """Give the columns that moved most, at most ten, and those that did not move, at most thirty.

    A column has moved when its probability, adjusted by Benjamini & Hochberg (1995) over all columns, is at most 5%
    and its population stability index is at least 0.1. The tests take rows as independent and so call small
    differences significant where rows are many; the index says which are large. Where both sides share rows, the
    tests err on the side of silence. Missing values are not looked at here: the data diff has them.
    """
    found = list(_tested(data_diff.profile(base), data_diff.profile(candidate), names))
    if not found:
        return [], []
    adjusted = stats.false_discovery_control([p for *_, p in found])
    rows = [
        DriftRow(column=column, psi=index, test=test, statistic=statistic, q=float(q))
        for (column, index, test, statistic, _), q in zip(found, adjusted, strict=True)
    ]
    rows.sort(key=lambda row: -row.psi)
    moved = [row for row in rows if row.q <= FALSE_DISCOVERIES and row.psi >= FEWEST_PSI]
    return moved[:MOST], [row for row in rows if row not in moved][:MOST_STEADY]


def _tested(
    theirs: dict[str, Any], ours: dict[str, Any], names: Names
) -> Iterator[tuple[str, float, Literal["Kolmogorov-Smirnov", "chi-square"], float, float]]:
    before, after = theirs.get("columns", {}), ours.get("columns", {})
    for column in before:
        if column not in after or column in (names.row_id, names.time):
            continue
        old, new = before[column], after[column]
        if "histogram" in old and "histogram" in new and not (_names_rows(old) and _names_rows(new)):
            counts = histograms(old["histogram"], new["histogram"])
            yield column, psi(*tenths(*counts)), "Kolmogorov-Smirnov", *kolmogorov_smirnov(*counts)
        elif "counts" in old and "counts" in new:
            counts = categories(old, new)
            if len(counts[0]) > 1:
                yield column, psi(*counts), "chi-square", *chi_square(*counts)


def _names_rows(column: dict[str, Any]) -> bool:
    """Say whether a column of numbers holds ids: whole ones, nearly all distinct. Texts of that kind are all rare."""
    rows = sum(column["histogram"]["counts"])
    return bool(column["distinct"] >= IDS * rows and column["min"] % 1 == 0 and column["max"] % 1 == 0)


def histograms(old: dict[str, Any], new: dict[str, Any]) -> tuple[Floats, Floats]:
    """Give both histograms' counts over the same bins, which are those of the coarser one.

    >>> old, new = {"width": 1.0, "first": 2, "counts": [1, 2, 3]}, {"width": 2.0, "first": 0, "counts": [4, 5]}
    >>> [side.tolist() for side in histograms(old, new)]
    [[0.0, 3.0, 3.0], [4.0, 5.0, 0.0]]
    """
    width = max(old["width"], new["width"])
    sides: list[dict[int, int]] = []
    for side in (old, new):
        ratio, counts = int(width / side["width"]), dict[int, int]()
        for i, count in enumerate(side["counts"]):
            place = (side["first"] + i) // ratio
            counts[place] = counts.get(place, 0) + count
        sides.append(counts)
    places = sorted({*sides[0], *sides[1]})
    before, after = (np.array([side.get(place, 0) for place in places], dtype=np.float64) for side in sides)
    return before, after


def tenths(old: Floats, new: Floats) -> tuple[Floats, Floats]:
    """Join bins, shape (k,), until the base has ten equal parts, or as near to it as its bins allow."""
    middle = (np.cumsum(old) - old / 2) / old.sum()
    part = np.minimum((middle * BINS).astype(np.int64), BINS - 1)
    kept = np.unique(part, return_inverse=True)[1]
    before, after = (np.bincount(kept, side).astype(np.float64) for side in (old, new))
    return before, after


def categories(old: dict[str, Any], new: dict[str, Any]) -> tuple[Floats, Floats]:
    """Give both sides' counts over the same categories; what is rare, or not counted on a side, is one of them.

    A profile counts its largest categories alone: where it has others, one that it does not name may be among them.
    """
    sides = (old, new)
    names = [
        name
        for name in dict.fromkeys([*old["counts"], *new["counts"]])
        if all(name in side["counts"] or not side.get("other") for side in sides)
    ]
    whole = [sum(side["counts"].values()) + side.get("other", 0) for side in sides]
    table = np.array([[side["counts"].get(name, 0) for name in names] for side in sides], dtype=np.float64)
    share = table.sum(0) / sum(whole)
    table = table[:, share * min(whole) >= FEWEST_EXPECTED]
    rest = np.array(whole) - table.sum(1)
    if rest.any():
        table = np.column_stack([table, rest])
    return table[0], table[1]


def psi(old: Floats, new: Floats) -> float:
    """Give the population stability index, the sum of (q - p) ln(q / p) over bins (Siddiqi 2006).

    Half a row is added to each bin, so that an empty one counts by how many rows there are.
    """
    p, q = ((side + 0.5) / (side + 0.5).sum() for side in (old, new))
    return float(((q - p) * np.log(q / p)).sum())


def kolmogorov_smirnov(old: Floats, new: Floats) -> tuple[float, float]:
    """Give the largest distance of the two distributions at the edges of bins, and its probability.

    Bins hide distance, never add any, so the probability is at least the true one; it is that of Smirnov (1948) for
    many rows.
    """
    sizes = old.sum(), new.sum()
    distance = float(np.abs(np.cumsum(old) / sizes[0] - np.cumsum(new) / sizes[1]).max())
    return distance, float(stats.kstwobign.sf(distance * (sizes[0] * sizes[1] / (sizes[0] + sizes[1])) ** 0.5))


def chi_square(old: Floats, new: Floats) -> tuple[float, float]:
    """Give Pearson's chi-square for equal shares (Pearson 1900), and its probability."""
    found = stats.chi2_contingency(np.vstack([old, new]), correction=False)
    return float(found.statistic), float(found.pvalue)
