"""What a plot shows, as points: each function takes the labels and one model's scores of n rows, shape (n,)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..statistics import Floats
from .report import Point

POINTS = 101
BINS = 10
BARS = 25
SAME = 1e-6
"""Values whose spread is at most this share of them are drawn as one."""

Labels = NDArray[Any]
Sides = Sequence[Floats | None]
"""Something of base and candidate; None where there is no base."""


def roc(labels: Labels, scores: Floats) -> list[Point]:
    """Give the ROC curve at equally spaced false positive rates."""
    called, hits = _called(labels, scores)
    false = (called - hits) / max(1, int((labels == 0).sum()))
    grid = np.linspace(0, 1, POINTS)
    return _points(grid, np.interp(grid, np.append(0, false), np.append(0, hits / max(1, int(labels.sum())))))


def precision_recall(labels: Labels, scores: Floats) -> list[Point]:
    """Give the precision at the highest threshold that reaches each of equally spaced recalls, so the mean is AP."""
    called, hits = _called(labels, scores)
    grid = np.linspace(0, 1, POINTS)
    first = np.searchsorted(hits / max(1, int(labels.sum())), grid[1:] - 1e-12)
    precision = (hits / called)[first]
    return _points(grid, np.append(precision[0], precision))


def calibration(labels: Labels, scores: Floats) -> list[Point]:
    """Give mean score and mean label in tenths of equal size, by score."""
    parts = _tenths(scores)
    return _points([scores[p].mean() for p in parts], [labels[p].mean() for p in parts])


def residuals(labels: Labels, scores: Floats) -> list[Point]:
    """Give the median of true less predicted in tenths of equal size by prediction, and where eight in ten of them lie."""
    parts = _tenths(scores)
    spread = [np.quantile(labels[p] - scores[p], (0.1, 0.5, 0.9)) for p in parts]
    return [
        Point(x=short(scores[p].mean()), y=short(middle), low=short(low), high=short(high))
        for p, (low, middle, high) in zip(parts, spread, strict=True)
    ]


def histogram(values: Floats, edges: Floats) -> list[Point]:
    """Give the share of values in each bin in percent, at its left edge; the outer bins hold what lies beyond them."""
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    shares = 100 * counts / max(1, len(values))
    return _points(edges, np.append(shares, shares[-1]))


def edges(sides: Sides, within: tuple[float, float] = (0.0, 1.0)) -> Floats:
    """Give the edges of bins that hold both sides, or what lies within two quantiles of them."""
    everything = np.concatenate([values.ravel() for values in sides if values is not None])
    low, high = np.quantile(everything, within)
    if high - low <= SAME * max(abs(low), abs(high)):
        low, high = low - max(1, abs(low)) / 2, low + max(1, abs(low)) / 2
    return np.asarray(np.linspace(low, high, BARS + 1))


def _called(labels: Labels, scores: Floats) -> tuple[Floats, Floats]:
    """Give how many rows are called and how many of them rightly, at each threshold from the highest score down."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    return last_of_ties.astype(np.float64) + 1, np.cumsum(labels[order])[last_of_ties].astype(np.float64)


def _tenths(scores: Floats) -> list[NDArray[np.int64]]:
    return [part for part in np.array_split(np.argsort(scores, kind="stable"), BINS) if len(part)]


def _points(xs: Sequence[float] | Floats, ys: Sequence[float] | Floats) -> list[Point]:
    return [Point(x=short(x), y=short(y)) for x, y in zip(xs, ys, strict=True)]


def short(value: float) -> float:
    """Keep nine digits: more are not seen."""
    return float(f"{value:.9g}")
