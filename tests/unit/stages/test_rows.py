"""ingest, validate and split: from files to training and held-out rows."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mergeline.errors import BadData, BadSettings, DegenerateRows

from .conftest import Project, flights

pytestmark = pytest.mark.slow


def read(project: Project, name: str) -> pl.DataFrame:
    return pl.read_parquet(project.root / f"data/{name}.parquet")


def ids(project: Project, name: str) -> set[str]:
    return set(read(project, name)["flight_id"])


def as_csv(project: Project, content: str | bytes) -> Path:
    (project.root / "data/files/rows.parquet").unlink()
    path = project.root / "data/files/rows.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_csv_and_parquet_give_the_same_raw_rows(project: Project) -> None:
    project.run("ingest")
    from_parquet = read(project, "raw")
    as_csv(project, flights().write_csv())

    project.run("ingest")

    assert_frame_equal(read(project, "raw"), from_parquet)


def test_narrower_numbers_are_widened_to_the_declared_type(project: Project) -> None:
    project.rows(flights().with_columns(pl.col("seats").cast(pl.Int16), pl.col("temp").cast(pl.Int32)))

    project.run("ingest", "validate")

    assert read(project, "raw").schema == flights().schema


def test_a_folder_is_read_in_the_order_of_its_names(project: Project) -> None:
    flights().tail(300).write_parquet(project.root / "data/files/rows.parquet")
    flights().head(300).write_parquet(project.root / "data/files/a.parquet")

    project.run("ingest")

    assert_frame_equal(read(project, "raw"), flights())


def test_text_that_looks_like_a_number_stays_text(project: Project) -> None:
    as_csv(project, flights().with_columns(dest=pl.lit("007")).write_csv())

    project.run("ingest", "validate")

    assert set(read(project, "raw")["dest"]) == {"007"}


def test_rows_of_as_of_and_later_are_left_out(project: Project) -> None:
    project.set(data={"as_of": "2013-06-15"})

    project.run("ingest")

    assert read(project, "raw")["date"].max() == "2013-06-14"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "rows.csv is empty"),
        (flights().write_csv()[:20_000], r"rows.csv, line \d+: \d+ fields, the header has 21"),
        ("flight_id,date\n", "no row"),
        (b"\xff\xfe\x00rubbish", "utf-8"),
    ],
    ids=["empty", "half", "header only", "not text"],
)
def test_refuses_a_broken_csv_in_one_line(project: Project, content: str | bytes, said: str) -> None:
    as_csv(project, content)

    with pytest.raises(BadData, match=said) as refused:
        project.run("ingest")

    assert "\n" not in str(refused.value)
    assert not (project.root / "data/raw.parquet").exists()


@pytest.mark.parametrize("path", ["data/nothing.csv", "data/nothing.parquet", "src"])
def test_refuses_a_path_without_rows(project: Project, path: str) -> None:
    project.set(data={"path": path})

    with pytest.raises(BadData, match=path):
        project.run("ingest")


def test_refuses_a_parquet_file_that_was_cut(project: Project) -> None:
    path = project.root / "data/files/rows.parquet"
    path.write_bytes(path.read_bytes()[:3000])

    with pytest.raises(BadData, match=r"rows\.parquet|parquet"):
        project.run("ingest")


def test_refuses_another_python_than_params_yaml_says(project: Project) -> None:
    project.set(python="3.9")

    with pytest.raises(BadSettings, match=r"python is 3\.9"):
        project.run("ingest")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (pl.col("distance").alias("miles"), None),
        (pl.col("distance").cast(pl.String), "column distance, rule .*Int64"),
        (pl.when(pl.col("carrier") == "DL").then(pl.lit("DLX")).otherwise("carrier").alias("carrier"), "carrier, rule"),
        (pl.lit(None).alias("origin"), "column origin, rule not_nullable: 600 rows"),
        (pl.lit("x").alias("flight_id"), "column flight_id, rule unique: 600 rows, for example x"),
    ],
    ids=["renamed", "wrong type", "broken rule", "all missing", "same id"],
)
def test_refuses_rows_that_the_schema_does_not_allow(project: Project, change: pl.Expr, said: str | None) -> None:
    frame = flights().with_columns(change)
    project.rows(frame if said else frame.drop("distance"))
    project.run("ingest")

    with pytest.raises(BadData, match=said or r"column distance: missing \(not in schema.py: .*miles") as refused:
        project.run("validate")

    assert "\n" not in str(refused.value)
    assert refused.value.code == 5
    assert not (project.root / "results").exists()


def test_rows_without_a_column_of_the_schema_are_not_split(project: Project) -> None:
    project.rows(flights().rename({"distance": "miles"}))
    project.run("ingest")

    with pytest.raises(BadData, match=r"data/raw\.parquet has no column distance"):
        project.run("split")


def test_a_column_that_may_be_missing_may_be_all_missing(project: Project) -> None:
    project.rows(flights().with_columns(pl.lit(None).alias("temp")))

    project.until("explain")


def test_refuses_a_feature_that_is_missing_in_every_training_row(project: Project) -> None:
    project.rows(flights().with_columns(pl.lit(None).alias("plane_year")))

    with pytest.raises(BadData, match=r"feature plane_age: missing in all \d+ training rows"):
        project.until("train")


def test_the_profile_describes_every_column(project: Project) -> None:
    project.run("ingest", "validate")

    found = pl.read_json(project.root / "results/profile.json")["columns"][0]

    assert found["carrier"]["counts"] == dict(flights()["carrier"].value_counts().iter_rows())
    assert found["plane_year"]["missing"] == flights()["plane_year"].null_count()
    histogram = found["distance"]["histogram"]
    assert sum(histogram["counts"]) == 600
    low = histogram["first"] * histogram["width"]
    assert low <= flights()["distance"].min() < low + histogram["width"]


def test_the_last_days_before_as_of_are_held_out(project: Project) -> None:
    project.set(data={"as_of": "2013-06-21"}, split={"held_out_days": 10})

    project.until("split")

    assert read(project, "train")["date"].max() == "2013-06-10"
    assert read(project, "held_out")["date"].min() == "2013-06-11"


def test_a_split_by_time_never_divides_a_group(project: Project) -> None:
    project.set(split={"group": "seats"})
    project.rows(flights().with_columns(seats=pl.int_range(pl.len()) // 7 % 60 + 50))

    project.until("split")

    assert not set(read(project, "train")["seats"]) & set(read(project, "held_out")["seats"])


@pytest.mark.parametrize("split", [{"by": "random"}, {"by": "group", "group": "date"}])
def test_new_rows_do_not_move_old_ones(project: Project, split: dict[str, str]) -> None:
    project.set(split=split)
    project.rows(flights().head(400))
    project.until("split")
    before = ids(project, "held_out")
    project.rows(flights())

    project.until("split")

    assert 40 < len(before) < 130
    assert ids(project, "held_out") & set(flights().head(400)["flight_id"]) == before


def test_a_split_by_group_keeps_groups_whole(project: Project) -> None:
    project.set(split={"by": "group", "group": "date"})

    project.until("split")

    assert not set(read(project, "train")["date"]) & set(read(project, "held_out")["date"])


def test_a_stratified_split_takes_the_share_of_each_class(project: Project) -> None:
    project.set(split={"by": "stratified", "share": 0.25})

    project.until("split")

    whole, held = read(project, "raw"), read(project, "held_out")
    for late in (True, False):
        size = int((whole["late"] == late).sum())
        assert abs(int((held["late"] == late).sum()) - size / 4) <= 1


@pytest.mark.parametrize(
    ("split", "error", "said"),
    [
        ({"by": "group"}, BadSettings, "split.by group needs split.group"),
        ({"by": "time", "group": "customer"}, BadSettings, "split.group customer is no column"),
        ({"by": "stratified", "group": "date"}, BadSettings, "without groups"),
        ({"by": "time", "held_out_days": 100}, DegenerateRows, "no row for data/train.parquet"),
        ({"by": "random", "share": 0.0}, DegenerateRows, "no row for data/held_out.parquet"),
    ],
)
def test_refuses_a_split_that_cannot_be(
    project: Project, split: dict[str, object], error: type[Exception], said: str
) -> None:
    project.set(split=split)

    with pytest.raises(error, match=said):
        project.until("split")
