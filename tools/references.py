"""Slow references for intervals: DeLong's definition and a published example, a bootstrap of groups, McNemar's test."""

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar

from mergeline import metrics, statistics
from tools.flights import Scored
from tools.made import GAIN, judged, made

Agreement = tuple[str, bool, str]
"""What agrees, whether it does, and the numbers."""

PUBLISHED_Z = 2.209
"""Of the difference of two AUC by DeLong's test, as the manual of the R package pROC prints it: WFNS against S100B."""
PATIENTS = {
    (0, 1): "4 4 4 4 5 5 6 6 7 7 7 7 8 8 8 8 9 9 9 9 10 10 10 10 11 11 13 13 14 14 14 15 16 18 19 48 50",
    (0, 2): "4 7 8 8 9 9 10 10 10 11 11 13 14 15 15 15 16 17 19 43",
    (0, 3): "5 7 33",
    (0, 4): "16 17 28 32 34 38 45 47",
    (0, 5): "24 46 47 50",
    (1, 1): "7 8",
    (1, 2): "7 7 9 9 10 10 11 14 25 30 41 58",
    (1, 3): "13",
    (1, 4): "13 16 23 26 27 48 71 96",
    (1, 5): "3 12 22 32 33 35 44 44 49 52 56 70 71 74 77 82 86 207",
}
"""S100B in 0.01 µg/l of its 113 patients, by (poor outcome, WFNS grade); data of Turck et al. (2010)."""


def agreements() -> list[Agreement]:
    """Compare everything with its reference."""
    rng = np.random.default_rng(17)
    scored = made(60, rng, GAIN, each=30)
    values = regression(rng)
    agree = [bootstrap_agrees(name, scored) for name in metrics.of_task("classification")]
    agree += [bootstrap_agrees(name, values) for name in metrics.of_task("regression")]
    return [*agree, delong_agrees(scored), published_agrees(), mcnemar_agrees(scored)]


def regression(rng: np.random.Generator, groups: int = 60, each: int = 30) -> Scored:
    """Make values whose groups err together, and two models' predictions of them."""
    day = np.repeat(np.arange(groups), each)
    labels = rng.normal(0, 1, len(day)) + rng.normal(0, 0.5, groups)[day]
    base = labels + rng.normal(0, 0.8, len(day)) + rng.normal(0, 0.4, groups)[day]
    candidate = labels + rng.normal(0, 0.7, len(day)) + rng.normal(0, 0.4, groups)[day]
    return Scored(labels, base, candidate, day)


def bootstrap_agrees(name: str, scored: Scored, draws: int = 10_000) -> Agreement:
    """Say whether the standard error is within 10% of that of a bootstrap of whole groups."""
    rng = np.random.default_rng(19)
    rows = [np.flatnonzero(scored.groups == g) for g in range(int(scored.groups.max()) + 1)]
    sides = [metrics.measure(name, scored.labels, scores) for scores in (scored.base, scored.candidate)]
    mine = statistics.difference(sides[0], sides[1], scored.groups).standard_error
    values = np.empty(draws)
    for i in range(draws):
        some = np.concatenate([rows[g] for g in rng.integers(0, len(rows), len(rows))])
        pair = [
            metrics.measure(name, scored.labels[some], scores[some]).value for scores in (scored.base, scored.candidate)
        ]
        values[i] = pair[1] - pair[0]
    ratio = float(mine / values.std(ddof=1))
    return f"{name}, group bootstrap within 10%", abs(ratio - 1) < 0.10, f"ratio {ratio:.3f}"


def delong_agrees(scored: Scored) -> Agreement:
    """Say whether the AUC difference of single rows has DeLong's variance, from its definition by all pairs."""
    positive = scored.labels == 1
    wins = [np.sign(s[positive][:, None] - s[~positive][None, :]) / 2 + 0.5 for s in (scored.base, scored.candidate)]
    by_positive, by_negative = ([w.mean(axis=axis) for w in wins] for axis in (1, 0))
    variance = sum(np.var(part[1] - part[0], ddof=1) / len(part[0]) for part in (by_positive, by_negative))
    mine = judged(scored.labels, scored.base, scored.candidate, np.arange(len(scored.labels)))
    ratio = float(mine.standard_error / variance**0.5)
    return "DeLong by all pairs within 0.5%", abs(ratio - 1) < 0.005, f"ratio {ratio:.4f}"


def published_agrees() -> Agreement:
    """Say whether single rows of the published example have its Z, within 1%: ours has one factor n / (n - 1) for both classes."""
    rows = [(*key, float(value)) for key, values in PATIENTS.items() for value in values.split()]
    poor, grade, protein = (np.array(column) for column in zip(*rows, strict=True))
    found = judged(poor, protein, grade.astype(np.float64), np.arange(len(poor)))
    z = found.value / found.standard_error
    return "DeLong, published example within 1%", abs(z / PUBLISHED_Z - 1) < 0.01, f"Z {z:.3f}, published {PUBLISHED_Z}"


def mcnemar_agrees(scored: Scored) -> Agreement:
    """Say whether the accuracies of single rows are told apart as McNemar's (1947) test tells them."""
    right = [(scores >= 0.5) == scored.labels for scores in (scored.base, scored.candidate)]
    gained, lost = int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
    table = [[int((right[0] & right[1]).sum()), lost], [gained, int((~right[0] & ~right[1]).sum())]]
    reference = float(mcnemar(table, exact=False, correction=False).pvalue)
    sides = [metrics.measure("accuracy", scored.labels, scores) for scores in (scored.base, scored.candidate)]
    mine = statistics.difference(sides[0], sides[1], np.arange(len(scored.labels))).p_value()
    return "McNemar within 0.01", abs(mine - reference) < 0.01, f"p {mine:.4f}, reference {reference:.4f}"
