"""The plots of the report, as points: ROC and calibration, or predicted against true values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import Task
from ..statistics import Floats
from .judge import Scored
from .report import Curve, Point

ROC = "ROC"
"""The title of the curve whose points are equally far apart."""
TENTHS = " (tenths)"
"""What the titles of the others end in: their points are tenths of the rows."""
POINTS = 101
BINS = 10


def run(scored: Scored, task: Task) -> list[Curve]:
    """Give the curves of both models; none where there are no two classes."""
    if not len(scored.labels) or scored.candidate.ndim != 1 or not np.isfinite(scored.candidate).all():
        return []
    base = scored.base if scored.base is not None and np.isfinite(scored.base).all() else None
    sides = {"candidate": scored.candidate, "base": base}
    if task == "regression":
        return [_curve(f"True values{TENTHS}", "predicted", "true, mean", scored.labels, sides, calibration)]
    if set(np.unique(scored.labels).tolist()) != {0, 1}:
        return []
    return [
        _curve(ROC, "false positive rate", "true positive rate", scored.labels, sides, roc),
        _curve(
            f"Calibration{TENTHS}", "predicted probability", "share of positives", scored.labels, sides, calibration
        ),
    ]


def roc(labels: NDArray[Any], scores: Floats) -> list[Point]:
    """Give the ROC curve at equally spaced false positive rates."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.cumsum(labels[order])[last_of_ties]
    false = (last_of_ties + 1 - hits) / max(1, int((labels == 0).sum()))
    grid = np.linspace(0, 1, POINTS)
    return _points(grid, np.interp(grid, np.append(0, false), np.append(0, hits / max(1, int(labels.sum())))))


def calibration(labels: NDArray[Any], scores: Floats) -> list[Point]:
    """Give mean score and mean label in tenths of equal size, by score."""
    parts = [part for part in np.array_split(np.argsort(scores, kind="stable"), BINS) if len(part)]
    return _points(np.array([scores[p].mean() for p in parts]), np.array([labels[p].mean() for p in parts]))


def _curve(title: str, x: str, y: str, labels: NDArray[Any], sides: dict[str, Floats | None], of: Any) -> Curve:
    made = {side: of(labels, scores) if scores is not None else [] for side, scores in sides.items()}
    return Curve(title=title, x=x, y=y, base=made["base"], candidate=made["candidate"])


def _points(xs: Floats, ys: Floats) -> list[Point]:
    return [Point(x=round(float(x), 6), y=round(float(y), 6)) for x, y in zip(xs, ys, strict=True)]
