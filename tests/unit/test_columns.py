"""Raw columns have three kinds, and are the same made from a table and from a request."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.datatypes import DataTypeClass

from mergeline import columns, frames
from mergeline.columns import MISSING, Kind
from mergeline.errors import BadData

NEW_YORK = timezone(timedelta(hours=-4))


@pytest.mark.parametrize(
    ("kind", "dtype", "values"),
    [
        ("number", pl.Int64, [1, None, -(2**53)]),
        ("number", pl.Float64, [0.5, None, float("inf")]),
        ("number", pl.Boolean, [True, None, False]),
        ("number", pl.Int64, [1, 2, 3]),
        ("text", pl.String, ["UA", None, ""]),
        ("text", pl.Categorical, ["UA", None, "ü"]),
        ("time", pl.Datetime("us", "America/New_York"), [datetime(2013, 6, 3, 5, 15, tzinfo=NEW_YORK), None]),
        ("time", pl.Datetime("ms"), [datetime(2013, 6, 3, 5, 15), None]),
    ],
)
def test_a_table_and_a_request_give_equal_bytes(
    kind: Kind, dtype: pl.DataType | DataTypeClass, values: list[Any]
) -> None:
    of_table = frames.raw(pl.DataFrame({"x": pl.Series(values, dtype=dtype)}), {"x": kind})["x"]
    of_request = columns.column(kind, values, "x")

    assert of_table.dtype == of_request.dtype
    assert of_table.tolist() == of_request.tolist() if kind == "text" else of_table.tobytes() == of_request.tobytes()


@pytest.mark.parametrize("kind", ["number", "text", "time"])
def test_the_kind_decides_the_type_whatever_the_values_are(kind: Kind) -> None:
    some: dict[str, Any] = {"number": 1, "text": "UA", "time": "2013-06-03T05:15:00Z"}

    full, empty, none = (columns.column(kind, values, "x") for values in ([some[kind]], [None], []))

    assert full.dtype == empty.dtype == none.dtype
    all_missing = frames.raw(pl.DataFrame({"x": pl.Series([None, None])}), {"x": kind})["x"]
    assert all_missing.dtype == full.dtype


def test_missing_text_is_one_literal() -> None:
    assert columns.text([None, "UA"], "carrier").tolist() == [MISSING, "UA"]


def test_a_time_is_turned_to_utc() -> None:
    given = columns.time(["2013-06-03T05:15:00-04:00", datetime(2013, 6, 3, 9, 15, tzinfo=UTC), None], "sched")

    assert given.dtype == np.dtype("datetime64[us]")
    assert given[0] == given[1] == np.datetime64("2013-06-03T09:15:00")
    assert np.isnat(given[2])


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("number", "12", "column x, row 1: '12' is no number"),
        ("number", 2**53 + 1, "beyond 2\\^53"),
        ("number", [1], "is no number"),
        ("text", 12, "12 is no text"),
        ("text", float("nan"), "nan is no text"),
        ("time", "yesterday", "'yesterday' is no time"),
        ("time", 12, "12 is no time"),
    ],
)
def test_refuses_a_value_of_another_kind_naming_column_and_row(kind: Kind, value: Any, said: str) -> None:
    with pytest.raises(BadData, match=said):
        columns.column(kind, [None, value], "x")


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        (["1", "2"], "number", "column x is text, not number"),
        ([1, 2**53 + 2], "number", "beyond 2\\^53"),
        ([1, 2], "time", "column x is number, not time"),
        ([[1], [2]], "number", "column x has type List"),
    ],
)
def test_refuses_a_table_s_column_of_another_kind(values: list[Any], kind: Kind, said: str) -> None:
    with pytest.raises(BadData, match=said):
        frames.raw(pl.DataFrame({"x": values}), {"x": kind})


def test_refuses_a_table_without_a_column_that_is_asked_for() -> None:
    with pytest.raises(BadData, match="no column y"):
        frames.raw(pl.DataFrame({"x": [1]}), {"x": "number", "y": "number"})


@pytest.mark.parametrize(
    "values",
    [
        pl.Series("when", ["2013-06-03T23:00", "2013-06-04"]),
        pl.Series("when", [date(2013, 6, 3), date(2013, 6, 4)]),
        pl.Series("when", [datetime(2013, 6, 3, 20, tzinfo=UTC), datetime(2013, 6, 3, 22, tzinfo=NEW_YORK)]),
    ],
)
def test_a_day_is_read_from_text_dates_and_times(values: pl.Series) -> None:
    assert frames.days(values).to_list() == ["2013-06-03", "2013-06-04"]


def test_refuses_a_number_as_a_day() -> None:
    with pytest.raises(BadData, match="column when has type Int64, not a day"):
        frames.days(pl.Series("when", [20130603]))
