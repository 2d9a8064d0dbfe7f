"""Past releases judged on rows that came after them."""

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from rich.console import Console

from mergeline import frames
from mergeline.claims import Claim
from mergeline.compare import fresh
from mergeline.compare.fresh import Confirmation
from mergeline.compare.report import Difference
from mergeline.errors import BadData
from model import schema
from tests.unit.compare.conftest import make_rows, metric_row, write_bundle

GATES = "primary: roc_auc\nmetrics: {roc_auc: {matters: 0.005}, log_loss: {matters: 0.005}}\n"
WEAK, STRONG = {"hour": 0.5}, {"hour": 0.5, "wind": 1.5}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose snapshot has the 30 days of June 2013."""
    at = tmp_path / "project"
    (at / "data").mkdir(parents=True)
    (at / "params.yaml").write_text('python: "3.11"\ntask: classification\n')
    (at / "gates.yaml").write_text(GATES)
    frames.write(at / fresh.RAW, snapshot())
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=at, check=True)
    return at


def snapshot() -> pl.DataFrame:
    return make_rows().rename({"id": schema.ROW_ID, "day": str(schema.TIME)})


def claim(root: Path, base: dict[str, float], candidate: dict[str, float], **changes: Any) -> Claim:
    """Give a claim of a gain, with two real bundles."""
    folder = root.parent / f"models{len(list(root.parent.iterdir()))}"
    made = Claim(
        release="a" * 64,
        when="2013-06-11T12:00:00+00:00",
        code="c" * 40,
        word="better",
        metric="roc_auc",
        difference=0.1,
        interval=(0.08, 0.12),
        models=(write_bundle(folder / "base", base), write_bundle(folder / "candidate", candidate)),
        end="2013-06-11",
        group="date",
    )
    return msgspec.structs.replace(made, **changes)


def judged(root: Path, *claims: Claim) -> list[tuple[str, str | None]]:
    return [(found.word, found.reason) for found in fresh.run(root, list(claims)).releases]


def drawn(found: Confirmation) -> str:
    console = Console(width=200, soft_wrap=True)
    with console.capture() as captured:
        console.print(found.table())
    return captured.get()


def commit(root: Path, time: str) -> str:
    """Commit a schema.py with this time column."""
    (root / "src/model").mkdir(parents=True)
    (root / "src/model/schema.py").write_text(f"TIME: str | None = {time}\n")
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", "add", "src"], cwd=root, check=True)
    subprocess.run(["git", *who, "commit", "--quiet", "--message", "Start"], cwd=root, check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_gain_that_newer_rows_show_too_is_confirmed(root: Path) -> None:
    [found] = fresh.run(root, [claim(root, WEAK, STRONG)]).releases

    assert found.word == "confirmed"
    assert found.difference is not None
    assert found.difference.value > 0.1
    assert found.difference.interval[0] > 0


def test_a_gain_that_newer_rows_turn_around_is_refuted(root: Path) -> None:
    assert judged(root, claim(root, STRONG, WEAK)) == [("refuted", None)]


def test_a_loss_that_was_claimed_is_confirmed_by_a_loss(root: Path) -> None:
    assert judged(root, claim(root, STRONG, WEAK, word="worse", difference=-0.1)) == [("confirmed", None)]


def test_where_lower_is_better_a_gain_is_a_fall(root: Path) -> None:
    better = claim(root, WEAK, STRONG, metric="log_loss", difference=-0.05, interval=(-0.07, -0.03))
    worse = claim(root, STRONG, WEAK, metric="log_loss", difference=-0.05, interval=(-0.07, -0.03))

    assert judged(root, better, worse) == [("confirmed", None), ("refuted", None)]


def test_what_makes_no_difference_is_not_confirmed_yet_and_says_on_how_many_rows(root: Path) -> None:
    found = fresh.run(root, [claim(root, STRONG, STRONG)])

    assert found.releases[0].word == "not confirmed yet"
    assert "1,200 rows in 20 days" in drawn(found)
    assert "2013-06-11 to 2013-06-30" in drawn(found)


def test_rows_that_the_release_knew_do_not_judge(root: Path) -> None:
    """Among known rows the candidate is useless, so they would turn the difference around."""
    rows = snapshot()
    known = rows[str(schema.TIME)] < "2013-06-11"
    wind = pl.Series("wind", np.where(known, -100 * np.where(rows["late"], 1, -1), rows["wind"]))
    frames.write(root / fresh.RAW, rows.with_columns(wind))

    [found] = fresh.run(root, [claim(root, WEAK, STRONG)]).releases
    [all_rows] = fresh.run(root, [claim(root, WEAK, STRONG, end="2013-06-01")]).releases

    assert (found.word, all_rows.word) == ("confirmed", "refuted")
    assert found.judged is not None
    assert (found.judged.rows, found.judged.groups) == (1200, 20)
    assert found.judged.period == ("2013-06-11", "2013-06-30")


def test_without_newer_rows_nothing_is_judged(root: Path) -> None:
    found = fresh.run(root, [claim(root, WEAK, STRONG, end="2013-07-01")])

    assert found.releases[0].word == "no newer rows"
    assert "Of 1 claim: 1 no newer rows." in drawn(found)
    assert "`model ingest`" in drawn(found)


def test_few_groups_confirm_nothing(root: Path) -> None:
    assert judged(root, claim(root, WEAK, STRONG, end="2013-06-25")) == [
        ("not confirmed yet", "6 groups, fewer than 10")
    ]


def test_the_interval_is_by_the_groups_of_the_base(root: Path) -> None:
    by_day, by_row = claim(root, WEAK, STRONG), claim(root, WEAK, STRONG, group=schema.ROW_ID)

    found = [f.difference.groups for f in fresh.run(root, [by_day, by_row]).releases if f.difference]

    assert found == [20, 1200]


def test_a_claim_that_cannot_be_judged_says_why_and_the_others_are(root: Path) -> None:
    gone = claim(root, WEAK, STRONG, models=None, end=None, reason="bundle 123 is neither here nor there")
    absent = claim(root, {"rain": 1.0}, STRONG)
    unknown = claim(root, WEAK, STRONG, metric="profit")

    assert judged(root, gone, absent, unknown, claim(root, WEAK, STRONG)) == [
        ("cannot tell", "bundle 123 is neither here nor there"),
        ("cannot tell", "the base needs rain, which these rows lack"),
        ("cannot tell", "gates.yaml knows no metric profit any more"),
        ("confirmed", None),
    ]


def test_a_metric_of_your_own_is_judged(root: Path) -> None:
    (root / "gates.yaml").write_text("primary: hits\nmetrics: {hits: {matters: 0.01, better: higher}}\n")
    (root / "src/model").mkdir(parents=True)
    (root / "src/model/metrics.py").write_text(
        "def hits(labels, scores, weights):\n    return ((scores > 0.5) == labels) @ weights / weights.sum()\n"
    )

    assert judged(root, claim(root, WEAK, STRONG, metric="hits")) == [("confirmed", None)]


def test_a_release_whose_time_column_was_another_is_not_judged(root: Path) -> None:
    other = claim(root, WEAK, STRONG, code=commit(root, '"booked"'))

    assert judged(root, other) == [
        ("cannot tell", "its schema.py had TIME = booked, not date, so what it knew cannot be told")
    ]


def test_a_period_of_another_column_than_the_time_is_not_trusted(root: Path) -> None:
    [(word, reason)] = judged(root, claim(root, WEAK, STRONG, by_as_of=False))

    assert (word, reason) == ("cannot tell", "it does not say until when it knew rows (data.as_of)")


def test_a_period_of_the_time_column_is_trusted(root: Path) -> None:
    rows = snapshot().with_columns(pl.col(str(schema.TIME)).str.to_datetime("%Y-%m-%d"))
    frames.write(root / fresh.RAW, rows)

    [found] = fresh.run(root, [claim(root, WEAK, STRONG, by_as_of=False)]).releases

    assert found.word == "confirmed"
    assert found.judged is not None
    assert found.judged.period == ("2013-06-11", "2013-06-30")


def test_without_a_snapshot_the_remedy_is_named(root: Path) -> None:
    (root / fresh.RAW).unlink()

    with pytest.raises(BadData, match="Run `model ingest`, or `make train`"):
        fresh.run(root, [claim(root, WEAK, STRONG)])


def test_without_a_time_column_nothing_is_newer(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "TIME", None)

    with pytest.raises(BadData, match="nothing says which rows are newer"):
        fresh.run(root, [claim(root, WEAK, STRONG)])


def test_the_output_says_what_its_intervals_hold(root: Path) -> None:
    text = drawn(fresh.run(root, [claim(root, WEAK, STRONG)]))

    assert "the chance in the rows alone, not that of training" in text
    assert "better roc_auc +0.100" in text
    assert "[+0.080, +0.120]" in text
    assert "Of 1 claim: 1 confirmed." in text


def test_what_was_the_same_is_confirmed_by_being_the_same(root: Path) -> None:
    same, other = (claim(root, STRONG, to, word="same", difference=0.001) for to in (STRONG, WEAK))

    assert judged(root, same, other) == [("confirmed", None), ("refuted", None)]


@pytest.mark.parametrize(
    ("interval", "groups", "said", "claimed", "word"),
    [
        ((0.01, 0.03), 20, "better", 0.02, "confirmed"),
        ((0.01, 0.03), 20, "cannot tell", 0.02, "confirmed"),
        ((-0.03, -0.01), 20, "better", 0.02, "refuted"),
        ((-0.03, -0.01), 20, "worse", -0.02, "confirmed"),
        ((-0.01, 0.03), 20, "better", 0.02, "not confirmed yet"),
        ((0.0, 0.0), 20, "better", 0.02, "not confirmed yet"),
        ((0.01, 0.03), 9, "better", 0.02, "not confirmed yet"),
        ((0.01, 0.03), 20, "cannot tell", 0.0, "not confirmed yet"),
        ((0.01, 0.03), 20, "same", 0.02, "refuted"),
        ((0.01, 0.03), 9, "same", 0.02, "not confirmed yet"),
    ],
)
def test_the_word_is_the_side_of_zero_on_which_the_interval_lies(
    root: Path, interval: tuple[float, float], groups: int, said: str, claimed: float, word: str
) -> None:
    found = Difference(value=sum(interval) / 2, standard_error=0.005, groups=groups, interval=interval)

    assert fresh.word(metric_row(difference=found), claim(root, WEAK, STRONG, word=said, difference=claimed)) == word
