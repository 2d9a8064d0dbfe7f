"""Values against scikit-learn or the definition; influence values against the slow derivative by a row's weight."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as reference

from mergeline import metrics
from mergeline.errors import BadSettings, DegenerateRows
from mergeline.metrics import ALL, known, measure

ROWS = 49


def rows_of(task: str, *, distinct: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    if task == "regression":
        labels = rng.normal(3, 2, ROWS)
        return labels, labels + rng.normal(0, 1, ROWS)
    labels = (rng.random(ROWS) < 0.3).astype(int)
    return labels, np.clip(np.round((0.3 * labels + rng.random(ROWS)) / 1.4 * distinct) / distinct, 0.001, 0.999)


REFERENCES: dict[str, Callable[..., float]] = {
    "roc_auc": lambda y, s, **w: reference.roc_auc_score(y, s, **w),
    "average_precision": lambda y, s, **w: reference.average_precision_score(y, s, **w),
    "log_loss": lambda y, s, **w: reference.log_loss(y, s, **w),
    "brier": lambda y, s, **w: reference.brier_score_loss(y, s, **w),
    "accuracy": lambda y, s, **w: reference.accuracy_score(y, s >= 0.5, **w),
    "f1": lambda y, s, **w: reference.f1_score(y, s >= 0.5, **w),
    "mae": lambda y, s, **w: reference.mean_absolute_error(y, s, **w),
    "rmse": lambda y, s, **w: reference.root_mean_squared_error(y, s, **w),
    "r2": lambda y, s, **w: reference.r2_score(y, s, **w),
    **{
        f"quantile_loss_{q}": lambda y, s, q=q, **w: reference.mean_pinball_loss(y, s, alpha=q / 100, **w)
        for q in metrics.QUANTILES
    },
}


def test_every_metric_has_a_reference() -> None:
    assert REFERENCES.keys() == ALL.keys()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("distinct", [1000, 5], ids=["continuous", "with ties"])
def test_value_is_that_of_scikit_learn(name: str, distinct: int) -> None:
    labels, scores = rows_of(ALL[name].task, distinct=distinct)

    assert measure(name, labels, scores).value == pytest.approx(REFERENCES[name](labels, scores))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("distinct", [1000, 5], ids=["continuous", "with ties"])
def test_influence_is_the_derivative_by_the_weight_of_a_row(name: str, distinct: int) -> None:
    labels, scores = rows_of(ALL[name].task, distinct=distinct)
    step = 1e-4
    slow = np.empty(ROWS)
    for i in range(ROWS):
        up, down = np.ones(ROWS), np.ones(ROWS)
        up[i], down[i] = 1 + step, 1 - step
        rise = REFERENCES[name](labels, scores, sample_weight=up) - REFERENCES[name](labels, scores, sample_weight=down)
        slow[i] = rise / (2 * step)

    found = measure(name, labels, scores).rows

    assert found == pytest.approx(slow, abs=1e-6)
    assert found.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("distinct", [1000, 5], ids=["continuous", "with ties"])
def test_leaving_a_group_out_gives_the_metric_of_the_other_rows(name: str, distinct: int) -> None:
    labels, scores = rows_of(ALL[name].task, distinct=distinct)
    groups = np.arange(ROWS) % 7

    without = measure(name, labels, scores).without

    assert without is not None
    slow = [REFERENCES[name](labels[groups != g], scores[groups != g]) for g in range(7)]
    assert without(groups) == pytest.approx(slow)


def test_leaving_out_the_only_group_with_positives_has_no_value() -> None:
    found = measure("roc_auc", np.array([1, 0, 0]), np.array([0.3, 0.2, 0.1]))

    assert found.without is not None
    assert np.isfinite(found.without(np.array([0, 1, 2]))).tolist() == [False, True, True]


@pytest.mark.parametrize("name", metrics.of_task("classification"))
def test_three_classes_are_measured_as_by_scikit_learn(name: str) -> None:
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 3, ROWS)
    scores = rng.dirichlet((1, 1, 1), ROWS)
    expected = {
        "log_loss": reference.log_loss(labels, scores),
        "brier": float(np.square(scores - np.eye(3)[labels]).sum(axis=1).mean()),
        "accuracy": reference.accuracy_score(labels, scores.argmax(axis=1)),
        "f1": reference.f1_score(labels, scores.argmax(axis=1), average="macro"),
        "roc_auc": reference.roc_auc_score(labels, scores, multi_class="ovr"),
        "average_precision": reference.average_precision_score(np.eye(3)[labels], scores, average="macro"),
    }

    assert measure(name, labels, scores).value == pytest.approx(expected[name])


def test_two_columns_of_probabilities_are_the_one_of_the_positive_class() -> None:
    labels, scores = rows_of("classification")

    assert measure("log_loss", labels, np.column_stack([1 - scores, scores])).value == pytest.approx(
        measure("log_loss", labels, scores).value
    )


@pytest.mark.parametrize(
    ("name", "labels", "scores", "sentence"),
    [
        ("roc_auc", [1, 1, 1], [0.1, 0.2, 0.3], "roc_auc needs both classes, got 3 positive and 0 negative rows"),
        ("average_precision", [0, 0], [0.1, 0.2], "got 0 positive and 2 negative"),
        ("f1", [0, 0], [0.1, 0.2], "f1 needs a positive row"),
        ("r2", [2.0, 2.0], [1.0, 2.0], "all 2 are equal"),
        ("mae", [], [], "mae needs rows, got none"),
        ("brier", [0, 1], [0.5, np.nan], "1 of 2 rows have none"),
        ("log_loss", [0, 1], [0.5, np.inf], "1 of 2 rows have none"),
        ("roc_auc", [0, 1, 1], np.full((3, 3), 1 / 3), "roc_auc needs both classes, got 0 positive and 3 negative"),
    ],
)
def test_rows_that_cannot_support_a_metric_are_named(
    name: str, labels: list[float], scores: list[float], sentence: str
) -> None:
    with pytest.raises(DegenerateRows, match=sentence):
        measure(name, np.array(labels), np.array(scores))


def test_a_perfect_model_has_no_error_and_no_spread() -> None:
    found = measure("rmse", np.arange(5.0), np.arange(5.0))

    assert found.value == 0
    assert not found.rows.any()


def test_a_sure_mistake_costs_a_finite_log_loss() -> None:
    assert np.isfinite(measure("log_loss", np.array([0, 1]), np.array([1.0, 0.0])).value)


def test_an_unknown_metric_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(BadSettings, match=r"rmse is no metric of classification; allowed: roc_auc"):
        known("rmse", "classification")


@pytest.mark.parametrize(("name", "gain"), [("roc_auc", 0.1), ("log_loss", -0.1)])
def test_gain_points_to_better(name: str, gain: float) -> None:
    assert metrics.ALL[name].gain(0.1) == gain
