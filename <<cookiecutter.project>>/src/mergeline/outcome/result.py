"""What `model experiment report` found, as data, and how it is drawn."""

from datetime import datetime
from typing import Any

import msgspec
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..experiments import Kind
from ..verdict import Word
from . import words
from .figures import Figure
from .ratio import Ratio

NAME = 10
"""Columns of a terminal that a name has at least."""
STYLES = {"better": "bold green", "worse": "bold red", "same": "bold", "cannot tell": "bold yellow"}


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """What one release answered: milliseconds are of requests that it answered alone, null where none is in the log."""

    name: str
    release: str
    requests: int
    rows: int
    units: int
    labelled: int | None = None
    median_ms: float | None = None
    slow_ms: float | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison. `unit` is what belongs together, in the plural; `word` is null where no verdict is given."""

    environment: str
    kind: Kind
    share: float
    key: str | None
    since: datetime
    ended: datetime | None
    level: float
    unit: str
    arms: list[Arm]
    ratio: Ratio | None
    figures: list[Figure]
    notes: list[str]
    word: Word | None
    verdict: str

    def table(self) -> Any:
        """Draw it."""
        parts: list[Any] = [_text(self.title()), self._arms()]
        if self.ratio is not None:
            parts.append(_text(words.ratio(self.ratio, self.unit), "bold red" if self.ratio.broken else ""))
        parts += [self._figures(), _text(words.LOOKS, "dim"), *(_text(note, "dim") for note in self.notes), Text()]
        parts.append(_text(self.verdict, STYLES[self.word] if self.word else "bold"))
        return Group(*parts)

    def title(self) -> str:
        """Say which release stands beside which, where, and from which time on."""
        ours, theirs = (arm.release[:12] for arm in self.arms)
        share = "" if self.kind == "shadow" else f", {words.percent(self.share)}"
        by = f" by {self.key}" if self.key else ""
        ended = f", ended {self.ended:%Y-%m-%d %H:%M}" if self.ended else ""
        since = f"from {self.since:%Y-%m-%d %H:%M} UTC"
        return f"{self.kind} in {self.environment}: {theirs} beside {ours}{share}{by}, {since}{ended}"

    def _arms(self) -> Table:
        units = [] if self.unit == "requests" else [self.unit]
        table = _table("arm", "requests", *units, "rows", "labelled", "median ms", "p95 ms")
        for arm in self.arms:
            counts = [arm.requests, *([arm.units] if units else []), arm.rows, arm.labelled]
            times = [words.milliseconds(ms) for ms in (arm.median_ms, arm.slow_ms)]
            said = ["" if count is None else f"{count:,}" for count in counts]
            table.add_row(arm.name, *said, *times)
        return table

    def _figures(self) -> Table:
        level = f"{100 * self.level:.4g}%"
        table = _table("", "pinned", self.kind, "difference", f"{level}, one look", f"{level}, always")
        table.columns[0].min_width = NAME
        for column in table.columns[-2:]:
            column.no_wrap = False  # between its two ends, where numbers are long
        for figure in self.figures:
            table.add_row(Text(figure.name), *words.cells(figure))
        return table


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for i, title in enumerate(titles):
        table.add_column(title, justify="left" if i == 0 else "right", no_wrap=i > 0, overflow="fold")
    return table


def _text(said: str, style: str = "") -> Text:
    """Give a paragraph that is wrapped between words, also where the console wraps nothing."""
    return Text(said, style=style, no_wrap=False, overflow="fold")
