"""What is compared: metrics where there are labels, the score, flipped labels and the latency, each with both intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import metrics, statistics, verdict
from ..bundle import Signature
from ..errors import DegenerateRows
from ..metrics import Metric, summed
from ..statistics import Estimate, Floats, Influence, Ints
from ..verdict import FEWEST_GROUPS, Rule, Word
from . import differences
from .differences import Gap

Interval = tuple[float, float]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both releases; `difference` is the experiment's minus the pinned one's.

    `fixed` is its interval for one look, `always` the one that holds at every look. `matters` and `word` are of metrics
    that gates.yaml names; `needed` is how many units would make `always` as narrow as what matters.
    What could not be measured is null, with a reason.
    """

    name: str
    pinned: float | None = None
    beside: float | None = None
    difference: float | None = None
    fixed: Interval | None = None
    always: Interval | None = None
    matters: float | None = None
    word: Word | None = None
    needed: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """What one release said: scores of shape (n, classes) or (n, 1), units (n,) as codes, and labels (n,) or none."""

    scores: Floats
    units: Ints
    threshold: float
    labels: NDArray[Any] | None = None

    @property
    def flat(self) -> Floats:
        """Give the scores as metrics take them: (n,) with up to two classes."""
        return self.scores if self.scores.shape[1] > 2 else self.scores[:, -1]


@dataclass(frozen=True, slots=True)
class Judge:
    """How two sides are compared: as pairs or as independent samples, at which level; `seed` is of draws."""

    paired: bool
    level: float
    seed: int = 7

    def metric(self, rule: Rule, pinned: Side, beside: Side) -> Figure:
        """Judge a metric of rows with labels; null with a reason where the rows cannot support it."""
        made = Figure(name=rule.metric.name, matters=rule.matters, word="cannot tell")
        try:
            gap, values = (
                self._own(rule.metric, pinned, beside) if rule.metric.own else self._known(rule.metric, pinned, beside)
            )
        except DegenerateRows as why:
            return msgspec.structs.replace(made, reason=str(why.args[0]))
        times = differences.times_needed(gap, rule.matters, self.level)
        units = sum(len(np.unique(side.units)) for side in ((pinned,) if self.paired else (pinned, beside)))
        return msgspec.structs.replace(
            self._figure(made.name, gap, *values),
            matters=rule.matters,
            word=verdict.word(rule, gap.value, gap.groups, gap.always, self.level),
            needed=times * units if times else None,
            reason=f"{gap.groups} units, fewer than {FEWEST_GROUPS}" if gap.groups < FEWEST_GROUPS else None,
        )

    def mean(self, name: str, pinned: Floats, beside: Floats, units: Sequence[Ints]) -> Figure:
        """Compare the means of what both releases have, each shape (n,), with the units of each."""
        try:
            gap, values = self._compared(summed.mean(pinned), summed.mean(beside), units)
        except DegenerateRows as why:
            return Figure(name=name, reason=str(why.args[0]))
        return self._figure(name, gap, *values)

    def moved(self, name: str, change: Floats, units: Ints) -> Figure:
        """Give the mean of what pairs differ by, shape (n,): it has no value of one release alone."""
        try:
            gap = differences.paired(statistics.estimate(summed.mean(change), units))
        except DegenerateRows as why:
            return Figure(name=name, reason=str(why.args[0]))
        return self._figure(name, gap, None, None)

    def _known(self, metric: Metric, pinned: Side, beside: Side) -> tuple[Gap, tuple[float, float]]:
        ours, theirs = (_influence(metric, side) for side in (pinned, beside))
        return self._compared(ours, theirs, (pinned.units, beside.units))

    def _compared(self, ours: Influence, theirs: Influence, units: Sequence[Ints]) -> tuple[Gap, tuple[float, float]]:
        values = (ours.value, theirs.value)
        if self.paired:
            return differences.paired(statistics.difference(ours, theirs, units[0])), values
        return differences.unpaired(statistics.estimate(ours, units[0]), statistics.estimate(theirs, units[1])), values

    def _own(self, metric: Metric, pinned: Side, beside: Side) -> tuple[Gap, tuple[float, float]]:
        """Judge a metric that the project wrote by drawing units: it has no influence values."""
        ours, theirs = (_weighted(metric, side) for side in (pinned, beside))
        values = tuple(of(np.ones(len(side.units))) for of, side in ((ours, pinned), (theirs, beside)))
        if self.paired:
            found = statistics.bootstrap(lambda w: theirs(w) - ours(w), pinned.units, self.seed)
            return differences.paired(found), (values[0], values[1])
        parts: list[Estimate] = [
            statistics.bootstrap(of, side.units, self.seed) for of, side in ((ours, pinned), (theirs, beside))
        ]
        return differences.unpaired(*parts), (values[0], values[1])

    def _figure(self, name: str, gap: Gap, pinned: float | None, beside: float | None) -> Figure:
        return Figure(
            name=name,
            pinned=pinned,
            beside=beside,
            difference=gap.value,
            fixed=gap.fixed(self.level),
            always=gap.always(self.level),
        )


def score(signature: Signature) -> tuple[str, Callable[[Floats], Floats]]:
    """Give the name of the one score that is compared without labels, and what gives it from scores."""
    if signature.task == "regression":
        return "value", lambda scores: scores[:, -1]
    if len(signature.classes) == 2:
        return f"score {signature.classes[1]}", lambda scores: scores[:, -1]
    return "largest score", lambda scores: scores.max(axis=1)


def flipped(pinned: Side, beside: Side) -> Floats:
    """Give 1 for each row that the two releases call differently, each by its own threshold, shape (n,)."""
    called = [metrics.called(side.flat, side.threshold) for side in (pinned, beside)]
    return np.asarray(called[0] != called[1], dtype=np.float64)


def _influence(metric: Metric, side: Side) -> Influence:
    return metrics.measure(metric.name, _labels(side), side.scores, side.threshold)


def _weighted(metric: Metric, side: Side) -> Callable[[Floats], float]:
    labels, own = _labels(side), metric.own
    if own is None:
        raise DegenerateRows(f"{metric.name} has no function")
    scores = metrics.checked(metric.name, labels, side.scores)
    return lambda weights: float(own(labels, scores, weights))


def _labels(side: Side) -> NDArray[Any]:
    if side.labels is None:
        raise DegenerateRows("there are no labels")
    return side.labels
