"""Which rows the two models call differently, and whose score moved most."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .. import metrics
from ..errors import DegenerateRows
from ..statistics import Floats
from .judge import Names, Scored
from .report import Flips, Moved

SHOWN = 10
SHARE = 0.1
"""Of the labels' standard deviation, by which an absolute error must move to count as a flip."""


def run(scored: Scored, names: Names) -> Flips | None:
    """Count the flips, each side at its own threshold; None without a base, rows or finite scores.

    Regression has no sides: a row whose absolute error grew by more than 10% of the labels' standard deviation counts
    as right to wrong, one whose error shrank by as much as wrong to right.
    """
    if scored.base is None:
        return None
    try:
        base, candidate = (metrics.checked("flips", scored.labels, side) for side in (scored.base, scored.candidate))
    except DegenerateRows:
        return None
    right_to_wrong, wrong_to_right, other = _counts(scored, base, candidate)
    return Flips(
        rows=len(scored.labels),
        right_to_wrong=right_to_wrong,
        wrong_to_right=wrong_to_right,
        other=other,
        moved=_moved(scored, _own_class(scored.labels, base), _own_class(scored.labels, candidate), names),
    )


def _counts(scored: Scored, base: Floats, candidate: Floats) -> tuple[int, int, int]:
    if scored.labels.dtype != np.int64:
        rise = np.abs(candidate - scored.labels) - np.abs(base - scored.labels)
        least = SHARE * float(scored.labels.std())
        return int((rise > least).sum()), int((rise < -least).sum()), 0
    before, after = metrics.called(base, scored.thresholds[0]), metrics.called(candidate, scored.thresholds[1])
    flipped, was_right, is_right = before != after, before == scored.labels, after == scored.labels
    return (
        int((flipped & was_right).sum()),
        int((flipped & is_right).sum()),
        int((flipped & ~was_right & ~is_right).sum()),
    )


def _own_class(labels: NDArray[Any], scores: Floats) -> Floats:
    """Give one score a row: with more than two classes that of its own class, 0 where that is unknown."""
    if scores.ndim == 1:
        return scores
    return np.where(labels < 0, 0.0, scores[np.arange(len(labels)), labels])


def _moved(scored: Scored, base: Floats, candidate: Floats, names: Names) -> list[Moved]:
    """Give the rows whose score moved most, without what is sensitive."""
    far = np.abs(candidate - base)
    order = [int(i) for i in np.argsort(-far, kind="stable")[:SHOWN] if far[i] > 0]
    rows = scored.rows[order]
    ids = rows[names.row_id].cast(pl.String).fill_null("").to_list()
    given = rows[names.label]
    if given.dtype.is_float():
        given = given.map_elements(lambda value: f"{value:.5g}", return_dtype=pl.String)
    labels = given.cast(pl.String).to_list()
    return [
        Moved(
            row=f"row {i + 1}" if names.row_id in names.sensitive else row,
            label=None if names.label in names.sensitive else label,
            base=float(base[i]),
            candidate=float(candidate[i]),
        )
        for i, row, label in zip(order, ids, labels, strict=True)
    ]
