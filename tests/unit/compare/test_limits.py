"""Rules beside the metrics: over slices, sensitive columns, flips, calibration, cost and data."""

import re
from typing import Any

import msgspec
import pytest

from mergeline import config
from mergeline.compare import fairness, gates, limits
from mergeline.compare.report import (
    Calibration,
    Cost,
    DataChecks,
    Difference,
    DriftRow,
    Fairness,
    FairnessRow,
    Flips,
    Report,
    Slices,
    SliceValue,
    Suspect,
)
from mergeline.config import Gates
from mergeline.errors import BadSettings
from tests.unit.compare.conftest import make_report
from tools.bake import TEMPLATE

METRICS = "primary: roc_auc\nmetrics: {roc_auc: {matters: 0.005}}\n"


def rules(text: str) -> Gates:
    return config.parse(METRICS + text, Gates, "gates.yaml")


def gap(**changes: Any) -> FairnessRow:
    row = FairnessRow(
        column="sex",
        value=None,
        measure="selection rate",
        rows=900,
        between=("f", "m"),
        base=0.04,
        candidate=0.12,
        difference=Difference(value=0.08, standard_error=0.01, groups=30, interval=(0.06, 0.1)),
        word="wider",
    )
    return msgspec.structs.replace(row, **changes)


SLICES = Slices(
    metric="roc_auc",
    asked=[
        SliceValue(column="carrier", value="AA", rows=900, base=0.72, candidate=0.65, word="worse"),
        SliceValue(column="carrier", value="UA", rows=900, base=0.72, candidate=0.71),
        SliceValue(column="carrier", value="HA", rows=3, reason="too few rows or groups"),
        SliceValue(column="carrier", value="XX", rows=0, reason="not among the 100 largest"),
    ],
)
REPORT = make_report(
    slices=SLICES,
    fairness=Fairness(rows=[gap()]),
    flips=Flips(rows=1000, right_to_wrong=30, wrong_to_right=50),
    calibration=Calibration(base_error=0.02, candidate_error=0.05),
    cost=[
        Cost(name="bundle", unit="kB", base=100.0, candidate=250.0),
        Cost(name="training", unit="s", base=1.0, candidate=9.0, comparable=False),
    ],
    checks=DataChecks(duplicates=2, suspects=[Suspect(column="delay", score=0.99)]),
    drift=[DriftRow(column="hour", psi=0.4, test="Kolmogorov-Smirnov", statistic=0.2, q=0.001)],
)


@pytest.mark.parametrize(
    ("text", "state", "said"),
    [
        ("slices: {carrier: {not_worse: true}}", "failed", "carrier=AA is worse: 0.7200 to 0.6500"),
        ("slices: {carrier=UA: {not_worse: true}}", "passed", "harm is not shown"),
        ("slices: {carrier: {at_least: 0.6}}", "passed", "all 2 values are at least 0.6"),
        ("slices: {carrier: {at_least: 0.7}}", "failed", "carrier=AA 0.65 is not at least 0.7"),
        ("slices: {carrier=HA: {at_least: 0.6}}", "failed", "not measured: too few rows or groups"),
        ("slices: {carrier=HA: {not_worse: true}}", "passed", "not measured: too few rows or groups"),
        ("slices: {carrier=XX: {not_worse: true}}", "failed", "not measured: not among the 100 largest"),
        ("fairness: {sex: {selection rate: {not_worse: true}}}", "failed", "gap of selection rate by sex is wider"),
        ("fairness: {sex: {selection rate: {at_most: 0.2}}}", "passed", "0.12 is at most 0.2"),
        ("flips: {right to wrong: {at_most: 0.02}}", "failed", "right to wrong 0.03 is not at most 0.02"),
        ("flips: {changed: {at_most: 0.08}}", "passed", "0.08 is at most 0.08"),
        ("calibration: {error: {at_most: 0.05}}", "passed", "0.05 is at most 0.05"),
        ("calibration: {error: {at_most_times: 2}}", "failed", "0.02 to 0.05 is not at most 2 times the base"),
        ("cost: {bundle: {at_most_times: 3}}", "passed", "100 to 250 is at most 3 times the base"),
        ("cost: {training: {at_most_times: 2}}", "passed", "not compared: measured on different machines"),
        ("cost: {latency of 1 row: {at_most: 5}}", "failed", "not measured: it was not recorded"),
        ("data: {suspects: {at_most: 0}}", "failed", "suspects 1 is not at most 0"),
        ("data: {duplicates: {at_most: 2}}", "passed", "2 is at most 2"),
        ("data: {shared groups: {at_most: 0}}", "passed", "0 is at most 0"),
        ("data: {drift: {at_most: 0.25}}", "failed", "drift 0.4 is not at most 0.25"),
    ],
)
def test_each_rule_fails_exactly_when_it_is_broken(text: str, state: str, said: str) -> None:
    (found,) = gates.judge(rules(text), REPORT)

    assert found.state == state
    assert said in found.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "slices: {carrier: {at_most_times: 2}}",
            "slices.carrier: no rule at_most_times; allowed: not_worse, at_least",
        ),
        ("flips: {rong to wright: {at_most: 0}}", "no rong to wright is measured; allowed: right to wrong, changed"),
        ("cost: {bundle: {at_least: 1}}", "cost.bundle: no rule at_least; allowed: at_most, at_most_times"),
        ("fairness: {sex: {odds: {at_most: 1}}}", "fairness.sex.odds: no odds is measured; allowed: selection rate"),
        ("overrides: [{gate: slices.x.not_worse, pull_request: 1, reason: x}]", "an override names slices.x.not_worse"),
    ],
)
def test_a_rule_that_could_never_be_asked_is_an_error(text: str, said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        gates.check(rules(text), "classification")


def test_a_regression_has_other_measures() -> None:
    with pytest.raises(BadSettings, match="no error is measured; allowed: nothing, for a regression"):
        limits.check(rules("calibration: {error: {at_most: 1}}"), "regression")


def test_a_column_that_the_schema_does_not_call_sensitive_is_an_error() -> None:
    asked = rules("fairness: {sex: {selection rate: {at_most: 0.1}}}")

    limits.check_columns(asked, ["sex"])
    with pytest.raises(
        BadSettings, match=r"fairness\.sex: SENSITIVE of src/model/schema\.py does not name it; it has: age"
    ):
        limits.check_columns(asked, ["age"])


def test_a_slice_that_the_report_lacks_is_an_error_and_no_pass() -> None:
    report: Report = make_report()
    with pytest.raises(BadSettings, match=r"slices\.carrier: the report has no such slice"):
        gates.judge(rules("slices: {carrier: {not_worse: true}}"), report)


def test_a_measure_that_these_classes_do_not_have_is_an_error_and_no_pass() -> None:
    with pytest.raises(
        BadSettings, match=r"fairness\.sex\.accuracy: not measured with these classes; allowed: selection"
    ):
        gates.judge(rules("fairness: {sex: {accuracy: {not_worse: true}}}"), REPORT)


def test_a_gap_between_values_that_are_too_small_is_not_shown_to_be_small() -> None:
    report = make_report()

    (found,) = gates.judge(rules("fairness: {sex: {selection rate: {at_most: 0.2}}}"), report)

    assert (found.state, found.text) == (
        "failed",
        "not measured: fewer than two values have enough rows and groups",
    )


def test_a_report_that_calls_a_slice_worse_without_a_base_fails_in_a_sentence() -> None:
    odd = msgspec.structs.replace(
        SLICES, asked=[SliceValue(column="a", value="b", rows=9, candidate=0.5, word="worse")]
    )

    (found,) = gates.judge(rules("slices: {a: {not_worse: true}}"), make_report(slices=odd))

    assert (found.state, found.text) == ("failed", "a=b is worse: n/a to 0.5000")


def test_the_names_of_the_fairness_measures_are_those_that_are_measured() -> None:
    assert {*limits.MEASURES["classification"]} == {*fairness.TWO_CLASSES, *fairness.MORE_CLASSES}
    assert {*limits.MEASURES["regression"]} == {*fairness.REGRESSION}


def test_the_page_on_gates_names_all_that_a_rule_may_name() -> None:
    page = (TEMPLATE / "<<cookiecutter.project>>/docs/gates.md").read_text()
    lines = {name: line for line in page.splitlines() for name in limits.RULES if line.startswith(f"| `{name}`")}

    for section, names in {"flips": limits.FLIPS, "cost": limits.COST, "data": limits.DATA}.items():
        assert {*re.findall("`([^`]+)`", lines[section])} == {section, *names, *limits.RULES[section]}
    for section, of in limits.RULES.items():
        assert [*re.findall("`([^`]+)`", lines[section].split("|")[3])] == [*of]
    assert all(f"`{measure}`" in page for measures in limits.MEASURES.values() for measure in measures)
