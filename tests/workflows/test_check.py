"""check.yml, run: what is green on a laptop is green there, and what is not is red."""

from pathlib import Path

import pytest

from tests.tools import need
from tests.workflows.conftest import Make, git
from tests.workflows.runner import act

pytestmark = pytest.mark.slow


def test_a_fresh_project_is_green(hosted: Make, fresh: Path, tmp_path: Path) -> None:
    for tool in ("terraform", "actionlint"):
        need(tool)
    api, clone = hosted(fresh)

    run = act(clone, "check.yml", "push", {"ref": "refs/heads/main"}, api, tmp_path / "run")

    assert run.code == 0, run.printed
    assert run.jobs == {"check": "success", "terraform": "success", "check-pass": "success"}
    assert api.writes() == []


def test_a_project_that_fails_its_checks_is_red(hosted: Make, fresh: Path, tmp_path: Path) -> None:
    api, clone = hosted(fresh)
    (clone / "src" / "model" / "features.py").write_text("import os\n")
    (clone / "infra" / "environments" / "dev" / "main.tf").write_text("nonsense {}\n")
    git(clone, "commit", "--all", "--quiet", "--message", "break it")

    run = act(clone, "check.yml", "push", {"ref": "refs/heads/main"}, api, tmp_path / "run")

    assert run.jobs == {"check": "failure", "terraform": "failure", "check-pass": "failure"}
