"""The sample-ratio check fires on a broken split, and rarely on a right one."""

import numpy as np
import pytest

from mergeline.outcome import ratio
from mergeline.serve.experiment import assignment


def test_a_right_split_is_rarely_called_broken() -> None:
    drawn = np.random.default_rng(7).binomial(5000, 0.1, 400)

    assert np.mean([ratio.check(5000 - int(one), int(one), 0.1).broken for one in drawn]) <= 0.005


@pytest.mark.parametrize("lost", [0.1, 0.3])
def test_an_arm_that_loses_some_of_its_units_is_seen(lost: float) -> None:
    drawn = np.random.default_rng(7).binomial(20_000, 0.5, 200)
    found = [ratio.check(20_000 - int(one), int(one * (1 - lost)), 0.5) for one in drawn]

    assert all(one.broken for one in found)


def test_the_servers_own_assignment_passes() -> None:
    given = assignment.rows("r2", 0.3, [f"customer {i}" for i in range(4000)])

    found = ratio.check(int((~given).sum()), int(given.sum()), 0.3)
    assert not found.broken
    assert found.observed == pytest.approx(0.3, abs=0.03)
    assert ratio.check(found.pinned, found.beside, 0.5).broken


def test_a_few_units_are_not_judged() -> None:
    assert ratio.check(30, 9, 0.1).p_value is None
    assert not ratio.check(30, 9, 0.1).broken


def test_where_all_are_the_experiments_nobody_else_answers() -> None:
    assert not ratio.check(0, 100, 1.0).broken
    assert ratio.check(1, 100, 1.0).broken
