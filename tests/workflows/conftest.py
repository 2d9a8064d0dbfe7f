"""Repositories on the local forge for workflows to run in."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.local_forge.api import GitHubAPI, running
from tests.projects import small_project
from tests.workflows.runner import STUBS

Make = Callable[[dict[str, str] | Path], tuple[GitHubAPI, Path]]
REPOSITORY = "octo/flight-delays"


def git(cwd: Path, *arguments: str | Path) -> str:
    """Run git as Ada."""
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test"]
    done = subprocess.run(["git", *who, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def write(root: Path, files: dict[str, str]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def propose(
    api: GitHubAPI, clone: Path, branch: str, changes: dict[str, tuple[str, str]], fork: str | None = None
) -> int:
    """Push a branch of `clone` that replaces texts in files, open its pull request, check out GitHub's merge commit.

    A file whose old text is empty is a new one.
    """
    git(clone, "fetch", "--quiet", api.origin, "+refs/heads/*:refs/remotes/origin/*")
    git(clone, "switch", "--quiet", "--create", branch, "origin/main")
    for name, (old, new) in changes.items():
        content = (clone / name).read_text() if old else ""
        assert old in content, f"{name} has no {old!r}"
        write(clone, {name: content.replace(old, new) if old else new})
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", f"Change {branch}")
    head = git(clone, "rev-parse", "HEAD")
    # As a person, who has a token of her own; a fork's head is known to the repository under refs/pull.
    git(clone, "push", "--quiet", api.origin, f"HEAD:refs/{'pull/1/head' if fork else f'heads/{branch}'}")
    number = api.open(head if fork else branch, fork=fork)
    merge_commit(clone, head)
    return number


def merge_commit(clone: Path, head: str) -> None:
    """Check out what GitHub does for a pull request: its head, merged into main, on no branch."""
    git(clone, "switch", "--quiet", "--detach", "origin/main")
    git(clone, "merge", "--quiet", "--no-ff", "--message", f"Merge {head} into main", head)


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated project with few rows, as generated."""
    return small_project(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def small(fresh: Path) -> Path:
    """The same; the DVC cache beside it has what its pipeline makes."""
    folder = fresh.parent
    trained = folder / "trained"
    shutil.copytree(fresh, trained)
    git(trained, "init", "--quiet")
    env = {
        "TEST_CACHE": str(folder / "cache"),
        "TEST_PYTHON": sys.executable,
        "TEST_SITE": sysconfig.get_path("purelib"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    commands: list[list[str | Path]] = [
        [sys.executable, STUBS / "setup-uv" / "environment.py"],
        [trained / ".venv/bin/dvc", "repro"],
    ]
    for command in commands:
        path = f"{trained / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(command, cwd=trained, env={**os.environ, **env, "PATH": path}, check=True, capture_output=True)
    return fresh


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Make]:
    """Make a repository of these files or of that folder; give its forge and a clone whose origin is the forge."""
    open_: list[object] = []

    def make(files: dict[str, str] | Path) -> tuple[GitHubAPI, Path]:
        origin, clone = tmp_path / "origin.git", tmp_path / "clone"
        git(tmp_path, "init", "--bare", "--quiet", "--initial-branch", "main", origin)
        served = running(REPOSITORY, origin)
        api = served.__enter__()
        open_.append(served)
        git(tmp_path, "clone", "--quiet", origin, clone)
        git(clone, "switch", "--quiet", "--create", "main")
        if isinstance(files, Path):
            shutil.copytree(files, clone, dirs_exist_ok=True)
        else:
            write(clone, files)
        git(clone, "add", "--all")
        git(clone, "commit", "--quiet", "--message", "start")
        git(clone, "push", "--quiet", "origin", "main")
        git(clone, "remote", "set-url", "origin", f"{api.url}/{REPOSITORY}.git")
        opened.append(api)
        return api, clone

    opened: list[GitHubAPI] = []
    yield make
    for served in open_:
        served.__exit__(None, None, None)  # type: ignore[attr-defined]
    for api in opened:
        assert api.wrong == [], "GitHub's description knows it otherwise"
