"""What people and machines get wrong, through the command: one line, the right exit code, nothing half-written."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from mergeline import errors
from mergeline.errors import MergelineError
from tests.projects import small_project

pytestmark = pytest.mark.slow

TRAIN = """
import os, sys
from importlib import import_module
from pathlib import Path

from dvc.cli import main

for stage in ("ingest", "validate", "split", "train", "evaluate", "export"):
    import_module(f"mergeline.stages.{stage}").run(Path.cwd())
sys.exit(main(["commit", "--quiet", "--force", "--with-deps", "validate", "evaluate", "export"]))
"""
RAW, SPLIT = "data/raw.parquet", "data/train.parquet"
PIN = "infra/environments/staging/pin.json"
FITTED, LOCK, RELEASE = "results/estimator.pkl", "dvc.lock", "release.json"
PROGRESS = re.compile(r".+: \d+\.\d s")
"""What `progress.step` says when a step is done."""


@dataclass
class Project:
    """A trained project with a release, and what a mistake does to it."""

    root: Path
    state: Path

    def git(self, *arguments: str) -> str:
        return _run(["git", *arguments], self.root).stdout.strip()

    def model(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        env = {"PYTHONPATH": str(self.root / "src"), "MERGELINE_STATE": str(self.state)}
        return _run([sys.executable, "-m", "mergeline.cli", *arguments], self.root, env, check=check)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))

    def rows(self, path: str, *change: pl.Expr, without: str = "") -> None:
        """Change columns of a Parquet file."""
        found = pl.read_parquet(self.root / path).with_columns(*change)
        found.drop([without] if without else []).write_parquet(self.root / path)

    def csv(self, content: str) -> None:
        (self.root / "data/files/flights.parquet").unlink()
        (self.root / "data/files/flights.csv").write_text(content)

    def cut(self, path: str) -> None:
        content = (self.root / path).read_bytes()
        (self.root / path).write_bytes(content[: len(content) // 2])

    def remote(self, url: str) -> None:
        self.edit(".dvc/config", "[core]", f"['remote \"far\"']\n    url = {url}\n[core]\n    remote = far")


def _run(
    command: list[str], cwd: Path, env: dict[str, str] | None = None, *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=check
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Give a project as it is after its first release was built."""
    folder = tmp_path_factory.mktemp("bad-input")
    project = Project(small_project(folder), folder / "state")
    project.git("init", "--quiet", "--initial-branch", "main")
    project.git("config", "user.name", "Ada")
    project.git("config", "user.email", "ada@example.org")
    _run([sys.executable, "-c", TRAIN], project.root, {"PYTHONPATH": str(project.root / "src")})
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "Start")
    project.model("release", "build", check=True)
    return project


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    root = Path(shutil.copytree(trained.root, tmp_path / "project", symlinks=True))
    return Project(root, Path(shutil.copytree(trained.state, tmp_path / "state")))


def empty_csv(project: Project) -> None:
    project.csv("")


def half_csv(project: Project) -> None:
    project.csv(pl.read_parquet(project.root / "data/files/flights.parquet").write_csv()[:-20])


def renamed_column(project: Project) -> None:
    project.rows(RAW, pl.col("distance").alias("miles"), without="distance")


def wrong_type(project: Project) -> None:
    project.rows(RAW, pl.col("distance").cast(pl.String))


def one_class(project: Project) -> None:
    project.rows(SPLIT, pl.lit(False).alias("late"))


def all_missing(project: Project) -> None:
    project.rows(SPLIT, pl.lit(None).cast(pl.Int64).alias("plane_year"))


def edited(path: str, old: str, new: str) -> Callable[[Project], None]:
    """Give the mistake of an edit."""
    return lambda project: project.edit(path, old, new)


def cut(path: str) -> Callable[[Project], None]:
    """Give the mistake of a file of which only half is there."""
    return lambda project: project.cut(path)


def no_git(project: Project) -> None:
    shutil.rmtree(project.root / ".git")


def no_commit(project: Project) -> None:
    no_git(project)
    project.git("init", "--quiet", "--initial-branch", "main")


def detached(project: Project) -> None:
    project.git("checkout", "--quiet", "--detach")


def does_not_convert(project: Project) -> None:
    project.edit("src/model/estimator.py", "import OrdinalEncoder", "import FunctionTransformer, OrdinalEncoder")
    size = '("size", FunctionTransformer(abs, validate=True), ["distance"])'
    project.edit("src/model/estimator.py", "list(NUMERIC)),", f"list(NUMERIC)),\n            {size},")
    project.model("train", check=True)


def tampered(project: Project) -> None:
    """Change the bundle wherever it is."""
    for path in [project.root / "bundle", *project.state.glob("mergeline/*/bundles/*")]:
        with (path / "features.py").open("a") as file:
            file.write("# one more line\n")


def broken_cache(project: Project) -> None:
    name = hashlib.md5((project.root / "bundle/model.onnx").read_bytes(), usedforsecurity=False).hexdigest()
    at = project.root / f".dvc/cache/files/md5/{name[:2]}/{name[2:]}"
    at.chmod(0o644)
    at.write_bytes(b"broken")


def broken_lock(project: Project) -> None:
    (project.root / LOCK).write_text("stages: {train: []}\n")


def missing_remote(project: Project) -> None:
    project.remote(str(project.root.with_name("nowhere")))
    shutil.rmtree(project.root / ".dvc/cache")


def silent_remote(project: Project) -> None:
    project.edit(".dvc/config", "[core]", "['remote \"far\"']\n    endpointurl = http://127.0.0.1:9\n[core]")
    project.edit(".dvc/config", "[core]", "    url = s3://bucket/project\n[core]\n    remote = far")
    shutil.rmtree(project.root / ".dvc/cache")


def no_plugin(project: Project) -> None:
    project.remote("webdav://127.0.0.1:9/project")
    shutil.rmtree(project.root / ".dvc/cache")


CASES: dict[str, tuple[Callable[[Project], None], str, type[MergelineError], str, tuple[str, ...]]] = {
    "empty CSV": (empty_csv, "ingest", errors.BadData, "flights.csv is empty", (RAW,)),
    "half CSV": (half_csv, "ingest", errors.BadData, "flights.csv, line", (RAW,)),
    "renamed column": (
        renamed_column,
        "validate",
        errors.BadData,
        "column distance: missing (not in schema.py: ",
        ("results/validation.json", "results/profile.json"),
    ),
    "renamed column at the split": (renamed_column, "split", errors.BadData, f"{RAW} has no column distance", (SPLIT,)),
    "wrong type": (wrong_type, "validate", errors.BadData, "column distance, rule", ("results/profile.json",)),
    "one class": (one_class, "train", errors.BadData, "training rows have the label false", (FITTED,)),
    "all missing": (all_missing, "train", errors.BadData, "feature plane_age: missing in all", (FITTED,)),
    "unknown key of params.yaml": (
        edited("params.yaml", "held_out_days", "held_out"),
        "split",
        errors.BadSettings,
        "params.yaml: split: Object contains unknown field `held_out`; allowed: by, held_out_days",
        (SPLIT,),
    ),
    "wrong type in params.yaml": (
        edited("params.yaml", "held_out_days: 30", "held_out_days: many"),
        "split",
        errors.BadSettings,
        "params.yaml: split.held_out_days: Expected `int`, got `str`",
        (SPLIT,),
    ),
    "wrong choice in params.yaml": (
        edited("params.yaml", "by: time", "by: luck"),
        "split",
        errors.BadSettings,
        "params.yaml: split.by: Invalid enum value 'luck'; allowed: time, group, random, stratified",
        (SPLIT,),
    ),
    "unknown key of model": (
        edited("params.yaml", "  learning_rate", "  iteratoins: 5\n  learning_rate"),
        "train",
        errors.BadSettings,
        "params.yaml: model.iteratoins: src/model/estimator.py never reads it; it reads: iterations, learning_rate",
        (FITTED,),
    ),
    "unknown key of gates.yaml": (
        edited("gates.yaml", "not_worse: true }", "notworse: true }"),
        "status",
        errors.BadSettings,
        "gates.yaml: metrics.log_loss.rules: Object contains unknown field `notworse`; allowed: not_worse, ",
        (LOCK,),
    ),
    "wrong type in gates.yaml": (
        edited("gates.yaml", "brier: { matters: 0.002", "brier: { matters: little"),
        "status",
        errors.BadSettings,
        "gates.yaml: metrics.brier.matters: Expected `float`, got `str`",
        (LOCK,),
    ),
    "unknown metric": (
        edited("gates.yaml", "brier:", "brear:"),
        "compare",
        errors.BadSettings,
        "gates.yaml: brear is no metric of classification; allowed: roc_auc",
        (LOCK,),
    ),
    "unknown environment": (
        edited("gates.yaml", "order: [staging", "order: [stage"),
        "promote staging",
        errors.BadSettings,
        "gates.yaml: promotion.order names stage; infra/environments has: dev, production, staging",
        (PIN,),
    ),
    "no git": (no_git, "release build", errors.RepositoryTrouble, "is in no git repository. Run `git init", (RELEASE,)),
    "no commit": (no_commit, "ledger", errors.RepositoryTrouble, "has no commit yet. Run `git add --all", (LOCK,)),
    "detached head": (detached, "promote staging", errors.RepositoryTrouble, "HEAD is detached", (PIN,)),
    "uncommitted changes": (
        edited("params.yaml", "iterations: 30", "iterations: 31"),
        "release build",
        errors.RepositoryTrouble,
        "params.yaml has changes that no commit holds",
        (RELEASE,),
    ),
    "does not convert": (
        does_not_convert,
        "export",
        errors.NotServable,
        "does not convert to ONNX; suspect step: FunctionTransformer",
        ("bundle/model.onnx", "bundle/bundle.json", "results/parity.json"),
    ),
    "tampered bundle to verify": (tampered, "release verify", errors.Integrity, "features.py has sha256", (RELEASE,)),
    "tampered bundle to serve": (tampered, "serve --port 0", errors.Integrity, "features.py has sha256", ()),
    "half a pin": (cut(PIN), "promote production", errors.Integrity, "staging/pin.json: ", (PIN,)),
    "half an estimator": (
        cut(FITTED),
        "evaluate",
        errors.RepositoryTrouble,
        f"{FITTED} cannot be read: ",
        ("results/metrics.json", "results/predictions.parquet"),
    ),
    "broken lock": (broken_lock, "compare", errors.Integrity, "dvc.lock: not a lock of DVC: ", (LOCK,)),
    "broken cache": (broken_cache, "restore --base", errors.Integrity, "bundle: neither the cache, where", (LOCK,)),
    "missing remote": (missing_remote, "restore --base", errors.RepositoryTrouble, "neither the cache nor a", (LOCK,)),
    "silent remote": (silent_remote, "restore --base", errors.RepositoryTrouble, "failed to connect to s3", (LOCK,)),
    "no plugin": (no_plugin, "restore --base", errors.RepositoryTrouble, "requires 'dvc-webdav' to be", (LOCK,)),
    "broken features": (
        edited("src/model/features.py", "import numpy as np", "import nimpy as np"),
        "train",
        errors.BrokenCode,
        "src/model/features.py, line ",
        (FITTED,),
    ),
}


SLOW = {"does not convert", "silent remote"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in CASES]
)
def test_a_mistake_is_one_line_with_its_exit_code_and_changes_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    mistake, command, kind, says, untouched = CASES[name]
    for variable, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(f"AWS_{variable}", value)
    mistake(project)
    before = _state(project, untouched)

    done = project.model(*command.split())

    assert done.returncode == kind.code, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if not PROGRESS.fullmatch(line)]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error ")
    assert says in lines[0]
    assert "Traceback" not in done.stdout
    assert _state(project, untouched) == before


def test_a_pin_of_which_half_is_there_is_shown_as_broken(project: Project) -> None:
    project.cut(PIN)

    done = project.model("status", "--json")

    assert done.returncode == 0
    assert '"word": "broken"' in done.stdout
    assert done.stderr == ""


def _state(project: Project, paths: tuple[str, ...]) -> tuple[str, list[bytes]]:
    """Give what git sees and the bytes of files that must stay."""
    seen = project.git("status", "--porcelain", "--branch") if (project.root / ".git").is_dir() else ""
    litter = sorted(str(path) for path in project.root.rglob(".*.[0-9]*"))
    return "\n".join([seen, *litter]), [(project.root / path).read_bytes() for path in paths]
