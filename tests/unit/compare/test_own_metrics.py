import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from mergeline import config
from mergeline.bundle import Bundle
from mergeline.compare import gates, judge, own_metrics
from mergeline.compare.judge import Names, Unit
from mergeline.config import Gates
from mergeline.errors import BadSettings
from tools.bake import TEMPLATE

PAGE = (TEMPLATE / "<<cookiecutter.project>>/docs/gates.md").read_text().partition("## A metric of your own")[2]
"""What the page says of it, code and all."""
COST, RULES = (re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0] for language in ("python", "yaml"))
GATES = config.parse(f"primary: cost\n{RULES}", Gates, "gates.yaml")

MakeBundle = Callable[..., Bundle]


def write(root: Path, text: str) -> Path:
    path = root / own_metrics.FILE
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return root


def test_a_metric_of_your_own_decides_the_verdict(
    make_bundle: MakeBundle, rows: pl.DataFrame, names: Names, tmp_path: Path
) -> None:
    suited = own_metrics.load(gates.suited(GATES, "classification"), None, write(tmp_path, COST))
    base, candidate = make_bundle({"hour": 0.5}), make_bundle({"hour": 0.5, "wind": 1.5})

    row = judge.table(judge.score(rows, candidate, base, names, Unit("day", by_day=False)), suited, GATES, 0.95)[0]

    assert (row.name, row.word) == ("cost", "better")
    assert row.difference is not None
    assert row.difference.value == pytest.approx((row.candidate or 0) - (row.base or 0))


def test_a_pull_request_cannot_change_how_it_is_judged(tmp_path: Path) -> None:
    base = write(tmp_path / "base", COST)
    candidate = write(tmp_path / "candidate", "def cost(labels, scores, weights):\n    return 0.0\n")

    found = own_metrics.load(gates.suited(GATES, "classification"), base, candidate)["cost"].own

    ones = pl.Series([1]).to_numpy()
    assert found is not None
    assert found(ones, 0.0 * ones, ones) == 5.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cost is a metric of your own, and src/model/metrics.py is not there"),
        ("price = 1", "cost is no metric, and src/model/metrics.py defines no function of that name"),
        ("def cost(", "src/model/metrics.py cannot be run: SyntaxError"),
    ],
)
def test_a_metric_that_is_not_there_is_an_error_not_a_pass(tmp_path: Path, text: str | None, sentence: str) -> None:
    root = write(tmp_path, text) if text is not None else tmp_path

    with pytest.raises(BadSettings, match=sentence):
        own_metrics.load(gates.suited(GATES, "classification"), None, root)
