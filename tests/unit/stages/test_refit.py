"""Models trained anew: on other halves of the groups, and on the rows before earlier days."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from mergeline import bundle, frames, refits
from mergeline.errors import BadSettings
from mergeline.stages import refit

from .conftest import Project

pytestmark = pytest.mark.slow


def scores(project: Project, model: bytes) -> list[float]:
    served = bundle.load(project.root / "bundle")
    rows = pl.read_parquet(project.root / "data/held_out.parquet")
    raw = frames.raw(rows, {c.name: c.kind for c in served.signature.columns})
    return [float(score) for score in bundle.with_model(served, model).score(raw)]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_each_model_trained_anew_answers_otherwise(
    project_at: Callable[..., Project], tmp_path: Path, task: str
) -> None:
    project = project_at(tmp_path / "project", task)
    project.set(compare={"refits": 3})
    project.until("refit")

    first, second, third = refits.models(project.root)

    assert scores(project, first) != scores(project, second) != scores(project, third)


def test_equal_inputs_train_the_same_models_anew(project: Project) -> None:
    project.set(compare={"refits": 2})
    project.until("refit")
    before = refits.models(project.root)

    project.run("refit")

    assert refits.models(project.root) == before


def test_one_fit_measures_nothing_and_trains_nothing(project: Project) -> None:
    project.set(compare={"refits": 1})
    project.until("refit")

    assert refits.read(project.root) == refits.Index()


def test_a_group_is_whole_and_on_the_same_side_whatever_rows_are_beside_it() -> None:
    days = [f"2013-06-{d:02}" for d in range(1, 31) for _ in range(4)]
    rows = pl.DataFrame({"day": days, "place": range(len(days))})
    some = rows.filter(pl.col("day") < "2013-06-20")

    whole = refit.half(rows, days, 0, None)
    part = refit.half(some, some["day"].to_list(), 0, None)

    assert set(whole.group_by("day").len()["len"]) == {4}
    assert 8 <= whole["day"].n_unique() <= 22
    assert part["place"].to_list() == whole.filter(pl.col("day") < "2013-06-20")["place"].to_list()
    assert refit.half(rows, days, 1, None)["place"].to_list() != whole["place"].to_list()


def test_a_class_that_no_chosen_group_has_is_not_forgotten() -> None:
    days = [f"2013-06-{d:02}" for d in range(1, 31)]
    rows = pl.DataFrame({"day": days, "label": ["common"] * 30})
    lost = next(d for d in days if d not in refit.half(rows, days, 0, None)["day"].to_list())
    rows = rows.with_columns(pl.when(pl.col("day") == lost).then(pl.lit("rare")).otherwise("label").alias("label"))

    assert "rare" in refit.half(rows, days, 0, "label")["label"].to_list()


def test_earlier_periods_follow_each_other_back_from_the_last_training_day(project: Project) -> None:
    project.set(compare={"refits": 1, "folds": 2}, split={"held_out_days": 10})
    project.until("refit")

    latest, earlier = refits.read(project.root).folds

    last = date.fromisoformat(str(pl.read_parquet(project.root / "data/train.parquet")["date"].max()))
    assert date.fromisoformat(latest.end) == last + timedelta(days=1)
    assert date.fromisoformat(latest.first) == last - timedelta(days=9)
    assert earlier.end == latest.first
    assert scores(project, (project.root / refits.FOLDER / latest.model).read_bytes())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"compare": {"folds": 9}, "split": {"held_out_days": 10}}, "reach back before"),
        ({"compare": {"folds": 1}, "split": {"by": "random"}}, "folds needs split.by time"),
    ],
)
def test_periods_that_the_rows_do_not_have_are_refused(
    project: Project, changes: dict[str, dict[str, object]], sentence: str
) -> None:
    project.set(**changes)
    project.until("export")

    with pytest.raises(BadSettings, match=sentence):
        project.run("refit")
