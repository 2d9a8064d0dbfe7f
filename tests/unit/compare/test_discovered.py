"""The search for slices: it finds what was planted and stays silent where nothing is."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from mergeline.columns import Kind
from mergeline.compare import discovered, markdown
from mergeline.compare.judge import Names, Scored
from mergeline.compare.report import SliceRow
from mergeline.metrics import ALL

from .conftest import make_report
from .scores import make_scored, sigmoid

NAMES = Names(label="label", row_id="id", time="day", slices=(), sensitive=("sex",))
KINDS: Mapping[str, Kind] = {
    "hour": "number", "wind": "number", "carrier": "text", "day": "text", "sex": "text", "seen": "time",
}  # fmt: skip


def flights(rng: np.random.Generator, groups: int = 60, each: int = 40, hidden: Any = None) -> Scored:
    """Make a candidate that is as good as the base, but in the `hidden` rows; a day's rows err together."""
    count = groups * each
    day = np.repeat(np.arange(groups), each)
    truth, hour = rng.normal(0, 1, count), rng.integers(0, 24, count)
    carrier, wind = rng.choice(["AA", "DL", "UA"], count), rng.normal(0, 1, count)
    labels = (rng.random(count) < sigmoid(1.5 * truth)).astype(np.int64)

    def side() -> Any:
        by_day = rng.normal(0, 0.7, groups)[day] * rng.choice([-1, 1], 3)[hour % 3]
        return 1.5 * truth + by_day + rng.normal(0, 0.7, count)

    base, candidate = side(), side()
    swapped = rng.random(groups)[day] < 0.5
    base, candidate = np.where(swapped, candidate, base), np.where(swapped, base, candidate)
    columns: dict[str, Any] = {"hour": hour, "wind": wind, "carrier": carrier, "sex": rng.choice(["f", "m"], count)}
    if hidden is not None:
        inside = hidden(pl.DataFrame(columns)).to_numpy()
        candidate = np.where(inside, rng.normal(0, 1, count), candidate)
    days = [f"day {d}" for d in day]
    return make_scored(
        labels,
        sigmoid(base),
        sigmoid(candidate),
        day,
        day=days,
        seen=pl.Series([None] * count, dtype=pl.Date),
        **columns,
    )


def search(scored: Scored, metric: str = "roc_auc", matters: float = 0.0) -> tuple[list[SliceRow], int]:
    return discovered.run(scored, KINDS, NAMES, ALL[metric], matters, 0.95)


def test_a_planted_slice_is_found_and_said_in_words() -> None:
    rng = np.random.default_rng(7)
    scored = flights(rng, each=150, hidden=lambda rows: (rows["carrier"] == "UA") & (rows["hour"] > 11))

    found, searched = search(scored, matters=0.005)

    assert found[0].word == "worse"
    assert "carrier is UA" in found[0].value
    assert "hour > 11" in found[0].value
    assert set(found[0].column.split(", ")) >= {"carrier", "hour"}
    assert 1 <= len(found) <= 3 < searched
    shown = markdown.render(make_report(slices=msgspec.structs.replace(make_report().slices, discovered=found)))
    assert "nobody named moved in roc_auc" in shown
    assert f"| `{found[0].value}` |" in shown


@pytest.mark.slow
def test_equal_models_rarely_show_a_slice() -> None:
    rng = np.random.default_rng(7)

    showed = sum(bool(search(flights(rng, groups=40, each=60), "log_loss")[0]) for _ in range(150))

    assert showed <= 0.08 * 150


def test_the_half_that_was_searched_does_not_judge() -> None:
    """A difference in the searched half alone is no slice."""
    rng = np.random.default_rng(7)
    scored = flights(rng)
    half = np.isin(scored.groups, np.random.default_rng(scored.seed).permutation(60)[:30])
    inside = half & (scored.rows["carrier"] == "UA").to_numpy()
    worse = np.where(inside, rng.random(len(inside)), scored.candidate)

    found, searched = search(make_scored(scored.labels, scored.base, worse, scored.groups, **columns_of(scored)))

    assert searched > 1
    assert not found


def columns_of(scored: Scored) -> dict[str, Any]:
    return {name: scored.rows[name] for name in KINDS}


def test_a_regression_is_searched_by_squared_error() -> None:
    rng = np.random.default_rng(7)
    scored = flights(rng)
    labels = rng.normal(0, 1, len(scored.labels))
    base, candidate = labels + rng.normal(0, 1, len(labels)), labels + rng.normal(0, 1, len(labels))
    windy = (scored.rows["wind"] > 0.5).to_numpy()

    found, _ = search(
        make_scored(labels, base, candidate + 2 * windy, scored.groups, **columns_of(scored)), "mae", matters=0.05
    )

    assert found[0].value.startswith("wind > ")


def test_missing_numbers_belong_to_a_rule_that_says_so() -> None:
    rng = np.random.default_rng(7)
    scored = flights(rng)
    absent = rng.random(len(scored.labels)) < 0.3
    worse = np.where(absent, rng.random(len(absent)), scored.candidate)
    columns = columns_of(scored) | {"wind": scored.rows["wind"].set(pl.Series(absent), None)}

    found, _ = search(make_scored(scored.labels, scored.base, worse, scored.groups, **columns))

    assert "or missing)" in found[0].value
    assert abs(found[0].rows - absent.sum() / 2) < 200


@pytest.mark.parametrize("column", ["sex", "day", "seen"])
def test_sensitive_and_time_columns_are_not_asked(column: str) -> None:
    rng = np.random.default_rng(7)
    scored = flights(rng)
    women = (scored.rows["sex"] == "f").to_numpy()
    worse = np.where(women, rng.random(len(women)), scored.candidate)

    found, searched = search(make_scored(scored.labels, scored.base, worse, scored.groups, **columns_of(scored)))

    assert searched > 1
    assert not [row for row in found if column in row.column.split(", ")]


def test_with_fewer_than_twenty_groups_or_without_a_base_nothing_is_searched_for() -> None:
    rng = np.random.default_rng(7)
    few, scored = flights(rng, groups=19), flights(rng)
    alone = make_scored(scored.labels, None, scored.candidate, scored.groups, **columns_of(scored))
    broken = make_scored(scored.labels, scored.base, scored.candidate * np.nan, scored.groups, **columns_of(scored))

    assert [search(one) for one in (few, alone, broken)] == [([], 0)] * 3


def test_equal_scores_leave_nothing_to_find() -> None:
    scored = flights(np.random.default_rng(7))

    assert search(make_scored(scored.labels, scored.base, scored.base, scored.groups, **columns_of(scored))) == ([], 0)
