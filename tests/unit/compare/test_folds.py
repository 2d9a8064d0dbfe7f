"""Earlier periods, judged by models that were trained on the rows before them."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mergeline import bundle, config, frames, refits
from mergeline.bundle import Bundle
from mergeline.compare import folds, markdown
from mergeline.compare.judge import Names, Unit
from mergeline.compare.report import Folds
from mergeline.refits import Fold, Index
from tests.unit.compare.conftest import make_report, make_rows, write_bundle

GATES = config.parse("primary: roc_auc\nmetrics: {roc_auc: {matters: 0.005}}", config.Gates, "gates.yaml")
BY_DAY = Unit("day", by_day=False)
PERIODS = [(f"2013-06-{first:02}", f"2013-06-{first + 10:02}") for first in (1, 11, 21)]


def checkout(root: Path, weights: dict[str, float], periods: list[tuple[str, str]]) -> Bundle:
    """Lay out a project with one model, which is also that of each period."""
    folder = write_bundle(root / "bundle", weights)
    made = [Fold(f"fold-{i}.onnx", *period) for i, period in enumerate(periods)]
    (root / refits.FOLDER).mkdir(parents=True)
    for fold in made:
        shutil.copy(folder / bundle.MODEL, root / refits.FOLDER / fold.model)
    (root / refits.FOLDER / refits.INDEX).write_bytes(msgspec.json.encode(Index(folds=made)))
    frames.write(root / folds.TRAIN, make_rows())
    return bundle.load(folder)


def judged(root: Path, names: Names, theirs: list[tuple[str, str]], ours: list[tuple[str, str]]) -> Folds | None:
    models = (checkout(root / "base", {"hour": 0.5}, theirs), checkout(root / "candidate", {"wind": 1.5}, ours))
    return folds.run(root / "base", root / "candidate", models, names, BY_DAY, GATES, 0.95)


def test_each_period_is_judged_on_its_own_days_and_the_mean_by_period(tmp_path: Path, names: Names) -> None:
    found = judged(tmp_path, names, PERIODS, PERIODS)

    assert found is not None
    assert [(row.first, row.end) for row in found.rows] == PERIODS
    gains = [row.difference.value for row in found.rows if row.difference]
    assert len(gains) == 3
    assert min(gains) > 0.1
    assert found.mean is not None
    assert found.mean.value == pytest.approx(sum(gains) / 3)
    assert found.mean.groups == 3


def test_a_period_that_the_base_was_not_trained_for_says_so(tmp_path: Path, names: Names) -> None:
    found = judged(tmp_path, names, PERIODS[:1], PERIODS[:2])

    assert found is not None
    assert found.mean is None
    assert [row.reason for row in found.rows] == [None, "the base was trained for other periods"]


def test_without_periods_nothing_is_said(tmp_path: Path, names: Names) -> None:
    assert judged(tmp_path, names, PERIODS, []) is None


def test_periods_are_folded_away_below_their_mean(tmp_path: Path, names: Names) -> None:
    changes: dict[str, Any] = {"folds": judged(tmp_path, names, PERIODS, PERIODS)}

    text = markdown.render(make_report(**changes))

    assert "3 earlier periods judged in roc_auc: +0." in text
    assert "| `2013-06-11` to before `2013-06-21` | 0." in text
