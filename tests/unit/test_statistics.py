import os
from functools import partial
from threading import Barrier

import numpy as np
import pytest

from mergeline.errors import DegenerateRows
from mergeline.metrics import measure
from mergeline.metrics.summed import mean
from mergeline.statistics import Estimate, Floats, Influence, bootstrap, codes, difference, estimate


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_interval_of_independent_rows_covers_as_often_as_it_says(rng: np.random.Generator) -> None:
    hits = 0
    for _ in range(400):
        gain = rng.normal(0.1, 1, 200)
        low, high = difference(mean(np.zeros(200)), mean(gain), np.arange(200)).interval()
        hits += low <= 0.1 <= high

    assert 0.92 <= hits / 400 <= 0.98


def test_interval_of_rows_that_move_together_covers_as_often_as_it_says(rng: np.random.Generator) -> None:
    days = np.repeat(np.arange(60), 20)
    hits = {"by day": 0, "by row": 0}
    for _ in range(400):
        gain = 0.1 + rng.normal(0, 1, 60)[days] + rng.normal(0, 1, 1200)
        for unit, groups in (("by day", days), ("by row", np.arange(1200))):
            low, high = difference(mean(np.zeros(1200)), mean(gain), groups).interval()
            hits[unit] += low <= 0.1 <= high

    assert 0.91 <= hits["by day"] / 400 <= 0.98
    assert hits["by row"] / 400 < 0.6


def test_rows_that_move_together_widen_the_interval_and_leave_the_value(rng: np.random.Generator) -> None:
    days = np.repeat(np.arange(60), 100)
    gain = rng.normal(0, 1, 60)[days] + rng.normal(0, 1, 6000)

    by_row = difference(mean(np.zeros(6000)), mean(gain), np.arange(6000))
    by_day = difference(mean(np.zeros(6000)), mean(gain), days)

    assert by_day.value == by_row.value
    assert by_day.standard_error > 5 * by_row.standard_error


def test_one_group_per_row_gives_the_textbook_standard_error_of_a_mean(rng: np.random.Generator) -> None:
    losses = rng.normal(0, 1, 50)

    found = estimate(mean(losses), np.arange(50))

    assert found.standard_error == pytest.approx(losses.std(ddof=1) / 50**0.5)


def test_difference_equals_the_bootstrap_of_groups(rng: np.random.Generator) -> None:
    days = np.repeat(np.arange(80), 25)
    labels = (rng.random(2000) < 0.3 + 0.2 * rng.normal(0, 1, 80)[days]).astype(int)
    base = 1 / (1 + np.exp(-(labels + rng.normal(0, 1.5, 2000))))
    candidate = 1 / (1 + np.exp(-(1.2 * labels + rng.normal(0, 1.5, 2000) + rng.normal(0, 0.3, 80)[days])))
    found = difference(measure("roc_auc", labels, base), measure("roc_auc", labels, candidate), days)

    again = []
    for _ in range(600):
        rows = np.concatenate([np.flatnonzero(days == d) for d in rng.integers(0, 80, 80)])
        again.append(
            measure("roc_auc", labels[rows], candidate[rows]).value - measure("roc_auc", labels[rows], base[rows]).value
        )

    assert found.standard_error == pytest.approx(float(np.std(again)), rel=0.1)


def test_refuses_rows_of_one_group() -> None:
    with pytest.raises(DegenerateRows, match="at least two groups of rows, got 1"):
        estimate(mean(np.arange(3.0)), np.zeros(3, dtype=np.int64))


def test_an_estimate_without_any_spread_is_certain() -> None:
    assert Estimate(0.0, 0.0, 5).p_value() == 1.0
    assert Estimate(0.1, 0.0, 5).p_value() == 0.0


def test_probability_fits_the_interval() -> None:
    on_the_edge = Estimate(value=2.0452, standard_error=1.0, groups=30)

    assert on_the_edge.interval()[0] == pytest.approx(0, abs=1e-3)
    assert on_the_edge.p_value() == pytest.approx(0.05, abs=1e-4)


def test_groups_are_numbered_without_gaps() -> None:
    assert codes(["b", "a", "b", "c"]).tolist() == [1, 0, 1, 2]


def test_the_days_of_two_months_get_the_jackknife(rng: np.random.Generator) -> None:
    days = np.repeat(np.arange(61), 5)
    labels, scores = rng.integers(0, 2, 305), rng.random(305)
    found = measure("roc_auc", labels, scores)
    left_out = [measure("roc_auc", labels[days != day], scores[days != day]).value for day in range(61)]

    expected = (np.square(np.array(left_out) - found.value).sum() * 60 / 61) ** 0.5
    assert estimate(found, days).standard_error == pytest.approx(expected)


def test_few_groups_get_the_wider_interval_of_the_jackknife(rng: np.random.Generator) -> None:
    sizes = rng.integers(5, 60, 20)
    days = np.repeat(np.arange(20), sizes)
    labels = (rng.random(len(days)) < 0.2 + 0.3 * rng.random(20)[days]).astype(int)
    scores = labels + rng.normal(0, 1.5, len(days))
    found = measure("roc_auc", labels, 1 / (1 + np.exp(-scores)))

    jackknife = estimate(found, days)
    influence = estimate(Influence(found.value, found.rows), days)

    assert influence.standard_error < jackknife.standard_error < 1.3 * influence.standard_error


def test_a_group_that_cannot_be_left_out_leaves_the_sums_of_influence() -> None:
    found = measure("roc_auc", np.array([1, 0, 0, 0]), np.array([0.3, 0.4, 0.2, 0.1]))

    assert np.isfinite(estimate(found, np.arange(4)).standard_error)


def test_noise_widens_the_interval_and_few_models_widen_it_more() -> None:
    alone = Estimate(value=0.03, standard_error=0.01, groups=30)

    many, few = alone.with_noise(0.01, 50), alone.with_noise(0.01, 2)

    assert many.error == pytest.approx(0.01 * 2**0.5)
    assert width(alone) < width(many) < width(few)
    assert many.freedom == pytest.approx(4 / (1 / 29 + 1 / 50))


def width(found: Estimate) -> float:
    low, high = found.interval()
    return high - low


def test_the_groups_needed_are_those_at_which_the_difference_is_told_four_times_of_five(
    rng: np.random.Generator,
) -> None:
    pilot = Estimate(value=0.0, standard_error=1 / 40**0.5, groups=40)  # groups with a spread of 1
    needed, low, high = pilot.groups_needed(0.3) or (0, 0, 0)

    told = sum(
        difference(
            mean(np.zeros(round(needed))), mean(rng.normal(0.3, 1, round(needed))), np.arange(round(needed))
        ).interval()[0]
        > 0
        for _ in range(2000)
    )

    assert low < needed < high
    assert 0.76 <= told / 2000 <= 0.84


def test_no_number_of_groups_helps_where_training_alone_moves_more_than_what_matters() -> None:
    assert Estimate(0.0, 0.01, 30).with_noise(0.01, 5).groups_needed(0.005) is None


def test_a_metric_without_influence_values_is_judged_by_drawing_groups(rng: np.random.Generator) -> None:
    days = np.repeat(np.arange(80), 10)
    losses = rng.normal(0, 1, 80)[days] + rng.normal(0, 1, 800)

    drawn = bootstrap(lambda weights: float(np.average(losses, weights=weights)), days, seed=7)

    assert drawn.value == losses.mean()
    assert drawn.standard_error == pytest.approx(estimate(mean(losses), days).standard_error, rel=0.1)


def test_draws_are_measured_side_by_side_and_give_what_one_after_the_other_gives(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    days, losses = np.repeat(np.arange(80), 10), rng.normal(0, 1, 800)
    two = Barrier(2)

    def average(weights: Floats, *, together: bool) -> float:
        if together and np.ptp(weights):
            two.wait(20)
        return float(np.average(losses, weights=weights))

    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    alone = bootstrap(partial(average, together=False), days, seed=7)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert bootstrap(partial(average, together=True), days, seed=7) == alone


def test_drawing_needs_two_groups_and_values() -> None:
    with pytest.raises(DegenerateRows, match="at least two groups of rows, got 1"):
        bootstrap(np.sum, np.zeros(3, dtype=np.int64), seed=7)
    with pytest.raises(DegenerateRows, match="1000 of 1000 draws"):
        bootstrap(lambda _: float("nan"), np.arange(3), seed=7)


def test_the_design_effect_is_how_much_wider_groups_make_the_variance() -> None:
    days = np.repeat(np.arange(10), 4)

    found = estimate(Influence(0.0, np.repeat(np.linspace(-1, 1, 10), 4) / 40), days)

    assert found.design_effect == pytest.approx(4 * (10 / 9) / (40 / 39))
