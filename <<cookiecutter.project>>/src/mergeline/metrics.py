"""Every metric that can be judged: its value, which direction is better, and how much each row moves it.

The influence values are the derivative of the metric by a row's weight (the infinitesimal jackknife, Efron 1982),
so their sums by group give a standard error without resampling. Sources: DeLong, DeLong & Clarke-Pearson (1988)
for the AUC, Sun & Xu (2014) for computing it by ranks in O(n log n); the others are derived where they stand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .errors import BadSettings, DegenerateRows
from .statistics import Floats, Influence

Task: TypeAlias = Literal["classification", "regression"]
Labels: TypeAlias = NDArray[Any]
CERTAIN = float(np.finfo(np.float32).eps)
"""Probabilities are kept this far from 0 and 1 in the log loss: the model answers in float32."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric by its name in gates.yaml.

    `influence(labels, scores, threshold)` takes, for classification, labels as 0-based class codes, shape (n,),
    and scores of shape (n,) (probability of class 1) or (n, classes); for regression both are values of shape (n,).
    """

    name: str
    task: Task
    better: Literal["higher", "lower"]
    influence: Callable[[Labels, Floats, float], Influence]

    def gain(self, difference: float) -> float:
        """Turn a difference, candidate minus base, so that positive means better."""
        return difference if self.better == "higher" else -difference


def measure(name: str, labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:
    """Give a metric by name, after checking that the rows can support one.

    Args:
        name: a key of `ALL`.
        labels: see `Metric`.
        scores: see `Metric`.
        threshold: the probability of class 1 from which a row is called positive.

    Raises:
        DegenerateRows: no rows, scores that are not finite, or what the metric itself needs is missing.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not len(labels):
        raise DegenerateRows(f"{name} needs rows, got none")
    if bad := int((~np.isfinite(scores)).reshape(len(scores), -1).any(axis=1).sum()):
        raise DegenerateRows(f"{name} needs finite scores, {bad} of {len(scores)} rows have none", "Mend the model.")
    if scores.ndim == 2 and scores.shape[1] == 2 and ALL[name].task == "classification":
        scores = scores[:, 1]
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    return ALL[name].influence(np.asarray(labels), scores, threshold)


def of_task(task: Task) -> dict[str, Metric]:
    """Give the metrics that suit a task."""
    return {name: metric for name, metric in ALL.items() if metric.task == task}


def known(name: str, task: Task) -> Metric:
    """Give a metric that gates.yaml names. Raises BadSettings with the names that exist."""
    if name not in (suited := of_task(task)):
        raise BadSettings(f"gates.yaml: {name} is no metric of {task}; allowed: {', '.join(suited)}")
    return suited[name]


def mean(losses: Floats) -> Influence:
    """Give a metric that is a mean over rows."""
    value = float(losses.mean())
    return Influence(value, (losses - value) / len(losses))


def roc_auc(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:  # noqa: ARG001  one signature for all
    """Give the area under the ROC curve; ties count one half. Raises DegenerateRows without both classes."""
    positive = _binary("roc_auc", labels, scores)
    positives, negatives = _both_classes("roc_auc", positive)
    ranks = stats.rankdata(scores)
    beats_negatives = (ranks[positive] - stats.rankdata(scores[positive])) / negatives
    beaten_by_positives = 1 - (ranks[~positive] - stats.rankdata(scores[~positive])) / positives

    value = float(beats_negatives.mean())
    rows = np.empty(len(labels))
    rows[positive] = (beats_negatives - value) / positives
    rows[~positive] = (beaten_by_positives - value) / negatives
    return Influence(value, rows)


def average_precision(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:  # noqa: ARG001
    """Give the mean, over positive rows, of the precision among rows scored at least as high.

    With A_i positives and B_i rows scored at least as high as row i, and P positives, AP = sum_i y_i A_i/B_i / P.
    The derivative by the weight of row k is y_k (A_k/B_k - AP)/P + sum_{i: s_i <= s_k} y_i (y_k/B_i - A_i/B_i^2)/P.

    Raises:
        DegenerateRows: one of the two classes has no row.
    """
    positive = _binary("average_precision", labels, scores)
    positives, _ = _both_classes("average_precision", positive)
    _, place = np.unique(-scores, return_inverse=True)
    here = np.bincount(place, positive)
    above = np.cumsum(here)
    rows_above = np.cumsum(np.bincount(place)).astype(np.float64)
    precision = above / rows_above
    value = float((here * precision).sum() / positives)

    below = np.cumsum((here / rows_above)[::-1])[::-1]
    below_precision = np.cumsum((here * above / rows_above**2)[::-1])[::-1]
    own = positive * (precision[place] - value)
    others = positive * below[place] - below_precision[place]
    return Influence(value, (own + others) / positives)


def log_loss(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:  # noqa: ARG001
    """Give the mean negative log of the probability that the true class got."""
    return mean(-np.log(np.clip(_of_truth(labels, scores), CERTAIN, 1 - CERTAIN)))


def brier(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:  # noqa: ARG001
    """Give the mean squared error of probabilities (Brier 1950); with more than two classes summed over classes."""
    if scores.ndim == 1:
        return mean(np.square(scores - labels))
    return mean(np.square(scores - np.eye(scores.shape[1])[labels]).sum(axis=1))


def accuracy(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:
    """Give the share of rows called right."""
    called = scores >= threshold if scores.ndim == 1 else scores.argmax(axis=1)
    return mean((called == labels).astype(np.float64))


def f1(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:
    """Give the harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); the influence is that of a ratio.

    Raises:
        DegenerateRows: no row is positive and none is called so.
    """
    positive = _binary("f1", labels, scores)
    called = scores >= threshold
    over = 2.0 * (positive & called)
    under = over + (positive ^ called)
    if not (total := float(under.sum())):
        raise DegenerateRows("f1 needs a positive row, got none and none was called positive")
    value = float(over.sum()) / total
    return Influence(value, (over - value * under) / total)


def mae(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:  # noqa: ARG001
    """Give the mean absolute error."""
    return mean(np.abs(scores - labels))


def rmse(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:  # noqa: ARG001
    """Give the root of the mean squared error; by the delta method a row moves it by its part of the mean / 2 RMSE."""
    squared = mean(np.square(scores - labels))
    value = squared.value**0.5
    return Influence(value, squared.rows / (2 * value) if value else np.zeros(len(labels)))


def r2(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:  # noqa: ARG001
    """Give the share of the labels' variance that is explained; the influence is that of 1 - SSE / SST.

    Raises:
        DegenerateRows: all labels are equal.
    """
    total = np.square(labels - labels.mean())
    if not (whole := float(total.sum())):
        raise DegenerateRows(f"r2 needs labels that differ, all {len(labels)} are equal")
    errors = np.square(scores - labels)
    unexplained = float(errors.sum()) / whole
    return Influence(1 - unexplained, (unexplained * total - errors) / whole)


ALL: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", "classification", "higher", roc_auc),
        Metric("average_precision", "classification", "higher", average_precision),
        Metric("log_loss", "classification", "lower", log_loss),
        Metric("brier", "classification", "lower", brier),
        Metric("accuracy", "classification", "higher", accuracy),
        Metric("f1", "classification", "higher", f1),
        Metric("mae", "regression", "lower", mae),
        Metric("rmse", "regression", "lower", rmse),
        Metric("r2", "regression", "higher", r2),
    )
}


def _binary(name: str, labels: Labels, scores: Floats) -> NDArray[np.bool_]:
    if scores.ndim != 1:
        raise DegenerateRows(f"{name} needs two classes, the model has {scores.shape[1]}", "Judge by log_loss instead.")
    return labels.astype(bool)


def _both_classes(name: str, positive: NDArray[np.bool_]) -> tuple[int, int]:
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        raise DegenerateRows(f"{name} needs both classes, got {positives} positive and {negatives} negative rows")
    return positives, negatives


def _of_truth(labels: Labels, scores: Floats) -> Floats:
    if scores.ndim == 1:
        return np.where(labels.astype(bool), scores, 1 - scores)
    return np.asarray(scores[np.arange(len(labels)), labels.astype(np.int64)], dtype=np.float64)
