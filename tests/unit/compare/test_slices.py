from collections.abc import Callable

import numpy as np
import polars as pl

from mergeline.bundle import Bundle
from mergeline.compare import judge, slices
from mergeline.compare.judge import Names, Unit
from mergeline.metrics import ALL

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
