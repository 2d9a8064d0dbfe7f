from collections.abc import Callable

import msgspec
import numpy as np
import polars as pl
import pytest
from scipy import stats

from mergeline import metrics
from mergeline.bundle import Bundle
from mergeline.compare import judge, markdown, slices
from mergeline.compare.judge import Names, Unit
from mergeline.compare.report import Slices
from mergeline.errors import BadSettings
from mergeline.metrics import ALL
from mergeline.statistics import Estimate

from .conftest import make_report
from .scores import make_scored

BY_DAY = Unit("day", by_day=False)

MakeBundle = Callable[..., Bundle]


def test_the_slice_that_got_worse_is_found_and_no_other(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    lost = rows.with_columns(pl.when(pl.col("carrier") == "DL").then(0.0).otherwise(pl.col("wind")).alias("seen"))
    base, candidate = make_bundle({"wind": 1.5, "seen": 0.0}), make_bundle({"wind": 0.0, "seen": 1.5})

    found = slices.run(judge.score(lost, candidate, base, names, BY_DAY), ("carrier",), ALL["roc_auc"], 0.005, 0.95)

    assert [(row.column, row.value, row.word) for row in found.moved] == [("carrier", "DL", "worse")]
    assert (found.tested, found.small) == (3, 0)
    assert found.moved[0].q < 0.05


def test_a_value_in_few_rows_or_days_is_counted_as_small(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    rare = rows.with_row_index().with_columns(
        pl.when(pl.col("index") < 5)
        .then(pl.lit("few rows"))
        .when(pl.col("day") <= "2013-06-09")
        .then(pl.lit("few days"))
        .otherwise(pl.lit("usual"))
        .alias("carrier")
    )
    base, candidate = make_bundle({"hour": 0.5}), make_bundle({"hour": 0.5, "wind": 1.5})

    found = slices.run(judge.score(rare, candidate, base, names, BY_DAY), ("carrier",), ALL["roc_auc"], 0.005, 0.95)

    assert (found.tested, found.small) == (1, 2)
    assert found.too_small == ["carrier = few days", "carrier = few rows"]
    shown = markdown.render(make_report(slices=found))
    assert "Too small to judge: `carrier = few days`, `carrier = few rows`." in shown


def test_null_slices_of_null_pull_requests_show_nothing_most_of_the_time(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    rng = np.random.default_rng(7)
    base, candidate = make_bundle({"hour": 0.5, "a": 0.5, "b": 0.0}), make_bundle({"hour": 0.5, "a": 0.0, "b": 0.5})
    showed = 0
    for _ in range(40):
        noise = rows.with_columns(
            pl.Series("a", rng.normal(0, 1, len(rows))),
            pl.Series("b", rng.normal(0, 1, len(rows))),
            pl.Series("carrier", rng.integers(0, 8, len(rows)).astype(str)),
        )
        scored = judge.score(noise, candidate, base, names, BY_DAY)
        showed += bool(slices.run(scored, ("carrier",), ALL["roc_auc"], 0.0, 0.95).moved)

    assert showed <= 6


def test_without_a_base_no_slice_is_judged(make_bundle: MakeBundle, rows: pl.DataFrame, names: Names) -> None:
    scored = judge.score(rows, make_bundle({"hour": 0.5}), None, names, BY_DAY)

    assert slices.run(scored, ("carrier",), ALL["roc_auc"], 0.005, 0.95).tested == 0


def test_a_slice_without_twenty_rows_of_a_class_is_too_small() -> None:
    labels = np.repeat([0, 1, 2], [400, 400, 400])
    place = np.arange(1200) % 40
    carrier = np.where((labels == 2) & (place > 0), "without the third", "with all")
    scores = np.eye(3)[labels] * 0.4 + 0.2

    found = slices.run(
        make_scored(labels, scores, scores[::-1], place, carrier=carrier), ("carrier",), ALL["accuracy"], 0.0, 0.95
    )

    assert found.too_small == ["carrier = with all", "carrier = without the third"]


@pytest.mark.parametrize(
    ("shift", "columns", "control"),
    [
        ([0.3, -0.3, 0.0], ("first", "second"), "Benjamini-Yekutieli"),
        ([0.3, 0.2, 0.1], ("first", "second"), "Benjamini-Hochberg"),
        ([0.3, -0.3, 0.0], ("first",), "Benjamini-Hochberg"),
    ],
    ids=["columns that overlap, mixed signs", "one sign", "one column"],
)
def test_the_report_says_how_false_discoveries_are_held(
    shift: list[float], columns: tuple[str, ...], control: str
) -> None:
    scored = make_scored(
        np.zeros(1200),
        np.ones(1200),
        1 + np.tile(np.array(shift), 400) + np.random.default_rng(7).normal(0, 0.1, 1200),
        np.arange(1200) % 40,
        first=np.tile(["a", "b", "c"], 400),
        second=np.repeat(["x", "y"], 600),
    )

    found = slices.run(scored, columns, ALL["mae"], 0.05, 0.95)

    assert found.control == control
    assert found.moved[0].word == "worse"
    assert found.moved[0].value == "a"
    assert f"held at 5% ({control})" in markdown.render(make_report(slices=found))


def test_adjusted_probabilities_are_those_of_scipy() -> None:
    rng = np.random.default_rng(7)
    found = [Estimate(value, 1.0, 40) for value in rng.normal(0, 2, 9)]
    chances = [estimate.p_value() for estimate in found]

    assert np.allclose(slices.adjusted(found), stats.false_discovery_control(chances))
    by = slices.adjusted(found, "Benjamini-Yekutieli")
    assert np.allclose(by, stats.false_discovery_control(chances, method="by"))
    assert slices.adjusted([]).shape == (0,)


def test_a_metric_of_the_projects_own_is_not_judged_by_slice() -> None:
    own = metrics.Metric("cost", "regression", "lower", None, own=lambda _, scores, weights: float(weights @ scores))
    scored = make_scored(np.zeros(40), np.ones(40), np.ones(40), first=["a"] * 40)

    assert slices.run(scored, ("first",), own, 0.0, 0.95) == Slices(metric="cost")


def test_when_every_slice_is_too_small_the_comment_says_so() -> None:
    few = Slices(metric="roc_auc", small=2, too_small=["carrier = AA", "carrier = `DL`"])

    text = markdown.render(make_report(slices=few))

    assert "No slice is large enough to judge, of 2" in text
    assert "`carrier = AA`, `carrier = 'DL'`" in text
    assert msgspec.json.decode(msgspec.json.encode(few), type=Slices) == few


def test_slices_that_the_gates_name_are_measured_whether_they_moved_or_not(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    rare = rows.with_row_index().with_columns(
        pl.when(pl.col("index") < 5).then(pl.lit("few")).otherwise(pl.col("carrier")).alias("carrier")
    )
    base, candidate = make_bundle({"wind": 1.5}), make_bundle({"wind": -1.5})
    scored = judge.score(rare, candidate, base, names, BY_DAY)
    moved = slices.run(scored, ("carrier",), ALL["roc_auc"], 0.005, 0.95).moved

    every = slices.asked(scored, ("carrier",), ["carrier", "carrier=XX"], ALL["roc_auc"], moved)

    by_value = {row.value: row for row in every}
    assert {value: row.word for value, row in by_value.items()} == {
        "AA": "worse",
        "DL": "worse",
        "UA": "worse",
        "few": "no change shown",
        "XX": "no change shown",
    }
    assert by_value["few"].reason == "too few rows or groups"
    assert (by_value["XX"].rows, by_value["XX"].candidate) == (0, None)
    for value in ("AA", "DL", "UA"):
        inside = (scored.rows["carrier"] == value).to_numpy()
        assert by_value[value].candidate == judge.influence("roc_auc", scored, "candidate", inside).value
        assert by_value[value].base == judge.influence("roc_auc", scored, "base", inside).value


def test_a_slice_of_a_first_model_has_the_value_of_the_candidate_alone(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    scored = judge.score(rows, make_bundle({"wind": 1.5}), None, names, BY_DAY)

    (row,) = slices.asked(scored, ("carrier",), ["carrier=AA"], ALL["roc_auc"], [])

    assert row.candidate is not None
    assert (row.base, row.reason) == (None, "there is no base")


def test_a_column_that_is_no_slice_is_an_error(make_bundle: MakeBundle, rows: pl.DataFrame, names: Names) -> None:
    scored = judge.score(rows, make_bundle({"wind": 1.5}), None, names, BY_DAY)

    with pytest.raises(BadSettings, match=r"slices\.hour: SLICES of src/model/schema\.py has no hour; it has: carrier"):
        slices.asked(scored, ("carrier",), ["hour"], ALL["roc_auc"], [])
