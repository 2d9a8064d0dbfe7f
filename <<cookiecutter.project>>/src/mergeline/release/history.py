"""Each release's metric with its interval over time, read from the pins in git, and what each release claimed."""

import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from .. import config, metrics, repo, store
from ..claims import Claim
from ..config import Gates
from ..errors import MergelineError, RepositoryTrouble, Usage
from ..progress import step
from . import degradation, ledger, pins
from .degradation import Degradation, Point
from .manifest import Measured, Release, Verdict

WIDTH = 31
SHORT = 12


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One release of an environment; `when` it first went live. Null with a reason where it has no value."""

    release: str
    when: str
    as_of: str | None
    period: tuple[str, str] | None
    value: float | None
    interval: tuple[float, float] | None
    reason: str | None
    level: float
    verdict: Verdict | None
    pinned: bool


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All releases that an environment has had, oldest first."""

    environment: str
    metric: str
    better: str
    matters: float | None
    level: float
    releases: list[Entry]
    degradation: Degradation | None
    summary: str
    notes: list[str] = []

    def table(self) -> Any:
        """Draw it: table, plot on one axis, and where a degradation began."""
        ends = [end for e in self.releases for end in e.interval or ((e.value, e.value) if e.value is not None else ())]
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        edges = _number(low, self.matters), _number(high, self.matters)
        axis = edges[0] + edges[1].rjust(WIDTH - len(edges[0]))
        told = Text(f"{self.metric} of the releases of {self.environment}, each on its own held-out rows")
        table = Table(box=box.SIMPLE_HEAD, title=told, title_justify="left")
        for title, whole in (("live since", True), ("release", True), ("data", False), (self.metric, False)):
            table.add_column(Text(title), no_wrap=whole)
        table.add_column(Text(axis), no_wrap=True)
        table.add_column(Text("verdict at merge"))
        for e in self.releases:
            drawn = plot(e.value, e.interval, low, high) if e.value is not None else ""
            table.add_row(
                e.when[:10],
                Text(f"{e.release[:SHORT]}{' *' if e.pinned else ''}"),
                Text(_data(e)),
                Text(_value(e, self.matters)),
                Text(drawn, style="red" if self._degraded(e) else ""),
                Text(_claimed(e.verdict, self.metric, self.matters)),
            )
        levels = " or ".join(sorted({f"{100 * e.level:.4g}%" for e in self.releases}))
        lines = [f"{self.better.capitalize()} is better; [intervals] at {levels}; * is pinned now.", *self.notes]
        return Group(table, *(Text(line, style="dim") for line in lines), Text(self.summary))

    def _degraded(self, entry: Entry) -> bool:
        order = [e.release for e in self.releases]
        found = self.degradation
        return found is not None and order.index(entry.release) >= order.index(found.release)


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
    found, pinned, notes = _live(root, environment)
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
        summary=_summary(begun, entries, points, name, matters),
        notes=notes,
    )


def claims(root: Path, environment: str) -> list[Claim]:
    """Give what each release with a verdict claimed, with its two bundles where they can be had; oldest first.

    Raises:
        Usage: there is no such environment.
        RepositoryTrouble: the environment has had no release, or none of them was judged against another.
    """
    found, _, _ = _live(root, environment)
    by_bundle = {release.model.bundle_id: release for release in ledger.releases(root).values()}
    with step("Bundles"):
        made = [claim for when, release in found if (claim := _claim(root, when, release, by_bundle)) is not None]
    if not made:
        raise RepositoryTrouble(
            f"no release of {environment} was judged against an earlier one, so none claimed a gain",
            "A release that `model compare` judged against a base has a claim.",
        )
    return made


def plot(value: float, interval: tuple[float, float] | None, low: float, high: float) -> str:
    """Draw a value and its interval on the axis from `low` to `high`.

    >>> plot(0.7, (0.6, 0.8), 0.5, 0.9)
    '       ├───────●──────┤        '
    """

    def place(at: float) -> int:
        return round((at - low) / ((high - low) or 1.0) * (WIDTH - 1))

    cells = [" "] * WIDTH
    if interval is not None:
        left, right = place(interval[0]), place(interval[1])
        cells[left : right + 1] = "─" * (right + 1 - left)
        cells[left], cells[right] = "├", "┤"
    cells[place(value)] = "●"
    return "".join(cells)


def _live(root: Path, environment: str) -> tuple[list[tuple[str, Release]], str | None, list[str]]:
    """Give every release with the time when it first went live, oldest first; which is pinned; what is missing."""
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


def _entry(when: str, release: Release, metric: str, pinned: str | None) -> Entry:
    measured = release.metrics.get(metric, Measured(value=None, reason="not measured"))
    return Entry(
        release=release.id,
        when=when,
        as_of=_setting(release, "data", "as_of"),
        period=release.data.period,
        value=measured.value,
        interval=measured.interval,
        reason=measured.reason,
        level=_setting(release, "compare", "level") or 0.95,
        verdict=release.verdict,
        pinned=release.id == pinned,
    )


def _claim(root: Path, when: str, release: Release, by_bundle: dict[str, Release]) -> Claim | None:
    verdict = release.verdict
    if verdict is None or verdict.against is None or verdict.difference is None:
        return None
    base = by_bundle.get(verdict.against)
    judging = base or release
    claim = Claim(
        release=release.id,
        when=when,
        code=release.code,
        word=verdict.word,
        metric=verdict.metric,
        difference=verdict.difference,
        interval=verdict.interval,
        group=_setting(judging, "compare", "group"),
        split_group=_setting(judging, "split", "group"),
        level=_setting(judging, "compare", "level") or 0.95,
    )
    try:
        theirs = store.fetch(verdict.against, root, base.id if base else None)
        ours = store.fetch(release.model.bundle_id, root, release.id)
        ends = [_end(one) for one in (base, release) if one is not None]
    except MergelineError as why:
        return msgspec.structs.replace(claim, reason=str(why.args[0]))
    return msgspec.structs.replace(
        claim, models=(theirs, ours), end=max(ends)[0], by_as_of=all(sure for _, sure in ends)
    )


def _end(release: Release) -> tuple[str, bool]:
    """Give the first day of which a release knew no row, and whether data.as_of says so.

    Raises:
        RepositoryTrouble: neither data.as_of nor a period says it.
    """
    as_of: str | None = _setting(release, "data", "as_of")
    if as_of is not None:
        return as_of, True
    if release.data.period is None:
        raise RepositoryTrouble(f"release {release.id[:SHORT]} does not say until when it knew rows (data.as_of)")
    # A day more than the last one: that one is in the column's own time zone, days of rows are in UTC.
    return (date.fromisoformat(release.data.period[1]) + timedelta(days=2)).isoformat(), False


def _setting(release: Release, section: str, key: str) -> Any:
    """Give a knob of the params.yaml that made a release; None where that template had none."""
    return (release.params.get(section) or {}).get(key)


def _rule(name: str, gates: Gates) -> tuple[str, float | None]:
    """Give a metric's direction and the smallest difference that matters; "higher" for one that nobody knows now."""
    gate = gates.metrics.get(name)
    better = metrics.ALL[name].better if name in metrics.ALL else (gate.better if gate else None)
    return better or "higher", gate.matters if gate else None


def _data(entry: Entry) -> str:
    if entry.as_of:
        return f"before {entry.as_of}"
    return f"{entry.period[0]} to {entry.period[1]}" if entry.period else ""


def _value(entry: Entry, matters: float | None) -> str:
    if entry.value is None:
        return f"none: {entry.reason or 'not measured'}"
    shown = _number(entry.value, matters)
    return f"{shown} [{', '.join(_number(end, matters) for end in entry.interval)}]" if entry.interval else shown


def _claimed(verdict: Verdict | None, metric: str, matters: float | None) -> str:
    """Say a verdict; its metric where that is another one than the table's."""
    if verdict is None:
        return "none: no base"
    of, places = (f" {verdict.metric}", None) if verdict.metric != metric else ("", matters)
    shown = "" if verdict.difference is None else f" {_number(verdict.difference, places, '+')}"
    ends = f" [{', '.join(_number(end, places, '+') for end in verdict.interval)}]" if verdict.interval else ""
    return f"{verdict.word}{of}{shown}{ends}"


def _number(value: float, matters: float | None, sign: str = "") -> str:
    """Show a value as exactly as differences matter; `sign` is "+" for a difference."""
    if matters:
        return f"{value:{sign}.{min(6, max(0, -math.floor(math.log10(matters))))}f}"
    return f"{value:{sign}.4f}" if abs(value) < 1 else f"{value:{sign}.5g}"


def _summary(
    begun: Degradation | None, entries: list[Entry], points: list[Point], metric: str, matters: float | None
) -> str:
    if len(points) < 2:
        return (
            f"No degradation can be shown: that takes two releases with an interval of {metric}, "
            f"and {len(points)} of {len(entries)} has one."
        )
    caution = "Their held-out months differ, and a hard month looks the same: verdicts at merge compare on equal rows."
    if begun is None:
        return f"No degradation shown among {len(points)} releases. {caution}"
    when = next(e.when for e in entries if e.release == begun.release)
    low, high = (_number(end, matters, "+") for end in begun.interval)
    since = f" So {'is' if begun.since == 1 else 'are'} the {begun.since} after it." if begun.since else ""
    adjusted = f", adjusted for {begun.comparisons} comparisons" if begun.comparisons > 1 else ""
    return (
        f"A degradation began at release {begun.release[:SHORT]}, live since {when[:10]}: its {metric} of "
        f"{_number(begun.value, matters)} is worse than the {_number(begun.best_value, matters)} of {begun.best[:SHORT]} "
        f"({_number(begun.difference, matters, '+')}, {100 * begun.level:.4g}% interval {low} to {high}{adjusted}).{since} {caution}"
    )
