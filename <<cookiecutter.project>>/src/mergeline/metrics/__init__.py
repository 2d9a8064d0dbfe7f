"""Every metric that can be judged: its value, which direction is better, and how much each row moves it.

The influence values are the derivative of the metric by a row's weight (the infinitesimal jackknife, Efron 1982),
so their sums by group give a standard error without resampling. With more than two classes, a metric of two is the
plain mean over classes, each against the others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import BadSettings, DegenerateRows
from ..statistics import Floats, Influence
from . import ranked, summed

Task: TypeAlias = Literal["classification", "regression"]
Better: TypeAlias = Literal["higher", "lower"]
Labels: TypeAlias = NDArray[Any]
Weighted: TypeAlias = Callable[[Labels, Floats, Floats], float]
"""A metric of the project's own: (labels, scores, weights), each shape (n,) (scores (n, classes) with more than two)."""
CERTAIN = float(np.finfo(np.float32).eps)
"""Probabilities are kept this far from 0 and 1 in the log loss: the model answers in float32."""
QUANTILES = (5, 10, 25, 50, 75, 90, 95)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric by its name in gates.yaml.

    `influence(labels, scores, threshold)` takes, for classification, labels as 0-based class codes, shape (n,),
    and scores of shape (n,) (probability of class 1) or (n, classes); for regression both are values of shape (n,).
    One that is not `usual` is measured only where gates.yaml names it. `own` stands for a metric that the project
    wrote: it has no influence values.
    """

    name: str
    task: Task
    better: Better
    influence: Callable[[Labels, Floats, float], Influence] | None
    usual: bool = True
    own: Weighted | None = None

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
    found = ALL[name].influence
    if found is None:
        raise ValueError(name)
    return found(np.asarray(labels), checked(name, labels, scores), threshold)


def checked(name: str, labels: Labels, scores: Floats) -> Floats:
    """Give scores as metrics take them: (n,) for two classes and for values, else (n, classes).

    Raises:
        DegenerateRows: no rows, or scores that are not finite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not len(labels):
        raise DegenerateRows(f"{name} needs rows, got none")
    if bad := int((~np.isfinite(scores)).reshape(len(scores), -1).any(axis=1).sum()):
        raise DegenerateRows(
            f"{name} needs finite scores, {bad:,} of {len(scores):,} rows have none", "Mend the model."
        )
    return scores[:, -1] if scores.ndim == 2 and scores.shape[1] <= 2 else scores


def of_task(task: Task) -> dict[str, Metric]:
    """Give the metrics that suit a task and are looked at without being asked for."""
    return {name: metric for name, metric in ALL.items() if metric.task == task and metric.usual}


def known(name: str, task: Task, own: Mapping[str, Metric] | None = None) -> Metric:
    """Give a metric that gates.yaml names. Raises BadSettings with the names that exist."""
    suited = {key: metric for key, metric in {**ALL, **(own or {})}.items() if metric.task == task}
    if name not in suited:
        raise BadSettings(
            f"gates.yaml: {name} is no metric of {task}; allowed: {', '.join(suited)}, "
            "and with `better: higher` or `better: lower` what src/model/metrics.py defines"
        )
    return suited[name]


def log_loss(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:  # noqa: ARG001  one signature for all
    """Give the mean negative log of the probability that the true class got."""
    return summed.mean(-np.log(np.clip(_of_truth(labels, scores), CERTAIN, 1 - CERTAIN)))


def brier(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:  # noqa: ARG001
    """Give the mean squared error of probabilities (Brier 1950); with more than two classes summed over classes."""
    if scores.ndim == 1:
        return summed.mean(np.square(scores - labels))
    return summed.mean(np.square(scores - np.eye(scores.shape[1])[labels]).sum(axis=1))


def accuracy(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:
    """Give the share of rows called right."""
    return summed.mean((called(scores, threshold) == labels).astype(np.float64))


def f1(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:
    """Give the harmonic mean of precision and recall. Raises DegenerateRows without a positive row."""
    found = called(scores, threshold)
    classes = [1] if scores.ndim == 1 else range(scores.shape[1])
    return average([summed.f1(labels == code, found == code) for code in classes])


def called(scores: Floats, threshold: float) -> NDArray[np.int64]:
    """Give the class code that each row is called, shape (n,)."""
    return (scores >= threshold).astype(np.int64) if scores.ndim == 1 else scores.argmax(axis=1)


def average(parts: list[Influence]) -> Influence:
    """Give the plain mean of metrics."""
    if len(parts) == 1:
        return parts[0]
    withouts = [part.without for part in parts if part.without]
    return Influence(
        float(np.mean([part.value for part in parts])),
        np.mean([part.rows for part in parts], axis=0),
        lambda groups: np.mean([without(groups) for without in withouts], axis=0),
    )


def _by_class(of: Callable[[NDArray[np.bool_], Floats], Influence]) -> Callable[[Labels, Floats, float], Influence]:
    def influence(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:  # noqa: ARG001
        if scores.ndim == 1:
            return of(labels.astype(bool), scores)
        return average([of(labels == code, scores[:, code]) for code in range(scores.shape[1])])

    return influence


def _errors(of: Callable[[Labels, Floats], Influence]) -> Callable[[Labels, Floats, float], Influence]:
    def influence(labels: Labels, scores: Floats, threshold: float = 0.5) -> Influence:  # noqa: ARG001
        return of(labels, scores - labels)

    return influence


def _pinball(quantile: float) -> Callable[[Labels, Floats], Influence]:
    """Give the loss whose least is that quantile (Koenker & Bassett 1978)."""
    return lambda _, errors: summed.mean(np.where(errors < 0, -quantile * errors, (1 - quantile) * errors))


def _of_truth(labels: Labels, scores: Floats) -> Floats:
    if scores.ndim == 1:
        return np.where(labels.astype(bool), scores, 1 - scores)
    return np.asarray(scores[np.arange(len(labels)), labels.astype(np.int64)], dtype=np.float64)


ALL: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", "classification", "higher", _by_class(ranked.roc_auc)),
        Metric("average_precision", "classification", "higher", _by_class(ranked.average_precision)),
        Metric("log_loss", "classification", "lower", log_loss),
        Metric("brier", "classification", "lower", brier),
        Metric("accuracy", "classification", "higher", accuracy),
        Metric("f1", "classification", "higher", f1),
        Metric("mae", "regression", "lower", _errors(lambda _, errors: summed.mean(np.abs(errors)))),
        Metric("rmse", "regression", "lower", _errors(lambda _, errors: summed.rmse(errors))),
        Metric("r2", "regression", "higher", _errors(summed.r2)),
        *(
            Metric(f"quantile_loss_{q}", "regression", "lower", _errors(_pinball(q / 100)), usual=False)
            for q in QUANTILES
        ),
    )
}
