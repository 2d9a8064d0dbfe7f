"""Made rows for the test after a deployment: plausible, but nobody's."""

from typing import Any

import numpy as np
import polars as pl

from .. import frames
from ..bundle import Signature

ROWS = 5
FREQUENT = 20
"""A text value must stand in this many rows, so that no person's own text travels with the bundle."""


def rows(seen: pl.DataFrame, signature: Signature) -> list[dict[str, Any]]:
    """Give ROWS rows, the last with every value missing; numbers are quantiles, texts are frequent values.

    Each column is filled on its own, so a row is no row of the data.
    """
    columns = {c.name: _values(seen[c.name], c.kind) for c in signature.columns}
    full = [{name: values[i] for name, values in columns.items()} for i in range(ROWS - 1)]
    return [*full, dict.fromkeys(columns)]


def _values(values: pl.Series, kind: str) -> list[Any]:
    count = ROWS - 1
    given = values.drop_nulls()
    if not len(given):
        return [None] * count
    if kind == "text":
        counts = given.cast(pl.String).value_counts().filter(pl.col("count") >= FREQUENT)
        top = counts.sort(["count", values.name], descending=[True, False])[values.name].head(count).to_list()
        return [top[i % len(top)] if top else None for i in range(count)]
    if kind == "time":
        middle = frames.days(given).sort()[len(given) // 2]
        return [f"{middle}T{hour:02}:00:00Z" for hour in (6, 10, 14, 18)]
    whole = values.dtype.is_integer() or values.dtype == pl.Boolean
    quantiles = np.nanquantile(given.cast(pl.Float64).to_numpy(), (0.2, 0.4, 0.6, 0.8))
    return [round(q) if whole else round(float(q), 3) for q in quantiles.tolist()]
