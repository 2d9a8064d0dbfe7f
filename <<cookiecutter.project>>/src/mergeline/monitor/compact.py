"""`model monitor compact`: the prediction log as Parquet, a file for each of its files and a line for each prediction.

Columns: `time` (UTC), `request`, `row`, `release`, `bundle`, `arm`, `seconds`, `scores` (a list), `label`, `key`, and
`feature_NAME` for each column that was logged: numbers, or text where any value of the file is one. A column without a
value is left out, so that it has one type wherever it is.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from .. import events, files
from ..events import Event

ROWS = 50_000
"""Held as Python objects at once; a file's other rows are held as columns."""
SCHEMA: dict[str, Any] = {
    "time": pl.Datetime("us", "UTC"),
    "request": pl.String,
    "row": pl.Int64,
    "release": pl.String,
    "bundle": pl.String,
    "arm": pl.String,
    "seconds": pl.Float64,
    "scores": pl.List(pl.Float64),
    "label": pl.String,
    "key": pl.String,
}
FEATURE = "feature_"


@dataclass(frozen=True, slots=True)
class Compacted:
    """What one call did: files and rows that were written, files that were there, and files that servers still write."""

    into: Path
    files: int
    rows: int
    there: int
    open: int

    def line(self) -> str:
        """Give one line for a person."""
        said = [f"{_some(self.rows, 'row')} of {_some(self.files, 'file')} written to {self.into}"]
        if self.there:
            said.append(f"{_some(self.there, 'file')} there already")
        if self.open:
            said.append(f"{_some(self.open, 'file')} still written by a server, left for the next call")
        return "; ".join(said)


def run(log: Path, into: Path, *, remove: bool) -> Compacted:
    """Write what is not written yet; whole files or none.

    Args:
        log: the folder of the prediction log; or a file of what a platform collected, which may have grown since the last
            call and is written anew.
        into: the folder of the Parquet files.
        remove: whether a file of the log goes once its Parquet file is on the disk.

    Raises:
        BadData: there is no log, or a line of it is no event; what was written before stays.
    """
    count = rows = there = unfinished = 0
    for source in events.sources(log):
        if not source.exists():
            continue  # it made room for a newer one
        if not events.finished(source):
            unfinished += 1
            continue
        target = into / f"{source.stem}.parquet"
        if target.exists() and log.is_dir():
            there += 1
        else:
            table = read(source)
            buffer = io.BytesIO()
            table.write_parquet(buffer, compression="zstd")
            files.write(target, buffer.getvalue())
            count, rows = count + 1, rows + len(table)
        if remove:
            source.unlink(missing_ok=True)
    return Compacted(into, count, rows, there, unfinished)


def read(source: Path) -> pl.DataFrame:
    """Give the predictions of a file, in its order. Raises BadData."""
    lines = _lines(events.read(source))
    parts = [_table(some) for some in iter(lambda: list(islice(lines, ROWS)), [])]
    found: pl.DataFrame = pl.concat([pl.DataFrame(schema=SCHEMA), *parts], how="diagonal_relaxed")
    return found.drop(name for name in found.columns if name not in SCHEMA and found[name].null_count() == len(found))


def _lines(found: Iterator[Event]) -> Iterator[dict[str, Any]]:
    for event in found:
        said = {name: getattr(event, name) for name in ("time", "request", "release", "bundle", "arm", "seconds")}
        for row in event.rows:
            given = {f"{FEATURE}{name}": value for name, value in row.features.items()}
            yield {**said, "row": row.row, "scores": row.scores, "label": row.label, "key": row.key, **given}


def _table(lines: list[dict[str, Any]]) -> pl.DataFrame:
    names = dict.fromkeys(name for line in lines for name in line)
    columns = {name: [line.get(name) for line in lines] for name in names}
    return pl.DataFrame([_column(name, values) for name, values in columns.items()])


def _column(name: str, values: list[Any]) -> pl.Series:
    if name in SCHEMA:
        return pl.Series(name, values, dtype=SCHEMA[name])
    if any(isinstance(value, str) for value in values):
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    return pl.Series(name, values, dtype=pl.Float64)


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
