"""Check the raw rows against src/model/schema.py, and describe them for the comparison of two pull requests."""

from math import floor, frexp
from pathlib import Path
from typing import Any

import polars as pl
from pandera.errors import SchemaError, SchemaErrors

from .. import config, files, frames
from ..errors import BadData
from ..progress import step
from .schema import RAW, Schema, schema

EXAMPLES = 3
BINS = 64
LARGEST_CATEGORIES = 100


def run(root: Path) -> None:
    """Write results/validation.json and results/profile.json. Raises BadData with column, rule, count, examples."""
    config.of_stage(root)
    known, rows = schema(), frames.read(root / RAW)
    with step(f"Check {len(rows):,} rows"):
        if problems := broken(rows, known):
            raise BadData(f"{RAW}: {'; '.join(problems)}", "Mend the data, or change src/model/schema.py.")
        described = profile(rows, known)
    passed = {
        "rows": len(rows),
        "columns": {name: str(dtype) for name, dtype in known.dtypes.items()},
        "left_out": [name for name in rows.columns if name not in known.dtypes],
    }
    files.write_json(root / "results/profile.json", described)
    files.write_json(root / "results/validation.json", passed)


def broken(rows: pl.DataFrame, known: Schema) -> list[str]:
    """Give one phrase per broken rule: column, rule, how many rows, examples."""
    if absent := [name for name in known.dtypes if name not in rows.columns]:
        extra = [name for name in rows.columns if name not in known.dtypes]
        return [f"column {', '.join(absent)}: missing" + (f" (not in schema.py: {', '.join(extra)})" if extra else "")]
    problems = []
    if repeated := int(rows[known.row_id].is_duplicated().sum()):
        twice = rows[known.row_id].filter(rows[known.row_id].is_duplicated()).unique(maintain_order=True)
        problems.append(phrase(known.row_id, "unique", repeated, twice.head(EXAMPLES).to_list()))
    try:
        known.row.validate(rows.select(*known.dtypes), lazy=True)
    except SchemaErrors as error:
        cases = pl.DataFrame(error.failure_cases)
        for (column, rule), found in cases.group_by("column", "check", maintain_order=True):
            if (column, str(rule).split("(")[0]) != (known.row_id, "field_uniqueness"):
                examples = found["failure_case"].head(EXAMPLES).to_list()
                problems.append(phrase(str(column), str(rule), len(found), examples))
    except SchemaError as error:
        problems.append(" ".join(str(error).split())[:300])
    return problems


def phrase(column: str, rule: str, count: int, examples: list[Any]) -> str:
    """Say one broken rule."""
    shown = ", ".join(str(example)[:40] for example in examples)
    return f"column {column}, rule {rule}: {count} row{'' if count == 1 else 's'}, for example {shown}"


def profile(rows: pl.DataFrame, known: Schema) -> dict[str, Any]:
    """Describe every column: missing values; a histogram of numbers, counts of text, first and last of times.

    A histogram's bin i covers [(first + i) * width, (first + i + 1) * width). The width is a power of two, so the
    bins of two profiles nest and can be compared without the rows.
    """
    return {
        "rows": len(rows),
        "columns": {name: _column(rows[name], frames.kind(known.dtypes[name], name)) for name in known.dtypes},
    }


def _column(values: pl.Series, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": kind, "missing": values.null_count(), "distinct": values.n_unique()}
    given = values.drop_nulls()
    if not len(given):
        return found
    if kind == "text":
        counts = given.cast(pl.String).value_counts().sort(["count", values.name], descending=[True, False])
        top = counts.head(LARGEST_CATEGORIES)
        found["counts"] = dict(top.select(pl.col(values.name), pl.col("count")).iter_rows())
        found["other"] = len(given) - int(top["count"].sum())
    elif kind == "time":
        found["first"], found["last"] = str(given.min()), str(given.max())
    else:
        found |= _numbers(given.cast(pl.Float64))
    return found


def _numbers(values: pl.Series) -> dict[str, Any]:
    finite = values.filter(values.is_finite())
    if not len(finite):
        return {}
    low, high = float(finite.min()), float(finite.max())  # type: ignore[arg-type]  # floats, by the cast
    width = 2.0 ** frexp((high - low) / BINS)[1] if high > low else 1.0
    first = floor(low / width)
    places = (finite / width).floor().cast(pl.Int64) - first
    counts = [0] * (int(places.max()) + 1)  # type: ignore[arg-type]  # integers, by the cast
    for place, count in places.value_counts().iter_rows():
        counts[place] = count
    quantiles = {str(q): finite.quantile(q, "linear") for q in (0.05, 0.25, 0.5, 0.75, 0.95)}
    return {
        "mean": finite.mean(),
        "min": low,
        "max": high,
        "quantiles": quantiles,
        "histogram": {"width": width, "first": first, "counts": counts},
    }
