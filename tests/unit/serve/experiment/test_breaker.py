import pytest

from mergeline.serve.experiment.breaker import LEAST, WINDOW, Breaker


def fed(limits: dict[str, float], count: int, milliseconds: float = 1.0, score: float = 0.5, rows: int = 1) -> Breaker:
    breaker = Breaker("r2", limits)
    for _ in range(count):
        breaker.answered(milliseconds, score, rows)
    return breaker


@pytest.mark.parametrize(
    ("limits", "milliseconds", "score", "reason"),
    [
        ({"latency_ms": 5.0}, 6.0, 0.5, "over 5 ms"),
        ({"score_max": 0.4}, 1.0, 0.5, "mean score is 0.5"),
        ({"score_min": 0.6}, 1.0, 0.5, "mean score is 0.5"),
    ],
)
def test_drops_what_leaves_a_limit_and_not_before_there_is_enough_to_judge(
    limits: dict[str, float], milliseconds: float, score: float, reason: str
) -> None:
    assert fed(limits, LEAST - 1, milliseconds, score).tripped is None
    assert reason in str(fed(limits, LEAST, milliseconds, score).tripped)


def test_within_its_limits_it_serves_on() -> None:
    limits = {"errors": 0.1, "latency_ms": 5.0, "score_min": 0.4, "score_max": 0.6}

    assert fed(limits, 3 * WINDOW, 5.0).tripped is None


def test_a_few_slow_answers_are_allowed_and_more_than_one_in_twenty_are_not() -> None:
    breaker = fed({"latency_ms": 5.0}, 95)
    for _ in range(5):
        breaker.answered(9.0, 0.5, 1)
    assert breaker.tripped is None
    breaker.answered(9.0, 0.5, 1)
    assert breaker.tripped


def test_looks_at_the_last_requests_alone() -> None:
    breaker = fed({"errors": 0.1}, WINDOW)
    for _ in range(WINDOW // 10):
        breaker.failed()
    assert breaker.tripped is None
    breaker.failed()
    assert "failed on 10.2%" in str(breaker.tripped)


def test_forgets_failures_that_lie_further_back() -> None:
    breaker = fed({"errors": 0.1}, WINDOW)
    for _ in range(3):
        for _ in range(WINDOW // 10 - 1):
            breaker.failed()
        for _ in range(WINDOW):
            breaker.answered(1.0, 0.5, 1)
    assert breaker.tripped is None


def test_the_mean_score_is_over_rows_not_requests() -> None:
    breaker = fed({"score_max": 0.4}, LEAST - 1, score=0.0, rows=1)
    breaker.answered(1.0, 500.0, 1000)
    assert breaker.tripped


def test_once_dropped_it_stays_dropped() -> None:
    breaker = fed({"score_max": 0.4}, LEAST)
    for _ in range(2 * WINDOW):
        breaker.answered(1.0, 0.1, 1)
    assert breaker.tripped
