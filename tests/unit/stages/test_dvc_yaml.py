"""dvc.yaml names all that decides a stage's result, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.stages.graph import needs

PROJECT = Path(__file__).parents[3] / "<<cookiecutter.project>>"
STAGES: dict[str, Any] = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
DECIDE_NOTHING = {f"mergeline/{name}.py" for name in ("errors", "files", "progress")}
PARAMS: dict[str, Any] = yaml.safe_load((PROJECT / "params.yaml").read_text())


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_code_that_it_imports_and_that_decides_something(stage: str) -> None:
    named = {dep.removeprefix("src/") for dep in STAGES[stage]["deps"] if dep.startswith("src/")}
    assert named == needs(PROJECT / "src", f"mergeline.stages.{stage}") - DECIDE_NOTHING


def test_packages_hold_a_docstring_only_so_that_no_stage_needs_to_name_them() -> None:
    for package in ("mergeline", "mergeline/stages", "model"):
        assert (PROJECT / "src" / package / "__init__.py").read_text().count("\n") == 1


@pytest.mark.parametrize("stage", ["ingest", "validate", "split"])
def test_an_edit_of_the_features_leaves_the_rows_alone(stage: str) -> None:
    assert "src/model/features.py" not in STAGES[stage]["deps"]


@pytest.mark.parametrize("stage", ["train", "evaluate", "export", "explain"])
def test_the_locked_packages_decide_the_model(stage: str) -> None:
    assert "requirements/train.txt" in STAGES[stage]["deps"]


@pytest.mark.parametrize("stage", STAGES)
def test_every_parameter_that_a_stage_names_exists(stage: str) -> None:
    names = [name for name in STAGES[stage]["params"] if isinstance(name, str)]
    assert "python" in names
    for name in names:
        at = PARAMS
        for part in name.split("."):
            assert part in at, name
            at = at[part]


def test_no_stage_needs_what_the_training_cost() -> None:
    assert not [name for name, stage in STAGES.items() if "results/cost.json" in stage["deps"]]


def test_dates_are_quoted_because_dvc_refuses_others() -> None:
    assert isinstance(PARAMS["data"]["as_of"], str)
