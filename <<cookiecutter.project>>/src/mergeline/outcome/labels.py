"""Labels that came later: a file with a line for each row that was predicted, found by request id and row."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from ..bundle import Signature
from ..errors import BadData

COLUMNS = ("request", "label")
NAMED = 3


def read(path: Path, signature: Signature) -> pl.DataFrame:
    """Give `request`, `row` and `label`, as a class code from 0 or as a number; lines without a label are left out.

    Args:
        path: a CSV or Parquet file with the columns request and label, and row where requests have several.
        signature: of the releases; it has the classes.

    Raises:
        BadData: the file cannot be read, lacks a column, names a row twice, or has a label that is none.
    """
    found = _file(path)
    if lacking := [name for name in COLUMNS if name not in found.columns]:
        raise BadData(f"{path} lacks the column {' and '.join(lacking)}", "It needs request, label, and row if not 0.")
    row = pl.col("row").cast(pl.Int64, strict=False) if "row" in found.columns else pl.lit(0, pl.Int64)
    table = found.select(pl.col("request").cast(pl.String), row.alias("row"), pl.col("label").cast(pl.String))
    table = table.filter(pl.col("label").is_not_null() & (pl.col("label") != ""))
    if bad := table["row"].null_count() + table["request"].null_count():
        raise BadData(f"{path}: {bad:,} lines have no request, or a row that is no whole number", "Mend the file.")
    twice = table.filter(table.select("request", "row").is_duplicated()).unique(["request", "row"], maintain_order=True)
    if len(twice):
        first = twice.row(0, named=True)
        raise BadData(
            f"{path} has {len(twice):,} rows more than once, such as row {first['row']} of request {first['request']!r:.60}",
            "Leave one label for each.",
        )
    return table.with_columns(label=_coded(path, table["label"], signature))


def join(labels: pl.DataFrame, rows: pl.DataFrame) -> NDArray[np.float64]:
    """Give the labels of predicted rows, shape (n,), NaN where a row has none."""
    both = rows.select("request", "row").join(labels, on=["request", "row"], how="left", maintain_order="left")
    return both["label"].cast(pl.Float64).fill_null(np.nan).to_numpy()


def unknown(labels: pl.DataFrame, *rows: pl.DataFrame) -> int:
    """Count labels of rows that are in none of these tables."""
    known = pl.concat([one.select("request", "row") for one in rows])
    return len(labels.join(known, on=["request", "row"], how="anti"))


def _file(path: Path) -> pl.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        if path.suffix == ".csv":
            return pl.read_csv(path, infer_schema=False)
    except (OSError, PolarsError) as error:
        raise BadData(f"{path} cannot be read: {' '.join(str(error).split()):.200}", "Mend the file.") from error
    raise BadData(f"{path} is neither .csv nor .parquet", "Name such a file with --labels.")


def _coded(path: Path, labels: pl.Series, signature: Signature) -> pl.Series:
    if signature.task == "regression":
        numbers = labels.cast(pl.Float64, strict=False)
        good = numbers.is_finite().fill_null(False)
        said = "is no finite number"
    else:
        numbers = labels.replace_strict(signature.classes, list(range(len(signature.classes))), default=None)
        good = numbers.is_not_null()
        said = f"is no class; they are {', '.join(signature.classes)}"
    if bad := labels.filter(~good).unique(maintain_order=True).to_list():
        several = f" ({len(bad):,} such labels)" if len(bad) > 1 else ""
        raise BadData(f"{path}: the label {bad[0]!r:.60} {said}{several}", "Correct the labels.")
    return numbers
