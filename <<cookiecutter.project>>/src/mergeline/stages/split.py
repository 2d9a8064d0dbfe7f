"""Part training rows from held-out rows, so that new rows do not move old ones to the other side."""

from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path

import polars as pl

from .. import config, frames
from ..config import Params
from ..errors import BadData, BadSettings, DegenerateRows
from .schema import HELD_OUT, RAW, TRAIN, Schema, schema

REMEDY = "Change the section split in params.yaml."


def run(root: Path) -> None:
    """Write data/train.parquet and data/held_out.parquet. Raises BadData, BadSettings, DegenerateRows."""
    params, known = config.of_stage(root), schema()
    rows = frames.read(root / RAW, known.dtypes)
    chosen = held_out(rows, known, params)
    for path, part in ((TRAIN, rows.filter(~chosen)), (HELD_OUT, rows.filter(chosen))):
        if not len(part):
            raise DegenerateRows(f"split.by {params.split.by} leaves no row for {path}", REMEDY)
        frames.write(root / path, part)


def held_out(rows: pl.DataFrame, known: Schema, params: Params) -> pl.Series:
    """Say for each row whether it is held out, shape (n,)."""
    split = params.split
    if split.group is not None and split.group not in rows.columns:
        raise BadSettings(f"params.yaml: split.group {split.group} is no column of schema.py", "Name one, or null.")
    if split.by == "time":
        return _last_days(rows, known, params)
    if split.by == "group" and split.group is None:
        raise BadSettings("params.yaml: split.by group needs split.group", "Name the column, for example customer_id.")
    if split.by == "stratified":
        if split.group is not None or params.task == "regression":
            raise BadSettings(
                "params.yaml: split.by stratified is for classes without groups", "Use group, random or time."
            )
        return _stratified(rows, known, params)
    key = rows[split.group or known.row_id]
    return pl.Series([unit(value, params.seeds.split) < split.share for value in key.cast(pl.String).to_list()])


def _last_days(rows: pl.DataFrame, known: Schema, params: Params) -> pl.Series:
    """Hold out the last days before `as_of`; a group that reaches into them is held out whole."""
    if known.time is None:
        raise BadSettings("params.yaml: split.by time, but schema.py has TIME = None", "Name a time column.")
    days = frames.days(rows[known.time])
    try:
        end = date.fromisoformat(params.data.as_of or str(days.max()))
    except ValueError as error:
        raise BadData(f"column {known.time}: {days.max()!r} is no day", "Write days as 2013-06-30.") from error
    first = end - timedelta(days=params.split.held_out_days - (params.data.as_of is None))
    late = days >= first.isoformat()
    if params.split.group is None:
        return late
    return rows[params.split.group].is_in(rows.filter(late)[params.split.group].unique().to_list())


def _stratified(rows: pl.DataFrame, known: Schema, params: Params) -> pl.Series:
    """Hold out of each class the share with the lowest hashes; a new row can only move the one at the edge."""
    place = pl.Series("place", [unit(v, params.seeds.split) for v in rows[known.row_id].cast(pl.String).to_list()])
    ranked = (
        pl.col("place").rank("ordinal").over(known.label) <= (pl.len().over(known.label) * params.split.share).ceil()
    )
    return rows.select(known.label).with_columns(place).select(ranked).to_series()


def unit(value: str | None, seed: int) -> float:
    """Give a number in [0, 1) that depends on the value and the seed alone."""
    digest = blake2b(f"{seed}:{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
