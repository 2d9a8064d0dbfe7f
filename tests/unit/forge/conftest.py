"""A small repository on the local forge."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mergeline.forge.github import GitHub
from tests.local_forge.api import GitHubAPI, Token, running

REPOSITORY = "octo/flight-delays"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[GitHubAPI]:
    """One commit on main and the branch `feature` with one more; afterwards GitHub's description has no complaint."""
    work, origin = tmp_path / "work", tmp_path / "origin.git"

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", *who, *arguments], cwd=work, check=True, capture_output=True)

    work.mkdir()
    git("init", "-b", "main")
    git("commit", "--allow-empty", "-m", "start")
    git("switch", "-c", "feature")
    (work / "features.py").write_text("x = 1\n")
    git("add", ".")
    git("commit", "-m", "change")
    subprocess.run(["git", "clone", "--bare", "-q", work, origin], check=True, capture_output=True)
    with running(REPOSITORY, origin) as served:
        yield served
    assert served.wrong == []


@pytest.fixture
def forge(api: GitHubAPI) -> GitHub:
    """The repository, with the workflow's own token."""
    return GitHub("workflow-token", REPOSITORY, api.url)


@pytest.fixture
def person(api: GitHubAPI) -> GitHub:
    """The repository, with a person's token."""
    api.tokens["ada-token"] = Token("ada", installation=False)
    return GitHub("ada-token", REPOSITORY, api.url)
