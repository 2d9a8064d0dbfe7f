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
from tests.tooling import provider
from tests.tools import without
from tests.workflows.hosted import Hosted, git, write
from tests.workflows.runner import STUBS
from tools.need import Missing
from tools.ports import free_ports

Make = Callable[[dict[str, str] | Path], tuple[GitHubAPI, Path]]
REPOSITORY = "octo/flight-delays"


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


def settle(project: Path) -> dict[str, int]:
    """Let each environment of a project listen on a port that is free now, and watch a release for seconds only."""
    gates = project / "gates.yaml"
    gates.write_text(gates.read_text().replace("watch_minutes: 10", "watch_minutes: 0.05"))
    ports = dict(zip(("staging", "production"), free_ports(2), strict=True))
    for name in ports:
        values = project / "infra" / "environments" / name / "terraform.tfvars"
        port = next(line for line in values.read_text().splitlines() if line.startswith("port"))
        values.write_text(values.read_text().replace(port, f"port = {ports[name]}"))
    return ports


@pytest.fixture
def project(hosted: Make, small: Path, tmp_path: Path) -> Hosted:
    """The small project on the forge, with ports that are free here."""
    copy = tmp_path / "copy"
    shutil.copytree(small, copy)
    settle(copy)
    api, clone = hosted(copy)
    return Hosted(api, clone, tmp_path, small.parent / "cache")


@pytest.fixture(scope="session")
def providers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables with which Terraform finds the providers of all modules."""
    try:
        return provider.settings(tmp_path_factory.mktemp("providers"), *provider.PROVIDERS)
    except Missing as reason:
        without(str(reason))
