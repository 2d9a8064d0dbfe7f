"""What the stages know of src/model/schema.py: columns, kinds and labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandera.polars as pa
import polars as pl
from numpy.typing import NDArray

from ..columns import MISSING, Kind, Masking
from ..config import Task
from ..errors import BadData, your_code
from ..frames import kind

RAW, TRAIN, HELD_OUT = "data/raw.parquet", "data/train.parquet", "data/held_out.parquet"


@dataclass(frozen=True, slots=True)
class Schema:
    """src/model/schema.py: `dtypes` has every column of `Row` in its order, `masked` what the prediction log hides."""

    row: type[pa.DataFrameModel]
    dtypes: dict[str, pl.DataType]
    label: str
    row_id: str
    time: str | None
    slices: tuple[str, ...]
    masked: dict[str, Masking] = field(default_factory=dict)

    @property
    def request(self) -> dict[str, Kind]:
        """What a request carries: all columns but the label and the row id."""
        return {n: kind(d, n) for n, d in self.dtypes.items() if n not in (self.label, self.row_id)}


def schema() -> Schema:
    """Read src/model/schema.py. Raises BrokenCode, or BadData when a name that the loop needs is not there."""
    with your_code("schema.py"):
        from model import schema as yours

        for name in ("Row", "LABEL", "ROW_ID", "TIME", "SLICES"):
            if not hasattr(yours, name):
                raise BadData(f"src/model/schema.py defines no {name}", "Add it; the README has the list.")
        dtypes = {name: column.dtype.type for name, column in yours.Row.to_schema().columns.items()}
    sensitive, unlogged = getattr(yours, "SENSITIVE", ()), getattr(yours, "UNLOGGED", ())
    for name in filter(None, (yours.LABEL, yours.ROW_ID, yours.TIME, *yours.SLICES, *sensitive, *unlogged)):
        if name not in dtypes:
            raise BadData(f"src/model/schema.py names {name}, but Row has no such column", "Declare it in Row.")
    masked: dict[str, Masking] = {**dict.fromkeys(sensitive, "hash"), **dict.fromkeys(unlogged, "drop")}
    return Schema(yours.Row, dtypes, yours.LABEL, yours.ROW_ID, yours.TIME, tuple(yours.SLICES), masked)


def classes(labels: pl.Series) -> list[str]:
    """Give the classes as text, in the order of their values: false before true, 2 before 10."""
    return labels.unique().sort().cast(pl.String).to_list()


def targets(labels: pl.Series, task: Task, known: Sequence[str]) -> NDArray[Any]:
    """Give shape (n,): 0-based codes of `known` classes (-1 for another one), or float64 values for regression.

    Raises:
        BadData: a label is missing, or is no number where a number is to be predicted.
    """
    if missing := labels.null_count():
        raise BadData(
            f"column {labels.name}: the label is missing in {missing} rows", "Leave such rows out in source.py."
        )
    if task == "regression":
        if not labels.dtype.is_numeric():
            raise BadData(f"column {labels.name} has type {labels.dtype}; regression predicts a number")
        return labels.cast(pl.Float64).to_numpy()
    codes = {name: code for code, name in enumerate(known)}
    return np.array([codes.get(value, -1) for value in labels.cast(pl.String).to_list()], dtype=np.int64)


def text(frame: pl.DataFrame, column: str) -> pl.Series:
    """Give a column as text without missing values."""
    return frame[column].cast(pl.String).fill_null(MISSING)
