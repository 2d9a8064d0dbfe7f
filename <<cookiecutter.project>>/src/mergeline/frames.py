"""Raw rows as a table: their kinds, their columns for `features.py`, and a hash of each row's content."""

import io
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from . import files
from .columns import LARGEST_INTEGER, MISSING, Kind, Raw
from .errors import BadData

ABSENT = "\x00"
BETWEEN = "\x1f"


def kind(dtype: pl.DataType, name: str) -> Kind:
    """Give the kind of a polars type. Raises BadData for a type that a request cannot carry."""
    if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        return "number"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    if dtype in (pl.Date, pl.Datetime):
        return "time"
    raise BadData(f"column {name} has type {dtype}", "Make it a number, text or time in src/model/source.py.")


def raw(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> Raw:
    """Make raw columns, as `columns.column` makes them from a request's values.

    Args:
        frame: n rows.
        kinds: which columns, and of which kind; each is shape (n,) in the answer.

    Raises:
        BadData: a column is absent, or does not fit its kind.
    """
    if absent := [name for name in kinds if name not in frame.columns]:
        raise BadData(f"the rows have no column {', '.join(absent)}")
    return {name: _column(frame[name], wanted) for name, wanted in kinds.items()}


def _column(values: pl.Series, wanted: Kind) -> NDArray[Any]:
    found = kind(values.dtype, values.name)
    if found != wanted and values.null_count() < len(values):
        raise BadData(f"column {values.name} is {found}, not {wanted}")
    if wanted == "number":
        if values.dtype.is_integer() and len(values) and values.null_count() < len(values):
            largest = max(abs(int(edge)) for edge in (values.min(), values.max()) if isinstance(edge, int))
            if largest > LARGEST_INTEGER:
                raise BadData(f"column {values.name}: {largest} is beyond 2^53", "Declare the column as text.")
        return np.ascontiguousarray(values.cast(pl.Float64).fill_null(np.nan).to_numpy())
    if wanted == "text":
        out = np.empty(len(values), dtype=object)
        out[:] = values.cast(pl.String).fill_null(MISSING).to_list()
        return out
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return values.cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]")


def hashes(frame: pl.DataFrame) -> pl.Series:
    """Give the hash of each row's content, 32 hex digits, whatever the order of the columns."""
    cells = [pl.col(name).cast(pl.String).fill_null(ABSENT) for name in sorted(frame.columns)]
    lines = frame.select(pl.concat_str(cells, separator=BETWEEN)).to_series().to_list()
    return pl.Series(
        "row_hash", [blake2b(line.encode(), digest_size=16).hexdigest() for line in lines], dtype=pl.String
    )


def days(values: pl.Series) -> pl.Series:
    """Give the day of each row as ISO text: of a text column its first ten characters, of a time its day in UTC.

    Raises:
        BadData: the column is a number.
    """
    if values.dtype == pl.String:
        return values.str.slice(0, 10)
    if values.dtype not in (pl.Date, pl.Datetime):
        raise BadData(f"column {values.name} has type {values.dtype}, not a day", "Name a time column in schema.py.")
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone:
        values = values.dt.convert_time_zone("UTC")
    return values.cast(pl.Date).dt.to_string()


def write(path: Path, frame: pl.DataFrame) -> None:
    """Write Parquet, whole or not at all; equal frames give equal bytes."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", row_group_size=100_000)
    files.write(path, buffer.getvalue())


def read(path: Path, columns: Iterable[str] | None = None) -> pl.DataFrame:
    """Read Parquet: all, or these columns in this order. Raises BadData when it is absent, damaged or lacks one."""
    try:
        found = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadData(
            f"{path.parent.name}/{path.name} cannot be read: {error}".splitlines()[0], "Run `dvc repro`."
        ) from error
    if columns is None:
        return found
    wanted = list(columns)
    if absent := [name for name in wanted if name not in found.columns]:
        raise BadData(
            f"{path.parent.name}/{path.name} has no column {', '.join(absent)}, which src/model/schema.py declares",
            "Mend the data or src/model/schema.py, then run `dvc repro`.",
        )
    return found.select(wanted)
