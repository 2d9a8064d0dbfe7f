"""The stages as people and DVC run them: one line, the right exit code, nothing half-written."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from .conftest import TEMPLATE, Project, flights

pytestmark = pytest.mark.slow


@pytest.fixture
def complete(project: Project) -> Project:
    """Give a project that holds the loop's code too."""
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(TEMPLATE / "src/mergeline", project.root / "src/mergeline", ignore=skip)
    (project.root / "dvc.yaml").write_text("stages: {}\n")
    return project


def model(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mergeline.cli", *arguments],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(project.root / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def no_file(project: Project) -> None:
    (project.root / "data/files/rows.parquet").unlink()


def unknown_key(project: Project) -> None:
    (project.root / "params.yaml").write_text((project.root / "params.yaml").read_text() + "colour: red\n")


@pytest.mark.parametrize(
    ("mistake", "code", "said"),
    [(no_file, 5, "data/files/ holds no .csv"), (unknown_key, 6, "colour"), (None, 0, "")],
    ids=["no rows", "unknown key", "no mistake"],
)
def test_ingest_says_one_line_and_exits_with_its_code(
    complete: Project, mistake: Callable[[Project], None] | None, code: int, said: str
) -> None:
    if mistake:
        mistake(complete)

    done = model(complete, "ingest")

    assert done.returncode == code
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(errors) == (1 if mistake else 0)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (complete.root / "data/raw.parquet").exists() == (not mistake)


def test_a_stage_that_fails_leaves_no_half_written_file(complete: Project) -> None:
    complete.run("ingest")
    complete.rows(flights().with_columns(distance=pl.lit(-1)))
    complete.run("ingest")

    done = model(complete, "validate")

    assert done.returncode == 5
    assert "column distance, rule greater_than(0): 600 rows, for example -1" in done.stderr
    assert [str(Path(p).name) for p in complete.root.rglob("*") if p.name.startswith(".")] == []
    assert not (complete.root / "results").exists()
