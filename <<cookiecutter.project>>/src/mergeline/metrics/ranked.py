"""Metrics of the order of scores: the area under the ROC curve and average precision.

The influence values are the derivative by a row's weight: for the AUC those of DeLong, DeLong & Clarke-Pearson (1988),
computed by ranks in O(n log n) as Sun & Xu (2014) do; for average precision they are derived where they stand.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..errors import DegenerateRows
from ..statistics import Floats, Influence, Ints


def roc_auc(positive: NDArray[np.bool_], scores: Floats) -> Influence:
    """Give the share of pairs of a positive and a negative row in the right order; ties count one half.

    Raises:
        DegenerateRows: one of the two classes has no row.
    """
    positives, negatives = _both_classes("roc_auc", positive)
    won = _won(positive, scores)
    value = float(won[positive].sum() / positives / negatives)
    rows = np.where(positive, won / negatives - value, won / positives - value) / np.where(
        positive, positives, negatives
    )

    def without(groups: Ints) -> Floats:
        # Pairs that a group takes part in, those within it counted once.
        pairs = np.bincount(groups, won) - _won_within(positive, scores, groups)
        ours, size = np.bincount(groups, positive), np.bincount(groups)
        with np.errstate(divide="ignore", invalid="ignore"):
            left: Floats = (won[positive].sum() - pairs) / (positives - ours) / (negatives - (size - ours))
        return left

    return Influence(value, rows, without)


def average_precision(positive: NDArray[np.bool_], scores: Floats) -> Influence:
    """Give the mean, over positive rows, of the precision among rows scored at least as high.

    With A_i positives and B_i rows scored at least as high as row i, and P positives, AP = sum_i y_i A_i/B_i / P.
    The derivative by the weight of row k is y_k (A_k/B_k - AP)/P + sum_{i: s_i <= s_k} y_i (y_k/B_i - A_i/B_i^2)/P.

    Raises:
        DegenerateRows: one of the two classes has no row.
    """
    positives, _ = _both_classes("average_precision", positive)
    _, place = np.unique(-scores, return_inverse=True)
    here, rows_here = np.bincount(place, positive), np.bincount(place).astype(np.float64)
    above, rows_above = np.cumsum(here), np.cumsum(rows_here)
    precision = above / rows_above
    value = float((here * precision).sum() / positives)

    below = np.cumsum((here / rows_above)[::-1])[::-1]
    below_precision = np.cumsum((here * above / rows_above**2)[::-1])[::-1]
    own = positive * (precision[place] - value)
    others = positive * below[place] - below_precision[place]

    def without(groups: Ints) -> Floats:
        # Only places with a positive row count: each row is told the first of these at or below its own.
        slot: Ints = (np.cumsum(here > 0) - (here > 0))[place]
        hits, rows_at = here[here > 0], np.bincount(slot)[: int((here > 0).sum())]
        left = np.empty(int(groups.max()) + 1)
        for group in range(len(left)):
            inside = groups == group
            some = hits - np.bincount(slot[inside], positive[inside], minlength=len(hits) + 1)[: len(hits)]
            rows = np.cumsum(rows_at - np.bincount(slot[inside], minlength=len(hits) + 1)[: len(hits)])
            total = some.sum()
            shares = np.divide(np.cumsum(some), rows, out=np.zeros(len(rows)), where=rows > 0)
            left[group] = (some * shares).sum() / total if total else np.nan
        return left

    return Influence(value, (own + others) / positives, without)


def _won(positive: NDArray[np.bool_], scores: Floats) -> Floats:
    """Give for each row how many rows of the other class it is on the right side of; ties count one half."""
    ranks = stats.rankdata(scores)
    won = np.empty(len(scores))
    won[positive] = ranks[positive] - stats.rankdata(scores[positive])
    won[~positive] = int(positive.sum()) - (ranks[~positive] - stats.rankdata(scores[~positive]))
    return won


def _won_within(positive: NDArray[np.bool_], scores: Floats, groups: Ints) -> Floats:
    """Give for each group, shape (G,), how many pairs of its own rows are in the right order; ties count one half."""
    order = np.lexsort((scores, groups))
    group, score = groups[order], scores[order]
    begins = np.append(True, (np.diff(group) != 0) | (np.diff(score) != 0))
    tied, starts = np.cumsum(begins) - 1, np.flatnonzero(begins)
    last = np.append(starts[1:], len(order))
    # The mean rank of tied rows, from 1 in every group.
    rank = (starts + 1 + last)[tied] / 2 - np.searchsorted(group, group)
    hits = np.bincount(groups, positive)
    return np.asarray(np.bincount(group, rank * positive[order]) - hits * (hits + 1) / 2)


def _both_classes(name: str, positive: NDArray[np.bool_]) -> tuple[int, int]:
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        raise DegenerateRows(f"{name} needs both classes, got {positives} positive and {negatives} negative rows")
    return positives, negatives
