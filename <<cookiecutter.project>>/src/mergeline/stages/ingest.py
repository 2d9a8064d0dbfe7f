"""Fetch the raw rows as of `data.as_of` into data/raw.parquet."""

from contextlib import chdir
from pathlib import Path

import msgspec
import polars as pl

from .. import config, frames
from ..errors import BadData, your_code
from ..progress import step
from .schema import RAW, Schema, schema


def run(root: Path) -> None:
    """Ask src/model/source.py for rows and keep them. Raises BadData, BadSettings, BrokenCode."""
    params = config.of_stage(root)
    with your_code("source.py"):
        from model import source
    known = schema()
    with step("Fetch raw rows"), chdir(root), your_code("source.py"):
        try:
            found = source.rows(msgspec.to_builtins(params.data))
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            reason = " ".join(str(error).split())
            raise BadData(f"data.source {params.data.source}: {reason:.300}", "Mend the file, or data.path.") from error
    rows = as_of(conform(found, known), known, params.data.as_of)
    if not len(rows):
        raise BadData(f"data.source {params.data.source} has no row before {params.data.as_of}", "Move data.as_of.")
    frames.write(root / RAW, rows)


def conform(frame: pl.DataFrame, known: Schema) -> pl.DataFrame:
    """Give columns their declared type where nothing can be lost: whole numbers as float, times in another
    zone or unit, all-missing columns."""
    for name, wanted in known.dtypes.items():
        if name not in frame.columns or frame.schema[name] == wanted:
            continue
        found = frame.schema[name]
        whole = found.is_integer() and found != pl.UInt64
        widens = (whole and wanted in (pl.Int64, pl.Float64)) or (found == pl.Float32 and wanted == pl.Float64)
        if widens or frame[name].null_count() == len(frame):
            frame = frame.with_columns(pl.col(name).cast(wanted, strict=False))
        elif isinstance(wanted, pl.Datetime) and isinstance(found, pl.Datetime | pl.Date):
            frame = frame.with_columns(_moment(pl.col(name), found, wanted))
    return frame


def _moment(column: pl.Expr, found: pl.DataType, wanted: pl.Datetime) -> pl.Expr:
    if isinstance(found, pl.Datetime) and found.time_zone:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    column = column.cast(pl.Datetime(wanted.time_unit))
    return column.dt.replace_time_zone("UTC").dt.convert_time_zone(wanted.time_zone) if wanted.time_zone else column


def as_of(frame: pl.DataFrame, known: Schema, day: str | None) -> pl.DataFrame:
    """Leave out what was not known on the morning of `day`, by the time column of schema.py."""
    if day is None or known.time is None or known.time not in frame.columns:
        return frame
    return frame.filter(frames.days(frame[known.time]) < day)
