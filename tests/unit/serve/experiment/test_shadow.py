"""What the experiment's release would have said, found out when nobody waits."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mergeline import bundle as bundles
from mergeline.bundle import Bundle
from mergeline.serve.experiment import shadow as room
from mergeline.serve.experiment.shadow import Shadow, Shadowed
from tests.unit.serve.experiment.conftest import Server, broken

Rows = list[dict[str, Any]]


def test_answers_are_the_pinned_releases_and_differences_are_counted(beside: Callable[..., Server], rows: Rows) -> None:
    server = beside(kind="shadow", share=1.0)

    answer, made = server.ask(rows)
    server.arms.close()

    assert "release" not in answer["predictions"][0]
    assert made.assigned is None
    found = server.arms.counts()
    assert (found["shadow_rows"], found["shadow_dropped"], found["errors"]) == (len(rows), 0, 0)
    assert 0 < found["shadow_largest_difference"] <= 1


def test_each_request_is_recorded_with_both_scores_in_order(bundle: Bundle, other: Bundle, rows: Rows) -> None:
    recorded: list[Shadowed] = []
    shadow = Shadow(other, "r2", recorded.append)
    parts = [rows[:1], rows[1:400], rows[400:]]

    for i, part in enumerate(parts):
        raw = bundles.raw_from_rows(bundle.signature, part)
        shadow.offer(str(i), raw, bundle.scores(raw))
    shadow.close()

    assert [one.request for one in recorded] == ["0", "1", "2"]
    for one, part in zip(recorded, parts, strict=True):
        raw = bundles.raw_from_rows(bundle.signature, part)
        assert np.allclose(one.pinned, bundle.scores(raw))
        assert np.allclose(one.shadow, other.scores(raw))


def test_what_comes_while_the_queue_is_full_is_dropped_and_counted(bundle: Bundle, other: Bundle, rows: Rows) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def features(raw: Any) -> Any:
        at_work.set()
        go_on.wait()
        return other.features(raw)

    shadow = Shadow(replace(other, features=features), "r2")
    raw = bundles.raw_from_rows(bundle.signature, rows)
    scores = bundle.scores(raw)
    shadow.offer("first", raw, scores)
    at_work.wait()
    waiting = room.MAX_ROWS // len(rows)

    for i in range(waiting + 3):
        shadow.offer(str(i), raw, scores)
    go_on.set()
    shadow.close()

    assert (shadow.scored, shadow.dropped) == ((1 + waiting) * len(rows), 3 * len(rows))


def test_a_bundle_that_fails_costs_its_own_requests_alone(bundle: Bundle, other: Bundle, rows: Rows) -> None:
    shadow = Shadow(broken(other), "r2")
    raw = bundles.raw_from_rows(bundle.signature, rows[:1])

    for _ in range(3):
        shadow.offer("q", raw, bundle.scores(raw))
    shadow.close()

    assert (shadow.scored, shadow.errors) == (0, 3)


def test_a_recorder_that_fails_ends_nothing(bundle: Bundle, other: Bundle, rows: Rows) -> None:
    def full(_: Shadowed) -> None:
        raise OSError("no space left")

    shadow = Shadow(other, "r2", full)
    raw = bundles.raw_from_rows(bundle.signature, rows[:2])

    shadow.offer("q", raw, bundle.scores(raw))
    shadow.close()

    assert shadow.scored == 2
