"""Repositories on the local forge for workflows to run in."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.local_forge.api import GitHubAPI, running

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


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], tuple[GitHubAPI, Path]]]:
    """Make a repository of these files; give its forge and a clone whose origin is the forge."""
    open_: list[object] = []

    def make(files: dict[str, str]) -> tuple[GitHubAPI, Path]:
        origin, clone = tmp_path / "origin.git", tmp_path / "clone"
        git(tmp_path, "init", "--bare", "--quiet", "--initial-branch", "main", origin)
        served = running(REPOSITORY, origin)
        api = served.__enter__()
        open_.append(served)
        git(tmp_path, "clone", "--quiet", origin, clone)
        git(clone, "switch", "--quiet", "--create", "main")
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
