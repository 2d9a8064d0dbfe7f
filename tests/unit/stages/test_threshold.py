"""The operating threshold: fixed, or the one that is best on folds of training rows, the same in every stage."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score

from mergeline import bundle, frames, metrics
from mergeline.errors import BadData, BadSettings
from mergeline.stages import table, threshold

from .conftest import Project, flights


@pytest.mark.slow
def test_the_best_threshold_is_the_one_that_trying_all_gives() -> None:
    rng = np.random.default_rng(7)
    for _ in range(20):
        scores = 0.05 + rng.random(60).round(1)
        positive = rng.random(60) < 0.2 + 0.5 * scores

        found = threshold.best(positive, scores)

        tried = max(f1_score(positive, scores >= edge) for edge in scores)
        assert f1_score(positive, scores >= found) == pytest.approx(tried)
        assert found not in scores


def test_groups_are_never_divided_and_folds_are_about_equal() -> None:
    names = [f"day {i % 31}" for i in range(400)]

    folds = threshold.divided(names, 7)

    assert len({(name, fold) for name, fold in zip(names, folds.tolist(), strict=True)}) == 31
    assert max(np.bincount(folds)) - min(np.bincount(folds)) < 30
    assert threshold.divided(names, 7).tolist() == folds.tolist() != threshold.divided(names, 8).tolist()


def test_the_chosen_threshold_is_measured_exported_and_served(project: Project) -> None:
    project.set(threshold={"rule": "best_f1"})
    project.until("export")

    chosen = table.fitted(project.root).threshold
    assert chosen is not None
    assert 0 < chosen < 0.5  # fewer than half of the flights are late
    served = bundle.load(project.root / "bundle")
    assert served.signature.threshold == chosen
    held_out = pl.read_parquet(project.root / "data/held_out.parquet")
    scores = served.score(frames.raw(held_out, {c.name: c.kind for c in served.signature.columns}))
    measured = json.loads((project.root / "results/metrics.json").read_text())["metrics"]["f1"]["value"]
    labels = held_out["late"].to_numpy().astype(np.int64)
    assert measured == pytest.approx(metrics.measure("f1", labels, scores, chosen).value)
    assert measured != pytest.approx(metrics.measure("f1", labels, scores, 0.5).value)


def test_a_fixed_threshold_is_what_params_say(project: Project) -> None:
    project.set(threshold={"value": 0.3})
    project.until("export")

    assert table.fitted(project.root).threshold is None
    assert bundle.load(project.root / "bundle").signature.threshold == 0.3


def test_the_threshold_of_equal_rows_is_equal(project: Project) -> None:
    project.set(threshold={"rule": "best_f1"})
    project.until("train")
    first = (project.root / "results/estimator.pkl").read_bytes()

    project.run("train")

    assert (project.root / "results/estimator.pkl").read_bytes() == first


def test_regression_has_no_threshold_to_choose(project_at: Callable[..., Project], tmp_path: Path) -> None:
    project = project_at(tmp_path / "project", "regression")
    project.set(threshold={"rule": "best_f1"})

    with pytest.raises(BadSettings, match=r"threshold\.rule best_f1 needs two classes, regression has none"):
        project.until("train")
    assert not (project.root / "results/estimator.pkl").exists()


def test_three_classes_have_no_threshold_to_choose(project: Project) -> None:
    project.edit("src/model/schema.py", "late: bool = pa.Field(", "late: str = pa.Field(")
    grade = pl.when(pl.col("weekday") == 1).then(pl.lit("worst")).when("late").then(pl.lit("bad"))
    project.rows(flights().with_columns(late=grade.otherwise(pl.lit("good"))))
    project.set(threshold={"rule": "best_f1"})

    with pytest.raises(BadSettings, match="needs two classes, there are 3"):
        project.until("train")


def test_rows_that_cannot_be_divided_are_refused_with_the_reason(project: Project) -> None:
    project.set(threshold={"rule": "best_f1"}, compare={"group": "origin"})
    project.rows(flights().with_columns(origin=pl.when("late").then(pl.lit("EWR")).otherwise(pl.lit("JFK"))))
    with pytest.raises(BadSettings, match="needs 3 groups of training rows, got 2"):
        project.until("train")

    third = pl.when("late").then(pl.lit("EWR")).when(pl.col("seats") > 150).then(pl.lit("JFK"))
    project.rows(flights().with_columns(origin=third.otherwise(pl.lit("LGA"))))
    with pytest.raises(BadSettings, match=r"one cannot be: column late: all .* training rows have the label false"):
        project.until("train")


def test_a_sensitive_column_that_no_row_has_is_refused(project: Project) -> None:
    project.edit("src/model/schema.py", "SENSITIVE: tuple[str, ...] = ()", 'SENSITIVE: tuple[str, ...] = ("sex",)')

    with pytest.raises(BadData, match=r"schema\.py names sex, but Row has no such column"):
        project.until("ingest")
