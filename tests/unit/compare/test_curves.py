from collections.abc import Callable

import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

from mergeline.bundle import Bundle
from mergeline.compare import curves, judge, page, points, report
from mergeline.compare.judge import Names, Unit
from tests.unit.compare.conftest import make_report
from tests.unit.compare.full import KINDS
from tests.unit.compare.scores import make_scored

BY_DAY = Unit("day", by_day=False)

MakeBundle = Callable[..., Bundle]


def test_the_roc_curve_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 2, 2000)
    scores = np.asarray(np.round(rng.random(2000) + 0.3 * labels, 2), dtype=np.float64)

    found = points.roc(labels, scores)

    false, true, _ = roc_curve(labels, scores)
    assert [p.y for p in found] == pytest.approx(np.interp([p.x for p in found], false, true), abs=0.02)
    assert auc([p.x for p in found], [p.y for p in found]) == pytest.approx(auc(false, true), abs=1e-3)


@pytest.mark.parametrize("digits", [2, 6], ids=["many ties", "hardly any"])
def test_precision_by_recall_is_that_of_scikit_learn(digits: int) -> None:
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 2, 2000)
    scores = np.asarray(np.round(rng.random(2000) + 0.3 * labels, digits), dtype=np.float64)

    found = points.precision_recall(labels, scores)

    precision, recall, _ = precision_recall_curve(labels, scores)
    for point in found[1:]:
        first = np.flatnonzero(recall >= point.x - 1e-9)[-1]  # scikit-learn's thresholds rise, so recalls fall
        assert point.y == pytest.approx(precision[first], rel=1e-5)
    assert np.mean([p.y for p in found[1:]]) == pytest.approx(average_precision_score(labels, scores), abs=0.005)
    assert len(found) == 101


def test_calibration_is_that_of_scikit_learn_by_quantiles() -> None:
    rng = np.random.default_rng(7)
    scores = rng.random(1000)
    labels = (rng.random(1000) < scores).astype(np.int64)

    found = points.calibration(labels, scores)

    true, said = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    assert [p.x for p in found] == pytest.approx(said, rel=1e-5)
    assert [p.y for p in found] == pytest.approx(true, rel=1e-5)


def test_bars_are_percents_and_the_outer_ones_hold_what_lies_beyond() -> None:
    found = points.histogram(np.array([-9.0, 0.1, 0.2, 0.6, 7.0, 8.0, 9.0, 9.0]), np.array([0.0, 0.25, 0.5, 1.0]))

    assert [(p.x, p.y) for p in found] == [(0, 37.5), (0.25, 0), (0.5, 62.5), (1, 62.5)]


def test_bars_of_both_models_share_their_edges_even_where_all_scores_are_equal() -> None:
    both = points.edges([np.array([0.2, 0.4]), np.array([0.1, 0.3])])
    assert (both[0], both[-1], len(both)) == (0.1, 0.4, 26)

    assert points.edges([None, np.full(3, 0.5)])[[0, -1]].tolist() == [0, 1]


def test_residuals_are_the_median_and_the_middle_eight_tenths_of_each_tenth_by_prediction() -> None:
    rng = np.random.default_rng(7)
    predicted = np.repeat(np.arange(10.0), 101)
    labels = predicted + rng.permuted(np.tile(np.linspace(-1, 1, 101), (10, 1)), axis=1).ravel()

    found = points.residuals(labels, predicted)

    assert [p.x for p in found] == list(range(10))
    assert [p.y for p in found] == pytest.approx([0.0] * 10, abs=1e-9)
    assert [p.low for p in found] == pytest.approx([-0.8] * 10)
    assert [p.high for p in found] == pytest.approx([0.8] * 10)


def test_calibration_is_the_mean_label_in_tenths_by_score() -> None:
    scores = np.linspace(0, 1, 1000)

    found = points.calibration(np.ones(1000, dtype=np.int64), scores)

    assert len(found) == 10
    assert {p.y for p in found} == {1.0}
    assert found[0].x == pytest.approx(scores[:100].mean(), abs=1e-6)


def test_both_models_get_a_roc_and_a_calibration_curve(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names
) -> None:
    scored = judge.score(rows, make_bundle({"hour": 0.5, "wind": 1.5}), make_bundle({"hour": 0.5}), names, BY_DAY)

    found = curves.run(scored, "classification", "late", ["false", "true"])

    assert [curve.title for curve in found] == [
        "ROC",
        "Precision and recall",
        "Calibration (tenths)",
        "Scores where late = false",
        "Scores where late = true",
    ]
    assert all(curve.base and curve.candidate for curve in found)


def test_regression_shows_true_by_predicted_values_on_the_page(make_bundle: MakeBundle, rows: pl.DataFrame) -> None:
    rows = rows.with_columns((100 * pl.col("wind")).alias("delay"))
    names = Names(label="delay", row_id="id", time="day", slices=())
    model = make_bundle({"wind": 90.0}, task="regression", label="delay")

    found = curves.run(judge.score(rows, model, None, names, BY_DAY), "regression", "delay")

    assert [curve.title for curve in found] == [
        "True delay by prediction (tenths)",
        "Residuals in tenths (median, 10% to 90%)",
        "Residuals (outer bars: all beyond)",
    ]
    assert page.render(make_report(task="regression", base=None, word=None, curves=found)).count("<polyline") == 3


def test_rows_of_one_class_have_no_curve(make_bundle: MakeBundle, rows: pl.DataFrame, names: Names) -> None:
    scored = judge.score(rows.filter(pl.col("late")), make_bundle({"hour": 0.5}), None, names, BY_DAY)

    assert curves.run(scored, "classification", "late", ["false", "true"]) == []


def test_scores_are_shown_by_class_with_the_threshold_of_each_model() -> None:
    labels = np.array([0, 0, 0, 1] * 10)
    found = curves.run(
        make_scored(labels, labels * 0.2 + 0.1, labels * 0.5 + 0.2, thresholds=(0.15, 0.4)),
        "classification",
        "late",
        ["no", "yes"],
    )

    no, yes = found[-2:]
    assert (no.title, yes.title, yes.x) == (
        "Scores where late = no",
        "Scores where late = yes",
        "predicted probability of late = yes",
    )
    assert no.marks == yes.marks == (0.15, 0.4)
    assert [max(points, key=lambda p: p.y).x for points in (no.base, no.candidate)] == pytest.approx(
        [0.1, 0.196], abs=1e-3
    )
    assert [max(points, key=lambda p: p.y).x for points in (yes.base, yes.candidate)] == pytest.approx(
        [0.292, 0.676], abs=1e-3
    )


@pytest.mark.parametrize(("classes", "plots"), [(3, 10), (5, 16), (6, 1)])
def test_few_classes_are_shown_against_the_rest_many_only_by_the_score_of_the_true_one(
    classes: int, plots: int
) -> None:
    rng = np.random.default_rng(7)
    labels = np.arange(600) % classes
    scores = rng.dirichlet(np.ones(classes), 600)

    found = curves.run(make_scored(labels, scores, scores), "classification", "kind", [f"c{i}" for i in range(classes)])

    assert len(found) == plots
    assert found[-1].title == "Scores of the true class"
    own = scores[np.arange(600), labels]
    assert found[-1].candidate[0].x == pytest.approx(own.min(), rel=1e-5)
    if plots > 1:
        false, true, _ = roc_curve(labels == 1, scores[:, 1])
        one = next(curve for curve in found if curve.title == "ROC, kind = c1")
        assert auc([p.x for p in one.candidate], [p.y for p in one.candidate]) == pytest.approx(
            auc(false, true), abs=0.01
        )


def test_a_base_whose_scores_are_no_numbers_has_no_lines() -> None:
    labels = np.array([0, 1] * 20)
    found = curves.run(make_scored(labels, np.full(40, np.nan), labels * 0.5), "classification", "late", ["no", "yes"])

    assert {len(curve.base) for curve in found} == {0}
    assert {curve.marks[0] for curve in found} == {None}


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_line_has_more_points_than_a_report_takes(kind: str) -> None:
    made = KINDS[kind]()

    assert max(len(side) for curve in made.curves for side in (curve.base, curve.candidate)) <= 101
    assert len(msgspec.json.encode(made)) < report.LARGEST / 10
