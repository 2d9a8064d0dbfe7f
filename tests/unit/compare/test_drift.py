import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from mergeline.compare import drift
from mergeline.compare.judge import Names
from mergeline.compare.report import DriftRow
from mergeline.stages import validate

NAMES = Names(label="late", row_id="id", time="day", slices=())
RNG = np.random.default_rng(7)
STEADY = RNG.normal(0, 1, 4000)


def moved(tmp_path: Path, before: dict[str, Any], after: dict[str, Any]) -> list[DriftRow]:
    return run(tmp_path, before, after)[0]


def run(tmp_path: Path, before: dict[str, Any], after: dict[str, Any]) -> tuple[list[DriftRow], list[DriftRow]]:
    for name, columns in (("a", before), ("b", after)):
        rows = pl.DataFrame(columns)
        kinds = {c: "text" if rows[c].dtype == pl.String else "number" for c in rows.columns}
        found = {"rows": len(rows), "columns": {c: validate._column(rows[c], kind) for c, kind in kinds.items()}}
        (tmp_path / name / "results").mkdir(parents=True)
        (tmp_path / name / "results/profile.json").write_text(json.dumps(found))
    return drift.run(tmp_path / "a", tmp_path / "b", NAMES)


def test_a_shifted_number_is_named_and_a_steady_one_is_not(tmp_path: Path) -> None:
    (row,) = moved(
        tmp_path,
        {"wind": STEADY, "steady": STEADY},
        {"wind": RNG.normal(0.6, 1, 3000), "steady": RNG.normal(0, 1, 4000)[:3000]},
    )

    assert (row.column, row.test) == ("wind", "Kolmogorov-Smirnov")
    assert 0.2 < row.psi < 0.6
    assert row.q < 1e-6


def test_columns_that_did_not_move_are_given_too_and_none_is_given_twice(tmp_path: Path) -> None:
    before = {"a": STEADY, "b": STEADY, "c": STEADY}
    after = {"a": STEADY, "b": STEADY + 2, "c": STEADY + 0.02}

    found, steady = run(tmp_path, before, after)

    assert [row.column for row in found] == ["b"]
    assert [row.column for row in steady] == ["c", "a"]
    assert steady[0].psi >= steady[1].psi == pytest.approx(0)


def test_a_category_that_grows_is_named(tmp_path: Path) -> None:
    (row,) = moved(
        tmp_path, {"carrier": ["AA"] * 900 + ["UA"] * 100}, {"carrier": ["AA"] * 600 + ["UA"] * 200 + ["DL"] * 200}
    )

    assert (row.column, row.test) == ("carrier", "chi-square")
    assert row.psi > 0.25


def test_a_difference_that_is_sure_but_small_is_not_named(tmp_path: Path) -> None:
    assert moved(tmp_path, {"wind": np.tile(STEADY, 20)}, {"wind": np.tile(STEADY + 0.1, 20)}) == []


def test_a_difference_that_may_be_chance_is_not_named(tmp_path: Path) -> None:
    assert moved(tmp_path, {"wind": [0.0] * 5 + [1.0] * 5}, {"wind": [0.0] * 7 + [1.0] * 3}) == []


def test_ids_days_and_the_row_id_have_no_drift(tmp_path: Path) -> None:
    ids, numbers = [f"r{i}" for i in range(60)], list(range(60))
    days = ["2013-06-01", "2013-06-02"] * 30

    found = moved(
        tmp_path,
        {"id": ids, "ticket": ids, "day": days, "number": numbers},
        {
            "id": [f"{i}!" for i in ids],
            "ticket": [f"{i}!" for i in ids],
            "day": ["2013-07-01", "2013-07-02"] * 30,
            "number": [i + 60 for i in numbers],
        },
    )

    assert found == []


def test_only_the_ten_that_moved_most_are_given_the_largest_first(tmp_path: Path) -> None:
    found = moved(
        tmp_path,
        {f"c{i}": STEADY for i in range(15)},
        {f"c{i}": STEADY + 0.5 + i / 10 for i in range(15)},
    )

    assert [row.column for row in found] == [f"c{i}" for i in range(14, 4, -1)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": [1.0, 2.0]}, {"b": [1.0, 2.0]}),
        ({"a": ["x", "y"]}, {"a": [1.0, 2.0]}),
        ({"a": [float("nan")] * 3}, {"a": [1.0, 2.0, 3.0]}),
        ({"a": [1.0] * 50}, {"a": [1.0] * 50}),
        ({"a": ["x"] * 50}, {"a": ["x"] * 50}),
    ],
    ids=["another column", "another kind", "no value", "constant", "one category"],
)
def test_columns_that_cannot_be_compared_or_never_vary_are_passed_over(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert moved(tmp_path, before, after) == []


def test_a_base_without_a_profile_is_no_error(tmp_path: Path) -> None:
    assert drift.run(tmp_path, tmp_path, NAMES) == ([], [])


def test_histograms_of_different_width_give_the_distance_that_the_rows_give() -> None:
    narrow, wide = STEADY / 8, RNG.normal(0.1, 1, 3000)
    sides = [validate._numbers(pl.Series(values))["histogram"] for values in (narrow, wide)]

    distance, p = drift.kolmogorov_smirnov(*drift.histograms(*sides))

    exact = stats.ks_2samp(narrow, wide)
    assert sides[0]["width"] < sides[1]["width"]
    assert exact.statistic - 0.03 < distance <= exact.statistic
    assert p >= exact.pvalue


def test_the_index_is_that_of_its_definition() -> None:
    old, new = np.array([5000.0, 3000.0, 2000.0]), np.array([4000.0, 3000.0, 3000.0])

    assert drift.psi(old, new) == pytest.approx(-0.1 * np.log(0.8) + 0.1 * np.log(1.5), rel=1e-3)


def test_tenths_are_as_equal_as_bins_allow() -> None:
    old, _ = drift.tenths(np.ones(64), np.ones(64))

    assert (len(old), old.min(), old.max()) == (10, 6, 7)
    assert len(drift.tenths(np.array([90.0, 5.0, 5.0]), np.ones(3))[0]) == 2


def test_a_category_that_a_profile_does_not_name_may_be_among_its_others() -> None:
    old = {"counts": {"a": 500, "b": 300}, "other": 200}
    new = {"counts": {"a": 500, "c": 300}, "other": 200}

    before, after = drift.categories(old, new)

    assert (before.tolist(), after.tolist()) == ([500, 500], [500, 500])
