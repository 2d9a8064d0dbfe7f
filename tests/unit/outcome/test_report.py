"""Reports on made traffic: which rows count, what is compared, and what is said."""

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from mergeline import metrics, statistics
from mergeline.errors import BadData, Usage
from mergeline.events import Row
from mergeline.outcome.figures import Figure
from mergeline.outcome.result import Result
from tests.unit.outcome.made import BESIDE, PINNED, START, Traffic, shadowed, traffic

Report = Callable[..., Result]


def figure(found: Result, name: str) -> Figure:
    return next(one for one in found.figures if one.name == name)


def drawn(found: Result, width: int = 80) -> str:
    said = io.StringIO()
    Console(file=said, soft_wrap=True, width=width).print(found.table())
    return said.getvalue()


@pytest.mark.parametrize(
    ("signal", "word"),
    [((1.0, 2.0), "better"), ((2.0, 1.0), "worse"), ((1.0, 1.1), "cannot tell")],
)
def test_two_arms_with_labels_get_a_verdict(report: Report, signal: tuple[float, float], word: str) -> None:
    found = report(traffic(signal=signal))

    assert found.word == word == found.figures[0].word
    assert [one.name for one in found.figures] == ["roc_auc", "brier", "score yes", "latency ms"]
    assert found.verdict.startswith(f"{word.capitalize()}: roc_auc 0.")
    assert [(arm.name, arm.release, arm.units) for arm in found.arms] == [("pinned", PINNED, 208), ("ab", BESIDE, 192)]
    assert found.ratio is not None
    assert not found.ratio.broken


def test_each_arms_metric_is_that_of_its_rows_and_the_interval_is_by_key(report: Report) -> None:
    made = traffic(keys=100, requests=4)
    roc_auc = figure(report(made), "roc_auc")

    truth = {request: label == "yes" for request, _, label in made.labels}
    estimates = []
    for arm in ("pinned", "ab"):
        rows = [(e.rows[0].key, e.rows[0].scores[1], truth[e.request]) for e in made.events if e.arm == arm]
        keys, scores, labels = zip(*rows, strict=True)
        influence = metrics.measure("roc_auc", np.array(labels), np.array(scores, dtype=np.float64))
        estimates.append(statistics.estimate(influence, statistics.codes(keys)))
    ours, theirs = estimates
    assert (roc_auc.pinned, roc_auc.beside) == pytest.approx((ours.value, theirs.value))
    assert roc_auc.fixed is not None
    error = (ours.standard_error**2 + theirs.standard_error**2) ** 0.5
    assert (roc_auc.fixed[1] - roc_auc.fixed[0]) / 2 / error == pytest.approx(1.98, abs=0.02)


def test_what_is_clear_at_one_look_only_is_not_told(report: Report) -> None:
    found = report(traffic(signal=(1.0, 1.25)))

    roc_auc = figure(found, "roc_auc")
    assert roc_auc.fixed is not None
    assert roc_auc.always is not None
    assert roc_auc.fixed[0] > 0 > roc_auc.always[0]
    assert found.word == "cannot tell"
    assert "it may as well be chance: telling 0.02 from none takes about " in found.verdict


def test_a_shadow_is_judged_in_pairs_by_request(report: Report) -> None:
    made = shadowed()
    found = report(made, kind="shadow", share=1.0)

    truth = {(request, row): label == "yes" for request, row, label in made.labels}
    places = [(e.request, row.row) for e in made.events if e.arm == "pinned" for row in e.rows]
    said = [
        np.array([row.scores[1] for e in made.events if e.arm == arm for row in e.rows], dtype=np.float64)
        for arm in ("pinned", "shadow")
    ]
    labels = np.array([truth[place] for place in places])
    ours, theirs = [metrics.measure("roc_auc", labels, scores) for scores in said]
    expected = statistics.difference(ours, theirs, statistics.codes([request for request, _ in places]))
    roc_auc = figure(found, "roc_auc")
    assert roc_auc.difference == pytest.approx(expected.value)
    assert roc_auc.fixed == pytest.approx(expected.interval())
    assert figure(found, "moved by").difference == pytest.approx(np.abs(said[1] - said[0]).mean())
    assert figure(found, "flipped").difference == pytest.approx(((said[0] >= 0.5) != (said[1] >= 0.6)).mean())
    assert (found.ratio, found.word) == (None, "better")
    assert "latency ms" not in {one.name for one in found.figures}


def test_without_labels_only_score_and_latency_are_told(report: Report) -> None:
    found = report(traffic(keys=60), labelled=False)

    assert [one.name for one in found.figures] == ["score yes", "latency ms"]
    assert found.word is None
    assert found.verdict == "No verdict: roc_auc needs labels. `--labels FILE` joins them."
    latency = figure(found, "latency ms")
    assert (latency.pinned, latency.beside, latency.difference) == pytest.approx((0.2, 0.3, 0.1))


def test_a_broken_split_is_told_loudly_and_gets_no_verdict(report: Report) -> None:
    made = traffic(signal=(1.0, 2.0))
    made.events = [e for i, e in enumerate(made.events) if e.arm == "pinned" or i % 3]
    keys = {e.rows[0].key for e in made.events if e.arm == "ab"}
    lost = sorted(key for key in keys if key)[:80]
    made.events = [e for e in made.events if e.rows[0].key not in lost]

    found = report(made)
    assert {found.word, *(one.word for one in found.figures)} == {None}
    assert found.verdict.startswith("No verdict: ")
    assert "SAMPLE RATIO BROKEN: 112 of 320 keys (35% for a share of 50%, p below 1e-06" in " ".join(
        drawn(found).split()
    )


def test_only_what_a_key_assigned_counts(report: Report) -> None:
    """Before an experiment, after a breaker, and for a request that names its arm, nothing assigns a row."""
    made = traffic(keys=60)
    before = report(made)
    made.add("smoke", "pinned", [Row(0, [0.0, 1.0], "yes"), Row(1, [0.0, 1.0], "yes")])
    made.add("elsewhere", "pinned", [Row(0, [0.0, 1.0], "yes")], release="c" * 64)
    made.add("canary", "canary", [Row(0, [0.0, 1.0], "yes", "k")])

    found = report(made)
    assert found.figures == before.figures
    assert found.notes[-1] == "Rows left out: 2 of other releases and arms; 2 that no key assigned to an arm."


def test_only_what_was_answered_under_the_present_share_counts(report: Report) -> None:
    made = traffic(keys=60)
    before = report(made)
    for i in range(30):
        made.add(f"early {i}", "pinned", [Row(0, [0.0, 1.0], "yes", f"early {i}")], time=START - timedelta(seconds=1))

    assert report(made).figures == before.figures
    assert report(made, since="2026-10-31").arms[0].units == before.arms[0].units + 30
    assert report(made, since="2026-11-01T01:00+01:00").title() == (
        "ab in staging: bbbbbbbbbbbb beside aaaaaaaaaaaa, 50%, from 2026-11-01 00:00 UTC"
    )


def test_a_key_that_both_arms_answered_is_the_experiments_and_its_fallbacks_count_for_neither(report: Report) -> None:
    made = traffic(keys=60)
    before = report(made)
    key = next(e.rows[0].key for e in made.events if e.arm == "ab")
    made.add("failed", "pinned", [Row(0, [0.0, 1.0], "yes", key)])

    found = report(made)
    assert (found.figures, found.ratio) == (before.figures, before.ratio)
    assert "1 keys were answered by both arms and count as the experiment's." in found.notes


def test_what_is_sent_again_or_has_no_finite_score_is_counted_once_or_not_at_all(report: Report) -> None:
    made = traffic(keys=60)
    before = report(made)
    made.events.append(made.events[0])
    made.add("broken", "pinned", [Row(0, [None, None], "yes", "somebody")])

    found = report(made)
    assert found.figures[:3] == before.figures[:3]
    assert found.notes == ["Rows left out: 1 of requests that were sent again under one id; 1 without a finite score."]


def test_a_request_of_both_arms_has_the_latency_of_neither(report: Report) -> None:
    made = traffic(keys=60)
    before = figure(report(made), "latency ms")
    for arm, key in (("pinned", "one"), ("ab", "another")):
        made.add("mixed", arm, [Row(0 if arm == "pinned" else 1, [0.5, 0.5], "yes", key)], seconds=9.0)

    assert figure(report(made), "latency ms") == before


def test_pairs_need_both_halves_and_what_is_missing_is_counted(report: Report) -> None:
    made = shadowed(requests=40)
    before = report(made, kind="shadow")
    made.add("dropped", "pinned", [Row(0, [0.1, 0.9], "yes")])
    made.add("gone", "shadow", [Row(0, [0.1, 0.9])], seconds=None)

    found = report(made, kind="shadow")
    assert found.figures == before.figures
    assert (
        "Rows left out: 1 that the shadow did not score; 1 of the shadow without the answer beside it." in found.notes
    )


def test_after_the_end_nothing_waits_for_a_shadow(report: Report) -> None:
    made = shadowed(requests=40)
    made.add("later", "pinned", [Row(0, [0.1, 0.9], "yes")], time=START + timedelta(days=2))

    found = report(made, kind="shadow", ended=START + timedelta(days=1))
    assert not [note for note in found.notes if "did not score" in note]


def test_few_keys_tell_nothing(report: Report) -> None:
    found = report(traffic(keys=14, requests=30, signal=(0.2, 3.0)))

    assert found.word == "cannot tell"
    assert "units, fewer than 10" in found.verdict


def test_labels_of_one_class_leave_a_metric_unmeasured(report: Report) -> None:
    made = traffic(keys=60)
    made.labels = [(request, row, "no") for request, row, _ in made.labels]

    found = report(made)
    assert found.word == "cannot tell"
    assert "roc_auc could not be measured: roc_auc needs both classes" in found.verdict
    assert figure(found, "brier").difference is not None


def test_without_a_key_requests_are_what_belongs_together(report: Report) -> None:
    found = report(traffic(keys=300, requests=1))

    assert found.unit == "requests"
    assert " keys " not in drawn(found)


@pytest.mark.parametrize("kind", ["ab", "shadow"])
def test_nothing_is_cut_at_80_columns(report: Report, kind: str) -> None:
    found = report(traffic() if kind == "ab" else shadowed(), kind=kind)
    many = dict.fromkeys(("requests", "rows", "units", "labelled"), 123456789)
    arms = [msgspec.structs.replace(arm, **many, median_ms=1234.5, slow_ms=23456.7) for arm in found.arms]
    said = drawn(msgspec.structs.replace(found, arms=arms))

    assert max(map(len, said.splitlines())) <= 80
    assert "…" not in said
    for one in found.figures:
        assert one.name in said
    assert "often you look)" in " ".join(said.split())
    assert said.count("123,456,789") == (8 if kind == "ab" else 6)
    assert said.count("23,457") == 2


def test_long_names_and_numbers_are_folded(report: Report, stored: Callable[..., str]) -> None:
    named = stored(classes=["no", "[late] by more than a quarter of an hour"])
    made = traffic(keys=60)
    for i, event in enumerate(made.events):
        made.events[i] = msgspec.structs.replace(event, seconds=100.0 + i / 7)
    said = drawn(report(made, labelled=False, pinned_bundle=named, bundle=named))

    assert max(map(len, said.splitlines())) <= 80
    assert "[late]" in said
    assert said.count("[") == said.count("]") == 5


def test_a_log_of_something_else_is_refused_with_what_it_has(report: Report) -> None:
    made = Traffic()
    made.add("one", "pinned", [Row(0, [0.5, 0.5], "yes")])
    made.add("two", "canary", [Row(0, [0.5, 0.5], "yes")], release="d" * 64)

    with pytest.raises(BadData, match=r"no row of ab of bbbbbbbbbbbb; .* has canary of dddddddddddd \(1 rows\)"):
        report(made)


def test_a_log_from_before_is_refused_with_where_its_rows_went(report: Report) -> None:
    with pytest.raises(BadData, match="no row of the pinned release counts: 60 from an earlier time"):
        report(traffic(keys=20), since="2027-01-01")


def test_a_release_of_another_width_is_refused(report: Report) -> None:
    made = traffic(keys=20)
    made.add("three", "ab", [Row(0, [0.2, 0.3, 0.5], "yes", "k")])

    with pytest.raises(BadData, match="a row has not 2 scores"):
        report(made)


def test_a_since_that_is_no_time_is_refused(report: Report) -> None:
    with pytest.raises(Usage, match="--since 'yesterday' is no time"):
        report(traffic(keys=20), since="yesterday")


def several(root: Path, task: str, gates: str, scores: Callable[[bool, int], list[float | None]]) -> Traffic:
    """Traffic of 60 requests of another task: the project's files, and what each arm says to a label of three."""
    (root / "params.yaml").write_text(f'python: "3.11"\ntask: {task}\n')
    (root / "gates.yaml").write_text(gates)
    made = Traffic()
    for i in range(60):
        theirs, label = bool(i % 2), i % 3
        made.labels.append((f"request {i}", 0, "abc"[label] if task == "classification" else str(float(label))))
        made.add(f"request {i}", "ab" if theirs else "pinned", [Row(0, scores(theirs, label), None, f"key {i}")])
    return made


def test_three_classes_have_a_largest_score(report: Report, root: Path, stored: Callable[..., str]) -> None:
    rng = np.random.default_rng(7)

    def scores(_: bool, label: int) -> list[float | None]:
        said = rng.random(3) + 2 * np.eye(3)[label]
        return [float(one) for one in said / said.sum()]

    made = several(root, "classification", "primary: log_loss\nmetrics: {log_loss: {matters: 0.1}}\n", scores)
    bundles = stored(classes=["a", "b", "c"])

    found = report(made, pinned_bundle=bundles, bundle=bundles)
    assert [one.name for one in found.figures] == ["log_loss", "largest score", "latency ms"]
    assert found.figures[0].difference is not None


@pytest.mark.parametrize("kind", ["ab", "shadow"])
def test_a_regression_has_values_and_a_metric_of_the_projects_own(
    report: Report, root: Path, stored: Callable[..., str], kind: str
) -> None:
    rng = np.random.default_rng(7)
    gates = "primary: worst\nmetrics: {worst: {matters: 0.1, better: lower}, mae: {matters: 0.1}}\n"
    made = several(root, "regression", gates, lambda theirs, label: [label + float(rng.normal(0, 2 - theirs))])
    if kind == "shadow":
        for event in [e for e in made.events if e.arm == "ab"]:
            made.events.remove(event)
        for event in list(made.events):
            made.add(event.request, "shadow", [Row(0, [float(rng.normal())])], seconds=None)
    (root / "src" / "model").mkdir(parents=True)
    (root / "src/model/metrics.py").write_text(
        "import numpy as np\n\ndef worst(labels, scores, weights):\n"
        "    return float(np.average(np.square(scores - labels), weights=weights))\n"
    )
    bundles = stored(task="regression", classes=[])

    found = report(made, pinned_bundle=bundles, bundle=bundles, kind=kind)
    last = "latency ms" if kind == "ab" else "moved by"
    assert [one.name for one in found.figures] == ["worst", "mae", "value", last]
    assert all(one.difference is not None for one in found.figures)
    assert found.figures[0].word == found.word
