"""The situations that a pull request can be in, each with its exit code."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from tests.unit.compare.checkouts import GATES, PARAMS, Situation, State, overridden, renamed
from tests.unit.compare.conftest import make_rows

LITTLE, MUCH = {"hour": 0.5}, {"hour": 0.5, "wind": 1.5}
ASKED = "primary: roc_auc\nmetrics:\n  roc_auc: {matters: 0.01, rules: {not_worse: true}}\n"
REGRESSION_GATES = "primary: mae\nmetrics:\n  mae: {matters: 0.5, rules: {not_worse: true}}\n"
REGRESSION_PARAMS = PARAMS.replace("classification", "regression")


def rows(days: int = 30, each: int = 60, seed: int = 7, **columns: pl.Expr) -> pl.DataFrame:
    return make_rows(days, each, seed).with_columns(**columns)


def before(**columns: pl.Expr) -> pl.DataFrame:
    """Give the rows that models were trained on."""
    return renamed(make_rows(seed=8).with_columns(**columns))


def against(base: dict[str, float], candidate: dict[str, float], code: int = 0, **changes: Any) -> Situation:
    """Give a pull request whose sides differ in their models alone."""
    return Situation(State(candidate, **changes), State(base, **changes), code=code)


def broken(value: str) -> str:
    """Give features that are no number in some rows."""
    made = f"{{**raw, 'wind': np.where(raw['wind'] > 2, {value}, raw['wind'])}}"
    return f"import numpy as np\n\nNUMERIC = ('hour', 'wind')\nCATEGORICAL = ()\n\n\ndef features(raw):\n    return {made}\n"


def delays(seed: int) -> pl.DataFrame:
    late = pl.when(pl.col("late")).then(8.0).otherwise(-2.0)
    return rows(seed=seed, delay=20 * pl.col("wind") + 5 * pl.col("hour") + late).drop("late")


def regression(weights: dict[str, float], features: str | None = None) -> State:
    return State(
        weights,
        delays(7),
        renamed(delays(8)),
        task="regression",
        label="delay",
        features=features,
        gates=REGRESSION_GATES,
        params=REGRESSION_PARAMS,
    )


def classes(weights: dict[str, float], names: Sequence[str], **changes: Any) -> State:
    """Give a model of classes with names, on rows of three."""
    how = pl.when(pl.col("late")).then(pl.lit("late")).when(pl.col("hour") < 0).then(pl.lit("early"))
    three = how.otherwise(pl.lit("on time"))
    return State(weights, rows(late=three), before(late=three), classes=names, **changes)


def other_rows() -> Situation:
    """A month later: more rows, stronger wind, an airline more and one column less often given."""
    now = make_rows(30, 80, seed=9).with_columns(
        day=pl.col("day").str.replace("06", "07", literal=True),
        wind=pl.col("wind") + 2,
        carrier=pl.when(pl.col("hour") > 1.3).then(pl.lit("ZZ")).otherwise("carrier"),
        hour=pl.when(pl.col("wind") > 1.6).then(None).otherwise("hour"),
    )
    now = renamed(now, "n").with_columns(hour=pl.col("hour").fill_null(0))
    return Situation(State({"hour": 0.6, "wind": 1.2}, now, pl.concat([before(), rows()])), State(MUCH))


ONE_CLASS = rows().filter(pl.col("late"))
TWO, THREE = ("early", "late"), ("early", "on time", "late")
FLIPS = "flips: {right to wrong: {at_most: 0.01}}\n"
UNKNOWN_SLICE = "slices: {carrier=ZZ: {not_worse: true}}\n"
STRICT = GATES.replace("at_least: 0.6", "at_least: 0.9")
OWN = GATES + "  wins: {matters: 0.01, better: higher}\n"
WINS = {"src/model/metrics.py": "def wins(labels, scores, weights):\n    return (weights * scores * labels).sum()\n"}
NEW_CARRIER = pl.when(pl.col("carrier") == "DL").then(pl.lit("ZZ")).otherwise("carrier")
MANY = {f"src/model/part_{i:02}.py": f"PART = {i}\n" for i in range(40)}
LIFTED = "override roc_auc.not_worse: the wind of May was wrong\noverride log_loss.not_worse: the same"
FELL = "the base has no model: it cannot be built any more (stage train: ImportError: no module named lightgbm)"
AA_WIND = pl.when(pl.col("carrier") == "AA").then("wind").otherwise(0.0)

SITUATIONS: dict[str, Situation] = {
    "better": against(LITTLE, MUCH),
    "worse, blocked by a gate": against(MUCH, LITTLE, code=3),
    "same": against(MUCH, {"hour": 0.51, "wind": 1.5}),
    "cannot tell": against({"hour": 0.5, "wind": 1.5}, {"hour": 0.9, "wind": 1.5}, held_out=rows(each=10)),
    "slices moved": against(
        {**MUCH, "aa_wind": -1.2},
        {**MUCH, "aa_wind": 0.0},
        held_out=rows(aa_wind=AA_WIND),
        train=before(aa_wind=AA_WIND),
    ),
    "flips above their limit": against(LITTLE, MUCH, code=3, gates=GATES + FLIPS),
    "fairness": against(LITTLE, MUCH, slices=(), sensitive=("carrier",)),
    "other data, with drift": other_rows(),
    "many looks": Situation(State(MUCH), State(LITTLE), looks=24),
    "override by label": Situation(State(LITTLE, gates=ASKED), State(MUCH, gates=ASKED), forge=overridden(LIFTED)),
    "override without a reason": Situation(
        State(LITTLE, gates=ASKED), State(MUCH, gates=ASKED), forge=overridden("override please"), code=3
    ),
    "protected files changed": Situation(
        State(MUCH, files={"src/mergeline/compare/gates.py": "", "Makefile": "", ".github/workflows/train.yml": ""}),
        State(LITTLE),
    ),
    "gates loosened in the same pull request": Situation(State(MUCH), State(LITTLE, gates=STRICT), code=3),
    "too long for a comment": Situation(State(MUCH, files=MANY), State(LITTLE), longest=3200),
    "more than two classes": Situation(classes(MUCH, THREE), classes(LITTLE, THREE)),
    "regression": Situation(regression({"hour": 5.0, "wind": 19.0}), regression({"hour": 5.0, "wind": 10.0})),
    "training noise not measured": against(LITTLE, MUCH, anew=1),
    "training noise of the base alone": Situation(State(MUCH, anew=0), State(LITTLE)),
    "fewer than 10 groups": against(LITTLE, MUCH, held_out=rows(9)),
    "fewer than 30 groups": against(LITTLE, MUCH, held_out=rows(20)),
    "neither group nor time": against(LITTLE, MUCH, held_out=rows().drop("day"), train=before().drop("day"), time=None),
    "held-out rows without one class": against(LITTLE, MUCH, held_out=ONE_CLASS, code=3),
    "a single row": against(LITTLE, MUCH, held_out=rows().head(1), code=3),
    "a single group": against(LITTLE, MUCH, held_out=rows(1)),
    "a group with one row": against(LITTLE, MUCH, held_out=rows().head(29 * 60 + 1)),
    "all predictions equal": against(LITTLE, {"hour": 0.0, "wind": 0.0}, code=3),
    "constant features": against(
        LITTLE, {**LITTLE, "wind": 1.5}, held_out=rows(wind=pl.lit(0.0)), train=before(wind=pl.lit(0.0)), code=3
    ),
    "scores that are not a number": Situation(State(MUCH, features=broken("np.nan")), State(LITTLE), code=3),
    "infinite scores": Situation(
        regression({"hour": 5.0, "wind": 19.0}, broken("np.inf")), regression({"hour": 5.0, "wind": 10.0}), code=3
    ),
    "a base whose scores are not a number": Situation(State(MUCH), State(MUCH, features=broken("np.nan"))),
    "a metric that the base does not have": Situation(State(MUCH, gates=OWN, files=WINS), State(LITTLE)),
    "a renamed column": Situation(
        State({"hour": 0.5, "gust": 1.5}, rows().rename({"wind": "gust"}), before().rename({"wind": "gust"})),
        State(MUCH),
    ),
    "a new category": Situation(State(MUCH, rows(carrier=NEW_CARRIER)), State(LITTLE)),
    "a new class": Situation(classes(MUCH, THREE), classes(LITTLE, ("early", "late"))),
    "a dropped class": Situation(classes(MUCH, TWO), classes(LITTLE, THREE), code=3),
    "a label that nobody was trained on": Situation(classes(MUCH, TWO), classes(LITTLE, TWO), code=3),
    "a changed row id": Situation(
        State(MUCH, rows().rename({"id": "flight"}), before().rename({"id": "flight"}), row_id="flight"),
        State(LITTLE),
    ),
    "row ids of another kind": Situation(
        State(MUCH, renamed(rows(), "x"), renamed(before(), "y")), State(LITTLE, train=before())
    ),
    "an empty slice": against(LITTLE, MUCH, code=3, gates=GATES + UNKNOWN_SLICE),
    "a base that was trained on the held-out rows": Situation(State(MUCH), State(LITTLE, train=rows())),
    "the first pull request": Situation(State(MUCH)),
    "the first pull request, not good enough": Situation(State(LITTLE), code=3),
    "another task": Situation(regression({"hour": 5.0, "wind": 10.0}), State(MUCH), code=6),
    "a base that cannot be built any more": Situation(State(MUCH), State(LITTLE), problem=FELL),
}
