"""A project in which a training has just finished, as the stages leave it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit import bundles

PARAMS = """\
python: "3.11"
task: classification
data: {source: example, as_of: "2013-07-01"}
model: {learning_rate: 0.1, trees: 50}
"""
LOCK = """\
schema: '2.0'
stages:
  ingest:
    cmd: model ingest
    outs:
    - {path: data/raw.parquet, hash: md5, md5: 0123456789abcdef0123456789abcdef, size: 1}
"""
METRICS: dict[str, Any] = {
    "metrics": {
        "auc": {"value": 0.71, "interval": [0.69, 0.73], "reason": None},
        "recall": {"value": None, "interval": None, "reason": "no positive rows"},
    },
    "slices": {"carrier": {"UA": {"rows": 50, "auc": 0.7}, "B6": {"rows": 3, "auc": None}}},
    "rows": 53,
    "groups": 30,
    "group": "date",
    "period": ["2013-06-01", "2013-06-30"],
}


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "bundle"
    bundles.make(folder)
    return folder


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])  # MLflow adds the folder of every model that it loads
    for name in ("CI", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    project = tmp_path / "flight-delays"
    (project / "results").mkdir(parents=True)
    (project / ".gitignore").write_text("/results/\n/bundle/\n/report/\n/mlflow.db\n/mlartifacts/\n")
    (project / "params.yaml").write_text(PARAMS)
    (project / "gates.yaml").write_text("primary: auc\nmetrics:\n  auc: {matters: 0.01}\n")
    (project / "dvc.yaml").write_text("stages: {}\n")
    git(project, "init", "--quiet", "--initial-branch", "main")
    git(project, "config", "user.name", "A Person")
    git(project, "config", "user.email", "person@example.org")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "Start")
    (project / "dvc.lock").write_text(LOCK)
    (project / "results/metrics.json").write_text(json.dumps(METRICS))
    (project / "results/cost.json").write_text('{"seconds": 1.5, "rows": 300}')
    shutil.copytree(made, project / "bundle")
    return project
