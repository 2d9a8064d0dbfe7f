import numpy as np
import pytest

from mergeline.compare import calibration, markdown

from .conftest import make_report
from .scores import make_scored, sigmoid


def by_hand(labels: list[int], scores: list[float]) -> float:
    """Sort, cut into ten parts, and add up, as the definition has it."""
    order = np.argsort(scores)
    parts = np.array_split(order, 10)
    hits, found = np.array(labels), np.array(scores)
    return float(sum(len(part) * abs(hits[part].mean() - found[part].mean()) for part in parts) / len(found))


def test_the_error_is_that_of_the_definition() -> None:
    rng = np.random.default_rng(7)
    scores = rng.random(200)
    labels = (rng.random(200) < scores**2).astype(np.int64)

    assert calibration.error(labels, scores) == pytest.approx(by_hand(labels.tolist(), scores.tolist()))


def test_with_more_classes_the_class_called_is_what_counts() -> None:
    rng = np.random.default_rng(7)
    scores = rng.dirichlet([1, 1, 1], 200)
    labels = rng.integers(0, 3, 200)
    right = (scores.argmax(axis=1) == labels).astype(int).tolist()

    assert calibration.error(labels, scores) == pytest.approx(by_hand(right, scores.max(axis=1).tolist()))


def test_rows_of_equal_score_are_one_bin_whatever_their_order() -> None:
    labels = np.repeat([1, 0], [30, 70])

    assert calibration.error(labels, np.full(100, 0.3)) == pytest.approx(0)


def test_honest_scores_have_a_small_error_and_bold_ones_a_large_one() -> None:
    rng = np.random.default_rng(7)
    logits = rng.normal(0, 1, 20_000)
    labels = (rng.random(20_000) < sigmoid(logits)).astype(np.int64)

    found = calibration.run(make_scored(labels, sigmoid(3 * logits), sigmoid(logits)), ["false", "true"])

    assert found is not None
    assert found.base_error is not None
    assert found.candidate_error is not None
    assert found.candidate_error < 0.015 < 0.1 < found.base_error


def test_each_side_is_counted_at_its_own_threshold() -> None:
    scored = make_scored([1, 1, 0, 0, -1], [0.6, 0.4, 0.6, 0.4, 0.9], [0.6, 0.4, 0.6, 0.3, 0.9], thresholds=(0.5, 0.4))

    found = calibration.run(scored, ["no", "yes"])

    assert found is not None
    assert found.base is not None
    assert found.candidate is not None
    assert (found.base.counts, found.base.threshold) == ([[1, 1], [1, 1]], 0.5)
    assert (found.candidate.counts, found.candidate.threshold) == ([[1, 1], [0, 2]], 0.4)
    text = markdown.render(make_report(calibration=found))
    assert "| base, threshold 0.5 | called `no` | called `yes` |" in text
    assert "| `yes` | 0 | 2 |" in text


def test_three_classes_are_counted_without_a_threshold() -> None:
    found = calibration.run(make_scored([0, 1, 2], None, np.eye(3)[[0, 2, 2]]), ["a", "b", "c"])

    assert found is not None
    assert found.candidate is not None
    assert (found.candidate.threshold, found.candidate.counts) == (None, [[1, 0, 0], [0, 0, 1], [0, 0, 1]])
    assert (found.base, found.base_error) == (None, None)
    assert "Expected calibration error 0.3333; confusion matrix" in markdown.render(make_report(calibration=found))


def test_many_classes_have_an_error_and_no_matrix() -> None:
    found = calibration.run(make_scored([0, 1], None, np.eye(30)[[0, 1]]), [str(i) for i in range(30)])

    assert found is not None
    assert (found.candidate, found.candidate_error) == (None, 0.0)


def test_a_base_whose_scores_are_not_finite_is_left_out() -> None:
    found = calibration.run(make_scored([0, 1], [0.1, np.nan], [0.1, 0.9]), ["a", "b"])

    assert found is not None
    assert (found.base_error, found.base) == (None, None)
    assert calibration.run(make_scored([0, 1], None, [np.inf, 0.9]), ["a", "b"]) is None


def test_a_regression_has_no_calibration() -> None:
    assert calibration.run(make_scored([0.5, 1.5], None, [0.1, 0.9]), []) is None
