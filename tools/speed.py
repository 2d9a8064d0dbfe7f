"""`make bench-compare`: judging 100,000 held-out rows against a loop of scikit-learn metrics, both in one run.

The baseline draws groups again and again and measures with scikit-learn; few draws are timed and the time of 1,000 is
computed from them. The exit code is 1 when a limit is broken.
"""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn import metrics as reference

from mergeline import metrics, statistics
from mergeline.statistics import Floats, Ints
from tools import made
from tools.flights import Scored

DRAWS, TIMED = 1000, 5
SLICES = 30
GROUPS = 120
FEW = statistics.MANY_GROUPS - 1
"""The most groups that get the jackknife: its slowest case."""
LIMITS = {"times faster": 500.0, "seconds": 2.0, "GB": 0.5, "GB, 1,000,000 rows": 4.0, "seconds, own metric": 60.0}
BASELINE: dict[str, Callable[..., float]] = {
    "roc_auc": reference.roc_auc_score,
    "average_precision": reference.average_precision_score,
    "log_loss": reference.log_loss,
    "brier": reference.brier_score_loss,
    "accuracy": lambda labels, scores: reference.accuracy_score(labels, scores >= 0.5),
    "f1": lambda labels, scores: reference.f1_score(labels, scores >= 0.5),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing beside its limit."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False

    @property
    def broken(self) -> bool:
        """Whether the limit is broken."""
        return self.limit is not None and (self.value < self.limit if self.at_least else self.value > self.limit)


def main() -> None:
    """Measure, print one table."""
    rng = np.random.default_rng(7)
    scored, slices = rows(100_000, rng)
    ours = timed(lambda: judge(scored, slices))
    few = rows(100_000, rng, FEW)
    slowest = timed(lambda: judge(*few))
    memory = peak()
    theirs = timed(lambda: baseline(scored, slices, rng)) / TIMED * DRAWS
    own = timed(lambda: own_metric(scored))
    large, parts = rows(1_000_000, rng)
    judge(large, parts)
    table = Table("figure", "value", "limit", title="Judging, 6 metrics and 30 slices", title_justify="left")
    figures = (
        Figure("100,000 rows", ours, "s", LIMITS["seconds"]),
        Figure(f"the same by {DRAWS:,} draws and scikit-learn, from {TIMED} draws", theirs, "s"),
        Figure("ratio", theirs / ours, "x", LIMITS["times faster"], at_least=True),
        Figure(f"100,000 rows in {FEW} groups, by the jackknife", slowest, "s", LIMITS["seconds"]),
        Figure("ratio", theirs / slowest, "x", LIMITS["times faster"], at_least=True),
        Figure("memory at most, packages and rows included", memory, "GB", LIMITS["GB"]),
        Figure("with 1,000,000 rows", peak(), "GB", LIMITS["GB, 1,000,000 rows"]),
        Figure("a metric of your own, 1,000 draws", own, "s", LIMITS["seconds, own metric"]),
    )
    for figure in figures:
        bound = "" if figure.limit is None else f"{'>' if figure.at_least else '<'} {figure.limit:g} {figure.unit}"
        table.add_row(figure.name, f"{figure.value:,.2f} {figure.unit}", f"[red]{bound}[/]" if figure.broken else bound)
    Console(highlight=False).print(table)
    sys.exit(any(figure.broken for figure in figures))


def rows(count: int, rng: np.random.Generator, groups: int = GROUPS) -> tuple[Scored, list[Ints]]:
    """Make rows in groups, and slices that part them."""
    scored = made.made(groups, rng, made.GAIN, each=count // groups)
    part = rng.integers(0, SLICES, len(scored.labels))
    return scored, [np.flatnonzero(part == i) for i in range(SLICES)]


def judge(scored: Scored, slices: list[Ints]) -> None:
    """Judge every metric on all rows and on every slice."""
    for name in BASELINE:
        for some in (None, *slices):
            at = slice(None) if some is None else some
            sides = [metrics.measure(name, scored.labels[at], s[at]) for s in (scored.base, scored.candidate)]
            statistics.difference(sides[0], sides[1], statistics.codes(scored.groups[at]))


def baseline(scored: Scored, slices: list[Ints], rng: np.random.Generator) -> None:
    """Draw groups `TIMED` times and measure each time, as a loop over scikit-learn does."""
    places = [np.flatnonzero(scored.groups == g) for g in range(GROUPS)]
    part = np.empty(len(scored.labels), dtype=np.int64)
    for i, some in enumerate(slices):
        part[some] = i
    for _ in range(TIMED):
        drawn = np.concatenate([places[g] for g in rng.integers(0, GROUPS, GROUPS)])
        for inside in (drawn, *(drawn[part[drawn] == i] for i in range(SLICES))):
            for measure in BASELINE.values():
                for scores in (scored.base, scored.candidate):
                    measure(scored.labels[inside], scores[inside])


def own_metric(scored: Scored) -> None:
    """Judge the AUC as if the project had written it."""

    def area(weights: Floats) -> float:
        pair = [
            reference.roc_auc_score(scored.labels, s, sample_weight=weights) for s in (scored.base, scored.candidate)
        ]
        return float(pair[1] - pair[0])

    statistics.bootstrap(area, scored.groups, seed=7)


def timed(action: Callable[[], None]) -> float:
    """Give the seconds that an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def peak() -> float:
    """Give the largest memory that this process had so far, in GB."""
    unit = 1024**3 if sys.platform == "darwin" else 1024**2
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()
