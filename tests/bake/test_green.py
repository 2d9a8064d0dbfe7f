"""A project is green at minute one, as a newcomer types it: its own environment, its own verbs, few rows."""

import os
import subprocess
from pathlib import Path

import pytest

from mergeline.repo import git
from tests.newcomer import GENERATED, Shell
from tests.projects import small_project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in git, after `make setup`."""
    root = small_project(tmp_path_factory.mktemp("newcomer"))
    who = {f"GIT_{role}_{what}": "ada@example.test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["bash", "-c", GENERATED], cwd=root, env={**os.environ, **who}, check=True)
    make(root, "setup")
    return root


def make(project: Path, verb: str) -> str:
    """Type a verb in a shell that knows nothing of the template's environment; give what it prints."""
    env = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    env["PATH"] = os.pathsep.join(
        folder for folder in env["PATH"].split(os.pathsep) if not (Path(folder) / "cookiecutter").exists()
    )
    done = subprocess.run(["make", verb], cwd=project, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"make {verb}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def test_the_checks_pass_and_change_nothing(project: Path) -> None:
    said = make(project, "check")

    assert "Failed" not in said
    assert not git(project, "status", "--porcelain")


def test_training_ends_with_a_bundle_and_a_run_that_git_does_not_see(project: Path) -> None:
    make(project, "train")

    assert (project / "bundle" / "model.onnx").is_file()
    assert (project / "mlflow.db").is_file()
    assert set(git(project, "status", "--porcelain").splitlines()) <= {"?? dvc.lock"}
    assert "passed" in make(project, "test")


@pytest.mark.nightly
def test_a_project_that_predicts_a_number_is_as_green(tmp_path: Path) -> None:
    shell = Shell(small_project(tmp_path, task="regression"), tmp_path / "home")
    shell.type(GENERATED)

    assert "Failed" not in shell.type("make check")
    shell.type("make train")

    assert set(shell.type("git status --porcelain").splitlines()) <= {"?? dvc.lock"}
    assert "passed" in shell.type("make test")


def test_setting_up_again_does_nothing(project: Path) -> None:
    ready = project / ".venv" / ".ready-dev"
    before = ready.stat().st_mtime_ns

    make(project, "setup")

    assert ready.stat().st_mtime_ns == before


def test_the_verbs_are_listed(project: Path) -> None:
    said = make(project, "help")

    for verb in ("setup", "lock", "check", "test", "train", "compare", "serve", "image"):
        assert f"make {verb} " in said


def test_locking_again_changes_nothing(project: Path) -> None:
    make(project, "lock")

    assert not git(project, "status", "--porcelain", "requirements")
