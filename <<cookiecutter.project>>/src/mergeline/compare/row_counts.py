"""Which raw rows came, went or changed, from the ids and hashes that both sides' results hold: never from rows."""

from pathlib import Path

import polars as pl

from .. import frames
from . import data_diff
from .report import RowCounts

RESULTS = ("results/trained_on.parquet", "results/predictions.parquet")
"""Training rows and held-out rows: together all rows of a checkout."""
COLUMNS = ("row_id", "row_hash")


def run(base: Path, candidate: Path) -> RowCounts | None:
    """Count the rows; None where the raw rows are the same, or a base of an older template kept no ids.

    Raises:
        BadData: a result is damaged.
    """
    hashes = {data_diff.raw_hash(root) for root in (base, candidate)}
    if len(hashes) == 1 and None not in hashes:
        return None
    theirs, ours = _rows(base), _rows(candidate)
    if theirs is None or ours is None:
        return None
    both = theirs.join(ours, on="row_id", suffix="_now")
    same = int((both["row_hash"] == both["row_hash_now"]).sum())
    return RowCounts(
        added=len(ours) - len(both), removed=len(theirs) - len(both), changed=len(both) - same, unchanged=same
    )


def _rows(root: Path) -> pl.DataFrame | None:
    parts = [frames.read(root / name) for name in RESULTS if (root / name).is_file()]
    if len(parts) < len(RESULTS) or not all(set(COLUMNS) <= set(part.columns) for part in parts):
        return None
    return pl.concat([part.select(COLUMNS) for part in parts])
