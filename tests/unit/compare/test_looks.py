import numpy as np
import pytest

from mergeline.compare import looks
from mergeline.compare.looks import Judged

ROWS, OTHER = "a" * 64, "b" * 64


def judged(candidate: str, rows: str = ROWS, base: str = "0" * 64) -> Judged:
    return Judged(rows, base, candidate * 64)


def body(*known: Judged) -> str:
    return f"**Better**: it is.\n\n{looks.lines(known)}"


def test_different_candidates_on_the_same_rows_are_counted_this_one_included() -> None:
    bodies = [body(judged("1"), judged("2")), body(judged("2")), body(judged("3", OTHER)), "nothing"]

    assert looks.count(judged("4"), bodies).candidates == 3
    assert looks.count(judged("2"), bodies).candidates == 2


def test_of_the_candidates_on_these_rows_those_that_became_releases_are_counted_too() -> None:
    bodies = [body(judged("1"), judged("2")), body(judged("3", OTHER))]

    assert looks.count(judged("4"), bodies, {"2" * 64, "3" * 64, "9" * 64}).releases == 1


def test_a_candidate_that_is_its_own_base_is_no_look() -> None:
    assert looks.count(judged("0"), []).candidates == 0


def test_only_a_line_of_its_own_counts() -> None:
    bodies = [f"- `{judged('1')}`", f"> {judged('2')}", f"{judged('3')} x"]

    assert looks.count(judged("4"), bodies).candidates == 1


def test_what_is_written_is_read_and_the_oldest_of_many_is_forgotten() -> None:
    known = [judged(f"{i:x}"[-1], rows=f"{i:064x}") for i in range(looks.MOST_LINES + 5)]

    assert looks.read(looks.lines([*known, known[0]])) == known[: looks.MOST_LINES]


@pytest.mark.parametrize("count", [1, 20, 50])
def test_the_chance_is_that_of_independent_looks(count: int) -> None:
    rng = np.random.default_rng(7)

    simulated = (rng.normal(0, 1, (40_000, count)) > 1.96).any(1).mean()

    assert looks.chance(count, 0.95) == pytest.approx(simulated, abs=0.01)
