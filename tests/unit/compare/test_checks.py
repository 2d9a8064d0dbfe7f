import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mergeline.bundle import Column, Signature
from mergeline.compare import checks
from mergeline.compare.judge import Names
from mergeline.compare.report import DataChecks

COUNT = 2000


def signature(
    rows: pl.DataFrame, task: str = "classification", classes: tuple[str, ...] = ("false", "true")
) -> Signature:
    kinds: dict[Any, Any] = {pl.String: "text", pl.Datetime("us"): "time"}
    return Signature(
        name="tiny",
        task=task,  # type: ignore[arg-type]
        label="late",
        columns=[Column(n, kinds.get(d, "number")) for n, d in rows.schema.items() if n not in ("late", "id", "seen")],
        numeric=[],
        categorical=[],
        classes=list(classes) if task == "classification" else [],
    )


def make(count: int = COUNT, seed: int = 7) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    hour = rng.normal(0, 1, count)
    return pl.DataFrame(
        {
            "id": [f"r{i}" for i in range(count)],
            "day": [f"2013-06-{i % 30 + 1:02d}" for i in range(count)],
            "hour": hour,
            "carrier": rng.choice(["AA", "UA", "DL"], count),
            "late": hour + rng.normal(0, 1, count) > 0,
        }
    )


def look(tmp_path: Path, rows: pl.DataFrame, group: str | None = None, **options: Any) -> DataChecks:
    (tmp_path / "data").mkdir()
    rows[: len(rows) // 2].write_parquet(tmp_path / "data/train.parquet")
    names = Names(label="late", row_id="id", time="day", slices=())
    return checks.run(tmp_path, rows[len(rows) // 2 :], signature(rows, **options), names, group, 7)


def named(found: DataChecks) -> list[str]:
    return [one.column for one in found.suspects]


def test_honest_rows_raise_no_suspicion(tmp_path: Path) -> None:
    assert look(tmp_path, make()) == DataChecks()


@pytest.mark.parametrize(
    "leak",
    [
        pl.col("late").cast(pl.Int64),
        (~pl.col("late")).cast(pl.Float64) * 7 - pl.col("hour") / 9,
        pl.when(pl.col("late")).then(pl.lit("cancelled crew")).otherwise(pl.lit("on duty")),
        pl.when(pl.col("late")).then(pl.lit(3)).otherwise(None),
        pl.when(pl.col("late")).then(pl.datetime(2013, 7, 1)).otherwise(pl.datetime(2013, 6, 1)),
        pl.when(pl.col("late")).then(1e300).otherwise(-1.0),
    ],
    ids=["a copy", "a number", "a text", "missing values", "a time", "beyond single precision"],
)
def test_a_column_that_gives_the_label_away_is_named(tmp_path: Path, leak: pl.Expr) -> None:
    assert named(look(tmp_path, make().with_columns(leak.alias("crew")))) == ["crew"]


def test_a_column_that_requests_do_not_carry_is_not_looked_at(tmp_path: Path) -> None:
    assert named(look(tmp_path, make().with_columns(seen=pl.col("late")))) == []


def test_ids_and_columns_without_a_value_predict_nothing(tmp_path: Path) -> None:
    # A value that training never saw says nothing, whatever its neighbours in the alphabet say.
    rows = make().with_columns(
        ticket=pl.col("late").cast(pl.String) + pl.col("id"), empty=pl.lit(None, dtype=pl.Float64), one=pl.lit(1)
    )

    assert named(look(tmp_path, rows)) == []


def test_of_more_classes_each_counts_against_the_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    label = rng.choice(["good", "bad", "worst"], COUNT)
    half = np.where(label == "bad", "x", "y")
    rows = make().with_columns(late=pl.Series(label), crew=pl.Series([f"c{v}" for v in label]), half=pl.Series(half))

    assert named(look(tmp_path, rows, classes=("bad", "good", "worst"))) == ["crew"]


def test_of_a_regression_the_explained_variance_counts(tmp_path: Path) -> None:
    minutes = np.random.default_rng(8).normal(0, 30, COUNT)
    rows = make().with_columns(late=pl.Series(minutes), crew=pl.Series(minutes * 2 + 1), some=pl.Series(minutes // 60))

    (found,) = look(tmp_path, rows, task="regression").suspects

    assert found.column == "crew"
    assert 0.95 < found.score < 1


def test_rows_of_one_class_raise_no_suspicion(tmp_path: Path) -> None:
    assert named(look(tmp_path, make().with_columns(late=pl.int_range(pl.len()) < COUNT // 4))) == []


def test_held_out_rows_that_training_holds_under_another_id_and_day_are_counted(tmp_path: Path) -> None:
    rows = make().with_columns(hour=pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise("hour"))
    again = rows[:7].with_columns(id=pl.col("id") + "again", day=pl.lit("2013-07-01"))

    assert look(tmp_path, pl.concat([rows[: COUNT - 7], again])).duplicates == 7


def test_groups_on_both_sides_are_counted_where_the_split_is_by_group(tmp_path: Path) -> None:
    customers = pl.Series("customer", [f"c{i}" for i in [*range(1000), *range(995, 1995)]])

    assert look(tmp_path, make().with_columns(customers), group="customer").shared_groups == 5


@pytest.mark.parametrize("group", [None, "dropped"])
def test_no_group_is_shared_where_none_splits(tmp_path: Path, group: str | None) -> None:
    assert look(tmp_path, make(), group=group).shared_groups == 0


def test_it_costs_less_than_a_second_on_twenty_columns(tmp_path: Path) -> None:
    rows, rng = make(50_000), np.random.default_rng(7)
    rows = rows.with_columns(pl.Series(f"c{i}", rng.normal(0, 1, len(rows))) for i in range(18))
    look(tmp_path, rows[:200])
    (tmp_path / "many").mkdir()

    begun = time.process_time()
    look(tmp_path / "many", rows)

    assert time.process_time() - begun < 1 + 0.2  # some of it writes the rows
