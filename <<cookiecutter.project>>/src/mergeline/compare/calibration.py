"""How far scores are from the shares that they promise, and what rows are called at the operating threshold."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .. import metrics
from ..errors import DegenerateRows
from ..statistics import Floats
from .judge import Scored
from .report import Calibration, Confusion

BINS = 10
MOST_CLASSES = 20
"""Up to which a confusion matrix is given."""


def run(scored: Scored, classes: list[str]) -> Calibration | None:
    """Give both models' calibration and confusion; None for regression and where the candidate has neither.

    Args:
        scored: both models; rows with a label that is no class are left out.
        classes: in the order of the scores.
    """
    if not classes:
        return None
    base, candidate = (
        _side(scored.labels, scores, threshold, classes)
        for scores, threshold in zip((scored.base, scored.candidate), scored.thresholds, strict=True)
    )
    if candidate is None:
        return None
    return Calibration(
        base_error=base[0] if base else None,
        candidate_error=candidate[0],
        base=base[1] if base else None,
        candidate=candidate[1],
    )


def error(labels: NDArray[Any], scores: Floats) -> float:
    """Give the expected calibration error with ten bins of equally many rows (Nixon et al. 2019, adaptive bins).

    It is the mean over rows of |mean score - share| in the row's bin; rows of equal score are in one bin. With more
    than two classes the score is that of the class called, and the share that of rows called right (Guo et al. 2017).
    """
    if scores.ndim > 1:
        labels, scores = scores.argmax(axis=1) == labels, scores.max(axis=1)
    bins = ((stats.rankdata(scores) - 0.5) / len(scores) * BINS).astype(np.int64)
    return float(np.abs(np.bincount(bins, scores - labels)).sum() / len(scores))


def confusion(labels: NDArray[Any], scores: Floats, threshold: float, classes: list[str]) -> Confusion:
    """Count rows by their class and the class that they are called."""
    count = len(classes)
    cells = np.bincount(labels * count + metrics.called(scores, threshold), minlength=count**2)
    return Confusion(
        classes=classes,
        threshold=threshold if scores.ndim == 1 else None,
        counts=cells.reshape(count, count).tolist(),
    )


def _side(
    labels: NDArray[Any], scores: Floats | None, threshold: float, classes: list[str]
) -> tuple[float, Confusion | None] | None:
    if scores is None:
        return None
    known = labels >= 0
    try:
        labels, scores = labels[known], metrics.checked("calibration", labels[known], scores[known])
    except DegenerateRows:
        return None
    return error(labels, scores), (
        confusion(labels, scores, threshold, classes) if len(classes) <= MOST_CLASSES else None
    )
