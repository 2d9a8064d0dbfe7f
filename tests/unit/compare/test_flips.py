import numpy as np
import pytest

from mergeline.compare import flips, markdown
from mergeline.compare.judge import Names
from mergeline.compare.report import Flips, Moved

from .conftest import make_report
from .scores import make_scored

NAMES = Names(label="label", row_id="id", time=None, slices=())


def test_flips_are_counted_at_each_sides_own_threshold() -> None:
    scored = make_scored(
        [1, 1, 0, 0, 1], [0.6, 0.4, 0.6, 0.4, 0.45], [0.6, 0.4, 0.35, 0.41, 0.41], thresholds=(0.5, 0.4)
    )

    found = flips.run(scored, NAMES)

    assert found is not None
    assert (found.rows, found.right_to_wrong, found.wrong_to_right, found.other) == (5, 1, 3, 0)
    assert found.moved[0] == Moved(row="r2", label="0", base=0.6, candidate=0.35)
    assert [row.row for row in found.moved] == ["r2", "r4", "r3"]


def test_one_wrong_class_for_another_is_neither() -> None:
    corner = np.eye(3)
    scored = make_scored([0, 0, 1, -1], corner[[1, 0, 1, 0]], corner[[2, 1, 1, 1]] * 0.8 + 0.05)

    found = flips.run(scored, NAMES)

    assert found is not None
    assert (found.right_to_wrong, found.wrong_to_right, found.other) == (1, 0, 2)
    assert [row.row for row in found.moved] == ["r1", "r2", "r0"]
    assert (found.moved[0].base, found.moved[0].candidate) == pytest.approx((1.0, 0.05))


def test_a_regression_flips_where_the_error_moves_by_a_tenth_of_the_labels_spread() -> None:
    labels = np.array([-10.0, 10.0, -10.0, 10.0])

    found = flips.run(make_scored(labels, labels + 2, labels + np.array([2.9, 3.1, -0.9, -3.1])), NAMES)

    assert found is not None
    assert (found.right_to_wrong, found.wrong_to_right, found.other) == (2, 1, 0)
    text = markdown.render(make_report(task="regression", flips=found))
    assert "Flips: errors grew in 2, shrank in 1, by a tenth of the labels" in text


def test_only_the_ten_rows_that_moved_most_are_shown() -> None:
    found = flips.run(make_scored([0] * 20, np.zeros(20), np.arange(20) / 100), NAMES)

    assert found is not None
    assert [row.row for row in found.moved] == [f"r{i}" for i in range(19, 9, -1)]


def test_nothing_that_is_sensitive_is_shown() -> None:
    names = Names(label="label", row_id="id", time=None, slices=(), sensitive=("id", "label"))

    found = flips.run(make_scored([1, 0], [0.1, 0.2], [0.1, 0.9]), names)

    assert found is not None
    assert found.moved == [Moved(row="row 2", label=None, base=0.2, candidate=0.9)]
    assert "| `row 2` | n/a | 0.2000 | 0.9000 |" in markdown.render(make_report(flips=found))


@pytest.mark.parametrize(("base", "candidate"), [(None, [0.1]), ([np.nan], [0.1]), ([0.1], [np.inf])])
def test_without_a_base_or_finite_scores_there_is_nothing_to_say(
    base: list[float] | None, candidate: list[float]
) -> None:
    assert flips.run(make_scored([1], base, candidate), NAMES) is None


def test_models_that_agree_leave_the_comment_as_it_is() -> None:
    assert "Flips" not in markdown.render(make_report(flips=Flips(rows=5, right_to_wrong=0, wrong_to_right=0)))
