"""Reports with something in every part, from scores of models that do not exist."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from mergeline.compare import calibration, curves
from mergeline.compare.report import (
    Attribution,
    AttributionRow,
    Change,
    Cost,
    DataChecks,
    Difference,
    DriftRow,
    Fairness,
    FairnessRow,
    Flips,
    FoldRow,
    Folds,
    GateRow,
    Importance,
    Looks,
    Moved,
    Report,
    RowCounts,
    Side,
    SliceRow,
    Slices,
    SliceValue,
    Suspect,
)
from mergeline.statistics import Estimate

from .conftest import make_report, metric_row
from .scores import make_scored, sigmoid

ROWS = 4000
FEATURES = "dep_hour", "wind_speed", "precip", "distance", "carrier", "plane_age", "visib", "temp", "seats", "humid"


def two_classes() -> Report:
    """Say whether a flight is late: the candidate ranks better."""
    rng = np.random.default_rng(7)
    said, noise = rng.normal(0, 1, ROWS), rng.normal(0, 1, ROWS)
    labels = (rng.random(ROWS) < sigmoid(1.4 * said - 1.2)).astype(np.int64)
    base, candidate = sigmoid(0.7 * said + 0.7 * noise - 1.1), sigmoid(1.2 * said + 0.4 * noise - 1.2)
    scored = make_scored(labels, base, candidate, thresholds=(0.3, 0.4))
    return _filled(
        curves=curves.run(scored, "classification", "late", ["on time", "late"]),
        calibration=calibration.run(scored, ["on time", "late"]),
    )


def regression(scale: float = 1.0, shift: float = 0.0, label: str = "arr_delay") -> Report:
    """Say by how many minutes a flight is late."""
    rng = np.random.default_rng(7)
    said, noise = rng.normal(0, 20, ROWS), rng.gamma(1.2, 18, ROWS) - 20
    scored = make_scored(
        *(shift + scale * side for side in (said + noise, 0.6 * said + rng.normal(0, 6, ROWS), 0.9 * said))
    )
    error = metric_row("mae", -1.27, 0.31, better="lower", base=22.61, candidate=21.34, matters=0.5)
    report = _filled(task="regression", primary="mae", metrics=[error], curves=curves.run(scored, "regression", label))
    return msgspec.structs.replace(report, slices=Slices(metric="mae", tested=12), calibration=None)


def three_classes() -> Report:
    """Say which way a flight ends."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 3, ROWS)
    scores = [np.exp(rng.normal(0, 1, (ROWS, 3)) + push * np.eye(3)[labels]) for push in (1.0, 1.8)]
    base, candidate = (side / side.sum(1, keepdims=True) for side in scores)
    classes = ["on time", "late", "cancelled"]
    scored = make_scored(labels, base, candidate)
    return _filled(
        curves=curves.run(scored, "classification", "end", classes), calibration=calibration.run(scored, classes)
    )


def _difference(value: float, error: float) -> Difference:
    estimate = Estimate(value, error, 30)
    return Difference(value=value, standard_error=error, groups=30, interval=estimate.interval(), row_error=error / 3)


def _slice(column: str, value: str, rows: int, moved: float) -> SliceRow:
    return SliceRow(
        column=column,
        value=value,
        rows=rows,
        groups=30,
        base=0.7031,
        candidate=0.7031 + moved,
        difference=_difference(moved, 0.009),
        q=0.0041,
        word="better" if moved > 0 else "worse",
    )


def _filled(**changes: Any) -> Report:
    report = make_report(
        candidate=Side(commit="c" * 40, bundle="ea" * 32, stages=["train"]),
        base=Side(commit="b" * 40, bundle="fb" * 32),
        metrics=[
            metric_row(difference=_difference(0.0317, 0.01)),
            metric_row("log_loss", -0.0124, 0.004, better="lower", base=0.5213, candidate=0.5089, matters=0.002),
            metric_row("brier", 0.0009, 0.002, better="lower", base=0.1734, candidate=0.1743, word="cannot tell"),
            metric_row("f1", 0.021, 0.013, matters=None, word="cannot tell"),
            metric_row("recall_at_5pct", base=None, candidate=0.231, difference=None, reason="fewer than 20 positives"),
        ],
        slices=Slices(
            metric="roc_auc",
            moved=[
                _slice("carrier", "HA", 812, -0.041),
                _slice("origin", "LGA", 9120, 0.038),
                _slice("dest", "ORD", 1291, 0.057),
                _slice("hour", "6", 2311, 0.027),
            ],
            tested=41,
            small=7,
            too_small=["carrier = OO", "dest = LEX", "dest = SBN"],
            discovered=[_slice("carrier, hour", "carrier is US and hour is above 17.5", 933, -0.062)],
            searched=19,
            asked=[SliceValue(column="origin", value="JFK", rows=9311, base=0.701, candidate=0.716)],
            control="Benjamini-Yekutieli",
        ),
        noise="of both",
        refits=5,
        attribution=Attribution(
            rows=[
                AttributionRow(
                    metric=metric,
                    data=_difference(0.0113, 0.004),
                    code=_difference(0.0217, 0.005),
                    together=_difference(-0.0031, 0.002),
                    total=_difference(0.0299, 0.006),
                )
                for metric in ("roc_auc", "log_loss")
            ],
            judged=26_123,
            groups=29,
        ),
        folds=Folds(
            metric="roc_auc",
            rows=[
                FoldRow(
                    first="2013-04-01",
                    end="2013-05-01",
                    base=0.691,
                    candidate=0.713,
                    difference=_difference(0.022, 0.01),
                ),
                FoldRow(first="2013-05-01", end="2013-06-01", difference=None, reason="9 groups, fewer than 10"),
            ],
            mean=_difference(0.019, 0.006),
        ),
        fairness=Fairness(
            rows=[
                FairnessRow(
                    column="origin",
                    value=None,
                    measure="true positive rate",
                    rows=27075,
                    between=("EWR", "LGA"),
                    base=0.0812,
                    candidate=0.1134,
                    difference=_difference(0.0322, 0.009),
                    q=0.012,
                    word="wider",
                ),
                FairnessRow(
                    column="origin",
                    value="EWR",
                    measure="selection rate",
                    rows=9893,
                    base=0.2214,
                    candidate=0.2391,
                    difference=_difference(0.0177, 0.012),
                    q=0.31,
                ),
            ],
            tested=9,
            too_small=["SWF"],
        ),
        flips=Flips(
            rows=27075,
            right_to_wrong=1413,
            wrong_to_right=2208,
            other=31,
            moved=[
                Moved(row=f"UA-{i}", label="late", base=0.1 + i / 30, candidate=0.9 - i / 90) for i in range(9, 0, -1)
            ],
        ),
        rows=RowCounts(added=26491, removed=17, changed=211, unchanged=130772),
        drift=[
            DriftRow(column="temp", psi=0.4113, test="Kolmogorov-Smirnov", statistic=0.231, q=1.3e-9),
            DriftRow(column="carrier", psi=0.1342, test="chi-square", statistic=812.4, q=0.00021),
        ],
        steady=[
            DriftRow(column="wind_speed", psi=0.0614, test="Kolmogorov-Smirnov", statistic=0.0231, q=0.0021),
            DriftRow(column="seats", psi=0.0042, test="Kolmogorov-Smirnov", statistic=0.0034, q=0.61),
        ],
        checks=DataChecks(duplicates=37, shared_groups=3, suspects=[Suspect(column="arr_time", score=0.9871)]),
        cost=[
            Cost(name="training", unit="s", base=12.4, candidate=17.9),
            Cost(name="peak memory", unit="MB", base=1311.0, candidate=1422.0),
            Cost(name="latency of 1 row", unit="ms", base=0.212, candidate=0.347, comparable=False),
        ],
        looks=Looks(candidates=23),
        params=[Change(name="model.max_iter", base="120", candidate="250")],
        data=[Change(name="rows", base="130,983", candidate="157,474"), Change(name="sky", base=None, candidate="new")],
        code=["src/model/features.py"],
        gates=[
            GateRow(gate="roc_auc.not_worse", state="passed", text="harm is not shown (better)"),
            GateRow(gate="flips.right_to_wrong", state="failed", text="5.2% of the rows, more than 4%"),
            GateRow(gate="slices.carrier", state="overridden", text="worse in HA; lifted: charter flights ended"),
        ],
        notes=["Only 29 groups: intervals from fewer than 30 are themselves uncertain."],
        importance=[
            Importance(
                feature=name,
                base=None if name == "precip" else round(0.09 / (i + 1), 4),
                candidate=round(0.11 / (i + 0.8) - 0.013, 4),
            )
            for i, name in enumerate(FEATURES)
        ],
    )
    return msgspec.structs.replace(report, **changes)


KINDS: dict[str, Callable[[], Report]] = {
    "two classes": two_classes,
    "three classes": three_classes,
    "regression": regression,
}
