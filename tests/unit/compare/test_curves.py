from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import auc, roc_curve

from mergeline.bundle import Bundle
from mergeline.compare import curves, judge, page
from mergeline.compare.judge import Names, Unit
from tests.unit.compare.conftest import make_report

BY_DAY = Unit("day", by_day=False)

MakeBundle = Callable[..., Bundle]


def test_the_roc_curve_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 2, 2000)
    scores = np.asarray(np.round(rng.random(2000) + 0.3 * labels, 2), dtype=np.float64)

    points = curves.roc(labels, scores)

    false, true, _ = roc_curve(labels, scores)
    assert [p.y for p in points] == pytest.approx(np.interp([p.x for p in points], false, true), abs=0.02)
    assert auc([p.x for p in points], [p.y for p in points]) == pytest.approx(auc(false, true), abs=1e-3)


def test_calibration_is_the_mean_label_in_tenths_by_score() -> None:
    scores = np.linspace(0, 1, 1000)

    points = curves.calibration(np.ones(1000, dtype=np.int64), scores)

    assert len(points) == 10
    assert {p.y for p in points} == {1.0}
    assert points[0].x == pytest.approx(scores[:100].mean(), abs=1e-6)


def test_both_models_get_a_roc_and_a_calibration_curve(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    scored = judge.score(rows, make_bundle({"hour": 0.5, "wind": 1.5}), make_bundle({"hour": 0.5}), names, BY_DAY)

    found = curves.run(scored, "classification")

    assert [curve.title for curve in found] == ["ROC", "Calibration (tenths)"]
    assert all(curve.base and curve.candidate for curve in found)


def test_regression_shows_true_by_predicted_values_on_the_page(make_bundle: MakeBundle, rows: pl.DataFrame) -> None:
    rows = rows.with_columns((100 * pl.col("wind")).alias("delay"))
    names = Names(label="delay", row_id="id", time="day", slices=())
    model = make_bundle({"wind": 90.0}, task="regression", label="delay")

    found = curves.run(judge.score(rows, model, None, names, BY_DAY), "regression")

    assert [curve.title for curve in found] == ["True values (tenths)"]
    assert page.render(make_report(task="regression", base=None, word=None, curves=found)).count("<polyline") == 1


def test_rows_of_one_class_have_no_curve(make_bundle: MakeBundle, rows: pl.DataFrame, names: Names) -> None:
    scored = judge.score(rows.filter(pl.col("late")), make_bundle({"hour": 0.5}), None, names, BY_DAY)

    assert curves.run(scored, "classification") == []
