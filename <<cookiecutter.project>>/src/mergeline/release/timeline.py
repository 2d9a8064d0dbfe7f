"""How the history of releases is shown: a table with every interval on one axis, and a sentence."""

import math

import msgspec
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from .degradation import Degradation
from .manifest import Verdict

WIDTH, NARROWEST = 31, 9
"""Of the plot, in characters."""
BORDERS = 14
"""What a table of five columns puts between them and around."""
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

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it: a table with a plot on one axis, each release on one line where the terminal is wide enough."""
        cells = self._cells(" ")
        if (room := _room(cells, options.max_width)) < WIDTH:
            room = _room(cells := self._cells("\n"), options.max_width)
        width = min(WIDTH, max(NARROWEST, room))
        ends = [end for e in self.releases for end in e.interval or ((e.value, e.value) if e.value is not None else ())]
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        left, right = _number(low, self.matters), _number(high, self.matters)
        told = Text(f"{self.metric} of the releases of {self.environment}, each on its own held-out rows")
        table = Table(box=box.SIMPLE_HEAD, title=told, title_justify="left", pad_edge=False)
        for title in ("live since", "data", self.metric):
            table.add_column(Text(title), no_wrap=True)
        table.add_column(Text(left + right.rjust(width - len(left))), width=width)
        table.add_column("verdict at merge")
        for e, (release, data, value, verdict) in zip(self.releases, cells, strict=True):
            drawn = e.reason or "" if e.value is None else plot(e.value, e.interval, low, high, width)
            style = "red" if self._degraded(e) else ""
            table.add_row(Text(release), Text(data), Text(value), Text(drawn, style=style), Text(verdict))
        levels = " or ".join(sorted({f"{100 * e.level:.4g}%" for e in self.releases}))
        lines = [f"{self.better.capitalize()} is better; [intervals] at {levels}; * is pinned now.", *self.notes]
        yield table
        yield from (Text(line, style="dim") for line in lines)
        yield Text(self.summary)

    def _cells(self, between: str) -> list[tuple[str, str, str, str]]:
        """Give what is said of each release; parts of a cell are `between` apart."""
        return [
            (
                f"{e.when[:10]}{between}{e.release[:SHORT]}{' *' if e.pinned else ''}",
                _data(e, between),
                between.join(_shown(e.value, e.interval, self.matters)) or "none",
                between.join(_claimed(e.verdict, self.metric, self.matters)),
            )
            for e in self.releases
        ]

    def _degraded(self, entry: Entry) -> bool:
        order = [e.release for e in self.releases]
        found = self.degradation
        return found is not None and order.index(entry.release) >= order.index(found.release)


def plot(value: float, interval: tuple[float, float] | None, low: float, high: float, width: int = WIDTH) -> str:
    """Draw a value and its interval on the axis from `low` to `high`.

    >>> plot(0.7, (0.6, 0.8), 0.5, 0.9, 21)
    '     ├────●────┤     '
    """

    def place(at: float) -> int:
        return round((at - low) / ((high - low) or 1.0) * (width - 1))

    cells = [" "] * width
    if interval is not None:
        left, right = place(interval[0]), place(interval[1])
        cells[left : right + 1] = "─" * (right + 1 - left)
        cells[left], cells[right] = "├", "┤"
    cells[place(value)] = "●"
    return "".join(cells)


def summary(begun: Degradation | None, entries: list[Entry], compared: int, metric: str, matters: float | None) -> str:
    """Say in a sentence or two where a degradation began, or why none is shown."""
    if compared < 2:
        return (
            f"No degradation can be shown: that takes two releases with an interval of {metric}, "
            f"and {compared} of {len(entries)} has one."
        )
    caution = (
        "Held-out months differ between releases, and a hard month looks like a worse model: "
        "verdicts at merge compare on equal rows."
    )
    if begun is None:
        return f"No degradation shown among {compared} releases. {caution}"
    when = next(e.when for e in entries if e.release == begun.release)
    low, high = (_number(end, matters, "+") for end in begun.interval)
    since = f" So {'is' if begun.since == 1 else 'are'} the {begun.since} after it." if begun.since else ""
    adjusted = f", adjusted for {begun.comparisons} comparisons" if begun.comparisons > 1 else ""
    return (
        f"A degradation began at release {begun.release[:SHORT]}, live since {when[:10]}: its {metric} of "
        f"{_number(begun.value, matters)} is worse than the {_number(begun.best_value, matters)} of {begun.best[:SHORT]} "
        f"({_number(begun.difference, matters, '+')}, {100 * begun.level:.4g}% interval {low} to {high}{adjusted}).{since} {caution}"
    )


def _room(cells: list[tuple[str, str, str, str]], width: int) -> int:
    """Give how many characters the plot may take beside these cells."""
    columns = [[line for cell in column for line in cell.splitlines()] for column in zip(*cells, strict=True)]
    return width - sum(max([len(line) for line in column], default=0) for column in columns) - BORDERS


def _data(entry: Entry, between: str) -> str:
    if entry.as_of:
        return f"before{between}{entry.as_of}"
    return f"{entry.period[0]}{between}to {entry.period[1]}" if entry.period else ""


def _claimed(verdict: Verdict | None, metric: str, matters: float | None) -> list[str]:
    """Say a verdict; its metric where that is another one than the table's."""
    if verdict is None:
        return ["none:", "no base"]
    of, places = (f" {verdict.metric}", None) if verdict.metric != metric else ("", matters)
    value, *ends = _shown(verdict.difference, verdict.interval, places, "+") or [""]
    return [f"{verdict.word}{of} {value}".rstrip(), *ends]


def _shown(
    value: float | None, interval: tuple[float, float] | None, matters: float | None, sign: str = ""
) -> list[str]:
    """Show a value, and its interval in brackets."""
    ends = [f"[{', '.join(_number(end, matters, sign) for end in interval)}]"] if interval else []
    return [] if value is None else [_number(value, matters, sign), *ends]


def _number(value: float, matters: float | None, sign: str = "") -> str:
    """Show a value as exactly as differences matter; `sign` is "+" for a difference."""
    if matters:
        return f"{value:{sign}.{min(6, max(0, -math.floor(math.log10(matters))))}f}"
    return f"{value:{sign}.4f}" if abs(value) < 1 else f"{value:{sign}.5g}"
