"""Each release's metric with its interval over time, read from the pins in git."""

from pathlib import Path
from typing import Any

from .. import config, metrics, repo
from ..config import Gates
from ..errors import RepositoryTrouble, Usage
from . import degradation, ledger, pins, timeline
from .degradation import Point
from .manifest import Measured, Release
from .timeline import Entry, History


def run(root: Path, environment: str, metric: str | None) -> History:
    """Read the history of one environment.

    Args:
        root: the project's folder.
        environment: whose pins.
        metric: a metric that releases carry; None takes the primary one of gates.yaml.

    Raises:
        Usage: there is no such environment, or no release has that metric.
        RepositoryTrouble: the environment has had no release.
    """
    found, pinned, notes = live(root, environment)
    gates, level = config.gates(root), config.params(root).compare.level
    name = metric or gates.primary
    known = list(dict.fromkeys(key for _, release in found for key in release.metrics))
    if name not in known:
        raise Usage(
            f"no release of {environment} carries the metric {name!r:.80}",
            f"Name one with --metric: {', '.join(known) or 'none carries any'}.",
        )
    entries = [_entry(when, release, name, pinned) for when, release in found]
    points = [
        Point(release=e.release, value=e.value, interval=e.interval, level=e.level)
        for e in entries
        if e.value is not None and e.interval is not None
    ]
    better, matters = _rule(name, gates)
    begun = degradation.find(points, better, matters or 0.0, level)
    return History(
        environment=environment,
        metric=name,
        better=better,
        matters=matters,
        level=level,
        releases=entries,
        degradation=begun,
        summary=timeline.summary(begun, entries, len(points), name, matters),
        notes=notes,
    )


def live(root: Path, environment: str) -> tuple[list[tuple[str, Release]], str | None, list[str]]:
    """Give every release with the time when it first went live, oldest first; which is pinned; what is missing.

    Raises:
        Usage: there is no such environment.
        RepositoryTrouble: it has had no release.
    """
    pins.check(root, environment)
    moves = ledger.moves(root, environment)[::-1]
    known = ledger.releases(root, environment)
    first = {move.release: move.when for move in reversed(moves) if move.release}
    order = dict.fromkeys(move.release for move in moves if move.release)
    shallow = repo.git(root, "rev-parse", "--is-shallow-repository") == "true"
    if not order:
        raise RepositoryTrouble(
            f"{environment} has had no release" + (" as far as this shallow clone goes back" if shallow else ""),
            "Run `git fetch --unshallow`." if shallow else f"Run `model promote {environment}`.",
        )
    broken = sum(move.action == "broken" for move in moves)
    notes = {
        "This clone is shallow, so earlier releases are missing: run `git fetch --unshallow`.": shallow,
        f"Left out: {broken} broken pins, which `model ledger {environment}` shows.": broken > 0,
    }
    found = [(first[release], known[release]) for release in order if release]
    return found, moves[-1].release, [text for text, applies in notes.items() if applies]


def setting(release: Release, section: str, key: str) -> Any:
    """Give a knob of the params.yaml that made a release; None where that template had none."""
    return (release.params.get(section) or {}).get(key)


def _entry(when: str, release: Release, metric: str, pinned: str | None) -> Entry:
    measured = release.metrics.get(metric, Measured(value=None, reason="not measured"))
    return Entry(
        release=release.id,
        when=when,
        as_of=setting(release, "data", "as_of"),
        period=release.data.period,
        value=measured.value,
        interval=measured.interval,
        reason=measured.reason,
        level=setting(release, "compare", "level") or 0.95,
        verdict=release.verdict,
        pinned=release.id == pinned,
    )


def _rule(name: str, gates: Gates) -> tuple[str, float | None]:
    """Give a metric's direction and the smallest difference that matters; "higher" for one that nobody knows now."""
    gate = gates.metrics.get(name)
    better = metrics.ALL[name].better if name in metrics.ALL else (gate.better if gate else None)
    return better or "higher", gate.matters if gate else None
