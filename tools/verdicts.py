"""`make bench-verdict`: are the verdicts true? False alarms, coverage, power and references, measured in one run.

Nulls swap whole groups between two models that differ, on the real flights and on made rows, and play pull requests that
change nothing. Every share is printed with how many trials it is of; the exit code is 1 when a limit is broken.
"""

import sys
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import stats

from mergeline import metrics, statistics
from mergeline.compare import gates, noise
from mergeline.compare.noise import Anew
from mergeline.statistics import Estimate, Floats, Ints
from tools import flights

DELTA = 0.005
GAIN = 0.2
"""How much a made candidate gains, in logits."""
AUC = metrics.ALL["roc_auc"]
console = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Share:
    """How often something happened, and between which shares it may lie; None where it is only looked at."""

    name: str
    hits: int
    of: int
    low: float | None = None
    high: float | None = None
    beside: str = ""

    @property
    def value(self) -> float:
        """Give the share."""
        return self.hits / self.of

    @property
    def broken(self) -> bool:
        """Whether it lies outside."""
        return (self.low is not None and self.value < self.low) or (self.high is not None and self.value > self.high)


def main() -> None:
    """Measure all, print one table."""
    found = [*swapped_flights(), *swapped_rows(), *nothing_changed(), *coverage(), *power(), *references()]
    table = Table("what", "share", "limit", "", title="Are the verdicts true?", title_justify="left")
    for share in found:
        limits = [f"≥ {share.low:.0%}" if share.low else "", f"≤ {share.high:.0%}" if share.high is not None else ""]
        limit = " ".join(filter(None, limits))
        shown = f"{share.value:.1%} of {share.of:,}"
        table.add_row(share.name, f"[red]{shown}[/]" if share.broken else shown, limit, share.beside)
    console.print(table)
    sys.exit(any(share.broken for share in found))


def told(estimate: Estimate) -> bool:
    """Whether *better* or *worse* is said."""
    return gates.word(AUC, estimate, DELTA) in ("better", "worse")


def judged(labels: NDArray[np.int64], base: Floats, candidate: Floats, groups: Ints) -> Estimate:
    """Judge the AUC of two score columns."""
    sides = [metrics.measure("roc_auc", labels, scores) for scores in (base, candidate)]
    return statistics.difference(sides[0], sides[1], groups)


def area(labels: NDArray[np.int64], scores: Floats, side: str) -> float:  # noqa: ARG001  of either side
    """Give the AUC."""
    return metrics.measure("roc_auc", labels, scores).value


def swap(base: Floats, candidate: Floats, groups: Ints, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Exchange the two models' scores in a random half of the groups: on average neither is better."""
    other = (rng.random(int(groups.max()) + 1) < 0.5)[groups]
    return np.where(other, candidate, base), np.where(other, base, candidate)


def swapped_flights(trials: int = 500) -> list[Share]:
    """Swap whole days between the model with and the one without the weather."""
    found = []
    for months, limit in (((5, 6), 0.05), ((6,), 0.08)):
        scored = flights.weather(months)
        rng = np.random.default_rng(7)
        alarms, by_row = 0, 0
        for _ in track(range(trials), f"Swapped days of {len(months)} months", console=console, transient=True):
            base, candidate = swap(scored.base, scored.candidate, scored.groups, rng)
            alarms += told(judged(scored.labels, base, candidate, scored.groups))
            by_row += told(judged(scored.labels, base, candidate, np.arange(len(scored.labels))))
        days = int(scored.groups.max()) + 1
        found.append(
            Share(
                f"false alarms, flights, {days} days swapped",
                alarms,
                trials,
                high=limit,
                beside=f"by row {by_row / trials:.0%}",
            )
        )
    return found


def made(groups: int, rng: np.random.Generator, gain: float = 0.0, each: int = 120) -> flights.Scored:
    """Make rows whose days are late together, and two models whose errors go by the day."""
    day = np.repeat(np.arange(groups), each)
    logit = -1.0 + rng.normal(0, 0.5, groups)[day] + rng.normal(0, 1, len(day))
    labels = (rng.random(len(day)) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    base = logit + rng.normal(0, 1.5, len(day)) + rng.normal(0, 1.0, groups)[day]
    candidate = base + gain * (2 * labels - 1) + rng.normal(0, 0.8, groups)[day]
    return flights.Scored(labels, expit(base), expit(candidate), day)


def expit(values: Floats) -> Floats:
    """Give probabilities."""
    return np.asarray(1 / (1 + np.exp(-values)), dtype=np.float64)


def swapped_rows(trials: int = 1000) -> list[Share]:
    """Swap whole groups of made rows whose design effect is large."""
    found = []
    for groups, limit in ((60, 0.05), (30, 0.08)):
        rng = np.random.default_rng(7)
        alarms, effects = 0, []
        for _ in track(range(trials), f"Swapped groups of made rows, {groups}", console=console, transient=True):
            scored = made(groups, rng, each=400)
            base, candidate = swap(scored.base, scored.candidate, scored.groups, rng)
            estimate = judged(scored.labels, base, candidate, scored.groups)
            alarms += told(estimate)
            effects.append(estimate.design_effect or 0.0)
        beside = f"design effect {np.median(effects):.0f}"
        found.append(
            Share(f"false alarms, made rows, {groups} groups swapped", alarms, trials, high=limit, beside=beside)
        )
    return found


def nothing_changed(trials: int = 100) -> list[Share]:
    """Play pull requests that only take another seed or add a column of noise, with the noise of training measured."""
    alarms = {True: 0, False: 0}
    for i in track(range(trials), "Pull requests that change nothing", console=console, transient=True):
        scored, anew = flights.nothing(i)
        quiet = judged(scored.labels, scored.base, scored.candidate, scored.groups)
        value = partial(area, scored.labels)
        noisy = noise.add(quiet, Anew(*anew), value)
        alarms[True] += told(noisy)
        alarms[False] += told(quiet)
    beside = f"without the noise of training {alarms[False] / trials:.0%}"
    return [Share("false alarms, pull requests that change nothing", alarms[True], trials, high=0.05, beside=beside)]


def coverage(trials: int = 1000) -> list[Share]:
    """Count how often the interval holds the true difference, known from very many groups."""
    rng = np.random.default_rng(11)
    truth = true_difference(rng)
    found = []
    for groups, low, high in ((60, 0.93, 0.97), (30, 0.91, None)):
        hits, by_row = 0, 0
        for _ in track(range(trials), f"Coverage, {groups} groups", console=console, transient=True):
            scored = made(groups, rng, GAIN)
            estimate = judged(scored.labels, scored.base, scored.candidate, scored.groups)
            hits += holds(estimate.interval(), truth)
            rows = Estimate(estimate.value, estimate.row_error or 0.0, len(scored.labels))
            by_row += holds(rows.interval(), truth)
        found.append(Share(f"coverage, {groups} groups", hits, trials, low, high, f"by row {by_row / trials:.0%}"))
    return found


def true_difference(rng: np.random.Generator) -> float:
    """Give the AUC difference that `GAIN` makes, from very many groups."""
    parts = [judged(s.labels, s.base, s.candidate, s.groups).value for s in (made(3000, rng, GAIN) for _ in range(6))]
    return float(np.mean(parts))


def holds(interval: tuple[float, float], truth: float) -> bool:
    """Whether an interval holds the truth."""
    return interval[0] <= truth <= interval[1]


def power(trials: int = 400) -> list[Share]:
    """Give a difference of exactly what matters, as many groups as the comment names, and count how often it is told."""
    rng = np.random.default_rng(13)
    matters = true_difference(rng)
    pilot = [judged(s.labels, s.base, s.candidate, s.groups) for s in (made(60, rng, GAIN) for _ in range(40))]
    needed = round(float(np.median([(p.groups_needed(matters) or (np.nan,))[0] for p in pilot])))
    seen, better = 0, 0
    for _ in track(range(trials), f"Power, {needed} groups", console=console, transient=True):
        scored = made(needed, rng, GAIN)
        estimate = judged(scored.labels, scored.base, scored.candidate, scored.groups)
        seen += estimate.interval()[0] > 0
        better += gates.word(AUC, estimate, matters) == "better"
    beside = f"*better*, which also wants an estimate of at least what matters: {better / trials:.0%}"
    return [Share(f"told from none at the {needed} groups named", seen, trials, 0.72, 0.85, beside)]


def references() -> list[Share]:
    """Compare with slow references: DeLong's definition, a bootstrap of groups, McNemar's test."""
    rng = np.random.default_rng(17)
    scored = made(60, rng, GAIN, each=30)
    agree = [*(bootstrap_agrees(name, scored) for name in metrics.of_task("classification")), delong_agrees(scored)]
    agree.append(mcnemar_agrees(scored))
    return [
        Share("references that agree (DeLong, McNemar, group bootstrap within 10%)", sum(agree), len(agree), low=1.0)
    ]


def bootstrap_agrees(name: str, scored: flights.Scored, draws: int = 10_000) -> bool:
    """Whether the standard error is within 10% of that of a bootstrap of whole groups."""
    rng = np.random.default_rng(19)
    rows = [np.flatnonzero(scored.groups == g) for g in range(int(scored.groups.max()) + 1)]
    sides = [metrics.measure(name, scored.labels, scores) for scores in (scored.base, scored.candidate)]
    mine = statistics.difference(sides[0], sides[1], scored.groups).standard_error
    values = np.empty(draws)
    for i in track(range(draws), f"Bootstrap of {name}", console=console, transient=True):
        some = np.concatenate([rows[g] for g in rng.integers(0, len(rows), len(rows))])
        pair = [
            metrics.measure(name, scored.labels[some], scores[some]).value for scores in (scored.base, scored.candidate)
        ]
        values[i] = pair[1] - pair[0]
    return bool(abs(mine / values.std(ddof=1) - 1) < 0.10)


def delong_agrees(scored: flights.Scored) -> bool:
    """Whether the AUC difference of single rows has DeLong's variance, from its definition by all pairs."""
    positive = scored.labels == 1
    wins = [np.sign(s[positive][:, None] - s[~positive][None, :]) / 2 + 0.5 for s in (scored.base, scored.candidate)]
    by_positive, by_negative = ([w.mean(axis=axis) for w in wins] for axis in (1, 0))
    variance = sum(np.var(part[1] - part[0], ddof=1) / len(part[0]) for part in (by_positive, by_negative))
    mine = judged(scored.labels, scored.base, scored.candidate, np.arange(len(scored.labels)))
    return bool(abs(mine.standard_error / variance**0.5 - 1) < 0.005)


def mcnemar_agrees(scored: flights.Scored) -> bool:
    """Whether the accuracies of single rows are told apart as McNemar's (1947) test tells them."""
    right = [(scores >= 0.5) == scored.labels for scores in (scored.base, scored.candidate)]
    gained, lost = int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
    reference = float(stats.chi2.sf((gained - lost) ** 2 / (gained + lost), 1))
    sides = [metrics.measure("accuracy", scored.labels, scores) for scores in (scored.base, scored.candidate)]
    mine = statistics.difference(sides[0], sides[1], np.arange(len(scored.labels))).p_value()
    return abs(mine - reference) < 0.01


if __name__ == "__main__":
    main()
