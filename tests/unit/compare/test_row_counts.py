from pathlib import Path

import polars as pl
import pytest

from mergeline.compare import row_counts
from mergeline.compare.report import RowCounts
from tests.unit.compare.test_data_diff import LOCK, PIPELINE

ROWS = {"a": "1", "b": "2", "c": "3", "d": "4"}


def side(root: Path, rows: dict[str, str], md5: str, *, ids: bool = True) -> Path:
    (root / "results").mkdir(parents=True)
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / "dvc.lock").write_text(LOCK.format(md5=md5 * 32))
    frame = pl.DataFrame(
        {"row_id": list(rows), "row_hash": list(rows.values())}, schema_overrides={"row_id": pl.String}
    )
    frame[:2].write_parquet(root / "results/trained_on.parquet")
    held_out = frame[2:].with_columns(score=0.5)
    (held_out if ids else held_out.drop("row_id")).write_parquet(root / "results/predictions.parquet")
    return root


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (ROWS, RowCounts(added=0, removed=0, changed=0, unchanged=4)),
        (ROWS | {"e": "5"}, RowCounts(added=1, removed=0, changed=0, unchanged=4)),
        ({"c": "3", "d": "4"}, RowCounts(added=0, removed=2, changed=0, unchanged=2)),
        (ROWS | {"d": "9"}, RowCounts(added=0, removed=0, changed=1, unchanged=3)),
        ({"d": "4", "a": "1", "c": "3", "b": "2"}, RowCounts(added=0, removed=0, changed=0, unchanged=4)),
    ],
    ids=["the same", "added", "removed", "changed", "moved between training and held-out rows"],
)
def test_rows_are_counted_over_training_and_held_out_rows(
    tmp_path: Path, now: dict[str, str], expected: RowCounts
) -> None:
    assert row_counts.run(side(tmp_path / "a", ROWS, "6"), side(tmp_path / "b", now, "7")) == expected


def test_equal_raw_rows_are_not_counted(tmp_path: Path) -> None:
    assert row_counts.run(side(tmp_path / "a", ROWS, "6"), side(tmp_path / "b", ROWS, "6")) is None


def test_a_base_that_kept_no_ids_of_held_out_rows_is_no_error(tmp_path: Path) -> None:
    candidate = side(tmp_path / "b", ROWS, "7")

    assert row_counts.run(side(tmp_path / "a", ROWS, "6", ids=False), candidate) is None
    (tmp_path / "a/results/predictions.parquet").unlink()
    assert row_counts.run(tmp_path / "a", candidate) is None
