"""check.yml, run: what is green on a laptop is green there, and what is not is red."""

import re
import shutil
from pathlib import Path

import pytest

from tests.local_forge.api import Token
from tests.tools import need
from tests.workflows.conftest import Make
from tests.workflows.hosted import git, propose
from tests.workflows.runner import act

pytestmark = pytest.mark.slow


@pytest.fixture
def brief(fresh: Path, tmp_path: Path) -> Path:
    """The same project; of its folders of Terraform only one is tested."""
    project = tmp_path / "brief"
    shutil.copytree(fresh, project)
    workflow = project / ".github/workflows/check.yml"
    text, count = re.subn(r"folder: \[.*\]", "folder: [environments/dev]", workflow.read_text())
    assert count == 1
    workflow.write_text(text)
    return project


def test_a_fresh_project_is_green(hosted: Make, fresh: Path, tmp_path: Path, providers: dict[str, str]) -> None:
    for tool in ("terraform", "actionlint"):
        need(tool)
    api, clone = hosted(fresh)

    run = act(clone, "check.yml", "push", {"ref": "refs/heads/main"}, api, tmp_path / "run", providers=providers)

    assert run.code == 0, run.printed
    assert run.jobs == {"check": "success", "terraform": "success", "check-pass": "success"}
    assert api.writes() == []


def test_a_project_that_fails_its_checks_is_red(hosted: Make, brief: Path, tmp_path: Path) -> None:
    api, clone = hosted(brief)
    (clone / "src" / "model" / "features.py").write_text("import os\n")
    (clone / "infra" / "environments" / "dev" / "main.tf").write_text("nonsense {}\n")
    git(clone, "commit", "--all", "--quiet", "--message", "break it")

    run = act(clone, "check.yml", "push", {"ref": "refs/heads/main"}, api, tmp_path / "run")

    assert run.jobs == {"check": "failure", "terraform": "failure", "check-pass": "failure"}


def test_a_fork_that_commits_a_lock_is_refused(
    hosted: Make, brief: Path, tmp_path: Path, providers: dict[str, str]
) -> None:
    api, clone = hosted(brief)
    api.tokens["fork-token"] = Token("github-actions[bot]", write=False)
    lock = "schema: '2.0'\nstages: {}\n"
    number = propose(api, clone, "theirs", {"dvc.lock": ("", lock)}, fork="mallory/flight-delays")
    assert git(clone, "branch", "--show-current") == "", "as GitHub checks it out: a merge that is on no branch"

    run = act(
        clone,
        "check.yml",
        "pull_request",
        api.event(number),
        api,
        tmp_path / "run",
        token="fork-token",  # noqa: S106 - known to the local forge alone
        providers=providers,
    )

    assert run.jobs == {"check": "failure", "terraform": "success", "check-pass": "failure"}
    assert "dvc.lock is changed on this branch, and only a release may" in run.printed
    assert run.steps["check: Check"] == "failure"
