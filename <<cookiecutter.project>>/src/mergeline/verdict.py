"""The words of a verdict, and when each may be said: pull requests and experiments are judged by one rule."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .metrics import Metric

Word: TypeAlias = Literal["better", "worse", "same", "cannot tell"]
FEWEST_GROUPS = 10
"""Below this number of groups the variance itself is too uncertain, so nothing is told."""
EQUIVALENCE = 0.90
"""The level of the interval of *same*: two one-sided tests at 5% (Schuirmann 1987)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A metric that gates.yaml names; `matters` is the smallest difference that matters, in the metric's unit."""

    metric: Metric
    matters: float


def word(rule: Rule, value: float, groups: int, interval: Callable[[float], tuple[float, float]], level: float) -> Word:
    """Say what a difference shows.

    *better* and *worse*: the interval at `level` excludes zero and the difference is at least what matters.
    *same*: the 90% interval lies within what matters of zero.

    Args:
        rule: of the metric.
        value: candidate minus base.
        groups: how many independent ones stand behind it.
        interval: gives the interval at a level.
        level: of *better* and *worse*.
    """
    if groups < FEWEST_GROUPS:
        return "cannot tell"
    low, high = interval(level)
    if (low > 0 or high < 0) and abs(value) >= rule.matters:
        return "better" if rule.metric.gain(value) > 0 else "worse"
    low, high = interval(EQUIVALENCE)
    return "same" if -rule.matters < low and high < rule.matters else "cannot tell"
