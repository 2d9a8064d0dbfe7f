"""A project is green at minute one: every hook passes on what was just generated, without network."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mergeline.repo import git
from tests.tools import cut_off
from tools.bake import TEMPLATE, bake, copy_tracked

from .choices import CHOICES


def first_commit(folder: Path, task: str) -> Path:
    """Generate a project and commit it."""
    project = bake(folder, {"task": task})
    author = {
        f"GIT_{role}_{what}": "test@example.test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    git(project, "init", "--quiet", "--initial-branch", "main")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Generate from the template", env=author)
    return project


@pytest.fixture(scope="module", params=CHOICES["task"])
def born(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of each task with its first commit."""
    return first_commit(tmp_path_factory.mktemp("born"), request.param)


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that tests add files to."""
    return first_commit(tmp_path_factory.mktemp("edited"), CHOICES["task"][0])


def call(project: Path, home: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the locked environment in the project, with empty caches and no way out of this machine."""
    nowhere = "http://127.0.0.1:9"
    return subprocess.run(
        command,
        cwd=project,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(project / "src"),
            "PRE_COMMIT_HOME": str(home),
            "HTTP_PROXY": nowhere,
            "HTTPS_PROXY": nowhere,
            "ALL_PROXY": nowhere,
            "NO_PROXY": "",
            **more,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("ruff", "format", "--check", ".")], ids=" ".join)
def test_what_is_generated_is_linted_and_formatted(born: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    done = call(born, tmp_path, *command)

    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_every_hook_passes_on_a_new_project_without_network(born: Path, tmp_path: Path) -> None:
    done = call(born, tmp_path, "pre-commit", "run", "--all-files")

    assert done.returncode == 0, done.stdout
    assert "Failed" not in done.stdout
    assert not git(born, "status", "--porcelain"), "a check changes nothing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "hook"),
    [
        ("src/model/keys.py", "KEY = 'AKIA" + "Q3EGRIB7ZSXWTL5D'\n", "tokens"),
        ("deploy.pem", "-----BEGIN RSA " + "PRIVATE KEY-----\n", "private-keys"),
        ("results.bin", "0" * 1_100_000, "large-files"),
        ("rows.csv.dvc", "outs: []\n", "dvc-data"),
        (".github/workflows/own.yml", "on: push\njobs: {own: {steps: [{run: ls}]}}\n", "workflow-schema"),
    ],
)
def test_a_hook_refuses_what_it_is_there_for(edited: Path, tmp_path: Path, name: str, content: str, hook: str) -> None:
    (edited / name).write_text(content, encoding="utf-8")
    git(edited, "add", "--force", name)

    done = call(edited, tmp_path, "pre-commit", "run", hook)
    git(edited, "rm", "--quiet", "--force", name)

    assert done.returncode == 1, done.stdout
    assert f"hook id: {hook}" in done.stdout


def test_a_lock_that_a_branch_commits_is_refused_with_the_way_out(edited: Path, tmp_path: Path) -> None:
    git(edited, "switch", "--quiet", "--create", "own-lock")
    (edited / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n", encoding="utf-8")
    git(edited, "add", "--force", "dvc.lock")

    refused = call(edited, tmp_path, "pre-commit", "run")
    (way_out,) = re.findall(r"`(git [^`]* dvc\.lock)`", " ".join(refused.stdout.split()))
    git(edited, *way_out.split()[1:])
    passed = call(edited, tmp_path, "pre-commit", "run", "dvc-lock")
    git(edited, "switch", "--quiet", "main")

    assert refused.returncode == 1, refused.stdout
    assert "hook id: dvc-lock" in refused.stdout
    assert "only a release may" in refused.stdout
    assert passed.returncode == 0, passed.stdout


@pytest.mark.slow
def test_every_hook_of_the_template_passes_without_network(tmp_path: Path) -> None:
    alone = cut_off()
    copy = tmp_path / "template"
    copy_tracked(copy)
    git(copy, "init", "--quiet")
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "--message", "The template")
    for types in (".mypy_cache", "<<cookiecutter.project>>/.mypy_cache"):  # a minute each without
        if (TEMPLATE / types).is_dir():
            shutil.copytree(TEMPLATE / types, copy / types)

    done = call(copy, tmp_path / "home", *alone, "pre-commit", "run", "--all-files", PYTHONPATH="", MYPY_CACHE_DIR="")

    assert done.returncode == 0, done.stdout
    assert "Failed" not in done.stdout
    assert "Not checked" not in done.stdout or os.environ.get("REQUIRE_TOOLS") != "1"


def test_every_hook_of_both_repositories_runs_from_the_locks() -> None:
    for folder in (TEMPLATE, TEMPLATE / "<<cookiecutter.project>>"):
        config = yaml.safe_load((folder / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
        assert [repository["repo"] for repository in config["repos"]] == ["local"]
        assert {hook["language"] for hook in config["repos"][0]["hooks"]} <= {"system", "pygrep"}
