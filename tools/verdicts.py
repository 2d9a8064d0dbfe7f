"""`make bench-verdict`: are the verdicts true? False alarms, coverage, power and references, measured in one run.

Nulls swap whole groups between two models that differ, on the real flights and on made rows, and play pull requests that
change nothing. Every share is printed with how many trials it is of. A limit is of the true share: it is broken, and the
exit code 1, when the trials lie beyond it by more than chance explains (exact binomial test, one-sided 5%).
"""

import sys
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from mergeline import metrics
from mergeline.compare import gates, noise
from mergeline.compare.noise import Anew
from mergeline.statistics import Estimate, Floats
from tools import flights, references, sliced
from tools.made import GAIN, judged, made, swap

DELTA = 0.005
CHANCE = 0.05
DESIGN_EFFECT, CLUSTERED = 30, 1200
"""What the made rows of the null must have at least, and the rows of a group that give it."""
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
        """Whether a true share within the limits gives so many hits, or so few, in less than 5% of all runs."""
        too_few = self.low is not None and binomtest(self.hits, self.of, self.low, "less").pvalue < CHANCE
        return too_few or (
            self.high is not None and binomtest(self.hits, self.of, self.high, "greater").pvalue < CHANCE
        )


def main(*parts: str) -> None:
    """Measure all, or the named parts, and print one table."""
    found = [share for part in parts or PARTS for share in PARTS[part]()]
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


def area(labels: NDArray[np.int64], scores: Floats, side: str) -> float:  # noqa: ARG001  of either side
    """Give the AUC."""
    return metrics.measure("roc_auc", labels, scores).value


def swapped_flights(trials: int = 1000) -> list[Share]:
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


def swapped_rows(trials: int = 1000) -> list[Share]:
    """Swap whole groups of made rows whose design effect is large."""
    found = []
    for groups, limit in ((60, 0.05), (30, 0.08)):
        rng = np.random.default_rng(7)
        alarms, effects = 0, []
        for _ in track(range(trials), f"Swapped groups of made rows, {groups}", console=console, transient=True):
            scored = made(groups, rng, each=CLUSTERED)
            base, candidate = swap(scored.base, scored.candidate, scored.groups, rng)
            estimate = judged(scored.labels, base, candidate, scored.groups)
            alarms += told(estimate)
            effects.append(estimate.design_effect or 0.0)
        effect = float(np.median(effects))
        found.append(Share(f"false alarms, made rows, {groups} groups swapped", alarms, trials, high=limit))
        enough = f"design effect of {groups} groups of made rows at least {DESIGN_EFFECT}"
        found.append(Share(enough, int(effect >= DESIGN_EFFECT), 1, low=1.0, beside=f"median {effect:.0f}"))
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


def power(trials: int = 1000) -> list[Share]:
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


def null_slices(trials: int = 300) -> list[Share]:
    """Swap whole groups of made rows with 30 slices that mean nothing, and count how often one is shown."""
    rng = np.random.default_rng(23)
    shown = np.zeros(2, dtype=np.int64)
    for _ in track(range(trials), "Slices that mean nothing", console=console, transient=True):
        shown += sliced.shown(sliced.pull_request(rng), DELTA)
    return [
        Share(f"a slice shown of {sliced.SLICES} that mean nothing, {kind}", int(count), trials, high=0.05)
        for kind, count in zip(("named", "automatic"), shown, strict=True)
    ]


def slow_references() -> list[Share]:
    """Count the references that agree, each on a line."""
    return [
        Share(f"agrees: {name}", int(agrees), 1, low=1.0, beside=beside)
        for name, agrees, beside in references.agreements()
    ]


PARTS = {
    part.__name__: part
    for part in (swapped_flights, swapped_rows, nothing_changed, coverage, power, null_slices, slow_references)
}

if __name__ == "__main__":
    main(*sys.argv[1:])
