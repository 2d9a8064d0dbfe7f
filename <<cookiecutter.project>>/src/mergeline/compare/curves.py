"""The plots of the report: how both models rank, what their probabilities are worth, how they err."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..config import Task
from ..statistics import Floats
from . import points
from .judge import Scored
from .points import Labels, Sides
from .report import Curve, Point

ROC = "ROC"
"""The title of the curve whose points are equally far apart."""
TENTHS = " (tenths)"
"""What the titles of curves end in whose points are tenths of the rows."""
MOST_CLASSES = 5
"""Up to which each class is shown against the rest."""
TAILS = (0.005, 0.995)
SHARE = "share of these rows, %"

Marks = tuple[float | None, float | None]


def run(scored: Scored, task: Task, label: str, classes: Sequence[str] = ()) -> list[Curve]:
    """Give the plots of both models; none where the rows are of one class, or of one that the candidate does not know.

    Args:
        scored: both models; a base with a score that is no number has no lines.
        task: of the project.
        label: what the label is called.
        classes: in the order of the scores.
    """
    labels, candidate, base = scored.labels, scored.candidate, scored.base
    if not len(labels) or not np.isfinite(candidate).all():
        return []
    if base is not None and not np.isfinite(base).all():
        base = None
    if task == "regression":
        return _regression(labels, (base, candidate), label)
    if labels.min() < 0 or len(np.unique(labels)) < 2:
        return []
    if candidate.ndim > 1:
        return _more_classes(labels, (base, candidate), [f"{label} = {name}" for name in classes])
    marks = scored.thresholds[0] if base is not None else None, scored.thresholds[1]
    return _two_classes(labels, (base, candidate), [f"{label} = {name}" for name in classes], marks)


def _regression(labels: Labels, sides: Sides, label: str) -> list[Curve]:
    predicted, residual = f"predicted {label}", f"true less predicted {label}"
    errors = [None if scores is None else labels - scores for scores in sides]
    return [
        _curve(
            f"True {label} by prediction{TENTHS}", predicted, f"true {label}, mean", labels, sides, points.calibration
        ),
        _curve(
            "Residuals in tenths (median, 10% to 90%)",
            predicted,
            residual,
            labels,
            sides,
            points.residuals,
            diagonal=False,
            level=0.0,
        ),
        _bars("Residuals (outer bars: all beyond)", residual, errors, points.edges(errors, TAILS)),
    ]


def _two_classes(labels: Labels, sides: Sides, classes: Sequence[str], marks: Marks) -> list[Curve]:
    edges = points.edges(sides)
    found = _against(labels, sides, classes[1])
    for code, name in enumerate(classes):
        scores = [None if side is None else side[labels == code] for side in sides]
        found.append(_bars(f"Scores where {name}", f"predicted probability of {classes[1]}", scores, edges, marks))
    return found


def _more_classes(labels: Labels, sides: Sides, classes: Sequence[str]) -> list[Curve]:
    own = [None if scores is None else scores[np.arange(len(labels)), labels] for scores in sides]
    found = []
    for code, name in enumerate(classes if len(classes) <= MOST_CLASSES else ()):
        mine = (labels == code).astype(np.int64)
        if mine.any():
            scores = [None if side is None else side[:, code] for side in sides]
            found += _against(mine, scores, name, f", {name}")
    found.append(_bars("Scores of the true class", "predicted probability of the row's class", own, points.edges(own)))
    return found


def _against(labels: Labels, sides: Sides, positive: str, whose: str = "") -> list[Curve]:
    """Show one class against the rest."""
    share = points.short(labels.mean())
    probability = f"predicted probability of {positive}"
    return [
        _curve(f"{ROC}{whose}", "false positive rate", "true positive rate", labels, sides, points.roc),
        _curve(
            f"Precision and recall{whose}",
            "recall",
            "precision",
            labels,
            sides,
            points.precision_recall,
            diagonal=False,
            level=share,
        ),
        _curve(f"Calibration{TENTHS}{whose}", probability, f"share of {positive}", labels, sides, points.calibration),
    ]


def _curve(
    title: str, x: str, y: str, labels: Labels, sides: Sides, of: Callable[[Labels, Floats], list[Point]], **more: Any
) -> Curve:
    base, candidate = ([] if scores is None else of(labels, scores) for scores in sides)
    return Curve(title=title, x=x, y=y, base=base, candidate=candidate, **more)


def _bars(title: str, x: str, sides: Sides, edges: Floats, marks: Marks = (None, None)) -> Curve:
    base, candidate = ([] if values is None else points.histogram(values, edges) for values in sides)
    return Curve(title=title, x=x, y=SHARE, base=base, candidate=candidate, diagonal=False, steps=True, marks=marks)
