"""Rows that are made for benchmarks of the verdict: groups that err together, and two models."""

import numpy as np
from numpy.typing import NDArray

from mergeline import metrics, statistics
from mergeline.statistics import Estimate, Floats, Ints
from tools.flights import Scored

GAIN = 0.2
"""How much a made candidate gains, in logits."""


def judged(labels: NDArray[np.int64], base: Floats, candidate: Floats, groups: Ints) -> Estimate:
    """Judge the AUC of two score columns."""
    sides = [metrics.measure("roc_auc", labels, scores) for scores in (base, candidate)]
    return statistics.difference(sides[0], sides[1], groups)


def swap(base: Floats, candidate: Floats, groups: Ints, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Exchange the two models' scores in a random half of the groups: on average neither is better."""
    other = (rng.random(int(groups.max()) + 1) < 0.5)[groups]
    return np.where(other, candidate, base), np.where(other, base, candidate)


def made(groups: int, rng: np.random.Generator, gain: float = 0.0, each: int = 120) -> Scored:
    """Make rows whose days are late together, and two models whose errors go by the day."""
    day = np.repeat(np.arange(groups), each)
    logit = -1.0 + rng.normal(0, 0.5, groups)[day] + rng.normal(0, 1, len(day))
    labels = (rng.random(len(day)) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    base = logit + rng.normal(0, 1.5, len(day)) + rng.normal(0, 1.0, groups)[day]
    candidate = base + gain * (2 * labels - 1) + rng.normal(0, 0.8, groups)[day]
    return Scored(labels, expit(base), expit(candidate), day)


def expit(values: Floats) -> Floats:
    """Give probabilities."""
    return np.asarray(1 / (1 + np.exp(-values)), dtype=np.float64)
