"""Measures by value of a sensitive column: the definitions, the gaps, what is said and what is not shown."""

from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate

from mergeline.compare import fairness, markdown
from mergeline.compare.judge import Scored
from mergeline.compare.noise import Anew
from mergeline.compare.report import Fairness, FairnessRow

from .conftest import make_report
from .scores import make_scored, sigmoid

MEASURES = {"selection rate", "true positive rate", "false positive rate", "mean calibration error"}


def people(rng: np.random.Generator, lost: float = 0.0, days: int = 60, each: int = 60, **options: Any) -> Scored:
    """Make two equal models; the candidate's scores of `f` are lower by `lost`."""
    count = days * each
    day = np.repeat(np.arange(days), each)
    sex = rng.choice(["f", "m", "x"], count)
    truth = rng.normal(0, 1, count)
    labels = (rng.random(count) < sigmoid(2 * truth)).astype(np.int64)
    sides = [2 * truth + rng.normal(0, 0.5, days)[day] + rng.normal(0, 0.5, count) for _ in range(2)]
    return make_scored(labels, sigmoid(sides[0]), sigmoid(sides[1] - lost * (sex == "f")), day, sex=sex, **options)


def run(scored: Scored) -> Fairness:
    found = fairness.run(scored, ("sex",), 0.95)
    assert found is not None
    return found


def rows_of(found: Fairness, value: str | None) -> dict[str, FairnessRow]:
    return {row.measure: row for row in found.rows if row.value == value}


def by_hand(scored: Scored, value: str, scores: Any, threshold: float) -> dict[str, float]:
    """Count as the definitions say, one row after the other."""
    rows = [
        (bool(label), score, score >= threshold)
        for label, score, sex in zip(scored.labels, scores, scored.rows["sex"], strict=True)
        if sex == value
    ]
    positive, negative = (
        [called for label, _, called in rows if label],
        [called for label, _, called in rows if not label],
    )
    return {
        "selection rate": sum(called for *_, called in rows) / len(rows),
        "true positive rate": sum(positive) / len(positive),
        "false positive rate": sum(negative) / len(negative),
        "mean calibration error": sum(score for _, score, _ in rows) / len(rows) - len(positive) / len(rows),
    }


def test_values_and_gaps_are_those_of_fairlearn() -> None:
    scored = people(np.random.default_rng(7), lost=1.0)
    frame = MetricFrame(
        metrics={
            "selection rate": selection_rate,
            "true positive rate": true_positive_rate,
            "false positive rate": false_positive_rate,
        },
        y_true=scored.labels,
        y_pred=(scored.candidate >= 0.5).astype(np.int64),
        sensitive_features=scored.rows["sex"].to_list(),
    )
    found = run(scored)

    assert set(frame.by_group.index) == {"f", "m", "x"}
    for value, measured in frame.by_group.iterrows():
        ours = rows_of(found, str(value))
        assert {name: ours[name].candidate for name in measured.index} == pytest.approx(measured.to_dict())
    gaps, ours = frame.difference(method="between_groups"), rows_of(found, None)
    assert {name: ours[name].candidate for name in gaps.index} == pytest.approx(gaps.to_dict())


def test_measures_and_gaps_are_those_of_the_definitions() -> None:
    scored = people(np.random.default_rng(7), thresholds=(0.5, 0.4))

    found = run(scored)

    sides = {
        "base": {value: by_hand(scored, value, scored.base, 0.5) for value in "fmx"},
        "candidate": {value: by_hand(scored, value, scored.candidate, 0.4) for value in "fmx"},
    }
    for value in "fmx":
        rows = rows_of(found, value)
        assert {name: row.base for name, row in rows.items()} == pytest.approx(sides["base"][value])
        assert {name: row.candidate for name, row in rows.items()} == pytest.approx(sides["candidate"][value])
    gaps = rows_of(found, None)
    for name in MEASURES:
        of_base, of_candidate = ([sides[side][value][name] for value in "fmx"] for side in ("base", "candidate"))
        assert gaps[name].base == pytest.approx(max(of_base) - min(of_base))
        assert gaps[name].candidate == pytest.approx(max(of_candidate) - min(of_candidate))
        difference = gaps[name].difference
        assert difference is not None
        assert difference.value == pytest.approx((gaps[name].candidate or 0) - (gaps[name].base or 0))
    assert found.tested == 4 * 4
    assert [row.value for row in found.rows[:4]] == [None] * 4


def test_a_value_that_loses_is_told_and_the_gap_is_wider() -> None:
    found = run(people(np.random.default_rng(7), lost=1.0))

    gaps, women = rows_of(found, None), rows_of(found, "f")
    assert {gaps[name].word for name in ("selection rate", "true positive rate")} == {"wider"}
    assert gaps["selection rate"].between is not None
    assert gaps["selection rate"].between[1] == "f"
    assert women["selection rate"].word == women["true positive rate"].word == "lower"
    assert {row.word for row in rows_of(found, "m").values()} == {"no change shown"}
    text = markdown.render(make_report(fairness=found))
    assert "differences shown" in text
    assert "**wider**" in text
    assert "`sex` = `f`" in text


@pytest.mark.slow
def test_equal_models_rarely_show_a_difference() -> None:
    """Whole days are swapped at random, so that neither model can be the fairer one."""
    rng = np.random.default_rng(7)
    shown = 0
    for _ in range(120):
        scored = people(rng, days=40, each=60)
        swapped, theirs = rng.random(40)[scored.groups] < 0.5, np.asarray(scored.base)
        base = np.where(swapped, scored.candidate, theirs)
        candidate = np.where(swapped, theirs, scored.candidate)
        found = run(make_scored(scored.labels, base, candidate, scored.groups, sex=scored.rows["sex"]))
        shown += any(row.word != "no change shown" for row in found.rows)

    assert shown <= 0.08 * 120


def test_the_interval_of_a_gap_is_that_of_a_bootstrap_of_days() -> None:
    rng = np.random.default_rng(7)
    scored = people(rng)
    masks = np.array([(scored.rows["sex"] == value).to_numpy() for value in "fmx"])
    apart = 0.2 * masks[1] - 0.2 * masks[0]  # so that the largest and the smallest value are clear
    base, candidate = (side + apart for side in (scored.base, scored.candidate) if side is not None)
    gap = rows_of(run(make_scored(scored.labels, base, candidate, scored.groups, sex=scored.rows["sex"])), None)[
        "selection rate"
    ].difference
    assert gap is not None
    called = np.array([base >= 0.5, candidate >= 0.5], dtype=np.float64)
    draws = []
    for _ in range(1000):
        weights = np.bincount(rng.integers(0, 60, 60), minlength=60)[scored.groups] * masks
        rates = called @ weights.T / weights.sum(axis=1)
        draws.append(np.ptp(rates[1]) - np.ptp(rates[0]))

    assert gap.standard_error == pytest.approx(np.std(draws), rel=0.15)


def test_noise_of_training_widens_the_interval() -> None:
    quiet = people(np.random.default_rng(7))
    rng = np.random.default_rng(8)
    again = [np.clip(quiet.candidate + shift, 0, 1) for shift in rng.normal(0, 0.2, 3)]
    noisy = people(np.random.default_rng(7), anew=Anew(again, [np.asarray(quiet.base)] * 3))

    without, with_noise = (rows_of(run(scored), "f")["selection rate"].difference for scored in (quiet, noisy))

    assert without is not None
    assert with_noise is not None
    assert with_noise.noise > 0 == without.noise
    assert np.ptp(with_noise.interval) > 2 * np.ptp(without.interval)


def test_values_with_few_rows_or_days_are_named_and_not_judged() -> None:
    scored = people(np.random.default_rng(7))
    rare = scored.rows["sex"].to_list()
    rare[:30] = ["rare"] * 30
    few = [
        "few days" if group < 9 and value == "x" else value for group, value in zip(scored.groups, rare, strict=True)
    ]

    found = run(make_scored(scored.labels, scored.base, scored.candidate, scored.groups, sex=few))

    assert sorted(found.too_small) == ["sex = few days", "sex = rare"]
    assert {row.value for row in found.rows} == {None, "f", "m", "x"}
    text = markdown.render(make_report(fairness=found))
    assert "rare" not in text
    assert "Values with too few rows or groups are not judged." in text


def test_a_regression_is_measured_by_its_mean_error() -> None:
    rng = np.random.default_rng(7)
    labels, sex = rng.normal(0, 1, 2400), np.tile(["f", "m"], 1200)
    scored = make_scored(labels, labels, labels + 0.5 * (sex == "f"), np.arange(2400) // 60, sex=sex)

    found = run(scored)

    assert [(row.value, row.measure, row.word) for row in found.rows] == [
        (None, "mean error", "wider"), ("f", "mean error", "higher"), ("m", "mean error", "no change shown"),
    ]  # fmt: skip
    assert rows_of(found, "f")["mean error"].candidate == pytest.approx(0.5)


def test_with_more_classes_only_accuracy_is_measured() -> None:
    rng = np.random.default_rng(7)
    labels, sex = rng.integers(0, 3, 2400), np.tile(["f", "m"], 1200)
    wrong = np.eye(3)[np.where(sex == "f", (labels + 1) % 3, labels)]

    found = run(make_scored(labels, np.eye(3)[labels], wrong, np.arange(2400) // 60, sex=sex))

    assert {row.measure for row in found.rows} == {"accuracy"}
    assert rows_of(found, "f")["accuracy"].candidate == 0
    assert rows_of(found, None)["accuracy"].between == ("m", "f")


def test_without_a_base_the_candidate_is_measured_alone() -> None:
    scored = people(np.random.default_rng(7))

    found = run(make_scored(scored.labels, None, scored.candidate, scored.groups, sex=scored.rows["sex"]))

    assert found.tested == 0
    assert {row.base for row in found.rows} == {None}
    assert all(row.candidate is not None for row in found.rows)
    assert "Fairness of the candidate" in markdown.render(make_report(fairness=found))


def test_without_a_sensitive_column_or_finite_scores_nothing_is_said() -> None:
    scored = people(np.random.default_rng(7))
    broken = make_scored(scored.labels, scored.base, scored.candidate * np.nan, scored.groups, sex=scored.rows["sex"])

    assert fairness.run(scored, (), 0.95) is None
    assert fairness.run(broken, ("sex",), 0.95) is None


def test_a_base_without_finite_scores_leaves_its_reason() -> None:
    scored = people(np.random.default_rng(7))
    broken = make_scored(scored.labels, np.full(3600, np.inf), scored.candidate, scored.groups, sex=scored.rows["sex"])

    assert {row.reason for row in run(broken).rows} == {"fairness needs finite scores, 3,600 of 3,600 rows have none"}
