import re
from collections.abc import Callable

import polars as pl
import pytest

from mergeline import config, frames, metrics
from mergeline.bundle import Bundle
from mergeline.compare import judge
from mergeline.compare.judge import Names, Unit

GATES = config.parse(
    "primary: roc_auc\nmetrics:\n  roc_auc: {matters: 0.005, rules: {not_worse: true}}\n  log_loss: {matters: 0.005}\n",
    config.Gates,
    "gates.yaml",
)
BY_DAY = Unit("day", by_day=False)

MakeBundle = Callable[..., Bundle]


def test_a_column_that_says_a_lot_is_better(make_bundle: MakeBundle, rows: pl.DataFrame, names: Names) -> None:
    base, candidate = make_bundle({"hour": 0.5}), make_bundle({"hour": 0.5, "wind": 1.5})

    found = judge.table(
        judge.score(rows, candidate, base, names, BY_DAY), metrics.of_task("classification"), GATES, 0.95
    )

    assert [row.name for row in found][:2] == ["roc_auc", "log_loss"]
    assert found[0].word == "better"
    assert found[0].difference is not None
    assert found[0].difference.groups == 30
    assert found[0].difference.value == pytest.approx((found[0].candidate or 0) - (found[0].base or 0))


def test_the_other_way_round_is_worse(make_bundle: MakeBundle, rows: pl.DataFrame, names: Names) -> None:
    base, candidate = make_bundle({"hour": 0.5, "wind": 1.5}), make_bundle({"hour": 0.5})

    found = judge.table(
        judge.score(rows, candidate, base, names, BY_DAY), metrics.of_task("classification"), GATES, 0.95
    )

    assert [row.word for row in found[:2]] == ["worse", "worse"]


def test_a_model_against_itself_is_the_same(make_bundle: MakeBundle, rows: pl.DataFrame, names: Names) -> None:
    model = make_bundle({"hour": 0.5})

    found = judge.table(judge.score(rows, model, model, names, BY_DAY), metrics.of_task("classification"), GATES, 0.95)

    assert found[0].word == "same"


def test_rows_that_the_base_was_trained_on_do_not_judge(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    seen = rows.head(600)
    by_id = pl.DataFrame({"row_id": seen["id"].head(300), "row_hash": ["?"] * 300})
    by_content = pl.DataFrame({"row_id": ["?"] * 300, "row_hash": frames.hashes(seen.tail(300))})
    model = make_bundle({"hour": 0.5})

    found = judge.score(rows, model, model, names, BY_DAY, trained_on=pl.concat([by_id, by_content]))

    assert (found.judged.held_out, found.judged.rows, found.judged.groups) == (1800, 1200, 20)
    assert found.rows["id"].to_list() == rows["id"].to_list()[600:]


def test_a_base_that_saw_every_held_out_row_cannot_be_judged(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    seen = pl.DataFrame({"row_id": rows["id"], "row_hash": frames.hashes(rows)})
    model = make_bundle({"hour": 0.5})

    scored = judge.score(rows, model, model, names, BY_DAY, trained_on=seen)
    found = judge.table(scored, metrics.of_task("classification"), GATES, 0.95)

    assert scored.reason == "the base was trained on all 1,800 held-out rows"
    assert found[0].candidate is not None
    assert (found[0].base, found[0].difference, found[0].word) == (None, None, "cannot tell")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"label": "cancelled"}, "the base predicts cancelled, the candidate late"),
        ({"task": "regression"}, "the task changed from regression to classification"),
        ({"classes": ("false", "maybe", "true")}, "the candidate dropped the class maybe"),
        ({"classes": ("no", "true")}, "the base does not know the class false"),
        (
            {"features": "def features(raw):\n    raise ValueError('no')\n"},
            r"the base cannot read these rows: .*ValueError",
        ),
    ],
)
def test_a_base_that_cannot_be_judged_says_why(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names, options: dict[str, object], sentence: str
) -> None:
    scored = judge.score(rows, make_bundle({"hour": 0.5}), make_bundle({"hour": 0.5}, **options), names, BY_DAY)
    found = judge.table(scored, metrics.of_task("classification"), GATES, 0.95)

    assert scored.reason is not None
    assert re.search(sentence, scored.reason)
    assert {row.word for row in found} == {"cannot tell"}
    assert found[0].candidate is not None


def test_a_raw_column_that_the_candidate_dropped_is_named(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    scored = judge.score(rows.drop("wind"), make_bundle({"hour": 0.5}), make_bundle({"wind": 1.5}), names, BY_DAY)

    assert scored.reason == "the base needs wind, which these rows lack"


def test_classes_are_compared_by_name_whatever_their_order(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    base = make_bundle({"hour": -0.5}, classes=("true", "false"))

    scored = judge.score(rows, make_bundle({"hour": 0.5}), base, names, BY_DAY)

    assert scored.base == pytest.approx(scored.candidate, abs=1e-6)


def test_held_out_rows_of_one_class_give_null_with_the_reason(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    model = make_bundle({"hour": 0.5})

    scored = judge.score(rows.filter(pl.col("late")), model, model, names, BY_DAY)
    auc, log_loss = judge.table(scored, metrics.of_task("classification"), GATES, 0.95)[:2]

    assert (auc.candidate, auc.difference) == (None, None)
    assert "got" in (auc.reason or "")
    assert "0 negative rows" in (auc.reason or "")
    assert log_loss.candidate is not None


def test_nine_groups_tell_nothing(make_bundle: MakeBundle, rows: pl.DataFrame, names: Names) -> None:
    base, candidate = make_bundle({"hour": 0.5}), make_bundle({"hour": 0.5, "wind": 1.5})
    nine = rows.filter(pl.col("day") < "2013-06-10")

    found = judge.table(
        judge.score(nine, candidate, base, names, BY_DAY), metrics.of_task("classification"), GATES, 0.95
    )

    assert found[0].word == "cannot tell"
    assert found[0].reason == "9 groups, fewer than 10"


def test_a_single_row_tells_nothing_and_stops_nothing(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    model = make_bundle({"hour": 0.5})

    found = judge.table(
        judge.score(rows.head(1), model, model, names, BY_DAY), metrics.of_task("classification"), GATES, 0.95
    )

    assert {row.word for row in found} == {"cannot tell"}
    assert all(row.reason for row in found)


def test_a_group_that_the_rows_lack_cannot_judge(make_bundle: MakeBundle, rows: pl.DataFrame, names: Names) -> None:
    model = make_bundle({"hour": 0.5})

    scored = judge.score(rows, model, model, names, Unit("customer", by_day=False))

    assert scored.reason == "the base judges by customer, which the rows lack"


def test_regression_is_judged_by_its_own_metrics(make_bundle: MakeBundle, rows: pl.DataFrame) -> None:
    names = Names(label="delay", row_id="id", time="day", slices=())
    rows = rows.with_columns((2 * pl.col("wind") + pl.col("hour")).alias("delay"))
    gates = config.parse("primary: mae\nmetrics:\n  mae: {matters: 0.01}\n", config.Gates, "gates.yaml")
    base = make_bundle({"hour": 1.0}, task="regression", label="delay")
    candidate = make_bundle({"hour": 1.0, "wind": 2.0}, task="regression", label="delay")

    found = judge.table(judge.score(rows, candidate, base, names, BY_DAY), metrics.of_task("regression"), gates, 0.95)

    assert [row.name for row in found] == ["mae", "rmse", "r2"]
    assert found[0].word == "better"
    assert found[0].candidate == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("group", "split_group", "time", "expected"),
    [
        ("customer", "plane", "day", Unit("customer", by_day=False)),
        (None, "plane", "day", Unit("plane", by_day=False)),
        (None, None, "day", Unit("day", by_day=True)),
        (None, None, None, Unit(None, by_day=False)),
    ],
)
def test_the_unit_of_independence_is_the_first_that_is_named(
    group: str | None, split_group: str | None, time: str | None, expected: Unit
) -> None:
    assert judge.unit(group, split_group, Names("late", "id", time, ())) == expected


def test_without_group_and_time_rows_judge_themselves(make_bundle: MakeBundle, rows: pl.DataFrame) -> None:
    model, names = make_bundle({"hour": 0.5}), Names("late", "id", None, ())

    scored = judge.score(rows, model, model, names, judge.unit(None, None, names))

    assert (scored.judged.groups, scored.judged.group, scored.judged.period) == (1800, None, None)


def test_the_hash_of_the_rows_does_not_depend_on_their_order(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    model = make_bundle({"hour": 0.5})

    one, other = (judge.score(r, model, model, names, BY_DAY) for r in (rows, rows.reverse()))

    assert one.judged.hash == other.judged.hash


def test_the_hash_of_the_rows_is_of_ids_and_labels_so_a_new_column_makes_no_new_rows(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    model = make_bundle({"hour": 0.5})
    sides = (rows, rows.with_columns(crew=pl.lit(1)), rows.with_columns(late=~pl.col("late")))

    one, wider, other = (judge.score(r, model, model, names, BY_DAY).judged.hash for r in sides)

    assert one == wider != other
