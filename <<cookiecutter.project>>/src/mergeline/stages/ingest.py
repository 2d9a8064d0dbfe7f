"""Fetch the raw rows as of `data.as_of` into data/raw.parquet."""

import os
from pathlib import Path

import msgspec
import polars as pl

from .. import config, frames
from ..errors import BadData
from ..progress import step
from .schema import RAW, Schema, schema


def run(root: Path) -> None:
    """Ask src/model/source.py for rows and keep them. Raises BadData, BadSettings."""
    params = config.of_stage(root)
    from model import source

    known = schema()
    here = Path.cwd()
    os.chdir(root)
    try:
        with step("Fetch raw rows"):
            found = source.rows(msgspec.to_builtins(params.data))
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split())
        raise BadData(f"data.source {params.data.source}: {reason:.300}", "Mend the file, or data.path.") from error
    finally:
        os.chdir(here)
    rows = as_of(conform(found, known), known, params.data.as_of)
    if not len(rows):
        raise BadData(f"data.source {params.data.source} has no row before {params.data.as_of}", "Move data.as_of.")
    frames.write(root / RAW, rows)


def conform(frame: pl.DataFrame, known: Schema) -> pl.DataFrame:
    """Give columns their declared type where nothing can be lost: whole numbers as float, all-missing columns."""
    for name, wanted in known.dtypes.items():
        if name in frame.columns and frame.schema[name] != wanted:
            empty = frame[name].null_count() == len(frame)
            widens = frame.schema[name].is_integer() and wanted.is_numeric() and not wanted.is_decimal()
            if empty or widens:
                frame = frame.with_columns(pl.col(name).cast(wanted, strict=False))
    return frame


def as_of(frame: pl.DataFrame, known: Schema, day: str | None) -> pl.DataFrame:
    """Leave out what was not known on the morning of `day`, by the time column of schema.py."""
    if day is None or known.time is None or known.time not in frame.columns:
        return frame
    return frame.filter(frames.days(frame[known.time]) < day)
