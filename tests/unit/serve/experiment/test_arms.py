"""Which release answers which row, and what is answered when the experiment's cannot."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from mergeline import bundle as bundles
from mergeline.bundle import Bundle
from mergeline.errors import BadSettings
from mergeline.serve import scoring
from mergeline.serve.experiment.arms import Arms
from mergeline.serve.wire import JSON, Refused
from tests.unit.serve.experiment.conftest import Server, broken

Make = Callable[..., Server]
Rows = list[dict[str, Any]]


def expected(bundle: Bundle, rows: Rows) -> list[float]:
    return [float(s) for s in bundle.score(bundles.raw_from_rows(bundle.signature, rows))]


def test_each_row_is_answered_by_the_release_that_it_names(
    beside: Make, bundle: Bundle, other: Bundle, rows: Rows
) -> None:
    answer, made = beside(key="dest").ask(rows)

    found = answer["predictions"]
    ours, theirs = expected(bundle, rows), expected(other, rows)
    assert {one["release"] for one in found} == {"r1", "r2"}
    assert np.allclose(
        [one["score"] for one in found],
        [t if one["release"] == "r2" else o for one, o, t in zip(found, ours, theirs, strict=True)],
    )
    assert made.assigned is not None
    assert made.assigned.tolist() == [one["release"] == "r2" for one in found]


def test_rows_of_one_key_have_one_arm(beside: Make, rows: Rows) -> None:
    answer, _ = beside(key="dest").ask(rows)

    arms: dict[str, set[str]] = {}
    for row, one in zip(rows, answer["predictions"], strict=True):
        if row.get("dest"):
            arms.setdefault(row["dest"], set()).add(one["release"])
    assert all(len(releases) == 1 for releases in arms.values())


def test_without_a_column_the_header_keeps_the_arm_and_without_it_the_request(beside: Make, rows: Rows) -> None:
    server = beside()

    def releases(**headers: str) -> set[str]:
        return {one["release"] for one in server.ask(rows[:5], **headers)[0]["predictions"]}

    assert all(len(releases(x_request_id=f"q{i}")) == 1 for i in range(20))
    assert {r for i in range(20) for r in releases(x_request_id=f"q{i}")} == {"r1", "r2"}
    assert len({r for i in range(20) for r in releases(x_request_id=f"q{i}", x_experiment_key="me")}) == 1


def test_labels_follow_the_threshold_of_the_release_that_answers(beside: Make, other: Bundle, rows: Rows) -> None:
    strict = replace(other, signature=msgspec.structs.replace(other.signature, threshold=2.0))

    answer, made = beside(strict, share=1.0).ask(rows[:50])

    assert made.labels == ["no"] * 50
    assert {one["label"] for one in answer["predictions"]} == {"no"}


def test_a_deployment_can_ask_the_pinned_release_alone(beside: Make, bundle: Bundle, rows: Rows) -> None:
    answer, _ = beside(share=1.0).ask(rows[:3], x_experiment_arm="pinned")

    assert [one["score"] for one in answer["predictions"]] == pytest.approx(expected(bundle, rows[:3]))


def test_mlflow_clients_get_the_answer_that_they_know(beside: Make, rows: Rows) -> None:
    answer, _ = beside(share=1.0).ask({"instances": rows[:2]}, path="/invocations")

    assert set(answer) == {"predictions"}
    assert set(answer["predictions"][0]) == {"prediction", "probability_no", "probability_yes"}


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_bundle_that_raises_costs_no_answer(
    beside: Make, bundle: Bundle, other: Bundle, rows: Rows, share: float
) -> None:
    server = beside(broken(other), share=share, key="dest")

    answer, made = server.ask(rows)

    assert [one["score"] for one in answer["predictions"]] == pytest.approx(expected(bundle, rows))
    assert {one["release"] for one in answer["predictions"]} == {"r1"}
    assert made.assigned is not None
    assert not made.assigned.any()
    assert server.arms.counts() == {"unavailable": 0, "assigned": 0, "errors": 1, "tripped": 0}


def test_a_bundle_without_a_finite_answer_costs_none(beside: Make, bundle: Bundle, other: Bundle, rows: Rows) -> None:
    class Nowhere:
        def get_inputs(self) -> list[Any]:
            return []

        def run(self, *_: Any) -> Any:
            return [np.full((2, 2), np.nan)]

    server = beside(replace(other, session=Nowhere()), share=1.0)

    answer, _ = server.ask(rows[:2])

    assert [one["score"] for one in answer["predictions"]] == pytest.approx(expected(bundle, rows[:2]))
    assert server.arms.counts()["errors"] == 1


def test_a_request_that_no_release_can_answer_is_no_error_of_the_experiment(
    beside: Make, bundle: Bundle, other: Bundle, rows: Rows
) -> None:
    def features(_: Any) -> Any:
        raise ValueError("no such carrier")

    server = beside(replace(other, features=features), share=1.0)
    server.arms.bundle = replace(bundle, features=features)

    with pytest.raises(Refused, match="no such carrier"):
        server.ask(rows[0])
    assert server.arms.counts()["errors"] == 0


def test_a_release_over_its_limit_of_errors_is_dropped_here_and_the_pinned_one_answers(
    beside: Make, other: Bundle, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    server = beside(broken(other), kind="canary", share=1.0, limits={"errors": 0.1})

    for _ in range(60):
        server.ask(rows[0])

    assert server.arms.counts() == {"unavailable": 0, "assigned": 0, "errors": 50, "tripped": 1}
    dropped = [r for r in caplog.records if r.getMessage() == "experiment dropped"]
    assert [vars(r)["fields"]["release"] for r in dropped] == ["r2"]


def test_where_no_experiment_runs_answers_are_what_they_were(bundle: Bundle, rows: Rows) -> None:
    arms = Arms(bundle, "r1")
    answer, made = Server(arms).ask(rows, x_request_id="q")

    protocol = scoring.PROTOCOLS[scoring.PREDICT]
    before, _ = scoring.predict(bundle, "r1", protocol, "q", JSON, msgspec.json.encode(rows))
    assert msgspec.json.encode(answer) == before
    assert made.assigned is None
    assert arms.counts() == {}


def test_refuses_an_experiment_that_cannot_stand_beside(beside: Make, other: Bundle) -> None:
    def with_(**changes: Any) -> Bundle:
        return replace(other, signature=msgspec.structs.replace(other.signature, **changes))

    with pytest.raises(BadSettings, match="different columns"):
        beside(with_(columns=other.signature.columns[:-1]))
    with pytest.raises(BadSettings, match="task or classes"):
        beside(with_(classes=["yes", "no"]))
    with pytest.raises(BadSettings, match="no column"):
        beside(key="customer")
    with pytest.raises(BadSettings, match="share"):
        beside(share=1.5)
    with pytest.raises(BadSettings, match="limits name speed"):
        beside(limits={"speed": 1.0})
