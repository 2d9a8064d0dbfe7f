"""What data and what code did to a difference: the effects, their intervals, and how they are shown."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mergeline.compare import attributed, attribution, crossed, gates, markdown, page
from mergeline.compare.judge import describe
from mergeline.compare.report import Attribution, AttributionRow, Change, Difference, Report
from mergeline.config import Gates, MetricGate, Rules
from mergeline.errors import Integrity
from mergeline.statistics import Estimate, Influence
from tools.bake import TEMPLATE

from .conftest import make_report

PROJECT = TEMPLATE / "<<cookiecutter.project>>"
GROUPS = np.repeat(np.arange(40), 5)
RULES = Gates(primary="roc_auc", metrics={"roc_auc": MetricGate(matters=0.005, rules=Rules(not_worse=True))})


def nothing(_: str) -> list[float]:
    """Say that no model was trained anew."""
    return []


def mean(values: np.ndarray) -> Influence:
    """Give the mean as a metric: a row's influence is its distance from it."""
    return Influence(float(values.mean()), (values - values.mean()) / len(values))


def models() -> dict[str, np.ndarray]:
    """Give what four models score on the same rows: data adds 1, code adds 2, both together another 4."""
    rng = np.random.default_rng(7)
    base = rng.normal(0, 1, 200) + rng.normal(0, 1, 40)[GROUPS]
    added = {"base": 0, "new data": 1, "new code": 2, "candidate": 7}
    return {side: base + more + rng.normal(0, 0.1, 200) for side, more in added.items()}


@pytest.mark.parametrize(("which", "value"), [("data", 1), ("code", 2), ("together", 4), ("total", 7)])
def test_an_effect_is_what_its_change_adds_and_its_interval_is_that_of_the_rows(which: str, value: float) -> None:
    scores = models()
    signs = attribution.EFFECTS[which]

    found = attribution.effect(signs, lambda side: mean(scores[side]), nothing, GROUPS)

    by_row = sum(sign * scores[side] for side, sign in signs.items())
    by_group = np.bincount(GROUPS, by_row) / 5
    assert found.value == pytest.approx(value, abs=0.05)
    assert found.standard_error == pytest.approx(by_group.std(ddof=1) / 40**0.5)
    assert found.noise == 0


def test_the_effects_of_data_code_and_both_add_up_to_the_difference() -> None:
    scores = models()
    values = {
        which: attribution.effect(signs, lambda side: mean(scores[side]), nothing, GROUPS).value
        for which, signs in attribution.EFFECTS.items()
    }

    assert values["total"] == pytest.approx(values["data"] + values["code"] + values["together"])


def test_the_noise_of_training_is_that_of_the_whole_sum_over_the_same_halves() -> None:
    anew = {"base": [1.0, 2, 3], "new data": [1.5, 2.5, 3.5], "new code": [5.0, 5, 5], "candidate": [1.0, 2, 3, 9]}

    found = {
        which: attribution.effect(signs, lambda side: mean(models()[side]), lambda side: anew[side], GROUPS)
        for which, signs in attribution.EFFECTS.items()
    }

    assert found["data"].noise == pytest.approx(0), "what both gain by a half cancels"
    assert found["code"].noise == pytest.approx(1)
    assert found["together"].noise == pytest.approx(1)
    assert found["total"].noise == pytest.approx(0)
    assert found["total"].noise_freedom == 2


def test_noise_that_one_model_lacks_is_in_no_interval_of_it() -> None:
    anew = {"base": [1.0, 2], "new data": [], "new code": [1.0, 5]}

    data, code = (
        attribution.effect(
            attribution.EFFECTS[which], lambda side: mean(models()[side]), lambda side: anew[side], GROUPS
        )
        for which in ("data", "code")
    )

    assert data.noise == 0
    assert code.noise > 0


@pytest.mark.parametrize(
    ("changed", "params", "both"),
    [
        (["src/model/features.py"], ["data.as_of"], True),
        (["src/model/features.py", "data/files/flights.parquet"], [], True),
        (["data/files/flights.parquet.dvc", "requirements/train.txt"], [], True),
        ([], ["data.as_of", "model.iterations"], True),
        (["dvc.yaml"], ["data.path"], True),
        ([], ["data.as_of"], False),
        (["src/model/features.py"], ["model.iterations"], False),
        (["README.md", "src/mergeline/serve/app.py"], ["data.as_of"], False),
        ([], ["data.as_of", "compare.level"], False),
        (["data/files.md"], ["model.iterations"], False),
    ],
)
def test_it_is_asked_where_the_data_and_what_makes_a_model_of_it_changed(
    changed: list[str], params: list[str], both: bool, tmp_path: Path
) -> None:
    settings = (PROJECT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(settings.replace("<< cookiecutter.task >>", "classification"))
    shutil.copyfile(PROJECT / "dvc.yaml", tmp_path / "dvc.yaml")

    found = crossed.asked(tmp_path, changed, [Change(name=name, base="1", candidate="2") for name in params])

    assert found is both


def test_a_reader_sees_what_each_change_did_to_the_primary_metric_first() -> None:
    text = markdown.render(told())

    table = text[text.index("Which change did it, judged on 900 rows in 30 groups:") :].splitlines()
    assert table[2] == "| roc_auc | difference | 95% interval |"
    assert [line.split(" | ")[0] for line in table[4:8]] == [f"| {name}" for name in attributed.EFFECTS.values()]
    assert table[4] == "| new data alone | +0.010 | -0.010\u00a0to\u00a0+0.030 |"
    assert "Which change did it, in 1 other metric" in text
    assert "only both together" in page.render(told())


def test_before_it_is_measured_the_report_says_how_and_where_it_cannot_be_why() -> None:
    asked = make_report(attribution=Attribution())
    failed = make_report(attribution=Attribution(reason="base needs `temp`"))

    assert "`model attribute` trains them" in markdown.render(asked)
    assert "what each of them did cannot be told: base needs" in markdown.render(failed)
    assert "Which change" not in markdown.render(make_report())


def test_the_base_makes_intervals_anew_and_refuses_effects_that_do_not_add_up() -> None:
    report = make_report(attribution=Attribution(rows=[row("roc_auc")], judged=900, groups=30))
    found = gates.again(report, RULES, 0.8).attribution
    assert found is not None
    assert found.rows[0].data.interval == Estimate(0.01, 0.01, 30).interval(0.8)

    wrong = msgspec.structs.replace(row("roc_auc"), code=effect(0.5))
    with pytest.raises(Integrity, match="the report's numbers of roc_auc contradict each other"):
        gates.again(make_report(attribution=Attribution(rows=[wrong])), RULES, 0.95)
    with pytest.raises(Integrity, match="contradict each other"):
        gates.again(make_report(attribution=Attribution(rows=[row("@everyone")])), RULES, 0.95)


def effect(value: float) -> Difference:
    return describe(Estimate(value, 0.01, 30), 0.95)


def row(metric: str) -> AttributionRow:
    return AttributionRow(
        metric=metric, data=effect(0.01), code=effect(0.02), together=effect(-0.005), total=effect(0.025)
    )


def told() -> Report:
    return make_report(attribution=Attribution(rows=[row("log_loss"), row("roc_auc")], judged=900, groups=30))
