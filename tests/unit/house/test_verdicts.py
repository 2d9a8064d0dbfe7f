"""`make bench-verdict` and `make bench-compare`: their limits and exit codes, and each part on few rows."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from mergeline import metrics
from mergeline.statistics import Floats, Influence
from tools import references, sliced, speed, verdicts
from tools.made import GAIN, judged, made, swap
from tools.speed import Figure
from tools.verdicts import Share

RNG = np.random.default_rng


def printed(monkeypatch: pytest.MonkeyPatch, *shares: Share) -> tuple[str, int]:
    """Print the table of made shares as `make bench-verdict` does; give it with the exit code."""
    said = io.StringIO()
    monkeypatch.setattr(verdicts, "console", Console(file=said, width=120))
    monkeypatch.setattr(verdicts, "PARTS", {"part": lambda: shares})
    with pytest.raises(SystemExit) as ended:
        verdicts.main()
    return said.getvalue(), int(ended.value.code or 0)


def test_shares_stand_beside_their_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    said, code = printed(monkeypatch, Share("coverage", 950, 1000, 0.93, 0.97, "by row 20%"))

    assert code == 0
    (row,) = [line for line in said.splitlines() if "coverage" in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["coverage", "95.0% of 1,000", "≥ 93% ≤ 97%", "by row 20%"]


@pytest.mark.parametrize(("hits", "code"), [(915, 1), (916, 0), (979, 0), (980, 1)])
def test_a_share_beyond_its_limits_by_more_than_chance_exits_with_one(
    monkeypatch: pytest.MonkeyPatch, hits: int, code: int
) -> None:
    assert printed(monkeypatch, Share("coverage", hits, 1000, 0.93, 0.97))[1] == code


def test_what_must_be_true_once_is_broken_when_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, Share("agrees", 0, 1, low=1.0))[1] == 1
    assert printed(monkeypatch, Share("agrees", 1, 1, low=1.0))[1] == 0


def test_a_figure_is_broken_on_the_wrong_side_of_its_limit_alone() -> None:
    fast, slow = (Figure("ratio", value, "x", 500, at_least=True) for value in (501, 499))
    small, large = (Figure("memory", value, "GB", 0.5) for value in (0.4, 0.6))

    assert [one.broken for one in (fast, slow, small, large)] == [False, True, False, True]


def test_swapping_a_group_exchanges_all_its_rows() -> None:
    rows = made(8, RNG(7), each=5)
    base, candidate = swap(rows.base, rows.candidate, rows.groups, RNG(7))

    swapped = (base == rows.candidate).reshape(8, 5)
    assert (swapped.all(axis=1) | ~swapped.any(axis=1)).all()
    assert 0 < swapped.all(axis=1).sum() < 8
    assert np.array_equal(base + candidate, rows.base + rows.candidate)


def test_swapping_the_models_turns_the_difference_and_keeps_its_error() -> None:
    rows = made(30, RNG(7), GAIN, each=20)
    there, back = (
        judged(rows.labels, *sides, rows.groups) for sides in ((rows.base, rows.candidate), (rows.candidate, rows.base))
    )

    assert there.value == pytest.approx(-back.value)
    assert there.standard_error == pytest.approx(back.standard_error)


def test_delong_and_mcnemar_and_the_published_example_agree() -> None:
    rows = made(60, RNG(17), GAIN, each=30)
    found = [references.delong_agrees(rows), references.published_agrees(), references.mcnemar_agrees(rows)]

    assert [agrees for _, agrees, _ in found] == [True] * 3


def test_few_draws_of_groups_come_near_the_standard_error() -> None:
    _, agrees, beside = references.bootstrap_agrees("brier", made(40, RNG(17), GAIN, each=10), draws=1500)

    assert agrees, beside


def test_a_made_pull_request_has_thirty_slices_and_one_that_is_better_is_shown() -> None:
    scored = sliced.pull_request(RNG(7))
    inside = (scored.rows["part"] == "3").to_numpy()
    planted = replace(scored, candidate=np.where(inside, scored.labels, scored.candidate))

    assert scored.rows["part"].n_unique() == sliced.SLICES
    assert sliced.shown(scored, matters=0.005)[0] is False
    assert sliced.shown(planted, matters=0.005)[0] is True


def test_every_metric_is_judged_on_the_whole_and_on_every_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    scored, slices = speed.rows(12_000, RNG(7))
    judged: list[int] = []
    real = metrics.measure

    def counted(name: str, labels: NDArray[Any], scores: Floats) -> Influence:
        judged.append(len(labels))
        return real(name, labels, scores)

    monkeypatch.setattr(metrics, "measure", counted)
    speed.judge(scored, slices)

    assert len(judged) == 2 * len(speed.BASELINE) * (1 + speed.SLICES)
    assert sum(judged) == 2 * len(speed.BASELINE) * 2 * 12_000
