import math
from typing import Any

import msgspec
import pytest

from mergeline import config
from mergeline.compare import gates
from mergeline.config import Gates
from mergeline.errors import BadSettings, Integrity
from mergeline.metrics import ALL
from mergeline.statistics import Estimate
from tests.unit.compare.conftest import make_report, metric_row


def rules(text: str) -> Gates:
    return config.parse(text, Gates, "gates.yaml")


STRICT = rules("primary: roc_auc\nmetrics:\n  roc_auc: {matters: 0.005, rules: {not_worse: true, at_least: 0.7}}\n")


@pytest.mark.parametrize(
    ("value", "error", "groups", "expected"),
    [
        (0.032, 0.010, 30, "better"),
        (-0.032, 0.010, 30, "worse"),
        (0.032, 0.020, 30, "cannot tell"),
        (0.004, 0.001, 30, "cannot tell"),
        (0.001, 0.001, 30, "same"),
        (0.000, 0.000, 30, "same"),
        (0.032, 0.001, 9, "cannot tell"),
        (0.032, 0.001, 10, "better"),
    ],
    ids=["clear", "clear loss", "may be chance", "real but small", "small", "equal", "nine groups", "ten groups"],
)
def test_a_word_needs_evidence_and_a_difference_that_matters(
    value: float, error: float, groups: int, expected: str
) -> None:
    assert gates.word(ALL["roc_auc"], Estimate(value, error, groups), 0.005) == expected


def test_a_lower_loss_is_better() -> None:
    assert gates.word(ALL["log_loss"], Estimate(-0.03, 0.01, 30), 0.005) == "better"


def test_a_real_difference_of_exactly_what_matters_is_told() -> None:
    assert gates.word(ALL["roc_auc"], Estimate(0.005, 0.001, 30), 0.005) == "better"


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({}, []),
        ({"word": "worse"}, ["roc_auc.not_worse"]),
        ({"word": "cannot tell"}, []),
        ({"difference": None, "base": None, "word": "cannot tell", "reason": "base needs wind"}, []),
        ({"candidate": 0.69}, ["roc_auc.at_least"]),
        ({"candidate": None, "base": None, "difference": None, "reason": "needs both classes"}, ["roc_auc.at_least"]),
        ({"candidate": None, "difference": None, "reason": "NaN"}, ["roc_auc.not_worse", "roc_auc.at_least"]),
    ],
    ids=["passes", "harm shown", "cannot tell", "no base", "too low", "not measured", "the candidate is not measured"],
)
def test_each_rule_fails_exactly_when_it_is_broken(changes: dict[str, Any], failed: list[str]) -> None:
    found = gates.judge(STRICT, make_report(metrics=[metric_row(**changes)]))

    assert [gate.gate for gate in found if gate.state == "failed"] == failed
    assert len(found) == 2


def test_a_broken_rule_says_by_how_much() -> None:
    found = gates.judge(STRICT, make_report(metrics=[metric_row(value=-0.032, word="worse")]))

    assert found[0].text == "worse by 0.032: 0.712 to 0.68, 95% interval -0.05245 to -0.01155"


def test_at_most_holds_a_loss_down() -> None:
    found = gates.judge(
        rules("primary: log_loss\nmetrics:\n  log_loss: {matters: 0.005, rules: {at_most: 0.5}}\n"),
        make_report(metrics=[metric_row("log_loss")]),
    )

    assert (found[0].state, found[0].text) == ("failed", "0.744 is not at most 0.5")


def test_a_metric_that_the_report_lacks_fails() -> None:
    assert {gate.state for gate in gates.judge(STRICT, make_report(metrics=[]))} == {"failed"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("primary: auc\nmetrics: {auc: {matters: 1}}", "auc is no metric of classification; allowed: roc_auc"),
        ("primary: roc_auc\nmetrics: {rmse: {matters: 1}}", "rmse is no metric of classification"),
        ("primary: f1\nmetrics: {roc_auc: {matters: 1}}", "primary is f1, which metrics does not list"),
        (
            "primary: f1\nmetrics: {f1: {matters: 1}}\noverrides: [{gate: f1.not_worse, pull_request: 1, reason: x}]",
            "an override names f1.not_worse",
        ),
    ],
)
def test_rules_that_cannot_be_asked_are_an_error(text: str, sentence: str) -> None:
    with pytest.raises(BadSettings, match=sentence):
        gates.check(rules(text), "classification")


def test_a_report_that_praises_itself_is_judged_by_its_numbers() -> None:
    report = make_report(metrics=[metric_row(value=-0.032, word="better", matters=1e-9)])

    found = gates.again(report, STRICT, 0.95)

    assert found.word == "worse"
    assert found.metrics[0].matters == 0.005
    assert gates.settle(found, STRICT, None, None, 0.95).fails() == [
        "roc_auc.not_worse: worse by 0.032: 0.712 to 0.68, 95% interval -0.05245 to -0.01155",
        "roc_auc.at_least: 0.68 is not at least 0.7",
    ]


def test_a_report_with_a_wider_interval_than_its_error_gets_the_right_one() -> None:
    row = metric_row(value=-0.032)
    assert row.difference is not None
    hidden = msgspec.structs.replace(row, difference=msgspec.structs.replace(row.difference, interval=(-1.0, 1.0)))

    found = gates.again(make_report(metrics=[hidden]), STRICT, 0.95)

    assert found.metrics[0].word == "worse"
    assert found.metrics[0].difference is not None
    assert found.metrics[0].difference.interval == pytest.approx((-0.0525, -0.0115), abs=1e-4)


@pytest.mark.parametrize(
    "changes",
    [{"candidate": 0.99}, {"base": None}, {"candidate": math.inf}, {"name": "trust_me"}, {"error": -1.0}],
    ids=["other difference", "no base value", "infinite", "made-up metric", "negative error"],
)
def test_numbers_that_contradict_each_other_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Integrity):
        gates.again(make_report(metrics=[metric_row(**changes)]), STRICT, 0.95)


PROOF = "primary: roc_auc\nmetrics:\n  roc_auc: {{matters: 0.005, rules: {{{rule}: true}}}}\n"


@pytest.mark.parametrize(
    ("rule", "changes", "state", "said"),
    [
        ("proven_not_worse", {"value": 0.0, "error": 0.001}, "passed", "at most 0.001699 worse"),
        ("proven_not_worse", {"value": 0.0, "error": 0.01}, "failed", "not proven to be at most 0.005 worse"),
        ("proven_not_worse", {"value": 0.03, "error": 0.01}, "passed", "no worse at all"),
        (
            "proven_not_worse",
            {"difference": None, "reason": "base needs wind"},
            "failed",
            "not judged: base needs wind",
        ),
        ("better", {"word": "better"}, "passed", "shown"),
        ("better", {"word": "same"}, "failed", "not shown (same)"),
        ("better", {"difference": None, "word": "cannot tell"}, "failed", "not judged"),
    ],
)
def test_stricter_rules_ask_for_proof(rule: str, changes: dict[str, Any], state: str, said: str) -> None:
    found = gates.judge(rules(PROOF.format(rule=rule)), make_report(metrics=[metric_row(**changes)]))

    assert found[0].state == state
    assert said in found[0].text
    assert "worse by" not in found[0].text


def test_noise_of_training_turns_a_clear_gain_into_one_that_cannot_be_told() -> None:
    assert gates.word(ALL["roc_auc"], Estimate(0.03, 0.01, 30), 0.005) == "better"
    assert gates.word(ALL["roc_auc"], Estimate(0.03, 0.01, 30).with_noise(0.02, 5), 0.005) == "cannot tell"


def test_noise_in_a_report_counts_when_it_is_judged_again() -> None:
    row = metric_row(value=-0.032)
    assert row.difference is not None
    noisy = msgspec.structs.replace(row.difference, noise=0.03, noise_freedom=5.0)

    found = gates.again(make_report(metrics=[msgspec.structs.replace(row, difference=noisy)]), STRICT, 0.95)

    assert found.metrics[0].word == "cannot tell"


def test_a_metric_of_the_projects_own_has_its_direction_in_the_gates() -> None:
    own = rules("primary: cost\nmetrics: {cost: {matters: 5, better: lower}}")

    assert gates.suited(own, "classification")["cost"].better == "lower"
    with pytest.raises(BadSettings, match="the direction of roc_auc is known"):
        gates.check(rules("primary: roc_auc\nmetrics: {roc_auc: {matters: 1, better: lower}}"), "classification")
